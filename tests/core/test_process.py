"""Twin of dnsguard/core/process.py: found, understood, gone."""

from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Phase, Timer
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, kinds, look, passed, proving

NEXT = PID + 1
ROUTING = Nature(keeps=("server=/corp/192.0.2.99 (f:1)",))
SELF_MADE = Nature(no_resolv=True)
BARRED = Nature(port=5353)


@pytest.mark.parametrize("state", [direct(pid=None), proving(), guarded()])
def test_a_new_process_is_understood_before_it_is_asked(state: State) -> None:
    """And libc has the upstreams before its files are read."""
    met, actions = decide(state, on.DnsmasqFound(NEXT))
    assert do.ReadNature(NEXT) == actions[-1]
    assert do.Probe not in kinds(actions)
    assert not met.understood
    known, questions = decide(replace(met, published=(met.wanted, 1)), on.NatureRead(NEXT, Nature()))

    assert known.understood
    assert [do.Probe] == kinds(questions)


def test_one_that_is_not_understood_is_not_asked_by_any_timer() -> None:
    """The answer is under way."""
    state, _ = decide(direct(pid=None), on.DnsmasqFound(NEXT))

    assert [] == kinds(decide(replace(state, probing=False), on.TimerFired(Timer.PROBE))[1])


def test_the_nature_of_another_process_is_not_news() -> None:
    """Between question and answer it may have died."""
    assert (direct(), ()) == decide(direct(), on.NatureRead(NEXT, ROUTING))


@pytest.mark.parametrize("phase", [Phase.PROVING, Phase.GUARDED])
def test_a_process_on_trial_or_trusted_is_understood_already(phase: Phase) -> None:
    """What it was when it was met holds for its life."""
    state = guarded(phase=phase)

    assert (state, ()) == decide(state, on.NatureRead(PID, ROUTING))


def test_the_next_process_brings_its_own_rule_for_the_standby() -> None:
    """A restart put a new configuration in force."""
    before = guarded()
    lost, _ = decide(before, on.DnsmasqGone(PID))
    met, _ = decide(replace(lost, published=(lost.wanted, 1), dwelling=False), on.DnsmasqFound(NEXT))
    state, _ = decide(met, on.NatureRead(NEXT, ROUTING))
    for _ in range(POLICY.rise + 1):
        state, _ = decide(replace(state, probing=True), passed(pid=NEXT))

    assert Phase.GUARDED is state.phase
    assert ("127.0.0.1", OLD) == file_of(before).nameservers
    assert ("127.0.0.1",) == file_of(state).nameservers


def test_a_barred_one_is_left_alone_for_ever() -> None:
    """Another server may answer in its place; it is not the process that is watched."""
    state, actions = decide(direct(understood=False, probing=False), on.NatureRead(PID, BARRED))
    for event in (on.TimerFired(Timer.PROBE), on.TimerFired(Timer.RELOAD), look(OLD), passed()):
        state, more = decide(state, event)
        actions += more

    assert Phase.DIRECT is state.phase
    assert not {do.Probe, do.Reload} & set(kinds(actions))


def test_one_that_was_inherited_is_not_kept_if_it_is_barred() -> None:
    """libc was left with something that it cannot reach."""
    start = State(policy=POLICY, pid=PID, nature=BARRED, understood=True)
    seen, _ = decide(start, look(OLD, inherited=("127.0.0.1", OLD)))

    assert Phase.DIRECT is decide(seen, look(OLD, settled=True, inherited=("127.0.0.1", OLD)))[0].phase


def test_of_one_with_its_own_servers_only_some_are_demanded() -> None:
    """`no-resolv`: the list in the file is none of its business; but it must know somebody."""
    state, actions = decide(direct(understood=False, probing=False), on.NatureRead(PID, SELF_MADE))
    assert do.Probe(1, PID, (), forward=False) in actions
    without, _ = decide(state, on.ProbePassed(1, PID, False, (), 0.1))
    assert Phase.DIRECT is without.phase
    admitted, _ = decide(state, on.ProbePassed(1, PID, False, ("192.0.2.99",), 0.1))

    assert Phase.PROVING is admitted.phase


def test_the_upstream_file_is_none_of_its_business_either() -> None:
    """Emptied or full of others; only a registration taken away announces its end."""
    state = guarded(nature=SELF_MADE)

    assert Phase.GUARDED is decide(state, look(OLD, offered=()))[0].phase
    assert Phase.GUARDED is decide(state, look(OLD, offered=(NEW,)))[0].phase
    assert Phase.DIRECT is decide(state, look(OLD, registered=False))[0].phase


def test_a_death_flips_first_and_then_looks_for_the_next() -> None:
    """Of one that nobody depended on, only the next is looked for; of a stranger, nothing."""
    assert [do.Publish, do.FindDnsmasq] == kinds(decide(guarded(), on.DnsmasqGone(PID))[1])
    assert [do.FindDnsmasq] == kinds(decide(direct(), on.DnsmasqGone(PID))[1])
    assert (guarded(), ()) == decide(guarded(), on.DnsmasqGone(NEXT))
    assert (direct(), ()) == decide(direct(), on.DnsmasqGone(NEXT))


@pytest.mark.parametrize("state", [State(policy=POLICY, pid=PID), direct(), guarded()])
def test_the_same_process_is_no_news(state: State) -> None:
    """It may be found again at any time."""
    assert (state, ()) == decide(state, on.DnsmasqFound(PID))


def test_an_absent_dnsmasq_is_looked_for_again() -> None:
    """And one that came meanwhile is not."""
    state, actions = decide(direct(pid=None), on.DnsmasqMissing("no PID file"))

    assert ("no PID file", (do.SetTimer(Timer.FIND, POLICY.find_s),)) == (state.missing, actions)
    assert [do.FindDnsmasq] == kinds(decide(state, on.TimerFired(Timer.FIND))[1])
    assert [] == kinds(decide(direct(), on.TimerFired(Timer.FIND))[1])
    assert Phase.DIRECT is decide(direct(), failed())[0].phase
