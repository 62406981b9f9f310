"""The guard: what is decided at each event.

TABLE, at the end, names a judgement for every event in every phase; doing nothing is written `_ignore`. A judgement
is pure: it answers with the next state and the actions, in their order. Those about dnsmasq's proof are in health.py,
those about the files that are read in looks.py, about the file that is written in publishing.py, about the order of
the upstreams in order.py; the moves that several share are in moves.py.

What all of them keep to:
1. libc comes first: a file is published before dnsmasq is looked for, told or asked.
2. An answer for an old generation, or of another process, is not news.
3. dnsmasq is named only after `rise` passes in a row, and no longer than it deserves.
4. No phase is without a way out: a timer runs, or an answer is under way.
"""

from dataclasses import replace
from typing import Any

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.health import (
    admit,
    count_pass,
    doubt,
    fail_trial,
    forward,
    note_answer,
    question,
    stay,
    still_lacking,
)
from dnsguard.core.looks import look, pause, settle, stir, weigh, weigh_aside, weigh_first
from dnsguard.core.moves import (
    Judgement,
    Step,
    go_direct,
    hand_over,
    is_stale,
    leads_to,
    may_be_disturbed,
    publish,
    read,
    resume,
    tell,
)
from dnsguard.core.order import compare, note_compared
from dnsguard.core.publishing import (
    ask_again,
    note_published,
    publish_again,
    retry_ask,
    retry_publish,
    say_degraded,
    say_ready,
)
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Phase, Timer


def decide(state: State, event: Event) -> Step:
    """Answer one event with the next state and what is to be done.

    The caller must perform the actions in their order and must bring back their answers as events.
    """
    return TABLE[row_of(event)][state.phase](state, event)


def row_of(event: Event) -> type | Timer:
    """The row of TABLE that an event belongs to: its type, or the timer that fired."""
    return event.timer if isinstance(event, on.TimerFired) else type(event)


def _ignore(state: State, event: Event) -> Step:
    return state, ()


# --- the daemon's own life -----------------------------------------------------------------------


def _begin(state: State, event: Event) -> Step:
    state, actions = read(state)
    latest = do.SetTimer(Timer.READY, state.policy.ready_timeout_s)
    return state, (*actions, do.SetTimer(Timer.LOOK, state.policy.look_s), latest)


@leads_to(Phase.STOPPING)
def _stop(state: State, event: Event) -> Step:
    """Leave the file as it is: `dnsguard detach` hands back, and an upgrade must not flip."""
    return replace(state, phase=Phase.STOPPING), (do.Leave(),)


def _adopt(state: State, event: on.SettingsChanged) -> Step:
    """New limits hold from now on; the file may look different by them."""
    state, actions = publish(replace(state, policy=event.policy, published=None))
    return state, (*actions, do.SayReloaded())


@leads_to(Phase.DIRECT)
def _adopt_warily(state: State, event: on.SettingsChanged) -> Step:
    """What was proved of another address is proved no longer."""
    if event.policy.dnsmasq_address == state.policy.dnsmasq_address:
        return _adopt(state, event)
    state, actions = go_direct(replace(state, policy=event.policy, published=None))
    return state, (*actions, do.SayReloaded())


# --- dnsmasq's life ------------------------------------------------------------------------------


def _find(state: State, event: Event) -> Step:
    return state, () if state.pid else (do.FindDnsmasq(),)


def _note_missing(state: State, event: on.DnsmasqMissing) -> Step:
    return replace(state, missing=event.reason), (do.SetTimer(Timer.FIND, state.policy.find_s),)


def _note_found(state: State, event: on.DnsmasqFound) -> Step:
    if event.pid == state.pid:
        return state, ()
    return replace(_without_process(state), pid=event.pid, missing="", reloaded=state.generation), ()


@leads_to(Phase.DIRECT)
def _meet(state: State, event: on.DnsmasqFound) -> Step:
    """A new process reads its upstream file by itself: it is asked, not told."""
    if event.pid == state.pid:
        return state, ()
    state, actions = go_direct(_note_found(state, event)[0])
    state, more = hand_over(state)
    return state, actions + more


def _note_gone(state: State, event: on.DnsmasqGone) -> Step:
    return (_without_process(state), (do.FindDnsmasq(),)) if event.pid == state.pid else (state, ())


@leads_to(Phase.DIRECT)
def _lose(state: State, event: on.DnsmasqGone) -> Step:
    """dnsmasq has died: the host resolves before anybody looks for a new one."""
    if event.pid != state.pid:
        return state, ()
    state, actions = go_direct(_without_process(state))
    return state, (*actions, do.FindDnsmasq())


def _without_process(state: State) -> State:
    return replace(state, pid=None, probing=False, held=None, reloads=0, failures=0)


def _note_reload(state: State, event: on.ReloadSent | on.ReloadFailed) -> Step:
    """Sent or not, SIGHUP proves nothing: what dnsmasq holds afterwards decides."""
    if is_stale(state, event):
        return state, ()
    again = do.SetTimer(Timer.RELOAD, state.policy.reload_retry_s * 2**state.reloads)
    state = replace(state, reloaded=event.generation, reloads=state.reloads + 1)
    state, actions = hand_over(state)
    return state, (*actions, again)


def _tell_again(state: State, event: Event) -> Step:
    """Send SIGHUP once more to a dnsmasq that lacks what it is offered, up to `reload_tries` times."""
    again = do.SetTimer(Timer.RELOAD, state.policy.reload_retry_s * 2**state.reloads)
    lacking = state.is_lacking and state.is_offered and state.reloads < state.policy.reload_tries
    wanted = lacking or not state.is_told
    return state, tell(state) if wanted and may_be_disturbed(state) else (again,) if state.pid else ()


def _forget_rounds(state: State, event: Event) -> Step:
    return replace(state, rounds=0), ()


@leads_to(Phase.DIRECT, Phase.STARTING)
def _come_back(state: State, event: Event) -> Step:
    state, actions = resume(state)
    return state, (*actions, do.AskAttach())


# --- the table -----------------------------------------------------------------------------------


def _row(*judgements: Judgement) -> dict[Phase, Judgement]:
    return dict(zip(Phase, judgements, strict=True))


# fmt: off
TABLE: dict[type[Any] | Timer, dict[Phase, Judgement]] = {
    # event                  starting        direct          proving         guarded         yielded         stopping
    on.Started:         _row(_begin,         _ignore,        _ignore,        _ignore,        _ignore,        _ignore),
    on.StopAsked:       _row(_stop,          _stop,          _stop,          _stop,          _stop,          _ignore),
    on.SettingsChanged: _row(_adopt,         _adopt,         _adopt_warily,  _adopt_warily,  _adopt,         _ignore),
    on.FilesStirred:    _row(stir,           stir,           stir,           stir,           stir,           _ignore),
    on.SourcesRead:     _row(weigh_first,    weigh,          weigh,          weigh,          weigh_aside,    _ignore),
    Timer.PAUSE:        _row(pause,          pause,          pause,          pause,          pause,          _ignore),
    Timer.SETTLE:       _row(settle,         settle,         settle,         settle,         settle,         _ignore),
    Timer.LOOK:         _row(look,           look,           look,           look,           look,           _ignore),
    Timer.QUIET:        _row(_forget_rounds, _forget_rounds, _forget_rounds, _forget_rounds, _ignore,        _ignore),
    Timer.YIELD:        _row(_ignore,        _ignore,        _ignore,        _ignore,        _come_back,     _ignore),
    on.AttachAsked:     _row(_ignore,        _ignore,        _ignore,        _ignore,        _ignore,        _ignore),
    on.AttachNotAsked:  _row(_ignore,        _ignore,        _ignore,        _ignore,        _ignore,        _ignore),
    on.Published:       _row(_ignore,        note_published, note_published, note_published, note_published, _ignore),
    on.PublishFailed:   _row(_ignore,        retry_publish,  retry_publish,  retry_publish,  retry_publish,  _ignore),
    Timer.PUBLISH:      _row(_ignore,        publish_again,  publish_again,  publish_again,  publish_again,  _ignore),
    on.LookupAnswered:  _row(_ignore,        say_ready,      say_ready,      say_ready,      say_ready,      _ignore),
    on.LookupFailed:    _row(_ignore,        retry_ask,      retry_ask,      retry_ask,      retry_ask,      _ignore),
    Timer.ASK:          _row(_ignore,        ask_again,      ask_again,      ask_again,      ask_again,      _ignore),
    Timer.COMPARE:      _row(_ignore,        compare,        compare,        _ignore,        compare,        _ignore),
    on.UpstreamsCompared: _row(_ignore,      note_compared,  note_compared,  note_compared,  note_compared,  _ignore),
    Timer.READY:        _row(say_degraded,   say_degraded,   say_degraded,   say_degraded,   say_degraded,   _ignore),
    on.DnsmasqFound:    _row(_note_found,    _meet,          _meet,          _meet,          _note_found,    _ignore),
    on.DnsmasqMissing:  _row(_note_missing,  _note_missing,  _note_missing,  _note_missing,  _note_missing,  _ignore),
    on.DnsmasqGone:     _row(_note_gone,     _note_gone,     _lose,          _lose,          _note_gone,     _ignore),
    Timer.FIND:         _row(_find,          _find,          _find,          _find,          _find,          _ignore),
    on.ReloadSent:      _row(_ignore,        _note_reload,   _note_reload,   _note_reload,   _note_reload,   _ignore),
    on.ReloadFailed:    _row(_ignore,        _note_reload,   _note_reload,   _note_reload,   _note_reload,   _ignore),
    Timer.RELOAD:       _row(_ignore,        _tell_again,    _ignore,        _ignore,        _ignore,        _ignore),
    on.ProbePassed:     _row(_ignore,        admit,          count_pass,     stay,           note_answer,    _ignore),
    on.ProbeFailed:     _row(_ignore,        still_lacking,  fail_trial,     doubt,          note_answer,    _ignore),
    Timer.PROBE:        _row(_ignore,        question,       question,       question,       _ignore,        _ignore),
    Timer.FORWARD:      _row(_ignore,        _ignore,        _ignore,        forward,        _ignore,        _ignore),
}
# fmt: on
