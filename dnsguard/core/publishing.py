"""Judgements about the file that libc reads: was it written, and has it answered?"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.moves import Step, ask_published, hand_over, jittered, publish
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Timer


def note_published(state: State, event: on.Published) -> Step:
    """libc reads the file now: ask it, and only now disturb dnsmasq."""
    if (event.kind, event.generation) != (state.wanted, state.generation):
        return state, ()
    state = replace(state, published=(event.kind, event.generation), refused="")
    asked = () if state.is_answered else ask_published(state)
    # Only now may dnsmasq be disturbed: the host has its upstreams.
    state, actions = hand_over(state)
    return state, (*asked, *actions)


def retry_publish(state: State, event: on.PublishFailed) -> Step:
    """The file could not be written: the old one is still there, whole; try again."""
    return replace(state, refused=event.reason), (do.SetTimer(Timer.PUBLISH, state.policy.publish_retry_s),)


def publish_again(state: State, event: Event) -> Step:
    """Write what is wanted, unless that has happened meanwhile."""
    return publish(state)


def say_ready(state: State, event: on.LookupAnswered) -> Step:
    """This host resolves, if the answer is one to the file that libc reads now."""
    if (event.kind, event.generation) != state.published:
        return (state, ()) if state.ready else ask_again(state, event)
    standby = event.nameserver if event.kind is Kind.DIRECT else state.standby
    return replace(state, ready=True, standby=standby), () if state.ready else (do.SayReady(),)


def retry_ask(state: State, event: on.LookupFailed) -> Step:
    """Nobody answered: until somebody does, ask again."""
    is_old = (event.kind, event.generation) != state.published
    if state.is_answered or (state.ready and is_old):
        return state, ()
    return state, (jittered(Timer.ASK, state.policy.ask_retry_s),)


def ask_again(state: State, event: Event) -> Step:
    """Ask the published servers, unless that is no longer of use."""
    return state, ask_published(state) if state.is_published and not state.is_answered else ()


def say_degraded(state: State, event: Event) -> Step:
    """A boot without network must not hang on us."""
    if state.ready:
        return state, ()
    return replace(state, ready=True), (do.SayReady(degraded="no server has answered yet"),)
