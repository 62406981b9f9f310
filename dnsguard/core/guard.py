"""The guard: what is decided at each event.

TABLE, at the end, names a judgement for every event in every phase; doing nothing is written `_ignore`. A judgement
is pure: it answers with the next state and the actions, in their order. Those about dnsmasq's proof are in health.py,
those about the files that are read in looks.py, about the file that is written in publishing.py, about the order of
the upstreams in order.py, about the process that is dnsmasq in process.py, about one that has to take a new list in
reloads.py, about a world that has moved in moments.py; the moves that several share are in moves.py.

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
from dnsguard.core.circle import try_again
from dnsguard.core.dwell import end_dwell, forget_falls
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
from dnsguard.core.moments import retry, revisit
from dnsguard.core.moves import (
    Judgement,
    Step,
    go_direct,
    leads_to,
    publish,
    read,
    resume,
)
from dnsguard.core.order import compare, note_compared
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
    on.MomentPassed:    _row(stir,           retry,          retry,          revisit,        stir,           _ignore),
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
    Timer.COMPARE:      _row(_ignore,        compare,        compare,        _ignore,        compare,        _ignore),
    on.Compared:        _row(_ignore,        note_compared,  note_compared,  note_compared,  note_compared,  _ignore),
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
    Timer.DWELL:        _row(*(end_dwell,) * 5, _ignore),
    Timer.FALLS:        _row(*(forget_falls,) * 5, _ignore),
    on.EndFailed:       _row(*(_ignore,) * 6),
    on.ProbePassed:     _row(_ignore,        admit,          count_pass,     stay,           note_answer,    _ignore),
    on.ProbeFailed:     _row(_ignore,        still_lacking,  fail_trial,     doubt,          note_answer,    _ignore),
    Timer.PROBE:        _row(_ignore,        question,       question,       question,       _ignore,        _ignore),
    Timer.FORWARD:      _row(_ignore,        _ignore,        _ignore,        forward,        _ignore,        _ignore),
}
# fmt: on
