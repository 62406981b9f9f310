"""Twin of dnsguard/core/looks.py: what the files say, and what is made of it."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.servers import Server
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Kind, Phase, Timer, Verdict
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


def test_the_first_word_is_heard_at_once_and_a_storm_costs_one_look_a_pause() -> None:
    """10 000 hints during a pause are one."""
    state, first = decide(direct(), on.FilesStirred())
    for _ in range(10_000):
        state, more = decide(state, on.FilesStirred())
        assert () == more
    state, again = decide(state, on.TimerFired(Timer.PAUSE))

    assert [do.ReadSources] == kinds(first) == kinds(again)
    assert (replace(state, pausing=False), ()) == decide(state, on.TimerFired(Timer.PAUSE))


BEFORE = State(policy=POLICY, pid=PID, nature=Nature(), understood=True)
HEIR = look(OLD, settled=True, inherited=("127.0.0.1", OLD))


def test_a_proof_is_inherited_on_trial() -> None:
    """What the guard before us published stays, unwritten, until it has passed here, too."""
    seen, _ = decide(BEFORE, replace(HEIR, settled=False))
    state, actions = decide(seen, HEIR)

    assert [do.Probe] == kinds(actions)
    assert (Phase.PROVING, 1, None) == (state.phase, state.generation, state.published)
    assert do.Probe(1, PID, (OLD,), True, (OLD,)) in actions
    for _ in range(POLICY.rise):
        state, actions = decide(replace(state, probing=True), passed())
    assert Phase.GUARDED is state.phase
    assert [do.Publish] == kinds(actions)


@pytest.mark.parametrize("verdict", list(Verdict))
def test_what_was_inherited_may_not_fail_once(verdict: Verdict) -> None:
    """libc reads it, and would feel the next failure."""
    seen, _ = decide(BEFORE, replace(HEIR, settled=False))
    heir, _ = decide(seen, HEIR)
    state, actions = decide(heir, failed(verdict))

    assert Phase.DIRECT is state.phase
    assert [do.Publish] == kinds(actions)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (replace(BEFORE, pid=None), HEIR),
        (BEFORE, look(OLD, settled=True, inherited=(OLD,))),
        (BEFORE, look(OLD, settled=True, inherited=("127.0.0.1",), registered=False)),
        (BEFORE, look(OLD, settled=True, offered=(NEW,), inherited=("127.0.0.1",))),
    ],
    ids=["nobody", "a direct file", "a deregistered one", "one with another list"],
)
def test_nothing_is_inherited_from(state: State, event: on.SourcesRead) -> None:
    """Then libc gets the upstreams first, as on any start."""
    seen, _ = decide(state, replace(event, settled=False))
    after, actions = decide(seen, event)

    assert Phase.DIRECT is after.phase
    assert do.Publish in kinds(actions)


def test_silence_is_looked_into_as_well() -> None:
    """inotify may have lost something."""
    _, actions = decide(guarded(), on.TimerFired(Timer.LOOK))

    assert [do.ReadSources] == kinds(actions)
    assert do.SetTimer(Timer.LOOK, POLICY.look_s) in actions


def test_a_new_list_must_still_be_there_after_its_time() -> None:
    """A file written in place is half a file for a moment."""
    half, first = decide(guarded(), look(OLD, NEW))
    whole, second = decide(half, look(NEW, settled=True))
    seen, nothing = decide(whole, look(NEW))
    state, _ = decide(seen, look(NEW, settled=True))

    assert [do.SetTimer(Timer.SETTLE, POLICY.settle_s)] == list(first) == list(second)
    assert (whole, ()) == (seen, nothing)
    assert (Phase.GUARDED, upstreams(OLD)) == (seen.phase, seen.upstreams)
    assert upstreams(NEW) == state.upstreams


def test_when_its_time_is_over_it_is_looked_for() -> None:
    """If it has gone meanwhile there is nothing to look for."""
    state, actions = decide(direct(candidate=upstreams(NEW)), on.TimerFired(Timer.SETTLE))

    assert do.ReadSources(settled=True) in actions
    assert state.pausing
    assert (direct(), ()) == decide(direct(), on.TimerFired(Timer.SETTLE))


def test_an_empty_look_never_replaces_a_good_list() -> None:
    """Not once, not twice."""
    state, _ = decide(direct(), look(offered=(OLD,)))
    state, actions = decide(state, look(offered=(OLD,)))

    assert upstreams(OLD) == state.upstreams
    assert do.Publish not in kinds(actions)


def test_the_first_list_is_published_and_dnsmasq_is_asked_not_told() -> None:
    """A restart of the guard must not empty dnsmasq's cache."""
    found = replace(BEFORE, candidate=upstreams(OLD))
    state, actions = decide(found, look(OLD, settled=True))
    _, after = decide(state, on.Published(Kind.DIRECT, 1))

    assert (Phase.DIRECT, 1) == (state.phase, state.generation)
    assert [do.Publish] == kinds(actions)
    assert [do.AskPublished, do.Probe] == kinds(after)


@pytest.mark.parametrize("state", [guarded(), proving()])
def test_the_record_going_away_means_direct_at_once(state: State) -> None:
    """Debian 12 deregisters dnsmasq before it stops it."""
    after, actions = decide(state, look(OLD, registered=False))

    assert Phase.DIRECT is after.phase
    assert (do.Publish in kinds(actions)) is (state.phase is Phase.GUARDED)


def test_the_upstream_file_being_emptied_means_direct_at_once() -> None:
    """dnsmasq has lost its servers within 0.2 ms (measured)."""
    after, actions = decide(guarded(), look(offered=()))

    assert Phase.DIRECT is after.phase
    assert [do.Publish] == kinds(actions)


def test_a_file_that_no_longer_names_the_upstreams_means_direct_at_once() -> None:
    """What dnsmasq is given is about to be what dnsmasq holds."""
    after, actions = decide(guarded(), look(OLD, offered=(NEW,)))

    assert Phase.DIRECT is after.phase
    assert [do.Publish] == kinds(actions)
    # What is unreadable names nothing.
    assert Phase.DIRECT is decide(guarded(), look(OLD, offered=None))[0].phase


def test_a_file_that_names_a_new_list_waits_with_the_list() -> None:
    """The old servers may be dead already: libc must not be sent to them while dnsmasq has the new ones."""
    assert Phase.GUARDED is decide(guarded(), look(NEW))[0].phase


def test_a_file_that_was_empty_all_along_announces_nothing() -> None:
    """Some dnsmasq have their servers from elsewhere."""
    found = on.SourcesRead(replace(look(OLD).reading, offered=()))

    assert Phase.GUARDED is decide(guarded(offered=()), found)[0].phase


def test_other_search_domains_are_published_without_disturbing_dnsmasq() -> None:
    """dnsmasq has no part in them."""
    found = replace(upstreams(OLD), search=("example.net",))
    state = guarded(candidate=found)
    after, actions = decide(state, look(OLD, upstreams=found, settled=True))

    assert (Phase.GUARDED, 1) == (after.phase, after.generation)
    assert [do.Publish] == kinds(actions)


def test_dnsmasq_is_told_when_its_own_file_has_caught_up() -> None:
    """update.d/dnsmasq sleeps up to a second; SIGHUP before that would re-read the old list."""
    waiting = direct(generation=2, upstreams=upstreams(NEW), published=(Kind.DIRECT, 2), probing=False)
    lagging, nothing = decide(waiting, look(NEW, offered=(OLD,)))
    _, actions = decide(lagging, look(NEW))

    assert [] == kinds(nothing)
    assert [do.Reload] == kinds(actions)


def test_a_dnsmasq_without_a_file_is_told_at_once() -> None:
    """There is nothing to wait for."""
    waiting = direct(generation=2, upstreams=upstreams(NEW), published=(Kind.DIRECT, 2), probing=False)

    assert [do.Reload] == kinds(decide(waiting, look(NEW, offered=None))[1])


def test_every_look_looks_for_an_absent_dnsmasq() -> None:
    """The PID file may be what stirred."""
    assert [do.FindDnsmasq] == kinds(decide(direct(pid=None), look(OLD))[1])


def test_a_taken_link_is_asked_back() -> None:
    """The daemon cannot write to /etc; a root helper can."""
    state, actions = decide(guarded(), look(OLD, attached=False))

    assert 1 == state.rounds
    assert [do.AskAttach] == kinds(actions)


def test_the_ninth_round_without_peace_yields_loudly() -> None:
    """Two programs that overwrite each other for ever help nobody."""
    state, actions = decide(guarded(rounds=8), look(OLD, attached=False))

    assert Phase.YIELDED is state.phase
    assert [do.Publish] == kinds(actions)
    assert do.SetTimer(Timer.YIELD, POLICY.yield_s) in actions


def test_never_having_been_attached_is_no_round() -> None:
    """`attach` may not have run yet."""
    assert 0 == decide(direct(attached=None), look(OLD, attached=False))[0].rounds


def test_peace_is_waited_for_after_a_round() -> None:
    """Then the rounds are forgotten."""
    _, actions = decide(direct(rounds=1, attached=False), look(OLD))

    assert do.SetTimer(Timer.QUIET, POLICY.quiet_s) in actions


def test_who_yielded_stays_away_until_the_link_is_back() -> None:
    """An administrator may put it back by hand."""
    yielded = direct(phase=Phase.YIELDED, attached=False, rounds=9, probing=False)
    still, nothing = decide(yielded, look(OLD, attached=False))
    back, _ = decide(still, look(OLD))

    assert (Phase.YIELDED, []) == (still.phase, kinds(nothing))
    assert (Phase.DIRECT, 0) == (back.phase, back.rounds)


def test_a_new_list_while_yielded_is_published_for_later() -> None:
    """The file is right when the link comes back."""
    yielded = direct(phase=Phase.YIELDED, attached=False, candidate=upstreams(NEW))
    state, actions = decide(yielded, look(NEW, attached=False, settled=True))

    assert (Phase.YIELDED, 2) == (state.phase, state.generation)
    assert [do.Publish] == kinds(actions)


def test_yielding_before_anything_is_known_comes_back_to_the_start() -> None:
    """There is nothing yet to publish."""
    yielded = State(policy=POLICY, phase=Phase.YIELDED, attached=False, pid=PID)

    assert Phase.STARTING is decide(yielded, look())[0].phase


# --- our own file, written through the link ------------------------------------------------------


@pytest.mark.parametrize("state", [direct(), guarded()])
def test_a_spoilt_file_is_put_right_at_once(state: State) -> None:
    """`echo >/etc/resolv.conf` follows our link; nothing else has changed."""
    after, actions = decide(state, look(OLD, spoilt_by="nameserver 127.0.0.1"))

    assert state.phase is after.phase
    assert 1 == after.rounds
    assert [do.Publish] == kinds(actions)
    assert do.SetTimer(Timer.QUIET, POLICY.quiet_s) in actions


def test_a_newcomer_is_kept_before_it_is_written_over() -> None:
    """A DHCP client without hooks says nowhere else what it was told."""
    _, actions = decide(direct(), look(OLD, spoilt_by="nameserver 192.0.2.54", newcomer=True))

    assert [do.KeepNewcomer, do.Publish] == kinds(actions)


def test_a_file_that_is_being_written_anyway_is_written_once() -> None:
    """It is no round either: who wrote there may have been told of the same change."""
    state, actions = decide(guarded(), look(OLD, registered=False, spoilt_by=""))

    assert (Phase.DIRECT, 0) == (state.phase, state.rounds)
    assert [do.Publish] == kinds(actions)


def test_the_ninth_spoiling_without_peace_leaves_the_file_alone() -> None:
    """Our file is the battlefield: writing it would be the next blow."""
    state, actions = decide(guarded(rounds=8), look(OLD, spoilt_by=""))
    still, nothing = decide(state, look(OLD, spoilt_by=""))

    assert Phase.YIELDED is state.phase
    assert [] == kinds(actions) == kinds(nothing)
    assert still == state


def test_who_yielded_a_spoilt_file_writes_it_again_later() -> None:
    """At the end of the time, whatever stands there."""
    yielded = direct(phase=Phase.YIELDED, rounds=9, published=None, probing=False)
    state, actions = decide(yielded, on.TimerFired(Timer.YIELD))

    assert (Phase.DIRECT, 0) == (state.phase, state.rounds)
    assert [do.Publish, do.AskAttach] == kinds(actions)


# What was known last -----------------------------------------------------------------------------

HOME = ("eth0 192.0.2.1 02:00:00:00:00:01",)


def test_a_list_that_a_source_has_named_is_kept_with_its_networks_once() -> None:
    """And again when the host is in other networks, or the list is another one."""
    state, first = decide(direct(), look(OLD, networks=HOME))
    state, again = decide(state, look(OLD, networks=HOME))
    _, elsewhere = decide(state, look(OLD, networks=("wlan0 10.0.0.1 ?",)))

    assert do.KeepList(file_of(direct()), HOME) in first
    assert do.KeepList not in kinds(again)
    assert do.KeepList in kinds(elsewhere)
    assert do.KeepList not in kinds(decide(direct(), look(OLD))[1])


def test_a_guarded_host_keeps_its_upstreams_not_dnsmasq() -> None:
    """The file that libc reads then names 127.0.0.1, which is no upstream."""
    _, actions = decide(guarded(), look(OLD, networks=HOME))

    assert do.KeepList(file_of(direct()), HOME) in actions


def test_memory_serves_a_start_and_is_not_kept_again() -> None:
    state = State(policy=POLICY, candidate=upstreams(OLD))
    state, actions = decide(state, look(OLD, settled=True, from_memory=True, networks=HOME))

    assert Phase.DIRECT is state.phase
    assert do.KeepList not in kinds(actions)


def test_memory_never_replaces_what_a_source_has_said() -> None:
    """All sources have fallen silent: what they said last is newer than what was kept."""
    state, _ = decide(direct(), look(NEW, from_memory=True, networks=HOME))

    assert None is state.candidate


STUB = Nature(no_resolv=True, binds=True, servers=(Server("127.0.0.53", option="server=127.0.0.53 (f:1)"),))


@pytest.mark.parametrize("before", [guarded(nature=STUB), proving(nature=STUB)])
def test_a_circle_that_closes_ends_trust_and_trial_for_a_while(before: State) -> None:
    """systemd-resolved may ask dnsmasq only because libc does: it reads resolv.conf where that is not its own."""
    after, actions = decide(before, look(OLD, resolved_asks=("127.0.0.1",)))

    assert (Phase.DIRECT, PID, False) == (after.phase, after.circle, after.is_eligible)
    assert do.SetTimer(Timer.YIELD, POLICY.yield_s) in actions
    assert Phase.DIRECT is story(after, look(OLD), passed(forward=False)).phase


def test_another_host_to_ask_is_no_circle() -> None:
    """dnsmasq asks systemd-resolved, and that asks the lease's server."""
    assert Phase.GUARDED is decide(guarded(nature=STUB), look(OLD))[0].phase
