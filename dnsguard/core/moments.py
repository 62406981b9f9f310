"""Judgements about moments after which what is known may be old: the network moves, the clock is set, the host slept.

They are hints, and may come in storms: a bridge of containers, a link that flaps. Each costs a look at the files, once
in a pause. A question that leaves the host is asked at once, but only one between two that are due anyway: so a storm
without end costs four a minute instead of two. Where the guard asks in vain, and has become patient, it asks at once
and becomes eager again.
"""

from dataclasses import replace

from dnsguard.core.events import Event
from dnsguard.core.looks import stir
from dnsguard.core.moves import Step, hand_over, next_forward, probe
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Phase


def revisit(state: State, event: Event) -> Step:
    """While dnsmasq is trusted: ask at once whether it still answers for its upstreams."""
    state, actions = stir(state, event)
    patient = _is_patient_with_network(state)
    state = replace(state, fault_tries=0) if patient else state
    if state.revisited:
        return state, (*actions, next_forward(state)) if patient else actions
    state, more = probe(replace(state, revisited=True, forward_due=True))
    return state, actions + more


def retry(state: State, event: Event) -> Step:
    """While it is not: what was asked in vain, and is seldom asked by now, is asked at once, and eagerly again."""
    state, actions = stir(state, event)
    if _is_patient_with_network(state):
        state, more = _ask(replace(state, fault_tries=0))
        return state, actions + more
    if state.phase is Phase.DIRECT and state.failures >= state.policy.eager_tries:
        state, more = _ask(replace(state, failures=0))
        return state, actions + more
    return state, actions


def _ask(state: State) -> Step:
    return hand_over(state) if state.phase is Phase.DIRECT else probe(state)


def _is_patient_with_network(state: State) -> bool:
    """Whether no upstream has answered for so long that it is asked no more often than usual."""
    return state.fault is Fault.NETWORK and state.fault_tries >= state.policy.network_tries
