"""Twin of dnsguard/core/health.py: dnsmasq's proof, and whose fault a failure is."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.health import is_excused
from dnsguard.core.moves import jittered
from dnsguard.core.policy import Policy
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase, Timer, Verdict, ZoneDown
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, kinds, passed, proving, story, upstreams

FLIPPING = replace(POLICY, zone_down=ZoneDown.FLIP)


def unanswered(fault: Fault, *answered: str, verdict: Verdict = Verdict.UNFORWARDED) -> on.ProbeFailed:
    """A forwarded question failed, and the upstreams were asked the same."""
    silent = tuple(each for each in (OLD, NEW) if each not in answered)
    return replace(failed(verdict), fault=fault, answered=answered, unanswered=silent)


NETWORK, UNKNOWN, ZONE = (unanswered(fault) for fault in (Fault.NETWORK, Fault.UNKNOWN, Fault.ZONE))
BLAMED = unanswered(Fault.DNSMASQ, NEW, verdict=Verdict.SERVFAIL)


@pytest.mark.parametrize("event", [NETWORK, UNKNOWN, ZONE])
def test_what_is_not_dnsmasqs_fault_changes_nothing(event: on.ProbeFailed) -> None:
    """The upstreams would do no better, and its cache still answers."""
    state, actions = decide(guarded(), event)

    assert Phase.GUARDED is story(guarded(), *[event] * 20).phase
    assert (event.fault, 0, False) == (state.fault, state.failures, state.probing)
    assert [] == kinds(actions)


def test_dnsmasq_is_left_when_an_upstream_answers_what_it_does_not() -> None:
    """Twice in a row: one upstream of several may just have had a bad moment."""
    once, again = decide(guarded(), BLAMED)

    assert Phase.GUARDED is once.phase
    assert [do.Probe] == kinds(again)
    assert Phase.DIRECT is story(guarded(), BLAMED, BLAMED).phase


def test_a_hang_is_left_though_the_network_is_down() -> None:
    """What dnsmasq must know by itself nobody else can be blamed for."""
    assert Phase.DIRECT is story(guarded(), NETWORK, failed(), failed()).phase
    assert Phase.DIRECT is story(guarded(), NETWORK, failed(Verdict.CLOSED)).phase


def test_a_failure_before_the_network_went_down_is_no_half_of_a_hang() -> None:
    """dnsmasq has answered for itself in between."""
    assert Phase.GUARDED is story(guarded(), failed(), NETWORK, failed()).phase


def test_while_the_network_is_down_the_question_comes_soon_and_then_as_ever() -> None:
    """Bounded: a host may be without network for weeks."""
    down, actions = decide(guarded(), NETWORK)
    long, later = decide(replace(down, probing=True, fault_tries=POLICY.network_tries - 1), NETWORK)

    assert do.SetTimer(Timer.FORWARD, POLICY.network_retry_s, POLICY.network_retry_s * 0.2) in actions
    assert jittered(Timer.PROBE, POLICY.interval_s) in actions
    assert do.SetTimer(Timer.FORWARD, POLICY.forward_interval_s, POLICY.forward_interval_s * 0.2) in later
    assert POLICY.network_tries == long.fault_tries
    assert POLICY.network_tries == decide(replace(long, probing=True), NETWORK)[0].fault_tries


def test_an_answer_ends_the_fault_and_its_haste() -> None:
    down = story(guarded(), NETWORK)
    state, actions = decide(down, passed())

    assert (None, 0) == (state.fault, state.fault_tries)
    assert do.SetTimer(Timer.FORWARD, 30.0, 6.0) in actions
    assert Fault.NETWORK is decide(down, passed(forward=False))[0].fault
    assert Fault.NETWORK is decide(down, failed())[0].fault, "a hang says nothing of the network"
    assert decide(down, BLAMED)[0].fault is None


def test_another_fault_is_counted_from_one() -> None:
    assert (Fault.UNKNOWN, 1) == (lambda state: (state.fault, state.fault_tries))(
        story(guarded(), NETWORK, NETWORK, UNKNOWN)
    )


@pytest.mark.parametrize("event", [NETWORK, UNKNOWN])
def test_a_trial_waits_for_the_network_and_goes_on(event: on.ProbeFailed) -> None:
    """No flutter: libc has the upstreams all the while."""
    waiting = story(proving(passes=2), *[event] * 20)

    assert (Phase.PROVING, 0) == (waiting.phase, waiting.passes)
    assert Phase.GUARDED is story(waiting, passed(), passed(), passed()).phase


def test_what_was_inherited_stays_while_the_network_is_down() -> None:
    """An upgrade in a bad moment must not flip either; dnsmasq's own failure ends it at once."""
    heir = proving(published=None)

    assert Phase.PROVING is story(heir, NETWORK).phase
    assert Phase.DIRECT is story(heir, BLAMED).phase


def test_a_zone_that_is_held_does_not_keep_dnsmasq_from_being_trusted() -> None:
    """Its other questions pass, and no upstream would answer this one."""
    state = story(proving(), ZONE, ZONE, ZONE)

    assert (Phase.GUARDED, Fault.ZONE) == (state.phase, state.fault)


def test_a_zone_may_count_as_dnsmasqs_failure() -> None:
    """For hosts where a dnsmasq without it is of no use."""
    assert Phase.DIRECT is story(guarded(policy=FLIPPING), ZONE, ZONE).phase
    on_trial = story(proving(policy=FLIPPING), *[ZONE] * 20)
    assert (Phase.PROVING, 0) == (on_trial.phase, on_trial.passes)


@pytest.mark.parametrize(
    ("fault", "policy", "expected"),
    [
        (Fault.DNSMASQ, POLICY, False),
        (Fault.NETWORK, FLIPPING, True),
        (Fault.UNKNOWN, FLIPPING, True),
        (Fault.ZONE, POLICY, True),
        (Fault.ZONE, FLIPPING, False),
    ],
)
def test_only_its_own_fault_is_held_against_dnsmasq(fault: Fault, policy: Policy, expected: bool) -> None:
    assert expected is is_excused(unanswered(fault), policy)


@pytest.mark.parametrize(
    ("state", "every_s"),
    [
        (proving(fault=Fault.NETWORK, fault_tries=1), POLICY.network_retry_s),
        (proving(fault=Fault.NETWORK, fault_tries=POLICY.network_tries - 1), POLICY.forward_interval_s),
    ],
)
def test_a_trial_asks_an_absent_network_soon_and_then_seldom(state: State, every_s: float) -> None:
    assert (jittered(Timer.PROBE, every_s),) == decide(state, NETWORK)[1]


def test_a_trial_in_vain_asks_as_seldom_as_a_trusted_dnsmasq_is_asked() -> None:
    """Each of its questions leaves the host, the upstreams' too."""
    vain = proving(failures=POLICY.eager_tries)
    odd = proving(fault=Fault.UNKNOWN, fault_tries=POLICY.eager_tries)

    assert jittered(Timer.PROBE, POLICY.forward_interval_s) in decide(vain, BLAMED)[1]
    assert jittered(Timer.PROBE, POLICY.forward_interval_s) in decide(odd, UNKNOWN)[1]
    assert jittered(Timer.PROBE, POLICY.trial_interval_s) in decide(proving(), BLAMED)[1]


def test_the_evidence_puts_a_silent_upstream_last() -> None:
    """Whether dnsmasq is left for it or not, and whatever it was asked for."""
    both = upstreams(OLD, NEW)
    files = [
        [action.conf.nameservers for action in decide(state, event)[1] if isinstance(action, do.Publish)]
        for state, event in (
            (guarded(upstreams=both, failures=1), BLAMED),
            (guarded(upstreams=both), BLAMED),
            (guarded(upstreams=both), unanswered(Fault.ZONE, NEW)),
            (proving(upstreams=both), BLAMED),
            (proving(upstreams=both), unanswered(Fault.ZONE, NEW)),
            (direct(upstreams=both), BLAMED),
        )
    ]

    assert [[(NEW, OLD)], [("127.0.0.1", NEW)], [("127.0.0.1", NEW)], [(NEW, OLD)], [(NEW, OLD)], [(NEW, OLD)]] == files


@pytest.mark.parametrize("state", [direct(), proving(), guarded()])
def test_an_answer_for_another_process_is_not_news(state: State) -> None:
    for event in (passed(pid=PID + 1), failed(pid=PID + 1), replace(NETWORK, generation=7)):
        assert (state, ()) == decide(state, event)


def test_holding_the_upstreams_puts_it_on_trial() -> None:
    """Unless it is blind and its file wrong, or was not told of the list."""
    blind = on.ProbePassed(1, PID, False, None, 0.3)

    assert Phase.PROVING is story(direct(), passed(forward=False)).phase
    assert Phase.PROVING is story(direct(), blind).phase
    assert Phase.DIRECT is story(direct(offered=(NEW,)), blind).phase
    assert Phase.DIRECT is story(direct(reloaded=0), passed(forward=False)).phase


def test_passes_in_a_row_end_the_trial_and_a_failure_begins_it_again() -> None:
    assert Phase.PROVING is story(proving(), passed(), passed(), BLAMED, passed(), passed()).phase
    state, actions = decide(proving(passes=2), passed())

    assert Phase.GUARDED is state.phase
    assert [do.Publish] == kinds(actions)


def test_a_hang_or_a_telling_answer_ends_the_trial() -> None:
    assert Phase.DIRECT is story(proving(), failed(), failed()).phase
    assert Phase.DIRECT is story(proving(), failed(Verdict.LACKING)).phase


def test_dnsmasq_that_has_the_new_list_first_has_not_failed() -> None:
    """An address and a lease come together: it is asked just then, and reads a file that we still let settle."""
    ahead = replace(failed(Verdict.LACKING), held=(NEW,))
    settling = guarded(candidate=upstreams(NEW))
    state, actions = decide(settling, ahead)

    assert (Phase.GUARDED, 0, (NEW,)) == (state.phase, state.failures, state.held)
    assert [Timer.PROBE] == [each.timer for each in actions if isinstance(each, do.SetTimer)]
    # Lost servers, others than the new ones, and a list that is not new are what they were.
    for before, event in (
        (settling, replace(ahead, held=())),
        (settling, replace(ahead, held=None)),
        (settling, replace(ahead, held=("192.0.2.99",))),
        (guarded(), ahead),
    ):
        assert Phase.DIRECT is decide(before, event)[0].phase


def test_a_question_is_asked_when_its_time_comes() -> None:
    """In `direct` what it holds, on trial what it must forward, while trusted the one or the other."""
    fired = on.TimerFired(Timer.PROBE)
    due, _ = decide(guarded(probing=False), on.TimerFired(Timer.FORWARD))
    asked = [
        action
        for state in (direct(probing=False), proving(probing=False), guarded(probing=False), due)
        for action in decide(state, fired)[1]
    ]

    held, forwarded = do.Probe(1, PID, (OLD,), False), do.Probe(1, PID, (OLD,), True, (OLD,))
    assert [held, forwarded, held, forwarded] == asked


def test_an_answer_while_standing_back_makes_room_for_the_next_question() -> None:
    yielded = direct(phase=Phase.YIELDED)

    assert not decide(yielded, passed())[0].probing
    assert (yielded, ()) == decide(yielded, failed(generation=0))


def test_a_pass_keeps_trust() -> None:
    state, actions = decide(guarded(failures=1), passed(forward=False))

    assert (Phase.GUARDED, 0, (Kind.GUARDED, 1)) == (state.phase, state.failures, state.published)
    assert (jittered(Timer.PROBE, POLICY.interval_s),) == actions
