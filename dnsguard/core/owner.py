"""Whose the network's servers are on this host, in one line at start: what was found, and what follows from it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from dnsguard.core import resolvconf

if TYPE_CHECKING:
    from dnsguard.core.upstreams import Reading, Sources
    from dnsguard.core.words import Said


class Provider(Enum):
    """Who /sbin/resolvconf is."""

    NOBODY = "no resolvconf"
    DEBIAN = "Debian's resolvconf"
    OPENRESOLV = "openresolv"
    RESOLVECTL = "systemd-resolved as resolvconf"
    STRANGER = "an unknown resolvconf"


@dataclass(frozen=True, slots=True)
class Signs:
    """What shows who told libc of its servers before dnsguard, and who is to tell dnsmasq.

    Attributes:
        before: what stood at /etc/resolv.conf, as "a link to TARGET" or "a plain file"; "" if that is unknown.
        provider: who /sbin/resolvconf is.
    """

    before: str
    provider: Provider


# What dnsmasq needs where Debian's scripts have it read a file that nobody writes.
_REMEDIES = {
    Provider.OPENRESOLV: "set dnsmasq_resolv in /etc/resolvconf.conf",
    Provider.RESOLVECTL: "set IGNORE_RESOLVCONF=yes, and resolv-file=",
}


def found(sources: "Sources", signs: Signs, reading: "Reading") -> "Said":
    """The line; `reading` is what these sources come to."""
    # `dnsguard doctor` wants the signs alone: it need not wait for events, actions and state.
    from dnsguard.core.words import Said

    naming = ", ".join(_naming(sources)) or "nobody"
    known = reading.upstreams
    parts = (
        signs.provider.value,
        f"before dnsguard resolv.conf was {signs.before or 'something unknown'}",
        f"servers are named by {naming} -> "
        + (f"upstreams are taken from {known.source}" if known else "no upstream is known yet"),
        _use_of_dnsmasq(signs.provider, reading),
    )
    return Said("found", "info", "; ".join(parts))


def _naming(sources: "Sources") -> Iterable[str]:
    """The sources that name any server, dnsmasq itself included."""
    records, conf_d = sources.records or (), (sources.head, sources.base, sources.tail)
    plain = (sources.upstream_file, *sources.others, sources.etc, sources.newcomer, sources.kept)
    every = (*records, *conf_d, *plain)
    return (source.name for source in every if resolvconf.parse(source.text or "").nameservers)


def _use_of_dnsmasq(provider: Provider, reading: "Reading") -> str:
    if not reading.offered and provider in _REMEDIES:
        return f"a dnsmasq that comes is given no upstream, and is not used: {_REMEDIES[provider]}"
    if reading.registered is None:
        return "dnsmasq need not be registered to be used"
    return "dnsmasq is used while it is registered with resolvconf"
