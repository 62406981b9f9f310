"""Twin of dnsguard/core/guard.py: dnsmasq's life and proof, and the table itself."""

from dataclasses import replace
from typing import get_args

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.guard import TABLE, decide, row_of
from dnsguard.core.moves import jittered
from dnsguard.core.nature import Nature
from dnsguard.core.policy import Policy
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Standby, Timer, Verdict
from tests.core.story import (
    NEW,
    OLD,
    PID,
    POLICY,
    direct,
    failed,
    guarded,
    kinds,
    look,
    passed,
    proving,
    story,
    upstreams,
)


def test_the_table_has_an_answer_for_every_event_in_every_phase() -> None:
    """A hole would be an exception at three in the morning; doing nothing is written out."""
    rows = {each for each in get_args(Event) if each is not on.TimerFired} | set(Timer)

    assert rows == set(TABLE)
    assert all(set(Phase) == set(row) for row in TABLE.values())


def test_each_timer_has_a_row_of_its_own() -> None:
    """Two timers mean two things."""
    assert Timer.PROBE is row_of(on.TimerFired(Timer.PROBE))
    assert on.Started is row_of(on.Started())


def test_it_begins_by_reading_the_files() -> None:
    """Nothing is known, nothing is published, but dependents will not wait for ever."""
    state, actions = decide(State(policy=POLICY), on.Started())

    assert Phase.STARTING is state.phase
    assert [do.ReadSources] == kinds(actions)
    assert do.SetTimer(Timer.READY, POLICY.ready_timeout_s) in actions


@pytest.mark.parametrize("phase", [phase for phase in Phase if phase is not Phase.STOPPING])
def test_stopping_leaves_the_file_as_it_is(phase: Phase) -> None:
    """An upgrade must not flip; `dnsguard detach` hands back."""
    state, actions = decide(guarded(phase=phase), on.StopAsked())

    assert Phase.STOPPING is state.phase
    assert (do.Leave(),) == actions


def test_three_passes_in_a_row_end_the_trial() -> None:
    """dnsmasq has proved itself, and libc is given it with a standby behind it."""
    state, actions = decide(story(proving(), passed(), passed()), passed())

    assert Phase.GUARDED is state.phase
    published = [action for action in actions if isinstance(action, do.Publish)]
    assert [("127.0.0.1", OLD)] == [action.conf.nameservers for action in published]


def test_two_passes_are_not_three() -> None:
    """Off by one here would trust a dnsmasq a pass too early."""
    assert Phase.PROVING is story(proving(), passed(), passed()).phase


def test_one_failure_on_trial_starts_the_count_again() -> None:
    """Passes must be consecutive: two good answers around a bad one are not three."""
    end = story(proving(), passed(), passed(), failed(Verdict.SERVFAIL), passed(), passed())

    assert Phase.PROVING is end.phase
    assert 2 == end.passes


def test_a_hang_on_trial_ends_the_trial() -> None:
    """It does not hold the upstreams any more than a dead one does."""
    assert Phase.DIRECT is story(proving(), failed(), failed()).phase


def test_a_trial_goes_on_while_only_forwarding_fails() -> None:
    """The network may be down; dnsmasq itself answers."""
    assert Phase.PROVING is story(proving(), *[failed(Verdict.UNFORWARDED)] * 20).phase


def test_on_trial_an_answer_that_dnsmasq_gave_by_itself_does_not_count() -> None:
    """It proves that dnsmasq lives, not that a lookup would be answered."""
    assert 0 == story(proving(), passed(forward=False)).passes


def test_an_answer_for_an_old_generation_is_not_news() -> None:
    """A reply sent before the SIGHUP could vouch for upstreams that it never met."""
    state = proving(generation=2)

    assert (state, ()) == decide(state, passed(generation=1))
    assert (state, ()) == decide(state, failed(Verdict.CLOSED, generation=1))


def test_an_answer_of_a_process_that_is_gone_is_not_news() -> None:
    """The new process has to prove itself by itself."""
    state = proving()

    assert (state, ()) == decide(state, passed(pid=PID + 1))


def test_death_gives_libc_the_upstreams_before_anything_else() -> None:
    """The host resolves before anybody looks for a new dnsmasq."""
    state, actions = decide(guarded(), on.DnsmasqGone(PID))

    assert Phase.DIRECT is state.phase
    assert [do.Publish, do.FindDnsmasq] == kinds(actions)
    assert isinstance(actions[0], do.Publish)
    assert (OLD,) == actions[0].conf.nameservers


def test_the_death_of_another_process_is_not_news() -> None:
    """A late word about the old dnsmasq must not end the trust in the new one."""
    state = guarded()

    assert (state, ()) == decide(state, on.DnsmasqGone(PID + 1))


def test_death_while_libc_does_not_depend_on_it_changes_no_file() -> None:
    """Flips are kept rare."""
    state, actions = decide(direct(), on.DnsmasqGone(PID))

    assert Phase.DIRECT is state.phase
    assert [do.FindDnsmasq] == kinds(actions)


def test_a_hang_ends_trust_after_fall_failures_in_a_row() -> None:
    """One lost datagram is no hang; the second question is asked at once."""
    doubted, again = decide(guarded(), failed())
    state, actions = decide(doubted, failed())

    assert [do.Probe] == kinds(again)
    assert Phase.DIRECT is state.phase
    assert [do.Publish] == kinds(actions)


def test_a_pass_between_two_failures_keeps_trust() -> None:
    """Failures must be consecutive too."""
    assert Phase.GUARDED is story(guarded(), failed(), passed(), failed()).phase


@pytest.mark.parametrize("verdict", [Verdict.CLOSED, Verdict.LACKING, Verdict.NO_UPSTREAM])
def test_a_telling_answer_ends_trust_at_once(verdict: Verdict) -> None:
    """Where there is no doubt there is nothing to wait for."""
    assert Phase.DIRECT is story(guarded(), failed(verdict)).phase
    assert Phase.DIRECT is story(proving(), failed(verdict)).phase


def test_a_new_process_is_asked_not_told() -> None:
    """It has read its file by itself; SIGHUP would only run the DHCP script for every lease."""
    found, first = decide(direct(pid=None, probing=False), on.DnsmasqFound(PID))
    state, actions = decide(found, on.NatureRead(PID, Nature()))

    assert PID == state.pid
    assert [do.ReadNature] == kinds(first)
    assert [do.Probe] == kinds(actions)


def test_a_new_process_in_the_place_of_a_trusted_one_must_prove_itself() -> None:
    """If its predecessor's death was not heard, finding it is how one learns of it."""
    state, actions = decide(guarded(), on.DnsmasqFound(PID + 1))

    assert Phase.DIRECT is state.phase
    assert do.Publish is kinds(actions)[0]


def test_the_same_process_found_again_is_not_news() -> None:
    """Looking twice changes nothing."""
    assert (guarded(), ()) == decide(guarded(), on.DnsmasqFound(PID))


def test_a_process_found_before_any_upstream_waits() -> None:
    """There is nothing yet that it could be asked for."""
    found, first = decide(State(policy=POLICY), on.DnsmasqFound(PID))
    state, actions = decide(found, on.NatureRead(PID, Nature()))

    assert PID == state.pid
    assert [do.ReadNature] == kinds(first)
    assert () == actions


def test_an_absent_dnsmasq_is_looked_for_again() -> None:
    """The PID file may come without a word from inotify."""
    state, actions = decide(direct(pid=None), on.DnsmasqMissing("no PID file"))
    _, look_again = decide(state, on.TimerFired(Timer.FIND))

    assert "no PID file" == state.missing
    assert (do.SetTimer(Timer.FIND, POLICY.find_s),) == actions
    assert (do.FindDnsmasq(),) == look_again
    assert () == decide(direct(), on.TimerFired(Timer.FIND))[1]


def test_holding_the_upstreams_puts_it_on_trial_at_once() -> None:
    """The first question of the trial is one that must be forwarded."""
    state, actions = decide(direct(), passed(forward=False))

    assert Phase.PROVING is state.phase
    assert (do.Probe(1, PID, (OLD,), True, (OLD,)),) == actions


def test_an_unregistered_dnsmasq_is_not_put_on_trial() -> None:
    """The administrator, or its own stop script, has taken it out of use."""
    assert Phase.DIRECT is story(direct(registered=False), passed(forward=False)).phase


def test_a_blinded_dnsmasq_is_believed_if_its_file_is_right() -> None:
    """With `no-ident` it will not say what it holds; the forwarded questions still prove it."""
    blind = on.ProbePassed(1, PID, False, None, 0.3)

    assert Phase.PROVING is story(direct(), blind).phase
    assert Phase.PROVING is story(direct(offered=None), blind).phase
    assert Phase.DIRECT is story(direct(offered=(NEW,)), blind).phase


def test_a_useless_dnsmasq_is_asked_less_often() -> None:
    """Eagerly at first, for it may just be starting; then once an interval."""
    policy = Policy(eager_tries=2)
    first = decide(direct(policy=policy), failed())
    second = decide(replace(first[0], probing=True), failed())

    assert (jittered(Timer.PROBE, policy.trial_interval_s),) == first[1]
    assert (jittered(Timer.PROBE, policy.interval_s),) == second[1]


def test_while_guarded_the_forwarded_question_is_rare_and_has_jitter() -> None:
    """A thousand hosts that started together must not ask their upstream together."""
    due, _ = decide(guarded(probing=False), on.TimerFired(Timer.FORWARD))
    asked, actions = decide(due, on.TimerFired(Timer.PROBE))
    state, after = decide(asked, passed(forward=True))

    assert (do.Probe(1, PID, (OLD,), True, (OLD,)),) == actions
    assert not state.forward_due
    assert do.SetTimer(Timer.FORWARD, 30.0, 6.0) in after


def test_while_guarded_the_local_question_comes_once_an_interval() -> None:
    """Nothing leaves the host for it."""
    state, actions = decide(guarded(), passed(forward=False))

    assert (jittered(Timer.PROBE, POLICY.interval_s),) == actions
    assert not state.probing


def test_two_probes_are_never_under_way() -> None:
    """One bad moment would count twice."""
    assert (guarded(), ()) == decide(guarded(), on.TimerFired(Timer.PROBE))


def test_a_word_about_an_old_reload_is_not_news() -> None:
    """It told dnsmasq nothing of this list."""
    state = direct(generation=2, reloaded=1)

    assert (state, ()) == decide(state, on.ReloadSent(1, PID))


def test_new_settings_are_published_and_confirmed() -> None:
    """The standby line may have come or gone."""
    state, actions = decide(guarded(), on.SettingsChanged(replace(POLICY, rise=5)))

    assert Phase.GUARDED is state.phase
    assert [do.Publish, do.SayReloaded] == kinds(actions)


@pytest.mark.parametrize("policy", [replace(POLICY, dnsmasq_address="::1"), replace(POLICY, dnsmasq_port=5353)])
def test_another_address_or_port_has_proved_nothing(policy: Policy) -> None:
    """What was proved was proved of the old one."""
    state, actions = decide(guarded(), on.SettingsChanged(policy))

    assert Phase.DIRECT is state.phase
    assert [do.Publish, do.SayReloaded] == kinds(actions)


def test_settings_that_bar_dnsmasq_end_its_trust() -> None:
    """Without a standby the file would rob a dnsmasq that reads it."""
    policy = replace(POLICY, standby=Standby.NO)
    state, actions = decide(guarded(nature=Nature(mirror="/etc/resolv.conf")), on.SettingsChanged(policy))

    assert Phase.DIRECT is state.phase
    assert [do.Publish, do.SayReloaded] == kinds(actions)


def test_a_new_list_is_published_before_dnsmasq_is_told() -> None:
    """The old servers may be dead already: the host first, then dnsmasq."""
    once, _ = decide(guarded(), look(NEW))
    state, actions = decide(once, look(NEW, settled=True))
    after, told = decide(state, on.Published(Kind.DIRECT, 2))

    assert (Phase.DIRECT, 2) == (state.phase, state.generation)
    assert [do.Publish] == kinds(actions)
    assert [do.AskPublished, do.Reload] == kinds(told)
    assert upstreams(NEW) == after.upstreams


def test_coming_back_asks_for_the_link() -> None:
    """The guard has stood back long enough."""
    yielded = direct(phase=Phase.YIELDED, rounds=9, attached=False)
    state, actions = decide(yielded, on.TimerFired(Timer.YIELD))

    assert (Phase.DIRECT, 0) == (state.phase, state.rounds)
    assert [do.AskAttach] == kinds(actions)


def test_an_answer_while_standing_back_makes_room_for_the_next_question() -> None:
    """Otherwise dnsmasq would never be asked again, and never be trusted again. Found by the walk."""
    yielded = direct(phase=Phase.YIELDED)

    assert not decide(yielded, passed())[0].probing
    assert not decide(yielded, failed())[0].probing
    assert decide(yielded, passed(generation=0))[0].probing


def test_peace_forgets_the_rounds() -> None:
    """Nine overwritings in a year are no war."""
    assert 0 == decide(guarded(rounds=8), on.TimerFired(Timer.QUIET))[0].rounds


def test_who_has_stopped_hears_nothing() -> None:
    """Late answers find nobody at home."""
    state = guarded(phase=Phase.STOPPING)

    assert (state, ()) == decide(state, on.DnsmasqGone(PID))
