"""The moves that several judgements share. Each is pure: State -> (State, actions in their order)."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Fault, Phase, Timer

Step = tuple[State, tuple[Action, ...]]
Judgement = Callable[[State, Any], Step]

DESTINATIONS: dict[Judgement, tuple[Phase, ...]] = {}
"""Where a judgement may lead, apart from the phase that it was asked in."""


def leads_to(*phases: Phase) -> Callable[[Judgement], Judgement]:
    """Declare the phases that a judgement may lead to: the picture of the machine is drawn from this."""

    def declare(judgement: Judgement) -> Judgement:
        DESTINATIONS[judgement] = phases
        return judgement

    return declare


def read(state: State, *, settled: bool = False) -> Step:
    """Read the files now, and not again before a pause: a storm costs one look a pause."""
    state = replace(state, pausing=True, stirred=False)
    return state, (do.ReadSources(settled), do.SetTimer(Timer.PAUSE, state.policy.pause_s))


def publish(state: State) -> Step:
    """Make libc read what the phase calls for, unless it already does."""
    if state.upstreams is None or state.is_published:
        return state, ()
    # Until the answer comes it is unknown what libc reads; thinking that it is still the old
    # file would let a death in that very instant go unpublished.
    asked = do.Publish(state.wanted, state.generation, file_of(state))
    return replace(state, published=None), (asked,)


def ask_published(state: State) -> tuple[Action, ...]:
    """Ask the servers that libc would ask now."""
    return (do.AskPublished(state.wanted, state.generation, file_of(state).nameservers),)


def go_direct(state: State) -> Step:
    """Give libc the upstreams first, then see what can be done about dnsmasq."""
    state = replace(state, phase=Phase.DIRECT, passes=0, failures=0, fault=None, fault_tries=0)
    state = replace(state, forward_due=False, revisited=False)
    state, actions = publish(state)
    if actions:
        # What is known of the upstreams may be as old as the trust that has just ended.
        actions = (*actions, do.SetTimer(Timer.COMPARE, state.policy.trial_interval_s))
    if state.pid is None:
        return state, (*actions, do.SetTimer(Timer.FIND, state.policy.find_s))
    # A dnsmasq that must be told waits until its own file holds the list, but not for ever.
    is_late = state.is_lagging or not state.is_told
    patience_s = state.policy.offer_wait_s if is_late else state.policy.reload_retry_s
    probe_again = do.SetTimer(Timer.PROBE, state.policy.trial_interval_s)
    return state, (*actions, probe_again, do.SetTimer(Timer.RELOAD, patience_s))


def hand_over(state: State) -> Step:
    """In `direct`: tell dnsmasq of the upstreams if they changed under it, else ask what it holds.

    Waits, for an event that will come, while libc does not read the upstreams yet, while dnsmasq
    is not registered with resolvconf, or is barred, and while its own file lags behind the list.
    """
    if state.phase is not Phase.DIRECT or not may_be_disturbed(state):
        return state, ()
    if state.is_told:
        return probe(state)
    return state, tell(state) if state.is_offered or state.offered is None else ()


def may_be_disturbed(state: State) -> bool:
    """Whether there is a dnsmasq that libc may be given one day, and libc does not depend on it."""
    return state.is_eligible and state.is_published and state.registered is not False


def tell(state: State) -> tuple[Action, ...]:
    """Send dnsmasq SIGHUP. Needs a process."""
    assert state.pid is not None
    return (do.Reload(state.generation, state.pid),)


def is_stale(state: State, event: on.ProbePassed | on.ProbeFailed | on.ReloadSent | on.ReloadFailed) -> bool:
    """Whether this answers for an old generation, or another process."""
    return (event.generation, event.pid) != (state.generation, state.pid)


def probe(state: State) -> Step:
    """Ask dnsmasq one question, never two at once."""
    if state.probing or state.pid is None or state.upstreams is None:
        return state, ()
    forward = state.phase is Phase.PROVING or state.forward_due
    upstreams = state.upstreams.nameservers if forward else ()
    question = do.Probe(state.generation, state.pid, state.demanded, forward, upstreams)
    return replace(state, probing=True), (question,)


def next_question(state: State) -> do.SetTimer:
    """When to ask dnsmasq again: soon while it is new or on trial, else once an interval.

    On trial each question leaves the host: where it is asked in vain again and again, as seldom as while guarded.
    """
    policy, on_trial = state.policy, state.phase is Phase.PROVING
    tries = state.fault_tries if state.fault is Fault.UNKNOWN else state.failures
    every_s = policy.forward_interval_s if on_trial else policy.interval_s
    if on_trial and state.fault is Fault.NETWORK:
        every_s = _patience_s(state)
    elif on_trial and state.is_suspect:
        every_s = policy.long_trial_interval_s
    elif state.phase is not Phase.GUARDED and tries < policy.eager_tries:
        every_s = policy.trial_interval_s
    # After an upgrade libc may read dnsmasq's file during the trial: a hang must not be found later for it.
    is_left = on_trial and not state.is_published
    return jittered(Timer.PROBE, min(every_s, policy.interval_s) if is_left else every_s)


def next_forward(state: State) -> do.SetTimer:
    """When the next question must leave the host: soon while no upstream answers."""
    return spaced(Timer.FORWARD, _patience_s(state))


def jittered(timer: Timer, every_s: float) -> do.SetTimer:
    """A question that comes again and again, no later than this.

    Jitter: a thousand hosts that started together must not ask together.
    """
    return do.SetTimer(timer, every_s * 0.9, spread_s=every_s * 0.1)


def spaced(timer: Timer, every_s: float) -> do.SetTimer:
    """The same, no sooner than this: twice a minute means no more than twice, and the jitter comes on top."""
    return do.SetTimer(timer, every_s, spread_s=every_s * 0.2)


def _patience_s(state: State) -> float:
    policy = state.policy
    hurried = state.fault in (Fault.NETWORK, Fault.UNKNOWN) and state.fault_tries < policy.network_tries
    return policy.network_retry_s if hurried else policy.forward_interval_s


def resume(state: State) -> Step:
    """Come back after standing back."""
    state = replace(state, phase=Phase.STARTING, rounds=0, circle=None)
    return go_direct(state) if state.upstreams else (state, ())
