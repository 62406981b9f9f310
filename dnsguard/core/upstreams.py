"""What several sources say -> the one list of real upstreams."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from dnsguard.core import resolvconf
from dnsguard.core.records import in_order
from dnsguard.core.resolvconf import ResolvConf


@dataclass(frozen=True, slots=True)
class Source:
    """One file in resolv.conf syntax, as it was read.

    Attributes:
        name: the path, or the record's name, as a log shows it.
        text: what it says; None if it does not exist or cannot be read.
        trouble: why it could not be read, in words; empty if it was read or does not exist.
    """

    name: str
    text: str | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Sources:
    """Everything that was read in one look.

    Attributes:
        records: resolvconf's records by name; None if there is no resolvconf on this host.
        interface_order: its patterns file.
        base: its resolv.conf.d/base.
        upstream_file: the file that dnsmasq is given.
        others: NetworkManager's and systemd-resolved's lists, in the order they are believed.
        etc: what /etc/resolv.conf says, followed if it is a link; text None while it is ours.
        kept: what /etc/resolv.conf said before `attach`, if it was a plain file.
        attached: whether /etc/resolv.conf is our link.
    """

    records: tuple[Source, ...] | None
    interface_order: Source
    base: Source
    upstream_file: Source
    others: tuple[Source, ...]
    etc: Source
    kept: Source
    attached: bool


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The real upstreams, and what goes with them into resolv.conf.

    Attributes:
        nameservers: canonical addresses, never empty, never this host's own.
        demanded: those of them that dnsmasq must hold before it can be trusted.
        source: where they were found.
    """

    nameservers: tuple[str, ...]
    demanded: tuple[str, ...]
    search: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    rest: tuple[str, ...] = ()
    source: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one look at all sources comes to.

    Attributes:
        upstreams: the list, or None if no source names a usable server.
        offered: the usable servers in the file that dnsmasq is given; None if there is no such file.
        registered: whether dnsmasq's record `lo.dnsmasq` is there; None without resolvconf.
        attached: whether /etc/resolv.conf is our link.
        trampled_by: what stands in /etc/resolv.conf while it is not ours, bounded, for the log.
        complaints: what could not be read or understood, each with its source.
    """

    upstreams: Upstreams | None
    offered: tuple[str, ...] | None = None
    registered: bool | None = None
    attached: bool = True
    trampled_by: str = ""
    complaints: tuple[str, ...] = ()
