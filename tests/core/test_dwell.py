"""Twin of dnsguard/core/dwell.py: a dnsmasq that has failed is not trusted again at once."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.banner import status_line
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Timer, Verdict
from dnsguard.core.words import say
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, kinds, look, passed, proving, story

FELL = do.SetTimer(Timer.DWELL, POLICY.dwell_s)
COUNTED = do.SetTimer(Timer.FALLS, POLICY.falls_window_s)
SUSPECT = direct(falls=POLICY.falls)
IN_DIRECT = (Kind.DIRECT, 1)


@pytest.mark.parametrize("event", [on.DnsmasqGone(PID), on.DnsmasqFound(PID + 1), failed(Verdict.LACKING)])
def test_each_failure_of_a_trusted_dnsmasq_costs_a_dwell(event: Event) -> None:
    """Its death, a successor that nobody announced, an answer that tells; libc is given the upstreams before that."""
    after, actions = decide(guarded(), event)

    assert (Phase.DIRECT, True, 1) == (after.phase, after.dwelling, after.falls)
    assert isinstance(actions[0], do.Publish)
    assert {FELL, COUNTED} <= set(actions)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (proving(), on.DnsmasqGone(PID)),
        (proving(), failed(Verdict.LACKING)),
        (guarded(), look(OLD, registered=False)),
        (guarded(), look(NEW, settled=True)),
        (guarded(), on.StopAsked()),
    ],
)
def test_nothing_else_does(state: State, event: Event) -> None:
    """A trial that fails, an end that was announced, a new list."""
    after, actions = decide(state, event)

    assert (False, 0) == (after.dwelling, after.falls)
    assert FELL not in actions


def test_no_trial_begins_before_the_dwell_is_over() -> None:
    """It is asked all the while, and tried as soon as it may be."""
    state = direct(dwelling=True)

    assert Phase.DIRECT is story(state, passed(forward=False), passed(forward=False)).phase
    assert "has just failed" in status_line(state)
    assert Phase.PROVING is story(state, on.TimerFired(Timer.DWELL), passed(forward=False)).phase


def test_a_dwell_may_be_switched_off() -> None:
    """Then only a trial stands between a failure and trust."""
    state = guarded(policy=replace(POLICY, dwell_s=0.0))
    after, actions = decide(state, on.DnsmasqGone(PID))

    assert (False, 1) == (after.dwelling, after.falls)
    assert Timer.DWELL not in {each.timer for each in actions if isinstance(each, do.SetTimer)}


def test_after_several_failures_a_trial_takes_longer() -> None:
    """As many questions, but far between, and the first not at once."""
    trial, actions = decide(SUSPECT, passed(forward=False))

    assert Phase.PROVING is trial.phase
    assert do.Probe not in kinds(actions)
    for _ in range(POLICY.rise - 1):
        trial, actions = decide(trial, passed())
        asked = next(each for each in actions if isinstance(each, do.SetTimer) and each.timer is Timer.PROBE)
        assert POLICY.long_trial_interval_s * 0.9 == asked.after_s
    assert Phase.GUARDED is decide(trial, passed())[0].phase
    assert "its trial takes longer" in status_line(replace(SUSPECT, published=IN_DIRECT))


def test_a_failure_that_makes_trials_longer_is_said() -> None:
    """With the line about the failure itself; the operator sees it in `systemctl status`, too."""
    state = guarded(falls=POLICY.falls - 1)
    after, actions = decide(state, on.DnsmasqGone(PID))

    assert f"{POLICY.falls} failures" in say(state, on.DnsmasqGone(PID), after, actions).text


def test_peace_forgets_the_failures() -> None:
    """And no more of them are counted than are ever asked for."""
    again, _ = decide(guarded(falls=POLICY.falls), on.DnsmasqGone(PID))

    assert POLICY.falls == again.falls
    assert 0 == story(again, on.TimerFired(Timer.FALLS)).falls
