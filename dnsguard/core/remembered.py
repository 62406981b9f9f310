"""The last list that was known to be good: how it is kept, and whether it may be used again.

It outlives restarts, upgrades and reboots, is used only until a source speaks, and only where the host is in the same
networks as then: the servers of another network would be asked in vain, or by the wrong people.
"""

from collections.abc import Iterable

from dnsguard.core import resolvconf
from dnsguard.core.resolvconf import ResolvConf

_NETWORKS = "# networks: "
_UNKNOWN = "?"


def text_of(conf: ResolvConf, networks: Iterable[str]) -> str:
    """The file in which a list is kept, in resolv.conf syntax; `networks` as in Sources."""
    header = "# The upstreams that dnsguard knew last. Used only until a source of upstreams speaks.\n"
    return f"{header}{_NETWORKS}{', '.join(networks)}\n{resolvconf.render(conf)}"


def is_of(text: str, networks: tuple[str, ...]) -> bool:
    """Whether the list was kept in these networks: the same routers, and no other router behind an old address."""
    for line in text.split("\n"):
        if line.startswith(_NETWORKS):
            then = tuple(line.removeprefix(_NETWORKS).split(", "))
            return bool(networks) and len(then) == len(networks) and all(map(_is_same, then, networks))
    return False


def says_more(then: tuple[str, ...], now: tuple[str, ...]) -> bool:
    """Whether these are other networks, or something has been learned of them."""
    if len(then) != len(now) or not all(map(_is_same, then, now)):
        return True
    return sum(each.endswith(_UNKNOWN) for each in now) < sum(each.endswith(_UNKNOWN) for each in then)


def _is_same(one: str, other: str) -> bool:
    """Whether two routers are the same as far as can be seen: the hardware address is not always known."""
    *router, hardware = one.split(" ")
    *router_now, hardware_now = other.split(" ")
    return one == other or (router == router_now and _UNKNOWN in (hardware, hardware_now))
