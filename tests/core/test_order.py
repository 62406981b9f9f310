"""Twin of dnsguard/core/order.py: in which order libc is given the upstreams."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.guard import decide
from dnsguard.core.order import hear, next_comparison, republish
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Kind, Phase, Timer
from tests.core.story import NEW, OLD, direct, guarded, kinds, proving, upstreams

THIRD = "192.0.2.55"
ALL = (OLD, NEW, THIRD)
CHOICE = direct(upstreams=upstreams(*ALL))


def compared(*answered: str, generation: int = 1) -> on.Compared:
    """These have answered, the others of the three have not."""
    return on.Compared(generation, answered, tuple(each for each in ALL if each not in answered))


def after(state: State, *events: on.Compared) -> State:
    """Where it ends; each file is written at once."""
    for event in events:
        state, actions = decide(state, event)
        if do.Publish in kinds(actions):
            state, _ = decide(state, on.Published(state.wanted, state.generation))
    return state


def published(actions: tuple[Action, ...]) -> list[tuple[str, ...]]:
    return [action.conf.nameservers for action in actions if isinstance(action, do.Publish)]


def test_who_does_not_answer_goes_last_at_once() -> None:
    """libc waits five seconds for it at each lookup."""
    state, actions = decide(CHOICE, compared(NEW, THIRD))

    assert [(NEW, THIRD, OLD)] == published(actions)
    assert (Phase.DIRECT, 1) == (state.phase, state.generation)


def test_those_that_do_not_answer_keep_their_order_among_themselves() -> None:
    assert (THIRD, OLD, NEW) == after(CHOICE, compared(THIRD)).nameservers
    assert (THIRD, OLD, NEW) == after(CHOICE, compared(OLD, THIRD), compared(NEW, THIRD), compared(THIRD)).nameservers


def test_it_comes_back_to_its_place_when_it_has_answered_twice_in_a_row() -> None:
    """One that answers now and then would have the file written each minute."""
    gone = after(CHOICE, compared(NEW, THIRD))
    once = after(gone, compared(*ALL))

    assert (NEW, THIRD, OLD) == once.nameservers
    assert (NEW, THIRD, OLD) == after(once, compared(NEW, THIRD), compared(*ALL)).nameservers
    back = after(once, compared(*ALL))
    assert (ALL, (), ()) == (back.nameservers, back.spared, back.returning)


def test_one_may_come_back_while_another_stays_away() -> None:
    away = after(CHOICE, compared(THIRD))

    assert (OLD, THIRD, NEW) == after(away, compared(OLD, THIRD), compared(OLD, THIRD)).nameservers


def test_where_nobody_answers_there_is_no_better_order() -> None:
    """The network is down, and what was known of them stands."""
    gone = after(CHOICE, compared(NEW, THIRD))

    assert CHOICE == decide(CHOICE, compared())[0]
    assert gone == decide(gone, compared())[0]


def test_a_comparison_of_an_old_list_is_not_news() -> None:
    """It asked other servers, in another network perhaps."""
    state = replace(CHOICE, generation=2, published=(Kind.DIRECT, 2))

    assert (state, ()) == decide(state, compared(NEW, generation=1))


def test_a_new_order_is_no_new_list() -> None:
    """dnsmasq is neither told, nor asked, nor put on trial again."""
    trial = proving(upstreams=upstreams(*ALL), passes=2)
    state, actions = decide(trial, compared(NEW))
    written, more = decide(state, on.Published(Kind.DIRECT, 1))

    assert [do.Publish] == kinds(actions)
    assert [] == kinds(more)
    assert (Phase.PROVING, 2, 1, True) == (written.phase, written.passes, written.generation, written.is_published)


def test_the_same_order_is_not_written_again() -> None:
    state, actions = decide(CHOICE, compared(*ALL))

    assert (CHOICE, [], (next_comparison(state),)) == (state, kinds(actions), actions)


def test_the_standby_is_one_that_answers() -> None:
    trusted = guarded(upstreams=upstreams(*ALL))
    _, actions = decide(trusted, compared(NEW, THIRD))

    assert [("127.0.0.1", NEW)] == published(actions)


def test_each_is_asked_when_libc_depends_on_them() -> None:
    """What is known may be as old as the trust that has just ended."""
    _, flip = decide(guarded(upstreams=upstreams(*ALL)), on.DnsmasqGone(guarded().pid or 0))
    _, asked = decide(CHOICE, on.TimerFired(Timer.COMPARE))

    assert Timer.COMPARE in {action.timer for action in flip if isinstance(action, do.SetTimer)}
    assert (do.AskUpstreams(1, ALL),) == asked


@pytest.mark.parametrize("state", [direct(), guarded(upstreams=upstreams(*ALL)), State()])
def test_where_nothing_follows_nobody_is_asked(state: State) -> None:
    """One server has no order; dnsmasq chooses for itself."""
    assert (state, ()) == decide(state, on.TimerFired(Timer.COMPARE))


def test_who_cannot_be_asked_now_is_asked_later() -> None:
    """The file could not be written, or another program has it."""
    for state in (replace(CHOICE, published=None), replace(CHOICE, phase=Phase.YIELDED)):
        assert (state, (next_comparison(state),)) == decide(state, on.TimerFired(Timer.COMPARE))
    yielded = replace(CHOICE, phase=Phase.YIELDED)
    assert (yielded, (next_comparison(yielded),)) == decide(yielded, compared(NEW))


def test_all_of_them_together_are_asked_twice_a_minute() -> None:
    timer = next_comparison(CHOICE)

    assert (90.0, 18.0) == (timer.after_s, timer.spread_s)
    assert 30.0 == next_comparison(State()).after_s


def test_a_file_that_is_about_to_be_written_is_left_alone() -> None:
    """Its writing takes the new order with it."""
    unwritten = replace(CHOICE, published=None)
    other = hear(unwritten, (NEW,), (OLD,))

    assert (other, ()) == republish(unwritten, other)
    assert (NEW, THIRD, OLD) == file_of(other).nameservers


def test_what_is_heard_of_no_list_is_nothing() -> None:
    assert () == hear(State(), (OLD,), (NEW,)).spared
