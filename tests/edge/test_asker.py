"""One question for each server, all at once, without dnspython: asked of a server that is made with it."""

import socket
import time
from collections.abc import Callable, Iterable

import dns.flags
import dns.message
import pytest
from dns.rcode import REFUSED
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.host import Answer
from dnsguard.edge.asker import ROOT_SOA, SERVERS_BIND, ask, read
from tests.fakes import TinyNameserver, reply_to, servers_bind

PATIENCE_S = 10.0
BRIEF_S = 0.05
HEADER = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
QUERY = b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + SERVERS_BIND


def answer_of(say: Callable[[dns.message.Message], Iterable[bytes]], asked: bytes = ROOT_SOA) -> Answer:
    with TinyNameserver(lambda query, _tcp: say(query)) as server:
        question = (server.address, server.port, asked)
        return ask([question], PATIENCE_S)[question]


@pytest.mark.parametrize(("rcode", "trouble"), [(0, ""), (3, ""), (2, "servfail"), (5, "refused"), (9, "rcode 9")])
def test_server_that_answers(rcode: int, trouble: str) -> None:
    """A name that does not exist is an answer, too."""
    assert Answer(trouble) == answer_of(lambda query: [reply_to(query, rcode)])


def test_question_is_what_another_library_takes_it_for() -> None:
    """`. SOA` as libc would ask, without EDNS; `servers.bind CH TXT` with it, for long lists."""
    with TinyNameserver(lambda query, _tcp: [reply_to(query)]) as server:
        place = (server.address, server.port)
        ask([(*place, ROOT_SOA), (*place, SERVERS_BIND)], PATIENCE_S)
        told = sorted(
            (query.question[0].to_text(), query.edns, bool(query.flags & dns.flags.RD)) for query in server.asked
        )

    assert [(". IN SOA", -1, True), ("servers.bind. CH TXT", 0, True)] == told


@pytest.mark.parametrize("servers", [("192.0.2.53#53 1 0",), ("192.0.2.53#53 1 0", "fe80::1%eth0#53 0 0")])
def test_servers_that_dnsmasq_holds(servers: tuple[str, ...]) -> None:
    """One text for each."""
    assert Answer("", servers) == answer_of(lambda query: [servers_bind(query, *servers)], SERVERS_BIND)


def test_record_without_a_text_is_no_server() -> None:
    """What dnsmasq says when it has none; dnspython calls that malformed."""
    assert Answer() == answer_of(lambda query: [servers_bind(query, empty=True)], SERVERS_BIND)


def test_list_that_was_cut_short_is_not_believed() -> None:
    """Half of it would look like a server that is lacking."""
    assert Answer("cut short") == answer_of(lambda query: [reply_to(query, cut=True)], SERVERS_BIND)


def test_message_that_is_no_answer_is_passed_over() -> None:
    """The good one may be next: rubbish, another id, another question, a query."""

    def say(query: dns.message.Message) -> Iterable[bytes]:
        wrong = reply_to(query, REFUSED)
        other = dns.message.make_query("example.net", "A")
        other.id = query.id
        asked = bytes([wrong[0], wrong[1], wrong[2] & 0x7F, *wrong[3:]])
        return [b"", b"rubbish", bytes([wrong[0] ^ 1]) + wrong[1:], reply_to(other, REFUSED), asked, reply_to(query)]

    assert Answer() == answer_of(say)


def test_closed_port_is_known_at_once() -> None:
    """A connected socket hears of it."""
    with socket.socket(type=socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    question = ("127.0.0.1", port, ROOT_SOA)

    assert {question: Answer("closed")} == ask([question], PATIENCE_S)


def test_silent_server_is_waited_for_and_keeps_nobody_else_waiting() -> None:
    """All are asked at once: what answers is known, however many are silent."""
    with socket.socket(type=socket.SOCK_DGRAM) as mute, TinyNameserver(lambda query, _tcp: [reply_to(query)]) as server:
        mute.bind(("127.0.0.1", 0))
        silent = (*mute.getsockname(), ROOT_SOA)
        answering = (server.address, server.port, ROOT_SOA)
        began_s = time.monotonic()
        answers = ask([silent, answering], BRIEF_S)

    assert {silent: Answer("silent"), answering: Answer()} == answers
    assert time.monotonic() - began_s >= BRIEF_S


def test_question_is_sent_again() -> None:
    """A datagram may be lost: the server that answers the third is no dead one."""
    asked: list[int] = []

    def say(query: dns.message.Message) -> Iterable[bytes]:
        asked.append(query.id)
        return [reply_to(query)] if len(asked) == 3 else []

    assert Answer() == answer_of(say)
    assert 1 == len(set(asked))


@pytest.mark.parametrize("address", ["::1%nosuch", "not an address", "127.0.0.256", "localhost"])
def test_address_that_is_none_is_a_trouble(address: str) -> None:
    """It came from a file, and is no fault of ours; nor is it a name to look up."""
    question = (address, 53, ROOT_SOA)

    assert ask([question], BRIEF_S)[question].trouble not in ("", "silent", "closed")


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda rest: HEADER + SERVERS_BIND + rest))
def test_nothing_that_a_server_sends_is_a_fault_of_ours(message: bytes) -> None:
    """It is an answer or none, never an exception."""
    answer = read(message, QUERY)

    assert answer is None or isinstance(answer, Answer)
