"""dnsguard.edge.prober against a nameserver that misbehaves on purpose, and against the real dnsmasq."""

import asyncio
import contextlib
import os
import pwd
import resource
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest

from dnsguard.core.actions import AskPublished, AskUpstreams, Probe
from dnsguard.core.events import Compared, LookupAnswered, LookupFailed, ProbeFailed, ProbePassed
from dnsguard.core.vocabulary import Fault, Kind, Verdict
from dnsguard.edge import prober
from dnsguard.edge.prober import ROOT_SOA, Prober, Question, parse_question
from tests.fakes import TinyNameserver, reply_to, servers_bind

# Long enough for a loaded machine where an answer is expected, short where silence is.
PATIENT_S = 20.0
SHORT_S = 0.2

Say = Callable[[dns.message.Message, bool], Iterable[bytes]]


def probe(
    server: "TinyNameserver | Dnsmasq",
    *demanded: str,
    forward: bool = False,
    questions: tuple[Question, ...] = (ROOT_SOA,),
    timeout_s: float = PATIENT_S,
    forward_timeout_s: float = PATIENT_S,
) -> ProbePassed | ProbeFailed:
    """One probe, without the one field that no test can know."""
    asker = Prober(server.address, server.port, questions, timeout_s, forward_timeout_s)
    outcome = asyncio.run(asker.probe(Probe(7, 4711, demanded, forward)))
    if isinstance(outcome, ProbeFailed):
        return outcome
    assert outcome.took_ms >= 0
    return replace(outcome, took_ms=0.0)


def verdict(outcome: ProbePassed | ProbeFailed) -> Verdict:
    assert isinstance(outcome, ProbeFailed), outcome
    assert (7, 4711) == (outcome.generation, outcome.pid)
    assert outcome.detail
    assert outcome.detail.isprintable()
    return outcome.verdict


def passed(*held: str, forward: bool = False) -> ProbePassed:
    return ProbePassed(7, 4711, forward, held, 0.0)


def asks_held(query: dns.message.Message) -> bool:
    return bool(query.question[0].name == dns.name.from_text("servers.bind"))


def holding(*strings: str, forwarded: Say = lambda query, _: [reply_to(query)]) -> Say:
    """Says what a dnsmasq with these servers says, and to other questions whatever `forwarded` says."""

    def say(query: dns.message.Message, over_tcp: bool) -> Iterable[bytes]:
        if asks_held(query):
            return [servers_bind(query, *strings, empty=not strings)]
        return forwarded(query, over_tcp)

    return say


# What dnsmasq holds


def test_a_dnsmasq_that_holds_what_is_demanded_passes() -> None:
    """Contain, not equal: static and per-domain servers are listed too."""
    with TinyNameserver(holding("192.0.2.1#53 4 0", "192.0.2.9#53 0 0", "fe80::1%eth0#53 1 0")) as server:
        outcome = probe(server, "192.0.2.1", "fe80::1%eth0")

    assert passed("192.0.2.1", "192.0.2.9", "fe80::1%eth0") == outcome


def test_nothing_is_forwarded_unless_it_is_asked_for() -> None:
    """The steady state is quiet: no query leaves the host."""
    with TinyNameserver(holding("192.0.2.1#53 0 0")) as server:
        probe(server, "192.0.2.1")

    assert [True] == [asks_held(query) for query in server.asked]


def test_a_server_on_another_port_is_the_same_server() -> None:
    with TinyNameserver(holding("192.0.2.1#5353 0 0")) as server:
        assert passed("192.0.2.1") == probe(server, "192.0.2.1")


def test_addresses_are_compared_in_one_spelling_and_listed_once() -> None:
    with TinyNameserver(holding("2001:DB8::0:1#53 0 0", "2001:db8::1#5353 0 0", "::ffff:192.0.2.1#53 0 0")) as server:
        outcome = probe(server, "2001:0db8::1", "192.0.2.1")

    assert passed("2001:db8::1", "192.0.2.1") == outcome


def test_what_is_lacking_is_named() -> None:
    with TinyNameserver(holding("192.0.2.1#53 0 0")) as server:
        outcome = probe(server, "192.0.2.1", "192.0.2.2", forward=True)

    words = "lacks 192.0.2.2; holds 192.0.2.1"
    assert ProbeFailed(7, 4711, Verdict.LACKING, ("192.0.2.1",), words) == outcome
    assert 1 == len(server.asked), "what lacks its upstreams is not asked to forward"


def test_what_is_held_is_shown_in_part() -> None:
    """A log line must not be as long as a DNS message."""
    strings = [f"192.0.2.{number}#53 0 0" for number in range(1, 41)]
    with TinyNameserver(holding(*strings)) as server:
        outcome = probe(server, "198.51.100.1")

    assert isinstance(outcome, ProbeFailed)
    assert 40 == len(outcome.held or ())
    assert "lacks 198.51.100.1; holds 192.0.2.1, " in outcome.detail
    assert len(outcome.detail) < 200


def test_empty_rdata_is_an_empty_list_on_every_dnspython() -> None:
    """What dnsmasq sends without upstreams is an error to dnspython 2.7 and later."""
    with TinyNameserver(holding()) as server:
        assert passed() == probe(server)
        assert ProbeFailed(7, 4711, Verdict.LACKING, (), "lacks 192.0.2.1; holds nothing") == probe(server, "192.0.2.1")


def test_several_records_are_one_list() -> None:
    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        reply = dns.message.make_response(query)
        texts = ('"192.0.2.1#53 0 0"', '"192.0.2.2#53 0 0" "192.0.2.3#53 0 0"')
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 0, "CH", "TXT", *texts))
        return [reply.to_wire()]

    with TinyNameserver(say) as server:
        outcome = probe(server)

    assert isinstance(outcome, ProbePassed)
    assert {"192.0.2.1", "192.0.2.2", "192.0.2.3"} == set(outcome.held or ())


def test_no_ident_is_blindness_not_failure() -> None:
    """NOTIMP comes from a dnsmasq that is alive; the forwarded question decides then."""

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        return [reply_to(query, dns.rcode.NOTIMP if asks_held(query) else dns.rcode.NOERROR)]

    with TinyNameserver(say) as server:
        assert ProbePassed(7, 4711, False, None, 0.0) == probe(server, "192.0.2.1")
        assert ProbePassed(7, 4711, True, None, 0.0) == probe(server, "192.0.2.1", forward=True)


@pytest.mark.parametrize("rcode", [dns.rcode.NXDOMAIN, dns.rcode.REFUSED, dns.rcode.SERVFAIL, dns.rcode.FORMERR])
def test_a_stranger_on_the_port_is_rubbish(rcode: dns.rcode.Rcode) -> None:
    """dnsmasq answers servers.bind with NOERROR or NOTIMP, nothing else."""
    with TinyNameserver(lambda query, _: [reply_to(query, rcode)]) as server:
        outcome = probe(server, "192.0.2.1")

    assert Verdict.RUBBISH is verdict(outcome)


@pytest.mark.parametrize("strings", [("go away",), ("300.1.1.1#53 0 0", "#", "\\255\\000#53")])
def test_a_text_without_an_address_is_rubbish(strings: tuple[str, ...]) -> None:
    with TinyNameserver(holding(*strings)) as server:
        assert Verdict.RUBBISH is verdict(probe(server))


def test_a_positive_answer_without_a_text_is_rubbish() -> None:
    with TinyNameserver(lambda query, _: [reply_to(query)]) as server:
        assert Verdict.RUBBISH is verdict(probe(server))


# Silence, closed ports, strays


def test_silence_is_silent() -> None:
    with TinyNameserver(lambda *_: []) as server:
        outcome = probe(server, timeout_s=SHORT_S)

    assert Verdict.SILENT is verdict(outcome)
    assert 1 == len(server.asked), "a question that stays on the host is asked once"


def test_a_closed_port_is_seen_at_once() -> None:
    """The timeout is never waited for: an hour would be too long for this test."""
    with TinyNameserver(lambda *_: []) as server:
        pass

    assert Verdict.CLOSED is verdict(probe(server, timeout_s=3600.0))


@pytest.mark.parametrize("address", ["255.255.255.255", "fe80::1%nosuchif0", "fe80::1%999999999", "not an address", ""])
def test_what_cannot_be_sent_is_unreachable(address: str) -> None:
    outcome = asyncio.run(Prober(address, 53).probe(Probe(7, 4711, (), False)))

    assert Verdict.UNREACHABLE is verdict(outcome)
    assert isinstance(outcome, ProbeFailed)
    assert "None" not in outcome.detail


def test_being_out_of_files_is_unreachable() -> None:
    """EMFILE is our own trouble: it says nothing about dnsmasq, and must not end the daemon."""

    async def starved() -> ProbePassed | ProbeFailed:
        lowest = os.dup(0)
        os.close(lowest)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
        try:
            return await Prober("127.0.0.1", 9).probe(Probe(7, 4711, (), False))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    outcome = asyncio.run(starved())

    assert Verdict.UNREACHABLE is verdict(outcome)


def strays(query: dns.message.Message) -> list[bytes]:
    good = servers_bind(query, "192.0.2.66#53 0 0")
    other = dns.message.make_query("servers.bind", "TXT", "CH", id=query.id ^ 1)
    elsewhere = dns.message.make_query("other.bind", "TXT", "CH", id=query.id)
    return [
        b"",
        b"\0",
        b"garbage, and rather a lot of it, to be sure" * 9,
        good[:-1],
        good[:20],
        good + b"junk",
        query.to_wire(),
        servers_bind(other, "192.0.2.66#53 0 0"),
        servers_bind(elsewhere, "192.0.2.66#53 0 0"),
    ]


def test_strays_are_dropped_and_the_answer_behind_them_is_heard() -> None:
    with TinyNameserver(lambda query, _: [*strays(query), servers_bind(query, "192.0.2.1#53 0 0")]) as server:
        assert passed("192.0.2.1") == probe(server, "192.0.2.1")


@pytest.mark.parametrize("number", range(9))
def test_each_stray_alone_is_rubbish(number: int) -> None:
    with TinyNameserver(lambda query, _: [strays(query)[number]]) as server:
        outcome = probe(server, timeout_s=SHORT_S)

    assert Verdict.RUBBISH is verdict(outcome)


def test_a_flood_of_strays_neither_wins_nor_starves_the_loop() -> None:
    """A socket that is always readable must not keep timers and other sockets waiting."""
    other_work = 0

    def flood(*_: object) -> Iterator[bytes]:
        while not server.ending.is_set():
            yield b"garbage"

    async def probe_and_work() -> ProbePassed | ProbeFailed:
        nonlocal other_work
        probing = asyncio.create_task(
            Prober(server.address, server.port, timeout_s=SHORT_S).probe(Probe(7, 4711, (), False))
        )
        while not probing.done():
            other_work += 1
            await asyncio.sleep(0)
        return await probing

    with TinyNameserver(flood) as server:
        outcome = asyncio.run(probe_and_work())
        server.ending.set()

    assert Verdict.RUBBISH is verdict(outcome)
    assert other_work > 1


def test_an_answer_that_came_while_the_daemon_was_held_up_counts() -> None:
    """A busy host must not take its own slowness for a hang of dnsmasq."""
    answered = threading.Event()

    def say(query: dns.message.Message, _: bool) -> Iterator[bytes]:
        yield servers_bind(query, "192.0.2.1#53 0 0")
        answered.set()

    async def held_up() -> ProbePassed | ProbeFailed:
        loop = asyncio.get_running_loop()
        deadline_s = loop.time() + SHORT_S
        asker = Prober(server.address, server.port, timeout_s=SHORT_S)
        probing = asyncio.create_task(asker.probe(Probe(7, 4711, ("192.0.2.1",), False)))
        while not server.asked:
            await asyncio.sleep(0)
        assert answered.wait(PATIENT_S)
        while loop.time() < deadline_s:
            time.sleep(SHORT_S)
        return await probing

    with TinyNameserver(say) as server:
        outcome = asyncio.run(held_up())

    assert isinstance(outcome, ProbePassed), outcome


def test_a_cancelled_probe_closes_its_socket() -> None:
    """With warnings as errors, a socket left open fails this test at its collection."""

    async def cancelled() -> int:
        before = len(os.listdir("/proc/self/fd"))
        asker = Prober(server.address, server.port, timeout_s=PATIENT_S)
        probing = asyncio.create_task(asker.probe(Probe(7, 4711, (), False)))
        while not server.asked:
            await asyncio.sleep(0)
        probing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await probing
        return len(os.listdir("/proc/self/fd")) - before

    with TinyNameserver(lambda *_: []) as server:
        assert 0 == asyncio.run(cancelled())


# Cut short over UDP, whole over TCP


def test_an_answer_cut_short_is_fetched_over_tcp() -> None:
    strings = [f"192.0.2.{number}#53 0 0" for number in range(1, 201)]

    def say(query: dns.message.Message, over_tcp: bool) -> Iterable[bytes]:
        return [servers_bind(query, *strings) if over_tcp else reply_to(query, cut=True)]

    with TinyNameserver(say) as server:
        outcome = probe(server, "192.0.2.200")

    assert isinstance(outcome, ProbePassed)
    assert 200 == len(outcome.held or ())


def test_an_answer_cut_in_the_middle_of_a_record_is_fetched_over_tcp() -> None:
    """Some servers set TC and send as many bytes as fit, whatever they are."""

    def say(query: dns.message.Message, over_tcp: bool) -> Iterable[bytes]:
        whole = servers_bind(query, "192.0.2.1#53 0 0")
        return [whole if over_tcp else whole[:2] + bytes([whole[2] | 2]) + whole[3:-9]]

    with TinyNameserver(say) as server:
        assert passed("192.0.2.1") == probe(server, "192.0.2.1")


def test_a_connection_that_ends_before_the_answer_is_silence() -> None:
    with TinyNameserver(lambda query, over_tcp: [] if over_tcp else [reply_to(query, cut=True)]) as server:
        assert Verdict.SILENT is verdict(probe(server))


def test_a_connection_that_stays_silent_is_silence() -> None:
    def say(query: dns.message.Message, over_tcp: bool) -> Iterator[bytes]:
        if not over_tcp:
            yield reply_to(query, cut=True)
        else:
            server.ending.wait(PATIENT_S)

    with TinyNameserver(say) as server:
        outcome = probe(server, timeout_s=SHORT_S)
        server.ending.set()

    assert Verdict.SILENT is verdict(outcome)


def test_rubbish_over_tcp_is_rubbish() -> None:
    with TinyNameserver(lambda query, over_tcp: [b"junk" if over_tcp else reply_to(query, cut=True)]) as server:
        assert Verdict.RUBBISH is verdict(probe(server))


def test_a_tcp_port_that_is_closed_is_not_a_dnsmasq_that_is_gone() -> None:
    """CLOSED ends trust at once; but somebody answered over UDP a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        port = udp.getsockname()[1]

        def answer_once() -> None:
            wire, peer = udp.recvfrom(65535)
            udp.sendto(reply_to(dns.message.from_wire(wire), cut=True), peer)

        thread = threading.Thread(target=answer_once)
        thread.start()
        outcome = asyncio.run(Prober("127.0.0.1", port, timeout_s=PATIENT_S).probe(Probe(7, 4711, (), False)))
        thread.join()

    assert Verdict.SILENT is verdict(outcome)


# Forwarded questions


def with_records(query: dns.message.Message, *records: str, rcode: dns.rcode.Rcode = dns.rcode.NOERROR) -> bytes:
    reply = dns.message.make_response(query)
    reply.set_rcode(rcode)
    for record in records:
        rdtype, _, text = record.partition(" ")
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", rdtype, text))
    return reply.to_wire()


@pytest.mark.parametrize(
    ("question", "records", "rcode", "words"),
    [
        (". SOA", (), dns.rcode.NXDOMAIN, None),
        ("intranet.example A", ("A 10.0.0.7",), dns.rcode.NOERROR, None),
        ("intranet.example A", ("CNAME web.example.", "A 10.0.0.8"), dns.rcode.NOERROR, None),
        ("intranet.example A", (), dns.rcode.NOERROR, "no such record"),
        ("intranet.example A", ("CNAME web.example.",), dns.rcode.NOERROR, "no such record"),
        ("intranet.example A", (), dns.rcode.NXDOMAIN, "NXDOMAIN"),
        ("intranet.example A = 10.0.0.7", ("A 10.0.0.8", "A 10.0.0.7"), dns.rcode.NOERROR, None),
        ("intranet.example A = 10.0.0.7", ("A 203.0.113.7",), dns.rcode.NOERROR, "not 10.0.0.7 but 203.0.113.7"),
        ("intranet.example A = 10.0.0.7", (), dns.rcode.NXDOMAIN, "not 10.0.0.7 but NXDOMAIN"),
        ("intranet.example MX = 10 Mail.example", ("MX 10 mail.EXAMPLE.",), dns.rcode.NOERROR, None),
        (". NS = a.example", (), dns.rcode.NOERROR, "not a.example but NOERROR"),
    ],
)
def test_a_name_of_the_operators_own_must_be_found(
    question: str, records: tuple[str, ...], rcode: dns.rcode.Rcode, words: str | None
) -> None:
    """Any server says "no such name" of an internal zone; only who was told of it knows the address."""
    say = holding(forwarded=lambda query, _: [with_records(query, *records, rcode=rcode)])
    with TinyNameserver(say) as server:
        outcome = probe(server, forward=True, questions=(parse_question(question),))

    if words is None:
        assert passed(forward=True) == outcome
    else:
        assert Verdict.WRONG is verdict(outcome)
        assert isinstance(outcome, ProbeFailed)
        assert outcome.detail.endswith(f": {words}")


def test_the_published_servers_need_not_know_the_operators_zones() -> None:
    """This host resolves; the zone is dnsmasq's to know."""
    with TinyNameserver(lambda query, _: [reply_to(query, dns.rcode.NXDOMAIN)], "127.0.0.2") as server:
        asker = Prober("127.0.0.1", 9, (parse_question("intranet.example A"),), upstream_port=server.port)
        assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.2") == ask(asker, "127.0.0.2")


@pytest.mark.parametrize("rcode", [dns.rcode.NOERROR, dns.rcode.NXDOMAIN])
def test_a_negative_answer_is_an_answer(rcode: dns.rcode.Rcode) -> None:
    with TinyNameserver(holding("192.0.2.1#53 0 0", forwarded=lambda query, _: [reply_to(query, rcode)])) as server:
        assert passed("192.0.2.1", forward=True) == probe(server, "192.0.2.1", forward=True)


def test_the_forwarded_question_is_what_libc_would_ask() -> None:
    """No EDNS: a middlebox that swallows it would make a host that resolves look dead."""
    with TinyNameserver(holding(forwarded=lambda query, _: [with_records(query, "AAAA ::7")])) as server:
        probe(server, forward=True, questions=(Question("intranet.example", "AAAA"),))

    assert ["servers.bind. CH TXT", "intranet.example. IN AAAA"] == [
        query.question[0].to_text() for query in server.asked
    ]
    assert [0, -1] == [query.edns for query in server.asked]


@pytest.mark.parametrize(
    ("rcode", "ede", "expected"),
    [
        (dns.rcode.REFUSED, 14, Verdict.NO_UPSTREAM),
        (dns.rcode.REFUSED, 23, Verdict.REFUSED),
        (dns.rcode.REFUSED, None, Verdict.REFUSED),
        (dns.rcode.SERVFAIL, 14, Verdict.SERVFAIL),
        (dns.rcode.SERVFAIL, None, Verdict.SERVFAIL),
        (dns.rcode.FORMERR, None, Verdict.RUBBISH),
        (dns.rcode.NOTIMP, None, Verdict.RUBBISH),
        (dns.rcode.YXDOMAIN, None, Verdict.RUBBISH),
    ],
)
def test_each_refusal_has_its_verdict(rcode: dns.rcode.Rcode, ede: int | None, expected: Verdict) -> None:
    say = holding("192.0.2.1#53 0 0", forwarded=lambda query, _: [reply_to(query, rcode, ede=ede)])
    with TinyNameserver(say) as server:
        outcome = probe(server, forward=True)

    assert expected is verdict(outcome)
    assert isinstance(outcome, ProbeFailed)
    assert ("192.0.2.1",) == outcome.held
    assert dns.rcode.to_text(rcode) in outcome.detail
    assert (rcode == dns.rcode.REFUSED and ede is not None) == ("EDE" in outcome.detail)


def test_an_upstream_that_knows_no_upstream_is_not_dnsmasqs_fault() -> None:
    """A router's dnsmasq says EDE 14 too, and ours passes it on; NO_UPSTREAM would end trust at once."""
    refusal = holding("192.0.2.1#53 0 0", forwarded=lambda query, _: [reply_to(query, dns.rcode.REFUSED, ede=14)])
    with TinyNameserver(refusal) as server:
        assert Verdict.REFUSED is verdict(probe(server, "192.0.2.1", forward=True))
        assert Verdict.NO_UPSTREAM is verdict(probe(server, forward=True)), "only routes for some domains"


def refusing_only(plain: bool, otherwise: Callable[[dns.message.Message], list[bytes]]) -> Say:
    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        return [reply_to(query, dns.rcode.REFUSED)] if (query.edns < 0) is plain else otherwise(query)

    return holding(forwarded=say)


def test_the_question_why_may_be_answered_after_all() -> None:
    """The upstreams came between the two questions."""
    with TinyNameserver(refusing_only(True, lambda query: [reply_to(query)])) as server:
        assert passed(forward=True) == probe(server, forward=True)


@pytest.mark.parametrize("rcode", [None, dns.rcode.FORMERR, dns.rcode.SERVFAIL])
def test_a_refusal_that_is_not_explained_stays_a_refusal(rcode: dns.rcode.Rcode | None) -> None:
    """Silence or FORMERR to EDNS says that EDNS is not understood, not that the refusal is undone."""
    why = refusing_only(True, lambda query: [] if rcode is None else [reply_to(query, rcode)])
    with TinyNameserver(why) as server:
        assert Verdict.REFUSED is verdict(probe(server, forward=True, forward_timeout_s=SHORT_S))


def test_an_answer_without_its_question_is_an_answer_only_if_it_refuses() -> None:
    """Some servers leave the question out of an error; dnspython allows that, and so do we."""

    def bare(query: dns.message.Message, rcode: dns.rcode.Rcode) -> list[bytes]:
        return [query.id.to_bytes(2, "big") + bytes([0x80, rcode, 0, 0, 0, 0, 0, 0, 0, 0])]

    with TinyNameserver(holding(forwarded=lambda query, _: bare(query, dns.rcode.SERVFAIL))) as server:
        assert Verdict.SERVFAIL is verdict(probe(server, forward=True))
    with TinyNameserver(holding(forwarded=lambda query, _: bare(query, dns.rcode.NOERROR))) as server:
        assert Verdict.RUBBISH is verdict(probe(server, forward=True, forward_timeout_s=SHORT_S))


def test_a_dnsmasq_that_hangs_while_it_forwards_is_silent() -> None:
    """It was well a moment ago; the whole patience for upstreams is not for it."""
    answered: list[bytes] = []

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        if not answered:
            answered.append(servers_bind(query, "192.0.2.1#53 0 0"))
            return answered
        return []

    with TinyNameserver(say) as server:
        assert Verdict.SILENT is verdict(probe(server, forward=True, timeout_s=SHORT_S))


def test_a_forwarded_question_without_answer_is_unforwarded() -> None:
    """It answers for itself, so it is not hung: perhaps the network is down."""
    with TinyNameserver(holding("192.0.2.1#53 0 0", forwarded=lambda *_: [])) as server:
        outcome = probe(server, forward=True, forward_timeout_s=SHORT_S)

    assert Verdict.UNFORWARDED is verdict(outcome)


def test_silence_is_answered_by_the_same_question_again() -> None:
    """Same socket and same id: to dnsmasq that is a retry, and it asks all its upstreams."""
    heard: list[bytes] = []

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        heard.append(query.to_wire())
        return [reply_to(query)] if len(heard) == prober.FORWARD_SENDS else []

    with TinyNameserver(holding(forwarded=say)) as server:
        outcome = probe(server, forward=True, forward_timeout_s=1.0)

    assert passed(forward=True) == outcome
    assert [heard[0]] * prober.FORWARD_SENDS == heard


def test_all_questions_must_be_answered() -> None:
    """Internal zones are proved too; the first that fails is named."""

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        is_root = query.question[0].name == dns.name.root
        return [reply_to(query, dns.rcode.NOERROR if is_root else dns.rcode.SERVFAIL)]

    questions = (ROOT_SOA, Question("one.example", "A"), Question("two.example", "A"))
    with TinyNameserver(holding(forwarded=say)) as server:
        outcome = probe(server, forward=True, questions=questions)

    assert Verdict.SERVFAIL is verdict(outcome)
    assert isinstance(outcome, ProbeFailed)
    assert "one.example" in outcome.detail


def test_without_questions_the_root_is_asked() -> None:
    """Asking nothing would be a proof of nothing."""
    with TinyNameserver(holding(forwarded=lambda query, _: [reply_to(query, dns.rcode.SERVFAIL)])) as server:
        assert Verdict.SERVFAIL is verdict(probe(server, forward=True, questions=()))


def test_a_dnsmasq_on_ipv6_is_asked_too() -> None:
    with TinyNameserver(holding("192.0.2.1#53 0 0"), address="::1") as server:
        assert passed("192.0.2.1", forward=True) == probe(server, "192.0.2.1", forward=True)


# The published servers


def ask(asker: Prober, *nameservers: str) -> LookupAnswered | LookupFailed:
    return asyncio.run(asker.ask_published(AskPublished(Kind.DIRECT, 7, nameservers)))


@contextlib.contextmanager
def listening(*says: Say) -> Iterator[tuple[Prober, list[TinyNameserver]]]:
    """Nameservers at 127.0.0.2, 127.0.0.3 and so on, and a prober that takes them for upstreams."""
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(TinyNameserver(says[0], "127.0.0.2"))]
        port = servers[0].port
        for last, say in enumerate(says[1:], start=3):
            servers.append(stack.enter_context(TinyNameserver(say, f"127.0.0.{last}", port)))
        yield Prober("127.0.0.1", 9, forward_timeout_s=PATIENT_S, upstream_port=port), servers


def answering(query: dns.message.Message, _: bool) -> Iterable[bytes]:
    return [reply_to(query)]


def refusing(query: dns.message.Message, _: bool) -> Iterable[bytes]:
    return [reply_to(query, dns.rcode.REFUSED)]


def silent(*_: object) -> Iterable[bytes]:
    return []


def test_the_first_published_server_that_answers_is_named() -> None:
    with listening(answering, answering) as (asker, servers):
        assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.2") == ask(asker, "127.0.0.2", "127.0.0.3")
        assert [".", "SOA"] == [
            str(servers[0].asked[0].question[0].name),
            dns.rdatatype.to_text(servers[0].asked[0].question[0].rdtype),
        ]


def test_dnsmasq_is_asked_on_its_own_port() -> None:
    """In a sandbox it has another than the upstreams."""
    with TinyNameserver(answering) as server:
        asker = Prober("127.0.0.1", server.port, upstream_port=9)
        assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.1") == ask(asker, "127.0.0.1")


def test_a_refusal_and_a_closed_port_are_gone_past_at_once() -> None:
    with listening(refusing, silent) as (asker, _):
        closed = "127.0.0.9"
        with TinyNameserver(answering, "127.0.0.4", asker.upstream_port):
            assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.4") == ask(asker, "127.0.0.2", closed, "127.0.0.4")


def test_a_silent_first_server_does_not_hold_up_the_second() -> None:
    """libc would wait five seconds; `ready` should not."""
    with listening(silent, answering) as (asker, _):
        asker = replace(asker, forward_timeout_s=3600.0)
        assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.3") == ask(asker, "127.0.0.2", "127.0.0.3")


def test_a_slow_first_server_may_still_win() -> None:
    """The second is asked as well, not instead."""
    second_asked = threading.Event()

    def slow(query: dns.message.Message, _: bool) -> Iterator[bytes]:
        assert second_asked.wait(PATIENT_S)
        yield reply_to(query)

    def silent_second(*_: object) -> Iterable[bytes]:
        second_asked.set()
        return []

    with listening(slow, silent_second) as (asker, _):
        assert LookupAnswered(Kind.DIRECT, 7, "127.0.0.2") == ask(asker, "127.0.0.2", "127.0.0.3")


def test_each_failure_is_named_when_nobody_answers() -> None:
    with listening(refusing, lambda query, _: [reply_to(query, dns.rcode.SERVFAIL)], silent) as (asker, servers):
        asker = replace(asker, forward_timeout_s=SHORT_S)
        outcome = ask(asker, "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")

    port = servers[0].port
    words = (
        f". IN SOA from 127.0.0.2#{port}: REFUSED",
        f". IN SOA from 127.0.0.3#{port}: SERVFAIL",
        f". IN SOA from 127.0.0.4#{port}: no answer in time",
    )
    assert LookupFailed(Kind.DIRECT, 7, "; ".join(words)) == outcome


def test_libc_asks_no_more_than_three() -> None:
    with listening(refusing, refusing, refusing, answering) as (asker, servers):
        outcome = ask(asker, "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5")

    assert isinstance(outcome, LookupFailed)
    assert [] == servers[3].asked


def test_nothing_published_is_a_failed_lookup() -> None:
    assert LookupFailed(Kind.DIRECT, 7, "no server is published") == ask(Prober("127.0.0.1", 9))


def test_a_cancelled_lookup_closes_its_sockets() -> None:
    async def cancelled(asker: Prober, servers: list[TinyNameserver]) -> int:
        before = len(os.listdir("/proc/self/fd"))
        asking = asyncio.create_task(asker.ask_published(AskPublished(Kind.DIRECT, 7, ("127.0.0.2", "127.0.0.3"))))
        while not all(server.asked for server in servers):
            await asyncio.sleep(0.01)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        return len(os.listdir("/proc/self/fd")) - before

    with listening(silent, silent) as (asker, servers):
        assert 0 == asyncio.run(cancelled(asker, servers))


# Whose fault it is

ZONE = Question("intranet.example", "A")


def compare(
    dnsmasq: Say,
    *upstreams: Say,
    questions: tuple[Question, ...] = (ROOT_SOA,),
    timeout_s: float = PATIENT_S,
    forward_timeout_s: float = PATIENT_S,
) -> tuple[ProbePassed | ProbeFailed, list[TinyNameserver]]:
    """One forwarded probe of a dnsmasq that says this, with upstreams at 127.0.0.2 and so on; and these."""
    with TinyNameserver(dnsmasq) as server, listening(*upstreams) as (_, servers):
        asker = Prober(server.address, server.port, questions, timeout_s, forward_timeout_s, servers[0].port)
        addresses = tuple(each.address for each in servers)
        outcome = asyncio.run(asker.probe(Probe(7, 4711, (), True, addresses)))
        return outcome, servers


def faulty(query: dns.message.Message, _: bool) -> Iterable[bytes]:
    return [reply_to(query, dns.rcode.SERVFAIL)]


def fault(outcome: ProbePassed | ProbeFailed) -> tuple[Fault, tuple[str, ...], tuple[str, ...]]:
    assert isinstance(outcome, ProbeFailed), outcome
    return outcome.fault, outcome.answered, outcome.unanswered


def test_an_upstream_that_answers_blames_dnsmasq_at_once() -> None:
    """A silent one beside it is not waited for, and not yet called silent."""
    outcome, _ = compare(holding("192.0.2.1#53 0 0", forwarded=faulty), silent, answering, forward_timeout_s=3600.0)

    assert (Fault.DNSMASQ, ("127.0.0.3",), ()) == fault(outcome)
    assert Verdict.SERVFAIL is verdict(outcome)
    assert isinstance(outcome, ProbeFailed)
    assert outcome.detail.endswith("; 127.0.0.3 answers")


@pytest.mark.parametrize("forwarded", [silent, faulty])
def test_where_no_upstream_says_anything_the_network_is_down(forwarded: Say) -> None:
    """Whatever dnsmasq makes of that: silence, or a word of its own."""
    says = holding("192.0.2.1#53 0 0", forwarded=forwarded)
    outcome, _ = compare(says, silent, silent, timeout_s=0.5, forward_timeout_s=SHORT_S)

    assert (Fault.NETWORK, (), ("127.0.0.2", "127.0.0.3")) == fault(outcome)


def test_upstreams_that_fail_as_well_blame_nobody() -> None:
    outcome, _ = compare(holding("192.0.2.1#53 0 0", forwarded=faulty), refusing, faulty)

    assert (Fault.UNKNOWN, (), ("127.0.0.2", "127.0.0.3")) == fault(outcome)


def test_without_upstreams_to_ask_nobody_is_blamed() -> None:
    with TinyNameserver(holding(forwarded=faulty)) as server:
        assert (Fault.UNKNOWN, (), ()) == fault(probe(server, forward=True))


def test_a_zone_that_fails_both_ways_is_named() -> None:
    """The others pass, so it is neither dnsmasq nor the network; only what failed is asked directly."""

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        is_root = query.question[0].name == dns.name.root
        return [reply_to(query, dns.rcode.NOERROR if is_root else dns.rcode.SERVFAIL)]

    outcome, servers = compare(holding(forwarded=say), say, questions=(ROOT_SOA, ZONE))

    assert (Fault.ZONE, (), ("127.0.0.2",)) == fault(outcome)
    assert isinstance(outcome, ProbeFailed)
    assert "this fails directly as well: intranet.example A" in outcome.detail
    assert {"intranet.example."} == {str(query.question[0].name) for query in servers[0].asked}


def test_the_upstreams_are_asked_while_dnsmasq_is_waited_for() -> None:
    """At the same time, not one after the other; and a slow answer through dnsmasq is still an answer."""
    asked = threading.Event()

    def upstream(*_: object) -> Iterable[bytes]:
        asked.set()
        return []

    def slow(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        return [reply_to(query)] if asked.is_set() else []

    outcome, _ = compare(
        holding("192.0.2.1#53 0 0", forwarded=slow), upstream, timeout_s=SHORT_S, forward_timeout_s=PATIENT_S / 4
    )

    assert isinstance(outcome, ProbePassed), outcome


def test_a_hang_does_not_hide_behind_silent_upstreams() -> None:
    """dnsmasq is asked again and again whether it lives: an hour would be too long for this test."""
    alive: list[bytes] = []

    def say(query: dns.message.Message, _: bool) -> Iterable[bytes]:
        if not asks_held(query) or len(alive) == 2:
            return []
        alive.append(query.to_wire())
        return [servers_bind(query, "192.0.2.1#53 0 0")]

    outcome, servers = compare(say, silent, timeout_s=SHORT_S, forward_timeout_s=3600.0)

    assert Verdict.SILENT is verdict(outcome)
    assert (Fault.DNSMASQ, (), ()) == fault(outcome)
    assert servers[0].asked


def test_a_dnsmasq_that_hangs_or_lacks_is_judged_alone() -> None:
    """No upstream is waited for, and no question leaves the host."""
    hung, servers = compare(silent, answering, timeout_s=SHORT_S)
    knows_none, others = compare(
        holding(forwarded=lambda query, _: [reply_to(query, dns.rcode.REFUSED, ede=14)]), silent, timeout_s=PATIENT_S
    )

    assert (Verdict.SILENT, Verdict.NO_UPSTREAM) == (verdict(hung), verdict(knows_none))
    assert [] == servers[0].asked + others[0].asked


def test_when_all_is_well_no_upstream_is_asked() -> None:
    outcome, servers = compare(holding("192.0.2.1#53 0 0"), answering)

    assert isinstance(outcome, ProbePassed), outcome
    assert [] == servers[0].asked


def test_a_long_list_is_not_asked_whole() -> None:
    outcome, servers = compare(holding(forwarded=faulty), *[faulty] * (prober.MAX_UPSTREAMS + 1))

    assert prober.MAX_UPSTREAMS == len(fault(outcome)[2])
    assert [] == servers[-1].asked


def test_each_upstream_is_compared_with_the_others() -> None:
    """Any answer will do; silence, refusal and rubbish are none."""

    def rubbish(*_: object) -> Iterable[bytes]:
        return [b"rubbish"]

    with listening(silent, answering, refusing, rubbish, answering) as (asker, servers):
        addresses = tuple(server.address for server in servers)
        asker = replace(asker, forward_timeout_s=1.0)
        compared = asyncio.run(asker.compare(AskUpstreams(7, addresses)))

    assert Compared(7, ("127.0.0.3", "127.0.0.6"), ("127.0.0.2", "127.0.0.4", "127.0.0.5")) == compared


# The real dnsmasq


DNSMASQ = shutil.which("dnsmasq", path="/usr/sbin:/usr/bin:/usr/local/sbin")
needs_dnsmasq = pytest.mark.skipif(DNSMASQ is None, reason="no dnsmasq here; Debian: dnsmasq-base")


@dataclass
class Dnsmasq:
    """A real dnsmasq on loopback, given a resolv-file and these lines of configuration."""

    folder: Path
    upstream_file: str = ""
    config: tuple[str, ...] = ()
    address: str = "127.0.0.1"
    port: int = 0

    def __enter__(self) -> "Dnsmasq":
        with TinyNameserver(silent) as free:
            self.port = free.port
        self.write_upstreams(self.upstream_file)
        (self.folder / "dnsmasq.conf").write_text("".join(f"{line}\n" for line in self.config))
        self.process = subprocess.Popen(
            [
                *(str(DNSMASQ), "--keep-in-foreground", f"--conf-file={self.folder}/dnsmasq.conf"),
                *(f"--pid-file={self.folder}/pid", f"--resolv-file={self.folder}/resolv.conf"),
                *(f"--port={self.port}", f"--listen-address={self.address}", "--bind-interfaces", "--no-hosts"),
                f"--user={pwd.getpwuid(os.getuid()).pw_name}",
            ],
            stderr=subprocess.PIPE,
        )
        deadline_s = time.monotonic() + PATIENT_S
        while (outcome := probe(self, timeout_s=SHORT_S)) and isinstance(outcome, ProbeFailed):
            assert time.monotonic() < deadline_s, outcome
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.process.kill()
        self.process.communicate()

    def write_upstreams(self, text: str) -> None:
        """Give it another list, the way resolvconf does."""
        (self.folder / "new").write_text(text)
        (self.folder / "new").rename(self.folder / "resolv.conf")


def until(expected: Verdict | None, ask: Callable[[], ProbePassed | ProbeFailed]) -> ProbePassed | ProbeFailed:
    """The first outcome with this verdict; None is a pass."""
    deadline_s = time.monotonic() + PATIENT_S
    while True:
        outcome = ask()
        if expected is (outcome.verdict if isinstance(outcome, ProbeFailed) else None):
            return outcome
        assert time.monotonic() < deadline_s, outcome


@needs_dnsmasq
def test_dnsmasq_without_upstreams_holds_nothing_and_forwards_nothing(tmp_path: Path) -> None:
    with Dnsmasq(tmp_path) as dnsmasq:
        lacking = probe(dnsmasq, "127.0.0.2")
        refused = probe(dnsmasq, forward=True)

    assert ProbeFailed(7, 4711, Verdict.LACKING, (), "lacks 127.0.0.2; holds nothing") == lacking
    assert Verdict.NO_UPSTREAM is verdict(refused)


@needs_dnsmasq
def test_dnsmasq_holds_what_it_was_given(tmp_path: Path) -> None:
    """From a lease and from its configuration; and what it loses, it lacks."""
    config = ("server=/corp.example/127.0.0.9#5353", "server=127.0.0.8#5353")
    with Dnsmasq(tmp_path, "nameserver 127.0.0.2\nnameserver 127.0.0.3\n", config) as dnsmasq:
        outcome = probe(dnsmasq, "127.0.0.2", "127.0.0.3")
        dnsmasq.write_upstreams("nameserver 127.0.0.2\n")
        lost = until(Verdict.LACKING, lambda: probe(dnsmasq, "127.0.0.2", "127.0.0.3"))

    assert isinstance(outcome, ProbePassed)
    assert {"127.0.0.2", "127.0.0.3", "127.0.0.8", "127.0.0.9"} == set(outcome.held or ())
    assert {"127.0.0.2", "127.0.0.8", "127.0.0.9"} == set(lost.held or ())


@needs_dnsmasq
def test_a_long_list_comes_whole(tmp_path: Path) -> None:
    """Two hundred servers fit into no datagram that dnsmasq would send: TCP."""
    config = tuple(f"server=198.51.100.{number}" for number in range(1, 201))
    with Dnsmasq(tmp_path, config=config) as dnsmasq:
        outcome = probe(dnsmasq, "198.51.100.1", "198.51.100.200")

    assert isinstance(outcome, ProbePassed)
    assert 200 == len(outcome.held or ())


@needs_dnsmasq
def test_a_stopped_dnsmasq_is_silent_and_a_dead_one_closed(tmp_path: Path) -> None:
    with Dnsmasq(tmp_path) as dnsmasq:
        dnsmasq.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, dnsmasq.process.pid, os.WSTOPPED | os.WNOWAIT)
        stopped = probe(dnsmasq, timeout_s=SHORT_S)
        dnsmasq.process.kill()
        dnsmasq.process.wait()
        dead = probe(dnsmasq)

    assert Verdict.SILENT is verdict(stopped)
    assert Verdict.CLOSED is verdict(dead)


@needs_dnsmasq
def test_dnsmasq_with_no_ident_is_blinded(tmp_path: Path) -> None:
    with Dnsmasq(tmp_path, config=("no-ident",)) as dnsmasq:
        blinded = probe(dnsmasq, "127.0.0.2")
        refused = probe(dnsmasq, "127.0.0.2", forward=True)

    assert ProbePassed(7, 4711, False, None, 0.0) == blinded
    assert Verdict.NO_UPSTREAM is verdict(refused)


@needs_dnsmasq
@pytest.mark.parametrize(
    ("say", "expected"),
    [
        (answering, None),
        (refusing, Verdict.REFUSED),
        (lambda query, _: [reply_to(query, dns.rcode.REFUSED, ede=14)], Verdict.REFUSED),
        (lambda query, _: [reply_to(query, dns.rcode.SERVFAIL)], Verdict.SERVFAIL),
        (lambda query, _: [reply_to(query, dns.rcode.NXDOMAIN)], None),
        (silent, Verdict.UNFORWARDED),
    ],
)
def test_dnsmasq_passes_on_what_its_upstream_says(tmp_path: Path, say: Say, expected: Verdict | None) -> None:
    with TinyNameserver(say) as upstream:
        config = (f"server=127.0.0.1#{upstream.port}",)
        with Dnsmasq(tmp_path, config=config) as dnsmasq:
            patience_s = SHORT_S if expected is Verdict.UNFORWARDED else PATIENT_S
            outcome = probe(dnsmasq, "127.0.0.1", forward=True, forward_timeout_s=patience_s)

    assert upstream.asked
    assert expected is (outcome.verdict if isinstance(outcome, ProbeFailed) else None)


@needs_dnsmasq
def test_asking_again_makes_dnsmasq_try_its_other_upstream(tmp_path: Path) -> None:
    """With `strict-order` a dead first upstream costs a question; the same one again gets through."""
    with TinyNameserver(silent) as dead, TinyNameserver(answering) as alive:
        config = ("strict-order", f"server=127.0.0.1#{dead.port}", f"server=127.0.0.1#{alive.port}")
        with Dnsmasq(tmp_path, config=config) as dnsmasq:
            outcome = probe(dnsmasq, forward=True, forward_timeout_s=2.0)

    assert isinstance(outcome, ProbePassed), outcome
    assert len(dead.asked) == 1
