"""dnsguard.wiring: whether resolv.conf may be left to a loopback server."""

from collections.abc import Callable, Iterable

import pytest
from dns.message import Message
from dns.rcode import REFUSED, SERVFAIL
from dns.rdataclass import CHAOS

from dnsguard.core import settings
from dnsguard.wiring import loopback_works
from tests.fakes import TinyNameserver, reply_to, servers_bind


def works(say: Callable[[Message], Iterable[bytes]], last_phase: str, address: str = "127.0.0.1") -> bool:
    """Ask about 127.0.0.1, where somebody says this; `address` is where dnsmasq is said to be."""
    with TinyNameserver(lambda query, _: say(query)) as server:
        health = f"[health]\nforward_timeout_s = 0.3\nupstream_port = {server.port}\n"
        dnsmasq = f'[dnsmasq]\naddress = "{address}"\nport = {server.port}\n'
        return loopback_works(settings.parse(dnsmasq + health, "test"), last_phase)("127.0.0.1")


def holding(query: Message, held: bytes, said: bytes | None) -> Iterable[bytes]:
    """As a dnsmasq that holds this, and says that (None: nothing) to what it should forward."""
    if query.question[0].rdclass == CHAOS:
        return [held]
    return [said] if said else []


def test_a_server_that_answers_works_whoever_it_is() -> None:
    assert works(lambda query: [reply_to(query)], "direct")
    assert works(lambda query: [reply_to(query)], "", address="127.0.0.2")


def test_a_closed_port_or_silence_does_not_work() -> None:
    assert not works(lambda _: [], "guarded")
    with TinyNameserver(lambda query, _: [reply_to(query)]) as server:
        port = server.port
    closed = settings.parse(f"[dnsmasq]\nport = {port}\n", "test")

    assert not loopback_works(closed, "guarded")("127.0.0.1")


@pytest.mark.parametrize("rcode", [None, SERVFAIL, REFUSED])
def test_a_dnsmasq_that_was_trusted_last_works_though_the_network_is_down(rcode: int | None) -> None:
    """It is alive and holds upstreams; nobody can show more while nothing can answer."""

    def say(query: Message) -> Iterable[bytes]:
        held = servers_bind(query, "192.0.2.53#53 0 0")
        return holding(query, held, None if rcode is None else reply_to(query, rcode))

    assert works(say, "guarded")
    assert not works(say, "direct")
    assert not works(say, "guarded", address="127.0.0.2")


def test_a_dnsmasq_that_knows_no_upstream_does_not_work() -> None:
    def say(query: Message) -> Iterable[bytes]:
        return holding(query, servers_bind(query, empty=True), reply_to(query, REFUSED, ede=14))

    assert not works(say, "guarded")
