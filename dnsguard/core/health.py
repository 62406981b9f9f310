"""Judgements about dnsmasq's proof: does it hold the upstreams, does it answer for them, and whose fault is it if not?

dnsmasq fails by itself if it is silent about what it must know, or lacks its upstreams: then nobody else is asked.
If it fails at a forwarded question, the upstreams were asked the same, and it is blamed only if one has answered.
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.circle import leave
from dnsguard.core.events import Event
from dnsguard.core.moves import (
    Step,
    go_direct,
    hand_over,
    is_stale,
    leads_to,
    may_be_disturbed,
    next_forward,
    next_question,
    probe,
    publish,
)
from dnsguard.core.order import hear, republish
from dnsguard.core.policy import Policy
from dnsguard.core.state import State
from dnsguard.core.vocabulary import MUTE, TELLING, Fault, Phase, Timer, Verdict, ZoneDown


def question(state: State, event: Event) -> Step:
    """It is time to ask dnsmasq."""
    return hand_over(state) if state.phase is Phase.DIRECT else probe(state)


def forward(state: State, event: Event) -> Step:
    """The next question must leave the host."""
    return replace(state, forward_due=True, revisited=False), ()


@leads_to(Phase.PROVING)
def admit(state: State, event: on.ProbePassed) -> Step:
    """dnsmasq holds the upstreams: it goes on trial. A blinded one is believed if its file is right."""
    if is_stale(state, event):
        return state, ()
    state = replace(state, probing=False, held=event.held, failures=0)
    blind = event.held is None and not (state.is_offered or state.offered is None)
    barred = state.circle or state.dwelling or not may_be_disturbed(state)
    if blind or barred or state.is_lacking or not state.is_told:
        return state, (next_question(state),)
    state = replace(state, phase=Phase.PROVING, passes=0)
    # One that dies every few seconds must not send a question to the upstreams each time.
    return (state, (next_question(state),)) if state.is_suspect else probe(state)


def still_lacking(state: State, event: on.ProbeFailed) -> Step:
    """It does not hold the upstreams yet, or is silent: ask again."""
    if is_stale(state, event):
        return state, ()
    before, state = state, hear(_with_failure(state, event), event.answered, event.unanswered)
    state, actions = republish(before, state)
    return state, (*actions, next_question(state))


@leads_to(Phase.GUARDED)
def count_pass(state: State, event: on.ProbePassed) -> Step:
    """On trial only an answer that came through dnsmasq from an upstream counts."""
    if is_stale(state, event):
        return state, ()
    state = _without_fault(state) if event.forward else state
    return _rise(replace(state, held=event.held, passes=state.passes + event.forward))


def _rise(state: State) -> Step:
    state = replace(state, probing=False, failures=0)
    if state.passes < state.policy.rise:
        return state, (next_question(state),)
    state, actions = publish(replace(state, phase=Phase.GUARDED, forward_due=False))
    # Asked soon: one that reads our file has lost its upstreams within 2 ms (measured).
    return state, (*actions, do.SetTimer(Timer.PROBE, state.policy.pause_s), next_forward(state))


@leads_to(Phase.DIRECT, Phase.GUARDED)
def fail_trial(state: State, event: on.ProbeFailed) -> Step:
    """Passes must be consecutive: one failure and the count starts again.

    Where only forwarding fails the trial goes on: nothing is lost meanwhile. A zone that is held has others that
    pass, and that is a pass.
    """
    if is_stale(state, event):
        return state, ()
    before, state = state, diagnose(state, event)
    if is_excused(event, state.policy):
        passes = state.passes + 1 if event.fault is Fault.ZONE else 0
        state, actions = _rise(replace(state, held=event.held, passes=passes))
        state, more = republish(before, state)
        return state, (*actions, *more)
    state = replace(_with_failure(state, event), passes=0)
    ended = event.verdict in TELLING or (event.verdict in MUTE and state.failures >= state.policy.fall)
    # While libc reads what the guard before us left, it would feel the next failure, too.
    if ended or not state.is_published:
        return go_direct(state)
    state, actions = republish(before, state)
    return state, (*actions, next_question(state))


def stay(state: State, event: on.ProbePassed) -> Step:
    """It keeps proving itself."""
    if is_stale(state, event):
        return state, ()
    due = state.forward_due and not event.forward
    state = replace(state, probing=False, held=event.held, failures=0, forward_due=due)
    if not event.forward:
        return state, (next_question(state),)
    state = _without_fault(state)
    return state, (next_question(state), next_forward(state))


@leads_to(Phase.DIRECT)
def doubt(state: State, event: on.ProbeFailed) -> Step:
    """A telling answer ends trust at once; else ask again at once, and `fall` failures in a row do.

    What is not dnsmasq's fault is no failure of its: it stays, and is soon asked again.
    """
    if is_stale(state, event):
        return state, ()
    if _is_ahead(state, event):
        state = replace(state, probing=False, held=event.held)
        return state, (next_question(state),)
    before, state = state, diagnose(state, event)
    if is_excused(event, state.policy):
        state = replace(state, probing=False, held=event.held, failures=0, forward_due=False)
        state, actions = republish(before, state)
        return state, (*actions, next_question(state), next_forward(state))
    state = _with_failure(state, event)
    if event.verdict in TELLING or state.failures >= state.policy.fall:
        return leave(state, event)
    state, actions = republish(before, state)
    state, more = probe(state)
    return state, actions + more


def _is_ahead(state: State, event: on.ProbeFailed) -> bool:
    """Whether it lacks the old list because it holds the new one: it takes a file at once, we when it has settled."""
    new, held = state.candidate, set(event.held or ())
    return event.verdict is Verdict.LACKING and new is not None and bool(held) and set(new.demanded) <= held


def note_answer(state: State, event: on.ProbePassed | on.ProbeFailed) -> Step:
    """Nothing hangs on it while standing back, but the next question may be asked."""
    return (state, ()) if is_stale(state, event) else (replace(state, probing=False), ())


def is_excused(event: on.ProbeFailed, policy: Policy) -> bool:
    """Whether the failure is not to be held against dnsmasq."""
    if event.fault is Fault.ZONE:
        return policy.zone_down is ZoneDown.HOLD
    return event.fault is not Fault.DNSMASQ


def diagnose(state: State, event: on.ProbeFailed) -> State:
    """Take down whose fault it is, and which upstreams have answered."""
    state = hear(state, event.answered, event.unanswered)
    if event.fault is Fault.DNSMASQ:
        # A dnsmasq that is silent says nothing about the network.
        return _without_fault(state) if event.answered else state
    tries = min(state.fault_tries + 1, state.policy.network_tries) if event.fault is state.fault else 1
    return replace(state, fault=event.fault, fault_tries=tries)


def _without_fault(state: State) -> State:
    return replace(state, fault=None, fault_tries=0)


def _with_failure(state: State, event: on.ProbeFailed) -> State:
    # No more is counted than is ever asked for: the same failure over and over is the same state.
    failures = min(state.failures + 1, max(state.policy.fall, state.policy.eager_tries))
    return replace(state, probing=False, held=event.held, failures=failures)
