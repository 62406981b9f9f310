"""Twin of dnsguard/core/moves.py: what several judgements share."""

from dnsguard.core import actions as do
from dnsguard.core.moves import go_direct, hand_over, may_be_disturbed, probe, publish, resume
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Timer
from tests.core.story import OLD, PID, POLICY, direct, guarded, kinds, proving


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
    assert (do.Probe(1, PID, (OLD,), True),) == probe(proving(probing=False))[1]
    assert (do.Probe(1, PID, (OLD,), True),) == probe(guarded(probing=False, forward_due=True))[1]
    assert (do.Probe(1, PID, (OLD,), False),) == probe(guarded(probing=False))[1]
    assert () == probe(guarded())[1]


def test_coming_back_goes_where_it_can() -> None:
    """Direct if there is a list, else to the start."""
    assert Phase.DIRECT is resume(direct(phase=Phase.YIELDED))[0].phase
    assert Phase.STARTING is resume(State(phase=Phase.YIELDED))[0].phase
