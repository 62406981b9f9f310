"""Judgements about the process that is dnsmasq: found, understood, gone."""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.dwell import fall_back
from dnsguard.core.events import Event
from dnsguard.core.moves import Step, hand_over, leads_to
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Phase, Timer


def find(state: State, event: Event) -> Step:
    """Look for dnsmasq, unless it was found meanwhile."""
    return state, () if state.pid else (do.FindDnsmasq(),)


def note_missing(state: State, event: on.DnsmasqMissing) -> Step:
    """There is none: look again after a while."""
    return replace(state, missing=event.reason), (do.SetTimer(Timer.FIND, state.policy.find_s),)


def note_found(state: State, event: on.DnsmasqFound) -> Step:
    """A new process: see how it is configured before anything is expected of it."""
    if event.pid == state.pid:
        return state, ()
    state = replace(_without_process(state), pid=event.pid, missing="", reloaded=state.generation)
    return state, (do.ReadNature(event.pid),)


@leads_to(Phase.DIRECT)
def meet(state: State, event: on.DnsmasqFound) -> Step:
    """A new process reads its upstream file by itself: it is asked, not told, once it is understood."""
    if event.pid == state.pid:
        return state, ()
    state, questions = note_found(state, event)
    state, actions = fall_back(state)
    return state, actions + questions


def note_nature(state: State, event: on.NatureRead) -> Step:
    """It is understood: see what can be done about it. This happens once for each process, before any trial."""
    if event.pid != state.pid:
        return state, ()
    return hand_over(replace(state, nature=event.nature, understood=True))


def note_gone(state: State, event: on.DnsmasqGone) -> Step:
    """It has ended, and libc did not depend on it: look for the next."""
    return (_without_process(state), (do.FindDnsmasq(),)) if event.pid == state.pid else (state, ())


@leads_to(Phase.DIRECT)
def lose(state: State, event: on.DnsmasqGone) -> Step:
    """dnsmasq has died: the host resolves before anybody looks for a new one."""
    if event.pid != state.pid:
        return state, ()
    state, actions = fall_back(_without_process(state))
    return state, (*actions, do.FindDnsmasq())


def _without_process(state: State) -> State:
    return replace(
        state,
        pid=None,
        circle=None,
        asked_update=False,
        understood=False,
        probing=False,
        held=None,
        reloads=0,
        failures=0,
    )
