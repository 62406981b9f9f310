"""Every state that `decide` can reach keeps the promises, and a broken rule would be found."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core import guard, health, looks, moves, order
from dnsguard.core import state as states
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.moves import DESTINATIONS, Step
from dnsguard.core.nature import Nature
from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Fault, Kind, Phase, Timer
from tests.core import exploration
from tests.core.exploration import INHERITED, NATURES, BrokenPromiseError, Decide, Walk, World


def test_every_reachable_state_keeps_every_promise(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two lists, two generations, two processes, and a world that answers in every way it can."""
    monkeypatch.setattr(exploration, "LISTS", exploration.ALONE)
    # They would make two states of each; a shorter walk has them.
    monkeypatch.setattr(exploration, "MOMENTS", ())
    walk = Walk().run()
    with capsys.disabled():
        print(f"\nexplored {len(walk.seen)} states by {walk.transitions} transitions")

    declared = {
        (phase, target, row)
        for row, judgements in guard.TABLE.items()
        for phase, judgement in judgements.items()
        for target in DESTINATIONS.get(judgement, ())
        if target is not phase
    }
    # New settings are no part of this world; test_guard.py has them.
    assert {arrow for arrow in declared if arrow[2] is not on.SettingsChanged} == walk.moves
    assert [] == walk.stuck()


def test_so_it_is_where_there_is_a_choice_of_upstreams() -> None:
    """One of two is silent, comes back, or is the only one left."""
    start = Walk().end_of_kindness()
    for walk in (Walk(most=30_000).run(), Walk(most=30_000).run(start)):
        assert [] == walk.stuck()


def test_so_it_is_where_the_world_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    """Links that come and go, clocks that are set, hosts that sleep, at any time."""
    monkeypatch.setattr(exploration, "LISTS", exploration.ALONE)
    start = Walk().end_of_kindness()
    for walk in (Walk(most=15_000).run(), Walk(most=15_000).run(start)):
        assert [] == walk.stuck()


def _dwelling(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a failure cost dnsmasq something in this walk; in the long one that would make two states of each."""
    monkeypatch.setattr(exploration, "POLICY", replace(exploration.POLICY, dwell_s=1.0, falls=1))


def test_so_it_is_where_a_failure_costs_a_dwell(monkeypatch: pytest.MonkeyPatch) -> None:
    """And a longer trial."""
    _dwelling(monkeypatch)
    start = Walk().end_of_kindness()
    for walk in (Walk(most=10_000).run(), Walk(most=10_000).run(start)):
        assert [] == walk.stuck()


def _forget_dwell(state: State) -> State:
    return replace(state, dwelling=False)


def _forget_falls(state: State) -> State:
    return replace(state, falls=0)


@pytest.mark.parametrize("forget", [_forget_dwell, _forget_falls])
def test_a_dwell_that_is_not_kept_is_caught(monkeypatch: pytest.MonkeyPatch, forget: Callable[[State], State]) -> None:
    """As if dnsmasq had not failed."""
    _dwelling(monkeypatch)
    start = Walk().end_of_kindness()

    with pytest.raises(BrokenPromiseError, match=r"before the dwell is over|is not asked at once"):
        Walk(lambda state, event: decide(forget(state), event), most=10_000).run(start)


@pytest.mark.parametrize("natures", range(1, len(NATURES)))
def test_so_it_is_with_every_other_kind_of_dnsmasq(natures: int) -> None:
    """One that routes and then a plain one; one with its own servers, in doubt; one out of reach; one in a circle."""
    walk = Walk(most=10_000, worlds=(World(natures=natures), World(file=INHERITED, natures=natures))).run()

    assert [] == walk.stuck()


def _ending(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let dnsmasq be ended in this walk; in the long one that would make two states of each."""
    monkeypatch.setattr(exploration, "POLICY", replace(exploration.POLICY, restarts=1))


def test_so_it_is_where_dnsmasq_may_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the last step of several, and never while the upstreams are silent."""
    _ending(monkeypatch)
    walk = Walk(most=30_000).run()

    assert [] == walk.stuck()


@pytest.mark.parametrize("name", ["is_answered", "reload_tries"])
def test_an_end_that_comes_too_soon_is_caught(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """While the upstreams are silent, or before all the SIGHUPs."""
    _ending(monkeypatch)

    def hasty(state: State, event: Event) -> Step:
        if event != on.TimerFired(Timer.RELOAD) or state.phase is not Phase.DIRECT:
            return decide(state, event)
        bent = replace(state, ready=True, standby="192.0.2.53") if name == "is_answered" else state
        tries = 1 if name == "reload_tries" else state.policy.reload_tries
        after, actions = decide(replace(bent, policy=replace(state.policy, reload_tries=tries)), event)
        return replace(after, policy=state.policy, ready=state.ready, standby=state.standby), actions

    with pytest.raises(BrokenPromiseError, match=r"dnsmasq is not ended|SIGKILL only after"):
        Walk(hasty, most=200_000).run()


# --- broken rules: each must be caught -----------------------------------------------------------


def _altered(rows: list[object], phases: tuple[Phase, ...], alter: Callable[[Decide, State, Event], Step]) -> Decide:
    """`decide` with some entries of the table put through `alter`."""

    def broken(state: State, event: Event) -> Step:
        if guard.row_of(event) in rows and state.phase in phases:
            return alter(decide, state, event)
        return decide(state, event)

    return broken


def _without(*unwanted: type) -> Callable[[Decide, State, Event], Step]:
    """Forget some actions."""

    def forget(honest: Decide, state: State, event: Event) -> Step:
        after, actions = honest(state, event)
        return after, tuple(action for action in actions if not isinstance(action, unwanted))

    return forget


def _with_limits(**limits: int) -> Callable[[Decide, State, Event], Step]:
    """Be off by some in a limit, for one decision."""

    def bend(honest: Decide, state: State, event: Event) -> Step:
        bent = {name: getattr(state.policy, name) + more for name, more in limits.items()}
        after, actions = honest(replace(state, policy=replace(state.policy, **bent)), event)
        return replace(after, policy=state.policy), actions

    return bend


def _keep_passes(honest: Decide, state: State, event: Event) -> Step:
    after, actions = honest(state, event)
    return (replace(after, passes=state.passes) if after.phase is Phase.PROVING else after), actions


def _say_ready_too(honest: Decide, state: State, event: Event) -> Step:
    after, actions = honest(state, event)
    return replace(after, ready=True), actions if state.ready else (*actions, do.SayReady())


def _deaf_to_announcements(honest: Decide, state: State, event: Event) -> Step:
    assert isinstance(event, on.SourcesRead)
    after, actions = honest(state, on.SourcesRead(replace(event.reading, registered=True, offered=state.offered)))
    return replace(after, registered=event.reading.registered, offered=event.reading.offered), actions


def _accept_nothing(honest: Decide, state: State, event: Event) -> Step:
    assert isinstance(event, on.SourcesRead)
    if event.reading.upstreams is not None or state.upstreams is None:
        return honest(state, event)
    return looks._accept(state, replace(state.upstreams, nameservers=(), demanded=()), event.reading)


def _be_patient(honest: Decide, state: State, event: Event) -> Step:
    after, actions = honest(replace(state, published=(Kind.DIRECT, state.generation)), event)
    return (replace(after, published=state.published), actions) if after.phase is Phase.PROVING else (after, actions)


def _forget_attempts(honest: Decide, state: State, event: Event) -> Step:
    after, actions = honest(replace(state, reloads=0), event)
    return replace(after, reloads=state.reloads), actions


def _tell_dnsmasq_too(honest: Decide, state: State, event: Event) -> Step:
    after, actions = honest(state, event)
    told = after.pid is not None and any(isinstance(each, do.Publish) for each in actions)
    return after, (*actions, *moves.tell(after)) if told else actions


def _believe_the_late(honest: Decide, state: State, event: Event) -> Step:
    assert isinstance(event, on.Compared)
    return honest(state, replace(event, generation=state.generation))


def _ask_in_a_storm(honest: Decide, state: State, event: Event) -> Step:
    return honest(replace(state, revisited=False), event)


def _trust_the_dead(_honest: Decide, state: State, _event: Event) -> Step:
    return replace(state, pid=None, probing=False), (do.FindDnsmasq(),)


ALIVE = (Phase.STARTING, Phase.DIRECT, Phase.PROVING, Phase.GUARDED, Phase.YIELDED)
DECISIONS: dict[str, Decide] = {
    "rise is off by one": _altered([on.ProbePassed], (Phase.PROVING,), _with_limits(rise=-1)),
    "fall is off by one": _altered([on.ProbeFailed], (Phase.GUARDED,), _with_limits(fall=1)),
    "death publishes nothing": _altered([on.DnsmasqGone], ALIVE, _without(do.Publish)),
    "death changes nothing": _altered([on.DnsmasqGone], ALIVE, _trust_the_dead),
    "a new list publishes nothing": _altered([on.SourcesRead], (Phase.GUARDED,), _without(do.Publish)),
    "a failed probe publishes nothing": _altered([on.ProbeFailed], ALIVE, _without(do.Publish)),
    "a refused file is not tried again": _altered([on.PublishFailed], ALIVE, lambda _, state, __: (state, ())),
    "a failure on trial keeps the count": _altered([on.ProbeFailed], (Phase.PROVING,), _keep_passes),
    "what was inherited may fail": _altered([on.ProbeFailed], (Phase.PROVING,), _be_patient),
    "READY as soon as it is written": _altered([on.Published], ALIVE, _say_ready_too),
    "READY never": _altered([on.Published, Timer.ASK], ALIVE, _without(do.AskPublished)),
    "announcements are not heard": _altered([on.SourcesRead], (Phase.GUARDED,), _deaf_to_announcements),
    "an empty look is believed": _altered([on.SourcesRead], ALIVE, _accept_nothing),
    "a trusted dnsmasq is asked no more": _altered([on.ProbePassed], (Phase.GUARDED,), _without(do.SetTimer)),
    "SIGHUP without end": _altered([Timer.RELOAD], (Phase.DIRECT,), _forget_attempts),
    "a moment is let pass": _altered([on.MomentPassed], ALIVE, lambda _, state, __: (state, ())),
    "a moment asks nobody": _altered([on.MomentPassed], ALIVE, _without(do.Probe)),
    "a storm asks again and again": _altered([on.MomentPassed], ALIVE, _ask_in_a_storm),
    "a new order disturbs dnsmasq": _altered([on.Compared], ALIVE, _tell_dnsmasq_too),
    "a comparison of an old list counts": _altered([on.Compared], ALIVE, _believe_the_late),
    "a new order is not written": _altered([on.Compared], ALIVE, _without(do.Publish)),
    "a found dnsmasq is not asked": _altered([on.DnsmasqFound, Timer.PROBE], ALIVE, _without(do.Probe)),
}


@pytest.mark.parametrize("name", DECISIONS)
def test_a_broken_decision_is_caught(name: str) -> None:
    """A test that would pass without the rule does not test the rule."""
    _assert_caught(DECISIONS[name])


def _publish_and_believe(state: State) -> Step:
    asked: tuple[Action, ...] = (do.Publish(state.wanted, state.generation, file_of(state)),)
    done = state.upstreams is None or state.is_published
    return (state, ()) if done else (replace(state, published=(state.wanted, state.generation)), asked)


def _probe_twice(state: State) -> Step:
    return _honest_probe(replace(state, probing=False))


def _only_the_first(conf: ResolvConf) -> ResolvConf:
    return replace(conf, nameservers=conf.nameservers[:1])


_honest_probe = moves.probe

RULES: dict[str, tuple[object, str, object]] = {
    "a stale answer counts": (health, "is_stale", lambda _, __: False),
    "no answer is telling": (health, "TELLING", frozenset()),
    "a network that is down is dnsmasq's fault": (health, "is_excused", lambda _, __: False),
    "an unknown fault is dnsmasq's": (health, "is_excused", lambda event, _: event.fault is Fault.NETWORK),
    "dnsmasq is never blamed": (health, "is_excused", lambda _, __: True),
    "who is silent stays first": (order, "hear", lambda state, _, __: state),
    "who is silent may be the standby": (moves, "file_of", lambda state: file_of(replace(state, spared=()))),
    "dnsmasq is told before libc": (moves, "may_be_disturbed", lambda state: state.pid is not None),
    "a file is believed written": (moves, "publish", _publish_and_believe),
    "two questions at once": (health, "probe", _probe_twice),
    "a standby though it routes": (states, "standby_rule", lambda _, __: (True, "")),
    "a standby though it is in doubt": (Nature, "stands_alone", property(lambda nature: "".join(nature.keeps[:1]))),
    "the barred are tried": (moves, "may_be_disturbed", lambda state: state.pid is not None and state.is_published),
    "a circle closes unheard": (looks, "shun", lambda state: (state, ())),
    "our list is demanded of its own servers": (State, "demanded", property(lambda state: state.upstreams.demanded)),
    "no standby behind dnsmasq": (moves, "file_of", lambda state: _only_the_first(file_of(state))),
}


@pytest.mark.parametrize("name", RULES)
def test_a_broken_rule_is_caught(name: str) -> None:
    """The same, for what several judgements share."""
    place, attribute, broken = RULES[name]
    with patch.object(place, attribute, broken):
        _assert_caught(decide)


def _assert_caught(broken: Decide) -> None:
    """Some rules matter at the start, some only after an upgrade, some once dnsmasq is trusted: walk from each."""
    cold, heir = Walk(broken, 3_000, (World(),)), Walk(broken, 3_000, (World(file=INHERITED),))
    if _is_caught(cold.run) or _is_caught(heir.run):
        return
    for natures, _ in enumerate(NATURES):
        if _is_caught(Walk(broken, 3_000, (World(natures=natures),)).run):
            return
        if _is_caught(partial(_walk_from_trust, broken, World(natures=natures))):
            return
    raise AssertionError("nothing was noticed")


def _walk_from_trust(broken: Decide, world: World) -> Walk:
    return Walk(broken, 3_000).run(Walk().end_of_kindness(world))


def _is_caught(run: Callable[[], Walk]) -> bool:
    try:
        return bool(run().stuck())
    except BrokenPromiseError:
        return True
