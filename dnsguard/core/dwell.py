"""What a failure costs a dnsmasq that was trusted: a dwell on the upstreams, and after several a longer trial.

The way *to* the upstreams has no limit: libc must never wait. The way back has, so that a dnsmasq which dies every few
seconds does not take libc along each time. An end that was announced (a restart by hand, say) is no failure, and a new
list is none either.
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core.events import Event
from dnsguard.core.moves import Step, go_direct
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Phase, Timer


def fall_back(state: State) -> Step:
    """Give libc the upstreams because dnsmasq failed; if it was trusted, that counts."""
    if state.phase is not Phase.GUARDED:
        return go_direct(state)
    policy = state.policy
    state, actions = go_direct(state)
    # No more is counted than is ever asked for.
    state = replace(state, dwelling=policy.dwell_s > 0, falls=min(state.falls + 1, policy.falls))
    if state.dwelling:
        actions = (*actions, do.SetTimer(Timer.DWELL, policy.dwell_s))
    return state, (*actions, do.SetTimer(Timer.FALLS, policy.falls_window_s))


def end_dwell(state: State, event: Event) -> Step:
    """It may be tried again: the next answer may lead to a trial."""
    return replace(state, dwelling=False), ()


def forget_falls(state: State, event: Event) -> Step:
    """It has not failed for long."""
    return replace(state, falls=0), ()
