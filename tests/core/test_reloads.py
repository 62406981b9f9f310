"""Twin of dnsguard/core/reloads.py: what is done until dnsmasq holds its upstreams, step by step."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Timer
from tests.core.story import OLD, PID, POLICY, direct, guarded, kinds, look

LATER = on.TimerFired(Timer.RELOAD)
SPENT = direct(held=(), reloads=POLICY.reload_tries)
"""All the SIGHUPs were sent, and it still lacks what it is offered."""


def test_sighup_is_sent_again_while_dnsmasq_lacks_what_it_is_offered() -> None:
    """SIGHUP is not a reload: what dnsmasq holds is what counts."""
    lacking = direct(held=(), probing=False)
    _, actions = decide(lacking, on.TimerFired(Timer.RELOAD))

    assert (do.Reload(1, PID),) == actions


@pytest.mark.parametrize(
    "state",
    [
        direct(held=(), offered=None),
        direct(held=None),
        direct(held=(OLD,)),
        direct(held=(), registered=False),
        direct(held=(), published=None),
    ],
)
def test_sighup_is_not_sent_where_it_cannot_help(state: State) -> None:
    """Each one empties the cache and runs the DHCP script for every lease."""
    assert [] == kinds(decide(state, on.TimerFired(Timer.RELOAD))[1])


def test_after_sighup_dnsmasq_is_asked_at_once_and_told_again_later() -> None:
    """The back-off doubles."""
    state, actions = decide(direct(reloaded=0, probing=False), on.ReloadSent(1, PID))

    assert (1, 1) == (state.reloaded, state.reloads)
    assert [do.Probe] == kinds(actions)
    assert do.SetTimer(Timer.RELOAD, POLICY.reload_retry_s) in actions
    again = decide(replace(state, reloads=2), on.ReloadSent(1, PID))[1]
    assert do.SetTimer(Timer.RELOAD, POLICY.reload_retry_s * 4) in again


def test_a_signal_that_could_not_be_sent_is_not_the_end() -> None:
    """dnsmasq may have read its file by itself; it is asked all the same."""
    _, actions = decide(direct(reloaded=0, probing=False), on.ReloadFailed(1, PID, "EPERM"))

    assert [do.Probe] == kinds(actions)


def test_a_file_that_lags_behind_is_asked_for_and_dnsmasq_told_all_the_same() -> None:
    """resolvconf may have lost the change: its lock was held for ten seconds."""
    _, actions = decide(direct(reloaded=0, offered=()), LATER)

    assert [do.AskUpdate, do.AskPublished, do.Reload] == kinds(actions)
    assert (do.Reload(1, PID),) == decide(direct(reloaded=0), LATER)[1]


def test_after_the_last_sighup_the_file_is_written_again_once() -> None:
    """dnsmasq may have missed an event; it is asked again after a while."""
    state, actions = decide(SPENT, LATER)
    wait = do.SetTimer(Timer.RELOAD, POLICY.reload_retry_s * 2**POLICY.reload_tries)

    assert (do.AskUpdate(), wait) == (actions[0], actions[-1])
    assert do.AskUpdate not in kinds(decide(state, LATER)[1])


def test_before_the_last_step_the_upstreams_are_asked_again() -> None:
    """They may have fallen silent since they answered; where nobody is ever ended that is of no interest."""
    state, actions = decide(SPENT, LATER)
    again = decide(replace(SPENT, policy=replace(POLICY, restarts=0)), LATER)[1]

    assert [do.AskUpdate, do.AskPublished] == kinds(actions)
    assert do.EndDnsmasq not in kinds(decide(state, LATER)[1])
    heard, _ = decide(state, on.LookupAnswered(Kind.DIRECT, 1, OLD))
    assert do.EndDnsmasq in kinds(decide(heard, LATER)[1])
    assert [do.AskUpdate] == kinds(again)


def test_a_file_that_lags_behind_is_asked_for_once() -> None:
    """There is nothing to take, and nobody is told or ended for that."""
    state, first = decide(direct(held=(), offered=()), LATER)
    wait = do.SetTimer(Timer.RELOAD, POLICY.offer_wait_s)

    assert (do.AskUpdate(), wait) == (first[0], first[-1])
    assert (state, (wait,)) == decide(state, LATER)


def test_a_registration_gives_the_file_its_time() -> None:
    """Debian's hook sleeps for up to a second before it writes it."""
    _, actions = decide(direct(registered=False, offered=()), look(OLD, offered=None, registered=True))

    assert do.SetTimer(Timer.RELOAD, POLICY.offer_wait_s) in actions


LAST = direct(held=(), reloads=POLICY.reload_tries, asked_update=True)


def test_the_last_step_is_another_dnsmasq() -> None:
    """So many times in its window; then the window must be over first."""
    state, actions = decide(LAST, LATER)
    _, second = decide(replace(state, restarts=1), LATER)
    spent = replace(state, restarts=POLICY.restarts)

    assert [do.EndDnsmasq] == kinds(actions) == kinds(second)
    assert do.SetTimer(Timer.RESTARTS, POLICY.restart_window_s) in actions
    assert Timer.RESTARTS not in [action.timer for action in second if isinstance(action, do.SetTimer)]
    assert [] == kinds(decide(spent, LATER)[1])
    assert 0 == decide(spent, on.TimerFired(Timer.RESTARTS))[0].restarts
    assert [do.SetTimer] == [type(action) for action in decide(spent, LATER)[1]]


@pytest.mark.parametrize(
    "state",
    [
        replace(LAST, standby=None),
        replace(LAST, ready=False),
        replace(LAST, held=(OLD,)),
        replace(LAST, held=None),
        replace(LAST, registered=False),
        replace(LAST, published=None),
        replace(LAST, policy=replace(POLICY, restarts=0)),
        replace(LAST, pid=None),
    ],
)
def test_nobody_is_ended_where_that_cannot_help(state: State) -> None:
    """The upstreams are silent, dnsmasq holds them, it is unused, or the operator does not want it."""
    assert do.EndDnsmasq not in kinds(decide(state, LATER)[1])


def test_what_could_not_be_done_is_no_end() -> None:
    """The next step has its timer already."""
    for event in (on.EndFailed(1, PID, "EPERM"), on.UpdateAsked(), on.UpdateNotAsked("ENOSPC")):
        assert (LAST, ()) == decide(LAST, event)


def test_steps_belong_to_the_phase_direct() -> None:
    """A dnsmasq that is trusted, or on trial, holds what it should."""
    assert Phase.GUARDED is guarded().phase
    assert () == decide(guarded(held=()), LATER)[1]
