"""The round that `dnsguard doctor` makes: it looks at each part of this host, and asks its servers, once.

It needs neither the daemon nor root, and changes nothing. What only root may see (whose a socket is) stays unknown
without. The daemon never imports it.
"""

import json
import os
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from dnsguard.core import mends, resolvconf
from dnsguard.core.dnsmasq_conf import foresee
from dnsguard.core.errors import DnsguardError, SettingsError
from dnsguard.core.host import ABSENT, HIDDEN, KEPT, Answer, Host, Process
from dnsguard.core.loops import UPLINKS
from dnsguard.core.owner import Provider
from dnsguard.core.settings import Settings
from dnsguard.core.upstreams import choose
from dnsguard.edge import asker, host, rights
from dnsguard.edge.addresses import is_own_address
from dnsguard.edge.dnsmasq_conf import Disk, nature_of
from dnsguard.edge.dnsmasq_process import find_pid
from dnsguard.edge.owner import read_signs
from dnsguard.onlooker import is_running
from dnsguard.wiring import read_everything, source_paths, surroundings

TIMEOUT_S = 1.2
"""How long a server may be silent before it counts as dead: three sends, and what a far one needs to answer."""
_PROGRAMS = ("/usr/sbin/dnsmasq", "/usr/sbin/ifup", *mends.CLOCK_KEEPERS)
_TIMESYNC = Path("/var/lib/systemd/timesync/clock")
_UPDATES = "enable-updates"


def look_around(settings: Settings, path: Path, error: SettingsError | None, told: dict[str, Any] | None) -> Host:
    """Everything there is to see; takes TIMEOUT_S at most if servers are silent, milliseconds otherwise.

    `error` is what is wrong with the settings at `path`, and `settings` the defaults then; `told` the daemon's report.
    """
    file = _settings_file(path, error, Path(settings.paths.status).parent)
    paths, unit = settings.paths, settings.dnsmasq.unit or "dnsmasq.service"
    sources = read_everything(source_paths(settings), settings.dnsmasq.unit)
    reading = choose(sources, is_own_address)
    process = _dnsmasq(settings)
    provider = read_signs(Path(paths.kept_facts)).provider
    seen = Host(
        settings=settings,
        settings_path=str(path),
        settings_error=_FAULTS.get(file, error.text if error else ""),
        settings_file=file,
        now_s=time.time(),
        dated=(*host.dated(_TIMESYNC), *_written(paths.status, told)),
        programs=frozenset(each for each in _PROGRAMS if os.path.exists(each)),
        space=host.space_at(Path(paths.published).parent),
        hosts_line=host.hosts_line(),
        resolv_conf=host.thing_at(Path(paths.resolv_conf)),
        sources=sources,
        reading=reading,
        own=frozenset(filter(is_own_address, resolvconf.parse(sources.upstream_file.text or "").nameservers)),
        provider=provider,
        updates_disabled=provider is Provider.DEBIAN and not (Path(paths.resolvconf_dir) / _UPDATES).exists(),
        dnsmasq=process,
        units={name: host.unit(name) for name in (unit, "dnsguard.service")},
        listeners=host.listeners(settings.dnsmasq.port, name_them=not process.pid),
        answers={},
        network_manager=Path("/run/NetworkManager").is_dir(),
        resolved=Path(UPLINKS).exists(),
        told=told,
        is_running=told is not None and is_running(told),
    )
    return _with_answers(seen)


# What is wrong then, whatever else there is; that one user may not read it is no fault.
_FAULTS = {HIDDEN: "", KEPT: "dnsguard's user cannot read it"}


def _settings_file(path: Path, error: SettingsError | None, folder: Path) -> str:
    """What keeps it from being read; root reads everything, and asks in the place of who owns the daemon's folder."""
    cause = error.__cause__ if error else None
    if isinstance(cause, PermissionError):
        return KEPT if os.geteuid() == 0 else HIDDEN
    if isinstance(cause, FileNotFoundError):
        return ABSENT
    is_told = os.geteuid() == 0 and path.exists() and folder.exists() and folder.stat().st_uid != 0
    return KEPT if is_told and not rights.ask_as_owner(folder, lambda: os.access(path, os.R_OK)) else ""


def is_resolving(settings: Settings) -> bool:
    """Whether one of the servers that libc is told of answers now; takes TIMEOUT_S at most."""
    servers = mends.servers_in(host.text_of(Path(settings.paths.resolv_conf)) or "")
    answers = _ask(_questions(servers, settings), settings)
    return any(not answer.trouble for answer in answers.values())


def _dnsmasq(settings: Settings) -> Process:
    pid, missing = find_pid(Path(settings.dnsmasq.pid_file), settings.dnsmasq.unit)
    disk = Disk()
    if not pid:
        instance = settings.dnsmasq.unit.removesuffix(".service").partition("@")[2]
        nature = foresee(disk, instance)
        return Process(missing=missing, takes_all=not nature.binds and not nature.unread)
    return Process(pid, "", nature_of(pid, disk, surroundings(source_paths(settings))), tuple(disk.pages.items()))


def _written(path: str, told: dict[str, Any] | None) -> Iterable[tuple[str, float]]:
    with suppress(KeyError, ValueError, TypeError):
        yield path, datetime.fromisoformat((told or {})["written"]).timestamp()


def _with_answers(seen: Host) -> Host:
    """Ask dnsmasq for its servers, and each server that libc or dnsmasq is given, all at once."""
    settings, known = seen.settings, seen.reading.upstreams
    bind = (settings.dnsmasq.address, settings.dnsmasq.port, asker.SERVERS_BIND)
    servers = (*mends.servers_of(seen), *(known.nameservers if known else ()))
    answers = _ask({_HELD: bind, **_questions(servers, settings)}, settings)
    return seen._replace(dnsmasq=seen.dnsmasq._replace(held=answers.pop(_HELD)), answers=answers)


# Where dnsmasq's servers stand among the answers, which are told by address.
_HELD = "held"


def _questions(addresses: Iterable[str], settings: Settings) -> dict[str, asker.Question]:
    ports = {settings.dnsmasq.address: settings.dnsmasq.port}
    return {each: (each, ports.get(each, settings.health.upstream_port), asker.ROOT_SOA) for each in addresses}


def _ask(questions: dict[str, asker.Question], settings: Settings) -> dict[str, Answer]:
    """The answers, asked for by who owns the daemon's folder if we are root.

    Raises:
        DnsguardError: code "nothing-asked": the child that does it has failed.
    """

    def asked() -> bytes:
        answers = asker.ask(questions.values(), TIMEOUT_S)
        return json.dumps({name: answers[question] for name, question in questions.items()}).encode()

    told = rights.tell_as_owner(Path(settings.paths.status).parent, asked)
    if not told:
        raise DnsguardError("nothing-asked", "no server was asked: the process that asks without root's rights failed")
    return {name: Answer(trouble, tuple(texts)) for name, (trouble, texts) in json.loads(told).items()}
