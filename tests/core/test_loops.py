"""Twin of dnsguard/core/loops.py: which servers lead back to dnsmasq, and what follows."""

from dataclasses import replace

import pytest

from dnsguard.core.loops import bar, loops
from dnsguard.core.nature import Nature
from dnsguard.core.servers import Server

STUB, SELF, UNBOUND = Server("127.0.0.53", option="server=127.0.0.53"), Server("127.0.0.1"), Server("127.0.0.1", 5335)
OWN = Server("192.0.2.2")
BOUND = Nature(no_resolv=True, binds=True)
BACK = ("127.0.0.1",)
"""systemd-resolved asks dnsmasq."""


@pytest.mark.parametrize(
    ("nature", "server"),
    [
        (Nature(), SELF),
        (Nature(), OWN),
        (Nature(), STUB),
        (Nature(port=5335), UNBOUND),
        (Nature(), Server("0.0.0.0", 5335)),
        (BOUND, SELF),
        (BOUND, OWN),
        (BOUND, Server("::1")),
        (replace(BOUND, interfaces=("eth0",)), SELF),
        (replace(BOUND, listens=("127.0.0.53",)), STUB),
        (replace(BOUND, listens=("127.0.0.53",), excepted=("lo",)), STUB),
    ],
)
def test_a_server_where_dnsmasq_itself_listens_is_a_loop(nature: Nature, server: Server) -> None:
    """A socket that is bound to no address hears what is sent to any of this host's."""
    assert "leads back to dnsmasq itself" in loops(replace(nature, servers=(server,)), ())[0]


@pytest.mark.parametrize(
    ("nature", "server"),
    [
        (Nature(), UNBOUND),
        (BOUND, STUB),
        (BOUND, Server("127.0.0.2")),
        (replace(BOUND, listens=("192.0.2.2",)), SELF),
        (replace(BOUND, excepted=("lo",)), SELF),
        (replace(BOUND, excepted=("lo",)), OWN),
        (replace(BOUND, interfaces=("eth1",)), OWN),
    ],
)
def test_another_server_of_this_host_is_none(nature: Nature, server: Server) -> None:
    """unbound at another port, a stub at another address; and what is not certain."""
    nature = replace(nature, servers=(server,))

    assert ((), "") == (loops(nature, ()), bar(nature, ()))


def test_systemd_resolved_is_a_loop_if_it_asks_dnsmasq_again() -> None:
    """The line is named, and both mends."""
    nature = replace(BOUND, servers=(STUB,))
    (told,) = loops(nature, BACK)

    assert told.startswith("server=127.0.0.53 leads to systemd-resolved, which asks dnsmasq again")
    assert "DNS= in /etc/systemd/resolved.conf" in told
    assert told in bar(nature, BACK)


@pytest.mark.parametrize(
    ("nature", "asks"),
    [
        (BOUND, ()),
        (BOUND, ("127.0.0.1", "127.0.0.2")),
        (replace(BOUND, listens=("192.0.2.2",)), BACK),
        (replace(BOUND, port=5353), BACK),
        (replace(BOUND, servers=(replace(STUB, port=5353),)), BACK),
    ],
)
def test_systemd_resolved_with_somebody_else_to_ask_is_none(nature: Nature, asks: tuple[str, ...]) -> None:
    """Another resolver of this host, or a dnsmasq that is not where it asks."""
    assert () == loops(replace(nature, servers=nature.servers or (STUB,)), asks)


@pytest.mark.parametrize("first", [(), (SELF,), (Server("0.0.0.0"),), (replace(UNBOUND, routed=True),)])
def test_who_asks_itself_before_all_others_makes_each_lookup_wait(first: tuple[Server, ...]) -> None:
    """strict-order, and its upstream file comes after; a server that it drops does not count as the first."""
    nature = Nature(is_strict=True, servers=(*first, STUB))

    assert "strict-order" in bar(nature, ())
    assert "" == bar(replace(nature, is_strict=False), ())
    assert "" == bar(replace(nature, servers=(UNBOUND, *nature.servers)), ())
    assert "" == bar(replace(nature, servers=(SELF,)), ())


@pytest.mark.parametrize(
    "more",
    [
        {"no_resolv": False},
        {"may_ask_others": True},
        {"servers": (SELF, UNBOUND)},
        {"servers": (replace(SELF, routed=True),)},
        {"unread": ("a file",)},
    ],
)
def test_who_has_somebody_else_to_ask_is_named_and_not_barred(more: dict[str, object]) -> None:
    """What it answers proves it."""
    nature = replace(BOUND, servers=(SELF,))
    other = replace(nature, **more)  # type: ignore[arg-type]

    assert bar(nature, ())
    assert (1, "") == (len(loops(other, ())), bar(other, ()))
