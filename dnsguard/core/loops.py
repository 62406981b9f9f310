"""A dnsmasq whose questions come back to it: by which of its servers, and what follows.

What the real one does then (2.90, tried in a sandbox): a server at an address of an interface where it listens, or at
0.0.0.0, is dropped ("ignoring nameserver"), and if that was all it refuses each question. At any other address of
127/8 it is kept, though a socket that is bound to no address hears that, too: the question waits for its own answer,
and so does whoever asked. Neither is a storm; neither answers anybody.
"""

from dnsguard.core.nature import LOOPBACKS, Nature
from dnsguard.core.resolvconf import UNSPECIFIED, is_loopback
from dnsguard.core.servers import DNS_PORT, Server

STUBS = ("127.0.0.53", "127.0.0.54")
"""Where systemd-resolved listens. Source: systemd-resolved.service(8)."""
UPLINKS = "/run/systemd/resolve/resolv.conf"
"""Where systemd-resolved says whom it asks itself. Source: the same."""


def loops(nature: Nature, resolved_asks: tuple[str, ...]) -> tuple[str, ...]:
    """The servers by which this dnsmasq asks itself, in words, each with its mend.

    `resolved_asks` is whom systemd-resolved asks, if that is this host alone; else empty.
    """
    told = ((server, _way(nature, server, resolved_asks)) for server in nature.servers)
    return tuple(f"{server.option} {way}" for server, way in told if way)


def bar(nature: Nature, resolved_asks: tuple[str, ...]) -> str:
    """Why this dnsmasq can answer nobody in time, and the mend; empty if it has other servers, or may have some."""
    usual = [server for server in nature.servers if not server.routed]
    if not usual or nature.may_ask_others or nature.unread:
        return ""
    # What its upstream file names comes after what its configuration does.
    first = next((server for server in usual if not _is_dropped(nature, server)), None)
    if nature.has_own_servers and all(_way(nature, server, resolved_asks) for server in usual):
        why = "it asks nobody but itself"
    elif nature.is_strict and first and _way(nature, first, resolved_asks):
        why = "it asks itself before it asks anybody else (strict-order)"
    else:
        return ""
    return "; ".join((why, *loops(nature, resolved_asks)))


def _is_dropped(nature: Nature, server: Server) -> bool:
    of_an_interface = server.address in LOOPBACKS or not is_loopback(server.address)
    return server.address in UNSPECIFIED or (server.port == nature.port and of_an_interface)


def _way(nature: Nature, server: Server, resolved_asks: tuple[str, ...]) -> str:
    """How a question to this server comes back, and the mend; empty if that is not certain."""
    if server.address in UNSPECIFIED or (server.port == nature.port and nature.hears(server.address)):
        return "leads back to dnsmasq itself: remove that line, or name a real server there"
    asked_back = bool(resolved_asks) and nature.port == DNS_PORT and all(map(nature.hears, resolved_asks))
    if server.address in STUBS and server.port == DNS_PORT and asked_back:
        named = ", ".join(resolved_asks)
        mend = "set DNS= in /etc/systemd/resolved.conf to a real server, or name one here"
        return f"leads to systemd-resolved, which asks dnsmasq again ({UPLINKS} names {named}): {mend}"
    return ""
