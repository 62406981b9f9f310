"""Judgements about the order in which libc is given the upstreams.

libc reads three servers and waits five seconds for each, so one that does not answer must not stand first. Two sorts
of evidence count, both of this generation only: the comparison, asked while libc depends on the upstreams, and the
diagnosis of a probe. In both a server has been asked three times within `forward_timeout_s`.

Hysteresis: a server goes last at once, for each lookup waits for it meanwhile; it comes back when it has answered in
two looks in a row. Where nobody answers there is no better order. A change of order is no new list: no generation, no
SIGHUP, no trial; only the file is written again.
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.moves import Step, publish, spaced
from dnsguard.core.state import State, file_of
from dnsguard.core.vocabulary import Kind, Phase, Timer


def compare(state: State, event: Event) -> Step:
    """Ask each of the upstreams, if libc depends on them and there is a choice."""
    if state.upstreams is None or len(state.upstreams.nameservers) < 2:
        return state, ()
    if not state.is_published or state.wanted is not Kind.DIRECT or state.phase is Phase.YIELDED:
        return state, (next_comparison(state),)
    return state, (do.AskUpstreams(state.generation, state.upstreams.nameservers),)


def note_compared(state: State, event: on.Compared) -> Step:
    """Put those last that did not answer, if others did."""
    if event.generation != state.generation:
        return state, ()
    if state.phase is Phase.YIELDED:
        return state, (next_comparison(state),)
    after, actions = republish(state, hear(state, event.answered, event.unanswered))
    return after, (*actions, next_comparison(after))


def hear(state: State, answered: tuple[str, ...], unanswered: tuple[str, ...]) -> State:
    """What is known of the upstreams after some have answered and some have not; nothing, if none has."""
    if not answered:
        return state
    back = tuple(each for each in answered if each in state.returning)
    known = state.upstreams.nameservers if state.upstreams else ()
    late = {*state.spared, *unanswered} - {*back}
    spared = tuple(each for each in known if each in late)
    once = {*state.returning, *answered} - {*back, *unanswered}
    return replace(state, spared=spared, returning=tuple(each for each in spared if each in once))


def republish(before: State, after: State) -> Step:
    """Let libc read another order of the same servers; what is about to be written anyway is left alone."""
    if not after.is_published or before.wanted is not after.wanted or file_of(before) == file_of(after):
        return after, ()
    return publish(replace(after, published=None))


def next_comparison(state: State) -> do.SetTimer:
    """When to compare again: so seldom that all of them together are asked twice a minute."""
    count = len(state.upstreams.nameservers) if state.upstreams else 1
    return spaced(Timer.COMPARE, state.policy.forward_interval_s * count)
