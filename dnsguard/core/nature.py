"""What a dnsmasq is by its configuration, and what follows: the standby line, what is demanded, whether it is barred.

A standby line lets libc go on to an upstream when dnsmasq is silent. That must not happen where dnsmasq is more
than a cache of its upstreams: where it validates (going on would bypass that), sends some names elsewhere, or
answers them from what only it knows (going on would carry an internal name outside, and bring back "no such name",
which libc believes). What only trims the answers of upstreams (stop-dns-rebind, filter-rr, bogus-nxdomain, alias)
or saves them needless questions (domain-needed, bogus-priv) does not count: no internal zone becomes known by it.
"""

from dataclasses import dataclass

from dnsguard.core.resolvconf import canonical, is_loopback
from dnsguard.core.servers import DNS_PORT, Server
from dnsguard.core.vocabulary import Standby

LOOPBACKS = ("127.0.0.1", "::1")
"""The addresses of the loopback interface, unless somebody has given it more."""


@dataclass(frozen=True, slots=True)
class Nature:
    """How one dnsmasq process was configured when it was met; the default is a dnsmasq without any option.

    Attributes:
        validates: it validates DNSSEC.
        keeps: the first options by which it routes names, or answers them itself, each with its place.
        no_resolv, no_poll, no_ident: those flags; `detects_loops`: dns-loop-detect; `is_strict`: strict-order.
        port: where it serves DNS; 0 if it does not.
        listens, interfaces, excepted: listen-address, interface and except-interface.
        binds: bind-interfaces or bind-dynamic: it has a socket for each address, not one for all.
        servers: the servers in its configuration that are at an address of this host.
        may_ask_others: it has a usual server elsewhere, or may be given one at any time.
        resolv_files: the files that it reads its servers from.
        mirror: the one of them that is what we publish; empty if none is, it has its own servers, or is in doubt.
        stray: the one that it reads in the place of `[paths] upstream_file`; empty if it reads that, or as above.
        servers_file: its `servers-file`; empty if there is none.
        unread: what could not be read of its configuration, and why; if there is any, it is in doubt.
    """

    validates: bool = False
    keeps: tuple[str, ...] = ()
    no_resolv: bool = False
    no_poll: bool = False
    no_ident: bool = False
    detects_loops: bool = False
    is_strict: bool = False
    port: int = DNS_PORT
    listens: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    excepted: tuple[str, ...] = ()
    binds: bool = False
    servers: tuple[Server, ...] = ()
    may_ask_others: bool = False
    resolv_files: tuple[str, ...] = ("/etc/resolv.conf",)
    mirror: str = ""
    stray: str = ""
    servers_file: str = ""
    unread: tuple[str, ...] = ()

    @property
    def has_own_servers(self) -> bool:
        """Whether it reads no upstream file at all, and has its servers from its configuration."""
        return self.no_resolv or not self.resolv_files

    @property
    def stands_alone(self) -> str:
        """Why no upstream may stand behind it in resolv.conf, in words; empty if one may."""
        if self.validates:
            return "dnsmasq validates DNSSEC, and going on to an upstream would bypass that"
        if self.keeps:
            return f"dnsmasq routes names or knows some of its own, which must not leave this host: {self.keeps[0]}"
        if self.servers_file:
            return f"dnsmasq may route names at any reload: servers-file={self.servers_file}"
        if self.unread:
            return f"in doubt, for dnsmasq's configuration is not wholly known: {'; '.join(self.unread)}"
        return ""

    def bar(self, address: str, port: int) -> str:
        """Why libc can never be given this dnsmasq at this address and port, and the mend; empty if it can."""
        if self.port == 0:
            return "it serves no DNS (port=0); remove that from its configuration if this host is to use it"
        if self.port != port:
            words = f"it serves port {self.port} (port={self.port}), and is wanted at {port}, where libc asks"
            return f"{words}; remove `port` from its configuration, or name it in [dnsmasq] if packets are redirected"
        if not self._may_listen_at(address):
            return (
                f"it does not listen at {address}; add listen-address={address}, or name another in [dnsmasq] address"
            )
        return ""

    def _may_listen_at(self, address: str) -> bool:
        """False only where that is certain: which addresses an interface has is not in the configuration.

        dnsmasq adds the loopback interface to those that are named, and obeys an address before an exception.
        Source: iface_check and iface_allowed in network.c, dnsmasq 2.90.
        """
        if address in map(canonical, self.listens):
            return True
        if self.listens and not self.interfaces:
            return False
        return not (is_loopback(address) and any(_matches(pattern, "lo") for pattern in self.excepted))

    def hears(self, address: str) -> bool:
        """Whether a question to this address of this host, at its port, comes to dnsmasq; only where that is certain.

        A socket for all addresses leaves none to anybody else.
        """
        if not self.binds or address in map(canonical, self.listens):
            return True
        if self.listens and not self.interfaces:
            return False
        if address in LOOPBACKS:
            return self._may_listen_at(address)
        return not (is_loopback(address) or self.interfaces or self.excepted)

    @property
    def notes(self) -> tuple[str, ...]:
        """What else an operator should know about it, in words."""
        return tuple(
            words
            for applies, words in (
                (
                    self.has_own_servers,
                    "it has its own servers (no-resolv), so the list found here is not demanded of it",
                ),
                (self.no_ident, "it does not tell what it holds (no-ident), so its upstream file is believed"),
                (self.no_poll, "it reads its upstream file at SIGHUP alone (no-poll)"),
                (
                    self.detects_loops,
                    "it stops asking a server whose questions come back to it, and goes on naming it (dns-loop-detect)",
                ),
                (
                    bool(self.mirror),
                    f"it reads what is published ({self.mirror}): once it is trusted, that is the standby alone",
                ),
                (
                    bool(self.stray),
                    f"it reads {self.stray}, and not [paths] upstream_file: name it there, so that it is looked at",
                ),
            )
            if applies
        )


def _matches(pattern: str, name: str) -> bool:
    """Whether an interface is meant; a trailing `*` stands for anything."""
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


def standby_rule(chosen: Standby, nature: Nature | None) -> tuple[bool, str]:
    """Whether an upstream may stand behind dnsmasq, and why, in words; None if its nature is not known yet."""
    if chosen is not Standby.AUTO:
        return chosen is Standby.YES, f'standby = "{chosen.value}"'
    if nature is None:
        return False, "no dnsmasq has been met yet"
    alone = nature.stands_alone
    return not alone, alone or "dnsmasq neither validates DNSSEC nor routes names"
