"""Which networks this host is in, as the kernel's routing table shows it; nothing is sent.

Facts, each seen on Linux 6.1:
- /proc/self/net/route has a line per IPv4 route of the main table: interface, destination and gateway as the hex of the
  number in this machine's byte order, flags; 0x2 is "has a gateway". A default route has destination and mask 0.
- /proc/self/net/ipv6_route has the prefix length as its 2nd word, the next hop as the 5th, flags as the 9th, the
  interface last. Router advertisements make the next hop a link-local address.
- /proc/self/net/arp knows the hardware address of a neighbour only while one talks to it.
  There is no such file for IPv6.
- Under ProcSubset=pid /proc/net is gone, /proc/self/net is not.
"""

import socket
import sys
from collections.abc import Iterator
from ipaddress import IPv6Address
from pathlib import Path

_HAS_GATEWAY = 0x2
_UNKNOWN = "?"
# A host with more default routes than that is a router, and no judge of its own networks.
_MOST = 8


def networks(net: Path = Path("/proc/self/net")) -> tuple[str, ...]:
    """The routers of the default routes, each "INTERFACE ADDRESS HARDWARE", sorted; HARDWARE may be "?".

    Empty if there is none, or none can be read: then nothing is known of the networks.
    """
    neighbours = {words[0]: words[3] for words in _rows(net / "arp") if len(words) > 3}
    found = {*_ipv4(net), *_ipv6(net)}
    lines = sorted(f"{interface} {address} {neighbours.get(address, _UNKNOWN)}" for interface, address in found)
    return tuple(line.replace("00:00:00:00:00:00", _UNKNOWN) for line in lines[:_MOST])


def _ipv4(net: Path) -> Iterator[tuple[str, str]]:
    for words in _rows(net / "route"):
        if len(words) > 7 and words[1] == words[7] == "00000000" and int(words[3], 16) & _HAS_GATEWAY:
            yield words[0], socket.inet_ntoa(int(words[2], 16).to_bytes(4, sys.byteorder))


def _ipv6(net: Path) -> Iterator[tuple[str, str]]:
    for words in _rows(net / "ipv6_route", heads=0):
        if len(words) > 9 and words[1] == "00" and int(words[8], 16) & _HAS_GATEWAY:
            yield words[9], str(IPv6Address(int(words[4], 16)))


def _rows(path: Path, heads: int = 1) -> list[list[str]]:
    try:
        return [line.split() for line in path.read_text("ascii", "replace").splitlines()[heads:]]
    except OSError:
        return []
