"""A world that has moved: what is asked at once, and what is not, so that storms stay cheap."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.guard import decide
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Moment, Phase, Timer, Verdict
from dnsguard.core.words import say
from tests.core.story import POLICY, direct, guarded, kinds, passed, proving

LINK = on.MomentPassed(Moment.NETWORK, "the link eth0 has come, or changed")
RESUME = on.MomentPassed(Moment.RESUME, "this host has slept for 3600 s")
FORWARD = on.TimerFired(Timer.FORWARD)


def timers(actions: tuple[Action, ...]) -> list[Timer]:
    """Which timers are set."""
    return [action.timer for action in actions if isinstance(action, do.SetTimer)]


@pytest.mark.parametrize("moment", [LINK, RESUME], ids=["link", "resume"])
def test_files_and_a_trusted_dnsmasq_are_looked_at_at_once(moment: on.MomentPassed) -> None:
    """A question leaves the host: that dnsmasq is alive says nothing about the new network."""
    state, actions = decide(guarded(probing=False), moment)

    assert [do.ReadSources, do.Probe] == kinds(actions)
    assert [True] == [action.forward for action in actions if isinstance(action, do.Probe)]
    assert (Phase.GUARDED, True) == (state.phase, state.revisited)


def test_question_under_way_is_waited_for_and_the_next_is_forwarded() -> None:
    """Never two questions at once."""
    state, actions = decide(guarded(probing=True), LINK)

    assert [do.ReadSources] == kinds(actions)
    assert do.Probe in kinds(decide(replace(state, probing=False), on.TimerFired(Timer.PROBE))[1])
    assert state.forward_due


def test_storm_costs_one_look_a_pause_and_one_question_between_two_that_are_due() -> None:
    """A thousand containers that come and go must not send a thousand questions to the upstreams."""
    state, looks, forwarded = guarded(probing=False), 0, 0
    for _ in range(1000):
        state, actions = decide(state, LINK)
        looks += kinds(actions).count(do.ReadSources)
        forwarded += kinds(actions).count(do.Probe)
        if state.probing:
            state, _ = decide(state, passed())

    assert (1, 1) == (looks, forwarded)
    # The pause is over, and so is the time until the next question is due.
    state, actions = decide(state, on.TimerFired(Timer.PAUSE))
    assert [do.ReadSources] == kinds(actions)
    state, _ = decide(state, FORWARD)
    state, actions = decide(state, LINK)
    assert [do.Probe] == kinds(actions)


def test_trust_that_ends_forgets_that_it_was_asked() -> None:
    """The next trust is asked at its first moment again."""
    state, _ = decide(guarded(probing=False), LINK)
    state, _ = decide(state, on.ProbeFailed(1, state.pid or 0, Verdict.LACKING, (), ""))

    assert (Phase.DIRECT, False) == (state.phase, state.revisited)


def test_network_that_was_down_for_long_is_asked_at_once_and_eagerly_again() -> None:
    """It may be up: half a minute is too long to wait, when the kernel has just said that something came."""
    patient = guarded(probing=False, revisited=True, fault=Fault.NETWORK, fault_tries=POLICY.network_tries)
    state, actions = decide(patient, LINK)

    assert 0 == state.fault_tries
    assert [POLICY.network_retry_s] == [
        each.after_s for each in actions if isinstance(each, do.SetTimer) and each.timer is Timer.FORWARD
    ]
    # In a storm the timer is not put off for ever.
    assert Timer.FORWARD not in timers(decide(state, LINK)[1])


@pytest.mark.parametrize(
    "patient",
    [
        direct(probing=False, failures=POLICY.eager_tries),
        proving(probing=False, fault=Fault.NETWORK, fault_tries=POLICY.network_tries),
    ],
    ids=["direct", "proving"],
)
def test_what_was_asked_in_vain_for_long_is_asked_at_once(patient: State) -> None:
    """And only then: what is asked eagerly anyway gains nothing."""
    state, actions = decide(patient, LINK)

    assert do.Probe in kinds(actions)
    assert (0, 0) == (state.failures, state.fault_tries)
    again = decide(replace(state, probing=False), LINK)
    assert do.Probe not in kinds(again[1])


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.YIELDED])
def test_elsewhere_only_the_files_are_read(phase: Phase) -> None:
    """Nobody is asked who is not used."""
    assert [do.ReadSources] == kinds(decide(replace(direct(probing=False), phase=phase), LINK)[1])


def test_resume_is_told_always_and_a_link_only_if_somebody_is_asked() -> None:
    """Links come and go all day on a host of containers."""

    def told(state: State, moment: on.MomentPassed) -> tuple[str, str]:
        after, actions = decide(state, moment)
        said = say(state, moment, after, actions)
        return said.code, said.text

    assert ("looked-again", f"{LINK.detail}; all is looked at again at once") == told(guarded(probing=False), LINK)
    assert "routine" == told(guarded(probing=False, revisited=True), LINK)[0]
    assert "looked-again" == told(guarded(probing=False, revisited=True), RESUME)[0]
    assert "routine" == told(direct(), LINK)[0]
