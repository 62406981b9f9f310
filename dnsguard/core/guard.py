"""The guard: what is decided at each event.

TABLE, at the end, names a judgement for every event in every phase; doing nothing is written `_ignore`. A judgement
is pure: it answers with the next state and the actions, in their order. Those about the files that are read are in
looks.py, those about the file that is written in publishing.py, those about the process that is dnsmasq in process.py,
those about one that has to take a new list in reloads.py; the moves that several share are in moves.py.

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
from dnsguard.core.circle import leave, try_again
from dnsguard.core.events import Event
from dnsguard.core.looks import look, pause, settle, stir, weigh, weigh_aside, weigh_first
from dnsguard.core.moves import (
    Judgement,
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
    read,
    resume,
)
from dnsguard.core.process import find, lose, meet, note_found, note_gone, note_missing, note_nature
from dnsguard.core.publishing import (
    ask_again,
    note_published,
    publish_again,
    retry_ask,
    retry_publish,
    say_degraded,
    say_ready,
)
from dnsguard.core.reloads import forget_restarts, note_reload, step_on
from dnsguard.core.state import State
from dnsguard.core.vocabulary import MUTE, TELLING, Phase, Timer


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
    return state, (*actions, do.SetTimer(Timer.LOOK, state.policy.find_s), latest)


@leads_to(Phase.STOPPING)
def _stop(state: State, event: Event) -> Step:
    """Leave the file as it is: `dnsguard detach` hands back, and an upgrade must not flip."""
    return replace(state, phase=Phase.STOPPING), (do.Leave(),)


def _adopt(state: State, event: on.SettingsChanged) -> Step:
    """New limits hold from now on; the file may look different by them."""
    state, actions = publish(replace(state, policy=event.policy, published=None, circle=None))
    return state, (*actions, do.SayReloaded())


@leads_to(Phase.DIRECT)
def _adopt_warily(state: State, event: on.SettingsChanged) -> Step:
    """What was proved of another address is proved no longer."""
    old, new = state.policy, event.policy
    is_barred = replace(state, policy=new).bar
    if (new.dnsmasq_address, new.dnsmasq_port) == (old.dnsmasq_address, old.dnsmasq_port) and not is_barred:
        return _adopt(state, event)
    state, actions = go_direct(replace(state, policy=event.policy, published=None))
    return state, (*actions, do.SayReloaded())


# --- dnsmasq's proof -----------------------------------------------------------------------------


def _question(state: State, event: Event) -> Step:
    return hand_over(state) if state.phase is Phase.DIRECT else probe(state)


def _forward(state: State, event: Event) -> Step:
    return replace(state, forward_due=True), ()


@leads_to(Phase.PROVING)
def _admit(state: State, event: on.ProbePassed) -> Step:
    """dnsmasq holds the upstreams: it goes on trial. A blinded one is believed if its file is right."""
    if is_stale(state, event):
        return state, ()
    state = replace(state, probing=False, held=event.held, failures=0)
    blind = event.held is None and not (state.is_offered or state.offered is None)
    if blind or state.circle or state.is_lacking or not state.is_told or not may_be_disturbed(state):
        return state, (next_question(state),)
    return probe(replace(state, phase=Phase.PROVING, passes=0))


def _still_lacking(state: State, event: on.ProbeFailed) -> Step:
    failed = _with_failure(state, event)
    return (state, ()) if is_stale(state, event) else (failed, (next_question(failed),))


@leads_to(Phase.GUARDED)
def _count_pass(state: State, event: on.ProbePassed) -> Step:
    """On trial only an answer that came through dnsmasq from an upstream counts."""
    if is_stale(state, event):
        return state, ()
    passes = state.passes + event.forward
    state = replace(state, probing=False, held=event.held, passes=passes, failures=0)
    if passes < state.policy.rise:
        return state, (next_question(state),)
    state, actions = publish(replace(state, phase=Phase.GUARDED, forward_due=False))
    # Asked soon: one that reads our file has lost its upstreams within 2 ms (measured).
    return state, (*actions, do.SetTimer(Timer.PROBE, state.policy.pause_s), next_forward(state))


@leads_to(Phase.DIRECT)
def _fail_trial(state: State, event: on.ProbeFailed) -> Step:
    """Passes must be consecutive: one failure and the count starts again.

    Where only forwarding fails the trial goes on: the network may be down, and that is not dnsmasq's fault.
    """
    if is_stale(state, event):
        return state, ()
    state = replace(_with_failure(state, event), passes=0)
    ended = event.verdict in TELLING or (event.verdict in MUTE and state.failures >= state.policy.fall)
    # While libc reads what the guard before us left, it would feel the next failure, too.
    return go_direct(state) if ended or not state.is_published else (state, (next_question(state),))


def _stay(state: State, event: on.ProbePassed) -> Step:
    if is_stale(state, event):
        return state, ()
    due = state.forward_due and not event.forward
    state = replace(state, probing=False, held=event.held, failures=0, forward_due=due)
    return state, (next_question(state), next_forward(state)) if event.forward else (next_question(state),)


@leads_to(Phase.DIRECT)
def _doubt(state: State, event: on.ProbeFailed) -> Step:
    """A telling answer ends trust at once; else ask again at once, and `fall` failures in a row do."""
    if is_stale(state, event):
        return state, ()
    state = _with_failure(state, event)
    if event.verdict in TELLING or state.failures >= state.policy.fall:
        return leave(state, event)
    return probe(state)


def _note_answer(state: State, event: on.ProbePassed | on.ProbeFailed) -> Step:
    """Nothing hangs on it while standing back, but the next question may be asked."""
    return (state, ()) if is_stale(state, event) else (replace(state, probing=False), ())


def _with_failure(state: State, event: on.ProbeFailed) -> State:
    # No more is counted than is ever asked for: the same failure over and over is the same state.
    failures = min(state.failures + 1, max(state.policy.fall, state.policy.eager_tries))
    return replace(state, probing=False, held=event.held, failures=failures)


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
    Timer.YIELD:        _row(_ignore,        try_again,      _ignore,        _ignore,        _come_back,     _ignore),
    on.AttachAsked:     _row(*(_ignore,) * 6),
    on.AttachNotAsked:  _row(*(_ignore,) * 6),
    on.UpdateAsked:     _row(*(_ignore,) * 6),
    on.UpdateNotAsked:  _row(*(_ignore,) * 6),
    on.Published:       _row(_ignore,        note_published, note_published, note_published, note_published, _ignore),
    on.PublishFailed:   _row(_ignore,        retry_publish,  retry_publish,  retry_publish,  retry_publish,  _ignore),
    Timer.PUBLISH:      _row(_ignore,        publish_again,  publish_again,  publish_again,  publish_again,  _ignore),
    on.LookupAnswered:  _row(_ignore,        say_ready,      say_ready,      say_ready,      say_ready,      _ignore),
    on.LookupFailed:    _row(_ignore,        retry_ask,      retry_ask,      retry_ask,      retry_ask,      _ignore),
    Timer.ASK:          _row(_ignore,        ask_again,      ask_again,      ask_again,      ask_again,      _ignore),
    Timer.READY:        _row(say_degraded,   say_degraded,   say_degraded,   say_degraded,   say_degraded,   _ignore),
    on.DnsmasqFound:    _row(note_found,     meet,           meet,           meet,           note_found,     _ignore),
    on.DnsmasqMissing:  _row(note_missing,   note_missing,   note_missing,   note_missing,   note_missing,   _ignore),
    on.NatureRead:      _row(note_nature,    note_nature,    _ignore,        _ignore,        note_nature,    _ignore),
    on.DnsmasqGone:     _row(note_gone,      note_gone,      lose,           lose,           note_gone,      _ignore),
    Timer.FIND:         _row(find,           find,           find,           find,           find,           _ignore),
    on.ReloadSent:      _row(_ignore,        note_reload,    note_reload,    note_reload,    note_reload,    _ignore),
    on.ReloadFailed:    _row(_ignore,        note_reload,    note_reload,    note_reload,    note_reload,    _ignore),
    Timer.RELOAD:       _row(_ignore,        step_on,        _ignore,        _ignore,        _ignore,        _ignore),
    Timer.RESTARTS:     _row(*(forget_restarts,) * 5, _ignore),
    on.EndFailed:       _row(*(_ignore,) * 6),
    on.ProbePassed:     _row(_ignore,        _admit,         _count_pass,    _stay,          _note_answer,   _ignore),
    on.ProbeFailed:     _row(_ignore,        _still_lacking, _fail_trial,    _doubt,         _note_answer,   _ignore),
    Timer.PROBE:        _row(_ignore,        _question,      _question,      _question,      _ignore,        _ignore),
    Timer.FORWARD:      _row(_ignore,        _ignore,        _ignore,        _forward,       _ignore,        _ignore),
}
# fmt: on
