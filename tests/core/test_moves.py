"""Twin of dnsguard/core/moves.py: what several judgements share."""

import pytest

from dnsguard.core import actions as do
from dnsguard.core.moves import (
    ask_published,
    go_direct,
    hand_over,
    is_stale,
    jittered,
    may_be_disturbed,
    next_forward,
    next_question,
    probe,
    publish,
    resume,
)
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase, Timer
from tests.core.story import OLD, PID, POLICY, direct, guarded, kinds, passed, proving


def test_publishing_leaves_it_open_what_libc_reads() -> None:
    """Only the answer settles it."""
    state, actions = publish(guarded(published=(Kind.DIRECT, 1)))

    assert state.published is None
    assert [do.Publish] == kinds(actions)
    assert (direct(), ()) == publish(direct())
    assert (State(), ()) == publish(State())


def test_going_direct_publishes_first_and_then_sees_to_dnsmasq() -> None:
    """With a process there is something to ask; without one there is something to find."""
    state, actions = go_direct(guarded())
    _, absent = go_direct(guarded(pid=None))

    assert (Phase.DIRECT, 0, 0, False) == (state.phase, state.passes, state.failures, state.forward_due)
    assert isinstance(actions[0], do.Publish)
    assert do.SetTimer(Timer.PROBE, POLICY.trial_interval_s) in actions
    assert do.SetTimer(Timer.RELOAD, POLICY.reload_retry_s) in actions
    assert do.SetTimer(Timer.FIND, POLICY.find_s) in absent


def test_a_dnsmasq_that_must_be_told_waits_for_its_file_but_not_for_ever() -> None:
    """After offer_wait_s it is told all the same."""
    _, actions = go_direct(direct(reloaded=0))

    assert do.SetTimer(Timer.RELOAD, POLICY.offer_wait_s) in actions


def test_dnsmasq_is_disturbed_only_while_libc_does_not_depend_on_it() -> None:
    """And only if it is in use at all."""
    assert may_be_disturbed(direct())
    assert may_be_disturbed(direct(registered=None))
    assert not may_be_disturbed(direct(published=None))
    assert not may_be_disturbed(direct(pid=None))
    assert not may_be_disturbed(direct(registered=False))


def test_handing_over_is_for_the_direct_phase() -> None:
    """Elsewhere dnsmasq has what it needs."""
    assert (guarded(probing=False), ()) == hand_over(guarded(probing=False))
    assert [do.Reload] == kinds(hand_over(direct(reloaded=0))[1])
    assert [do.Probe] == kinds(hand_over(direct(probing=False))[1])


def test_a_probe_is_forwarded_on_trial_and_when_it_is_due() -> None:
    """Otherwise no query leaves the host."""
    assert (do.Probe(1, PID, (OLD,), True, (OLD,)),) == probe(proving(probing=False))[1]
    assert (do.Probe(1, PID, (OLD,), True, (OLD,)),) == probe(guarded(probing=False, forward_due=True))[1]
    assert (do.Probe(1, PID, (OLD,), False),) == probe(guarded(probing=False))[1]
    assert () == probe(guarded())[1]


def test_coming_back_goes_where_it_can() -> None:
    """Direct if there is a list, else to the start."""
    assert Phase.DIRECT is resume(direct(phase=Phase.YIELDED))[0].phase
    assert Phase.STARTING is resume(State(phase=Phase.YIELDED))[0].phase


@pytest.mark.parametrize(
    ("state", "every_s"),
    [
        (guarded(failures=5), POLICY.interval_s),
        (guarded(fault=Fault.NETWORK, fault_tries=1), POLICY.interval_s),
        (direct(), POLICY.trial_interval_s),
        (direct(failures=POLICY.eager_tries), POLICY.interval_s),
        (proving(), POLICY.trial_interval_s),
        (proving(failures=POLICY.eager_tries), POLICY.forward_interval_s),
        (proving(fault=Fault.UNKNOWN, fault_tries=POLICY.eager_tries), POLICY.forward_interval_s),
        (proving(fault=Fault.ZONE, fault_tries=POLICY.eager_tries), POLICY.trial_interval_s),
        (proving(fault=Fault.NETWORK, fault_tries=1), POLICY.network_retry_s),
        (proving(fault=Fault.NETWORK, fault_tries=POLICY.network_tries), POLICY.forward_interval_s),
        (proving(fault=Fault.NETWORK, fault_tries=1, published=None), POLICY.interval_s),
        (proving(fault=Fault.UNKNOWN, fault_tries=99, published=None), POLICY.interval_s),
    ],
)
def test_how_soon_dnsmasq_is_asked_again(state: State, every_s: float) -> None:
    """On trial each question leaves the host, so in vain it is asked no more often than while guarded."""
    assert jittered(Timer.PROBE, every_s) == next_question(state)


def test_a_question_that_comes_again_has_jitter_and_is_no_later_for_it() -> None:
    """A hang is found within interval_s + fall * probe_timeout_s."""
    assert do.SetTimer(Timer.PROBE, 0.9, 0.1) == jittered(Timer.PROBE, 1.0)


def test_no_more_than_two_questions_a_minute_leave_a_host_where_all_is_well() -> None:
    """Jitter comes on top; only while nobody answers is it asked sooner."""
    assert do.SetTimer(Timer.FORWARD, 30.0, 6.0) == next_forward(guarded())
    assert do.SetTimer(Timer.FORWARD, 2.0, 0.4) == next_forward(guarded(fault=Fault.NETWORK, fault_tries=1))
    assert do.SetTimer(Timer.FORWARD, 30.0, 6.0) == next_forward(guarded(fault=Fault.ZONE, fault_tries=1))


def test_an_answer_is_for_one_generation_and_one_process() -> None:
    assert not is_stale(guarded(), passed())
    assert is_stale(guarded(), passed(generation=2))
    assert is_stale(guarded(), passed(pid=PID + 1))


def test_going_direct_forgets_the_network_and_compares_the_upstreams() -> None:
    """Only if the file changes: a flapping dnsmasq must not have them asked each second."""
    state, flip = go_direct(guarded(fault=Fault.NETWORK, fault_tries=3))
    _, stay = go_direct(direct())

    assert (None, 0) == (state.fault, state.fault_tries)
    assert do.SetTimer(Timer.COMPARE, POLICY.trial_interval_s) in flip
    assert Timer.COMPARE not in {action.timer for action in stay if isinstance(action, do.SetTimer)}


def test_the_published_servers_are_asked_in_the_order_of_the_file() -> None:
    assert (do.AskPublished(Kind.DIRECT, 1, (OLD,)),) == ask_published(direct())
    assert (guarded(), ()) == publish(guarded())
