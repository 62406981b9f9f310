"""Twin of dnsguard/edge/prober_messages.py: what is asked, and what is made of anything that comes back."""

import dns.flags
import dns.message
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from hypothesis import strategies as st

from dnsguard.core.errors import DnsguardError, SettingsError
from dnsguard.core.resolvconf import canonical
from dnsguard.edge.prober_messages import (
    MAX_STRINGS,
    ROOT_SOA,
    Query,
    Question,
    ask,
    ask_held,
    judge,
    parse_question,
    read,
    read_held,
)


def test_each_question_has_an_id_of_its_own_and_is_the_same_otherwise() -> None:
    """Sixteen bits cannot all be equal a hundred times, unless nobody drew them."""
    wires = [ask(ROOT_SOA, use_edns=False).wire for _ in range(100)]

    assert len({wire[:2] for wire in wires}) > 1
    assert 1 == len({wire[2:] for wire in wires})
    assert dns.message.make_query(".", "SOA", id=0).to_wire()[2:] == wires[0][2:]


def test_what_was_read_before_answers_only_the_question_that_is_asked_now() -> None:
    """The last answers are kept without their ids: an old id, or another question, must not be let in by that."""
    first, second = ask(ROOT_SOA, use_edns=False), ask(ROOT_SOA, use_edns=False)
    wire = answer_to(first)
    assert read(wire, first) is not None

    assert second.wire[:2] == first.wire[:2] or read(wire, second) is None
    assert read(second.wire[:2] + wire[2:], second) is not None
    other = ask(Question("example", "A"), use_edns=False)
    assert read(other.wire[:2] + wire[2:], other) is None


@pytest.mark.parametrize("length", [0, 1, 2, 11])
def test_less_than_a_header_is_no_message(length: int) -> None:
    query = ask_held()

    assert read(query.wire[:length], query) is None


def answer_to(query: Query) -> bytes:
    """An empty answer, under the same id."""
    reply = dns.message.make_response(dns.message.from_wire(query.wire))
    assert reply.flags & dns.flags.QR
    return reply.to_wire()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (". SOA", Question(".", "SOA")),
        ("intranet.mycompany.com A", Question("intranet.mycompany.com", "A")),
        (" intranet.mycompany.com.\taaaa ", Question("intranet.mycompany.com", "AAAA")),
        ("b\u00fccher.example MX", Question("xn--bcher-kva.example", "MX")),
        ("example TYPE65280", Question("example", "TYPE65280")),
        ("a.example A=10.0.0.7", Question("a.example", "A", "10.0.0.7")),
        ("a.example TXT = 'x = y'", Question("a.example", "TXT", "'x = y'")),
    ],
)
def test_a_question_is_a_name_and_a_type(text: str, expected: Question) -> None:
    assert expected == parse_question(text)
    answer = f" = {expected.demanded}" if expected.demanded else ""
    assert expected == parse_question(f"{expected.name} {expected.type}{answer}")


@pytest.mark.parametrize(
    "text",
    [
        "",
        ".",
        "A",
        "a b c",
        "a A =",
        "a A = b",
        "a A = 10.0.0.7 8",
        "a = 10.0.0.7",
        "example NOSUCH",
        "a..b A",
        "example TYPE65536",
        f"{'a' * 64}.example A",
    ]
    + [f"example {metatype}" for metatype in ("ANY", "AXFR", "IXFR", "OPT", "TSIG", "TYPE0")],
)
def test_what_cannot_be_asked_is_the_operators_fault(text: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_question(text)

    assert "bad-question" == caught.value.code
    assert caught.value.text.isprintable()


# Anything at all


@given(st.text(max_size=40) | st.tuples(st.text(max_size=20), st.sampled_from(["A", "SOA"])).map(" ".join))
def test_any_text_is_a_question_that_can_be_asked_or_an_error(text: str) -> None:
    try:
        question = parse_question(text)
    except DnsguardError:
        return
    assert dns.message.make_query(question.name, question.type).to_wire()


ASKED = ask_held()
HEADER = ASKED.wire[:2] + b"\x84\x00\x00\x01"
QUESTION = dns.message.make_query("servers.bind", "TXT", "CH").to_wire()[12:]


@given(
    st.binary(max_size=200)
    | st.binary(min_size=6, max_size=200).map(lambda rest: HEADER + rest[:6] + QUESTION + rest[6:])
    | st.lists(st.binary(max_size=60), max_size=20).map(
        lambda strings: (
            (HEADER + b"\0\1\0\0\0\0" + QUESTION + b"\xc0\x0c\0\x10\0\3\0\0\0\0")
            + sum(map(len, strings), len(strings)).to_bytes(2, "big")
            + b"".join(bytes([len(string)]) + string for string in strings)
        )
    )
)
@given_settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow], deadline=None)
def test_no_message_can_do_more_than_be_read_or_be_dropped(wire: bytes) -> None:
    """What comes from the network never raises, and never becomes an address that is none."""
    reply = read(wire, ASKED)
    if reply is None:
        return
    judge(reply, "x")
    judge(reply, "x", Question("intranet.example", "TXT", "x"))
    held = read_held(reply)
    assert not isinstance(held, tuple) or held == tuple(canonical(address) for address in held)


def test_a_huge_answer_is_read_in_bounded_time() -> None:
    """The strings that are looked at are counted; the rest of 64 KiB is passed over."""
    strings = b"".join(bytes([len(string)]) + string for string in (b"%x::#" % n for n in range(8000)))
    wire = HEADER + b"\0\1\0\0\0\0" + QUESTION + b"\xc0\x0c\0\x10\0\3\0\0\0\0"
    reply = read(wire + len(strings).to_bytes(2, "big") + strings, ASKED)

    assert reply is not None
    held = read_held(reply)
    assert isinstance(held, tuple)
    assert MAX_STRINGS == len(held)
