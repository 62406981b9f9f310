"""What the daemon saw, for people: since when, how often. Nothing is decided by it."""

import os
from collections import Counter, deque
from datetime import UTC, datetime

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.evidence import heard
from dnsguard.core.report import Heard, Move, Witness
from dnsguard.core.state import State
from dnsguard.core.words import Said

_MOST = 200
"""Letters of a log line that are kept."""
_Probe = tuple[on.ProbePassed | on.ProbeFailed, datetime]


class Book:
    """What the daemon saw, for people: since when, how often. Nothing is decided by it."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._phase_before = ""
        self._since = now()
        self._probe: _Probe | None = None
        self._forwarded: _Probe | None = None
        self._heard: dict[str, Heard] = {}
        self._moves: deque[Move] = deque(maxlen=10)
        self._shown: tuple[object, ...] = ()

    def enter(self, before: State, event: Event, after: State, actions: tuple[Action, ...], said: Said) -> None:
        """Take note of one decision, and of what is said of it."""
        if before.phase is not after.phase:
            self._phase_before, self._since = before.phase.value, now()
            self._moves.append(Move(self._since, before.phase.value, after.phase.value, said.code, said.text[:_MOST]))
            self.counters["phases"] += 1
        for action in actions:
            if name := _COUNTED.get(type(action)):
                self.counters[name] += 1
        match event:
            case on.ProbePassed(forward=forward):
                # Put into words when somebody wants to read it, which is seldom: this is each second.
                self._probe = event, datetime.now(UTC)
                self._forwarded = self._probe if forward else self._forwarded
            case on.ProbeFailed():
                self._probe = event, datetime.now(UTC)
                self.counters["probe_failures"] += 1
        if news := heard(before, event):
            # A laptop meets many upstreams in its life.
            self._heard = {each: self._heard[each] for each in before.nameservers if each in self._heard}
            for address, (answers, took_ms) in news.items():
                self._heard[address] = Heard(answers, None if took_ms is None else round(took_ms, 1), now())

    def is_news(self, state: State) -> bool:
        """Whether an operator would see a difference since the last time that this was asked."""
        shown = (
            *(state.phase, state.generation, state.upstreams, state.published, state.attached, state.ready),
            *(state.pid, state.missing, state.held, state.offered, state.registered, state.standby),
            *(state.failures, state.passes, state.complaints, self._forwarded),
            *(state.nature, state.understood, state.policy),
            *(state.fault, state.spared, state.dwelling, state.reloads, state.asked_update, state.restarts),
        )
        news, self._shown = shown != self._shown, shown
        return news

    def witness(self) -> Witness:
        """Everything noted, as the report wants it."""
        return Witness(
            *(os.getpid(), self._phase_before, self._since, now(), _words(self._probe), _words(self._forwarded)),
            counters=dict(self.counters),
            heard=dict(self._heard),
            moves=tuple(self._moves),
        )


_COUNTED = {
    do.Publish: "publishes",
    do.Reload: "reloads",
    do.Probe: "probes",
    do.ReadSources: "looks",
    do.AskAttach: "attach_requests",
    do.AskUpdate: "update_requests",
    do.EndDnsmasq: "restarts",
}


def now() -> str:
    """The time of day in UTC, ISO 8601."""
    return _iso(datetime.now(UTC))


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _words(probe: _Probe | None) -> str:
    match probe:
        case on.ProbePassed(took_ms=took_ms), time:
            return f"passed in {took_ms:.1f} ms at {_iso(time)}"
        case on.ProbeFailed(verdict=verdict, detail=detail), time:
            return f"failed at {_iso(time)}: {verdict.value}, {detail}"
    return ""
