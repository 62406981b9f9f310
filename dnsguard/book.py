"""What the daemon saw, for people: since when, how often. Nothing is decided by it."""

import os
from collections import Counter
from datetime import UTC, datetime

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.report import Witness
from dnsguard.core.state import State


class Book:
    """What the daemon saw, for people: since when, how often. Nothing is decided by it."""

    def __init__(self) -> None:
        self.counters: Counter[str] = Counter()
        self._phase_before = ""
        self._since = now()
        self._probe = ""
        self._forwarded = ""
        self._shown: tuple[object, ...] = ()

    def enter(self, before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
        """Take note of one decision."""
        if before.phase is not after.phase:
            self._phase_before, self._since = before.phase.value, now()
            self.counters["phases"] += 1
        for action in actions:
            self.counters.update(_COUNTED.get(type(action), ()))
        match event:
            case on.ProbePassed(took_ms=took_ms, forward=forward):
                self._probe = f"passed in {took_ms:.1f} ms at {now()}"
                self._forwarded = self._probe if forward else self._forwarded
            case on.ProbeFailed(verdict=verdict, detail=detail):
                self._probe = f"failed at {now()}: {verdict.value}, {detail}"
                self.counters["probe_failures"] += 1

    def is_news(self, state: State) -> bool:
        """Whether an operator would see a difference since the last time that this was asked."""
        shown = (
            *(state.phase, state.generation, state.upstreams, state.published, state.attached, state.ready),
            *(state.pid, state.missing, state.held, state.offered, state.registered, state.standby),
            *(state.failures, state.passes, state.complaints, self._forwarded),
        )
        news, self._shown = shown != self._shown, shown
        return news

    def witness(self) -> Witness:
        """Everything noted, as the report wants it."""
        return Witness(
            *(os.getpid(), self._phase_before, self._since, now(), self._probe, self._forwarded),
            counters=dict(self.counters),
        )


_COUNTED = {
    do.Publish: ("publishes",),
    do.Reload: ("reloads",),
    do.Probe: ("probes",),
    do.ReadSources: ("looks",),
    do.AskAttach: ("attach_requests",),
}


def now() -> str:
    """The time of day in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")
