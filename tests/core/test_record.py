"""Twin of dnsguard/core/record.py."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core import actions, events
from dnsguard.core.errors import RecordError
from dnsguard.core.record import Plain, action_from, event_from, state_from, to_plain
from dnsguard.core.state import State
from tests.core.story import direct, failed, guarded, look, passed

EVENTS = (passed(), failed(), look("192.0.2.1", complaints=("a", "b")), events.StopAsked())
for_json = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text()),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(), inner, max_size=3)),
    max_leaves=8,
)


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_comes_back_as_it_was(event: events.Event) -> None:
    """Through JSON, as in the journal."""
    assert event == event_from(json.loads(json.dumps(to_plain(event))))


@pytest.mark.parametrize("state", [State(), direct(), guarded(held=None, complaints=("x",))])
def test_a_state_comes_back_as_it_was(state: State) -> None:
    """With its policy, its list and what is published."""
    assert state == state_from(json.loads(json.dumps(to_plain(state))))


def test_an_action_comes_back_as_it_was() -> None:
    """Actions are what a replay is compared with."""
    probe = actions.Probe(1, 2, ("192.0.2.1",), True)

    assert probe == action_from(json.loads(json.dumps(to_plain(probe))))


@pytest.mark.parametrize(
    "plain",
    [
        None,
        {"is": "Probe"},
        {"is": "NoSuchEvent"},
        {"is": ["x"]},
        {"is": "DnsmasqGone", "pid": "4711"},
        {"is": "DnsmasqGone", "pid": True},
        {"is": "DnsmasqGone", "pid": 1, "more": 2},
        {"is": "TimerFired", "timer": "lunch"},
        {"is": "SourcesRead", "reading": 3},
    ],
)
def test_what_is_no_event_is_refused(plain: Plain) -> None:
    """A guess would make a replay lie."""
    with pytest.raises(RecordError):
        event_from(plain)


def test_lists_of_the_wrong_shape_are_refused() -> None:
    """`published` is a pair; `missing` is a text."""
    plain = to_plain(direct())
    assert isinstance(plain, dict)
    with pytest.raises(RecordError):
        state_from({**plain, "published": ["direct"]})
    with pytest.raises(RecordError):
        state_from({**plain, "offered": "192.0.2.1"})


def test_a_stranger_cannot_be_recorded() -> None:
    """A live thing in an event is a mistake of ours."""
    with pytest.raises(TypeError):
        to_plain(object())


@given(for_json)
def test_nothing_but_a_record_error_ever_comes_out(plain: Plain) -> None:
    """A journal may hold anything."""
    for read in (event_from, action_from, state_from):
        with pytest.raises(RecordError):
            read(plain)


@given(st.text(), st.floats(allow_nan=False), st.tuples(st.text()))
def test_any_text_and_number_survives(text: str, took_ms: float, held: tuple[str, ...]) -> None:
    """Also what a hostile server said."""
    event = replace(passed(), took_ms=took_ms, held=(*held, text))

    assert event == event_from(json.loads(json.dumps(to_plain(event))))
