"""Judgements about a dnsmasq that has to take a new list: what is done until it holds it, step by step.

SIGHUP alone proves nothing, so after each step it is asked what it holds, and the next is taken only while that is
not what it should be: SIGHUP `reload_tries` times; then its upstream file is written again (an event that it missed is
made again); then, `restarts` times in `restart_window_s`, it is ended by SIGKILL, and systemd starts another one, which
reads the file anew. Never while the upstreams are silent: that would only cost its cache. All the time libc has the
upstreams.
"""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.moves import Step, ask_published, hand_over, is_stale, may_be_disturbed, tell
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Timer


def note_reload(state: State, event: on.ReloadSent | on.ReloadFailed) -> Step:
    """Sent or not, SIGHUP proves nothing: what dnsmasq holds afterwards decides."""
    if is_stale(state, event):
        return state, ()
    again = _next_step(state)
    state = replace(state, reloaded=event.generation, reloads=state.reloads + 1)
    state, actions = hand_over(state)
    return state, (*actions, again)


def step_on(state: State, event: Event) -> Step:
    """The time for a step has come: take it, if it is still called for."""
    if state.pid is None:
        return state, ()
    if not may_be_disturbed(state):
        return state, (_next_step(state),)
    if not state.is_told:
        # Its file has had its time.
        state, actions = _ask_update(state) if state.is_lagging else (state, ())
        return state, (*actions, *tell(state))
    if not state.is_lacking or state.offered is None:
        return state, (_next_step(state),)
    # A file that lags gives it nothing to take: resolvconf may have been killed between record and file.
    if state.is_lagging or state.reloads >= state.policy.reload_tries:
        return _end(state) if state.asked_update else _with_next_step(*_ask_update(state))
    return state, tell(state)


def _ask_update(state: State) -> Step:
    """Once for each list and process: resolvconf's hooks are run, and other packages' with them."""
    if state.asked_update:
        return state, ()
    state = replace(state, asked_update=True)
    if not state.policy.restarts:
        return state, (do.AskUpdate(),)
    # The step after this is hard: what is known of the upstreams may be as old as their list, so they are asked again.
    return replace(state, standby=None), (do.AskUpdate(), *ask_published(state))


def _with_next_step(state: State, actions: tuple[Action, ...]) -> Step:
    return state, (*actions, _next_step(state))


def _end(state: State) -> Step:
    """The last step: another dnsmasq, unless that has been tried often enough or could not help."""
    assert state.pid is not None
    if not state.is_offered or not state.is_answered or state.restarts >= state.policy.restarts:
        return state, (_next_step(state),)
    window = do.SetTimer(Timer.RESTARTS, state.policy.restart_window_s)
    ended = do.EndDnsmasq(state.generation, state.pid)
    state = replace(state, restarts=state.restarts + 1)
    return state, (ended, _next_step(state), *((window,) if state.restarts == 1 else ()))


def _next_step(state: State) -> do.SetTimer:
    patience_s = state.policy.offer_wait_s if state.is_lagging else state.policy.reload_retry_s * 2**state.reloads
    return do.SetTimer(Timer.RELOAD, patience_s)


def forget_restarts(state: State, event: Event) -> Step:
    """The window is over: as many again."""
    return replace(state, restarts=0), ()
