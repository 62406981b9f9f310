"""Where the bench measures: a private host with a real dnsmasq, and one observer outside.

A file counts as published when inotify tells of its rename, so the observer's own waking is part of every
figure, and of the floor's.
"""

import contextlib
import os
import re
import time
from pathlib import Path
from typing import Self

from tests.sandbox.floor import PUBLISHED
from tests.sandbox.guard import SETTINGS_FILE, Guard
from tests.sandbox.host import SYSTEMD_HELPER, Host
from tests.sandbox.observer import MOVED_TO, OPENED, Observer
from tests.sandbox.processes import PATIENCE_S, begin_or_close, wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM

PYTHON = "/usr/bin/python3"
"""What runs the daemon on a Debian host."""

GUARDS_FOLDER = "/run/dnsguard"
FLOORS_FOLDER = "/run/floor"
RECORDS = "/run/resolvconf/interface"
UPSTREAM_FILE = "/run/dnsmasq/resolv.conf"

# dnsmasq opens its hosts files when it starts and when SIGHUP reaches it, and nobody else opens this one.
HOSTS_FILE = "/run/hosts-of-dnsmasq"

CALM_S = 0.1
"""Longer than the guard's debounce: a round begins when it has nothing left to do for the last one."""

# The last of the ids that a process has, one for each PID namespace that it is in.
_ID_INSIDE = re.compile(r"^NSpid:.*\t(\d+)$", re.MULTILINE)


class DebianGuard(Guard):
    """The guard under the Python, and with the compiled modules, that a package would give it."""

    def _command(self, verb: str) -> list[str]:
        return [PYTHON, "-m", "dnsguard", verb, "--config", SETTINGS_FILE]

    @property
    def pid(self) -> int:
        """Its id out here."""
        return self._running().pid


class Stage(contextlib.ExitStack):
    """A host with dnsmasq running and one observer; a context manager.

    Attributes:
        folder: where the file is published, seen from outside.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._where = folder

    def __enter__(self) -> Self:
        begin_or_close(self._set, self.close)
        return self

    def _set(self) -> None:
        self.host = self.enter_context(Host())
        self.host.start_upstream(OTHER_UPSTREAM)
        self.host.path(HOSTS_FILE).touch()
        self.host.configure_dnsmasq(f"addn-hosts={HOSTS_FILE}")
        self.host.start_dnsmasq()
        self.folder = self.host.path(self._where)
        self.folder.mkdir(exist_ok=True)
        self.observer = self.enter_context(Observer())
        self.observer.watch(self.folder, MOVED_TO)
        self.observer.watch(self.host.path(HOSTS_FILE), OPENED)

    def guarded(self, directory: Path) -> DebianGuard:
        """Start the guard and wait until it trusts dnsmasq; its log goes to `directory`."""
        guard = DebianGuard(self.host, directory / f"guard-{id(self)}.log")
        guard.start()
        self.callback(guard.stop)
        self.await_guarded()
        return guard

    def await_guarded(self) -> None:
        """Return when libc is sent to dnsmasq, and all is quiet."""
        wait_for(lambda: self.first_nameserver() == "127.0.0.1", "trust in dnsmasq")
        time.sleep(CALM_S)

    def first_nameserver(self) -> str:
        """The first server in the published file; empty if there is none."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / PUBLISHED).read_text().splitlines()
            return next((line.split()[1] for line in lines if line.startswith("nameserver ")), "")
        return ""

    def published_s(self, nameserver: str) -> float:
        """When (monotonic) a file that begins with this server was put in place."""
        for now_s, mask, name in self.observer.sightings(PATIENCE_S):
            if mask & MOVED_TO and name == PUBLISHED and self.first_nameserver() == nameserver:
                return now_s
        raise AssertionError  # sightings() ends by TimeoutError only

    def opened_s(self) -> float:
        """When dnsmasq opened its hosts file."""
        return next(now_s for now_s, mask, _ in self.observer.sightings(PATIENCE_S) if mask & OPENED)

    def dnsmasq(self) -> int:
        """The id, out here, of the dnsmasq in there."""
        inside, root = self.host.dnsmasq_pid(), os.stat(self.host.path("/"))
        for process in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                ids = _ID_INSIDE.findall((process / "status").read_text())
                if ids == [str(inside)] and os.path.samestat(root, os.stat(process / "root")):
                    return int(process.name)
        raise RuntimeError(f"dnsmasq (PID {inside} inside) is not running")

    def start_dnsmasq_again(self) -> None:
        """As its unit does, less resolvconf, which never heard of its death."""
        self.host.run([SYSTEMD_HELPER, "exec"])

    def write_lease(self, nameserver: str) -> None:
        """What resolvconf does for a new lease, as far as the guard sees it, and nothing in between."""
        # resolvconf too writes beside, under a name that counts for nothing.
        places = [self.host.path(place) for place in (f"{RECORDS}/eth0.inet", UPSTREAM_FILE)]
        fresh = [place.with_name(f"{place.name}_new.1") for place in places]
        for file in fresh:
            file.write_text(f"nameserver {nameserver}\n")
            file.chmod(0o644)
        for file, place in zip(fresh, places, strict=True):
            file.rename(place)
