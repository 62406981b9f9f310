"""Settings -> the edges that they describe; shared by the daemon and the door.

What asks the network is imported where it is wanted: `dnsguard doctor` needs neither a loop nor dnspython.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dnsguard.core.errors import SettingsError
from dnsguard.core.records import record_of
from dnsguard.core.settings import Health, Settings
from dnsguard.core.upstreams import Sources
from dnsguard.core.vocabulary import Kind, Phase, Verdict
from dnsguard.edge import reader
from dnsguard.edge.addresses import is_own_address
from dnsguard.edge.dnsmasq_conf import Surroundings
from dnsguard.edge.networks import networks
from dnsguard.edge.reader import SourcePaths

if TYPE_CHECKING:
    from dnsguard.edge.link import LinkPaths
    from dnsguard.edge.prober import Prober


def source_paths(settings: Settings) -> SourcePaths:
    """Where the sources of upstreams lie."""
    paths, folder = settings.paths, Path(settings.paths.resolv_conf_d)
    return SourcePaths(
        resolvconf_dir=Path(paths.resolvconf_dir),
        interface_order=Path(paths.interface_order),
        head=folder / "head",
        base=folder / "base",
        tail=folder / "tail",
        upstream_file=Path(paths.upstream_file),
        others=tuple(Path(each) for each in paths.other_sources),
        resolv_conf=Path(paths.resolv_conf),
        published=Path(paths.published),
        newcomer=_newcomer(settings),
        kept=Path(paths.kept),
        remembered=Path(paths.remembered),
    )


def read_everything(paths: SourcePaths, unit: str = "") -> Sources:
    """One look at all sources, and at the networks that this host is in; `unit` is dnsmasq's."""
    return replace(reader.read_sources(paths), networks=networks(), record=record_of(unit))


def surroundings(paths: SourcePaths) -> Surroundings:
    """What of this host dnsmasq's configuration is held against."""
    return Surroundings(is_own_address, paths.published, paths.resolv_conf, paths.upstream_file)


def link_paths(settings: Settings) -> "LinkPaths":
    """Where /etc/resolv.conf and what stood there before are kept."""
    from dnsguard.edge.link import LinkPaths

    paths = settings.paths
    return LinkPaths(
        resolv_conf=Path(paths.resolv_conf),
        published=Path(paths.published),
        newcomer=_newcomer(settings),
        kept=Path(paths.kept),
        kept_facts=Path(paths.kept_facts),
        request=Path(paths.request),
    )


def request_paths(settings: Settings) -> tuple[Path, Path]:
    """Where root's helpers are asked to attach again: the request, and the door of the one that is quick."""
    wanted = Path(settings.paths.request)
    return wanted, wanted.parent.with_name("dnsguard-take-back") / "door"


def _newcomer(settings: Settings) -> Path:
    # It outlives a boot, as what was written into a plain file would.
    return Path(settings.paths.kept).with_name("newcomer.conf")


def prober_for(settings: Settings) -> "Prober":
    """Raises SettingsError: code "bad-question"."""
    from dnsguard.edge.prober import Prober, parse_question

    try:
        questions = tuple(parse_question(text) for text in settings.health.questions)
    except SettingsError as error:
        raise SettingsError(error.code, f"[health] questions: {error.text}") from None
    return Prober(
        settings.dnsmasq.address,
        settings.dnsmasq.port,
        questions,
        settings.health.probe_timeout_s,
        settings.health.forward_timeout_s,
        upstream_port=settings.health.upstream_port,
    )


def with_good_questions(settings: Settings) -> Settings:
    """The same settings. Raises SettingsError: code "bad-question".

    dnspython alone knows whether questions can be asked; it is slow to come, and not loaded for the default ones.
    """
    if settings.health.questions != Health().questions:
        prober_for(settings)
    return settings


def loopback_works(settings: Settings, last_phase: str) -> Callable[[str], bool]:
    """Ask a loopback server whether resolv.conf may be left to it; takes up to 2 * forward_timeout_s.

    It may if it answers a lookup. While the network is down no server can show that; then a dnsmasq
    may that is alive and was trusted last.
    """
    import asyncio

    from dnsguard.core.actions import AskPublished, Probe
    from dnsguard.core.events import LookupAnswered, ProbeFailed

    prober = prober_for(settings)

    def works(address: str) -> bool:
        answer = asyncio.run(prober.ask_published(AskPublished(Kind.GUARDED, 0, (address,))))
        if isinstance(answer, LookupAnswered):
            return True
        if address != settings.dnsmasq.address or last_phase != Phase.GUARDED.value:
            return False
        probed = asyncio.run(prober.probe(Probe(0, 0, (), forward=True)))
        return isinstance(probed, ProbeFailed) and probed.verdict in _NETWORK

    return works


# dnsmasq is alive and knows upstreams, but they do not answer it.
_NETWORK = {Verdict.UNFORWARDED, Verdict.SERVFAIL, Verdict.REFUSED}
