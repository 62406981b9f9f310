"""What the daemon posts for people: status.json for one host, the metrics for a fleet. Nothing is decided by it."""

import json
import time
from collections.abc import Callable
from pathlib import Path

from dnsguard.book import Book
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.metrics import render
from dnsguard.core.report import report
from dnsguard.core.settings import Paths
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Timer
from dnsguard.core.words import Said
from dnsguard.edge import publisher
from dnsguard.tally import Tally

METRICS_EVERY_S = 15.0
"""The metrics are written this often, with the first decision after it, and at once when the phase is another one.

Prometheus' own default is to look once a minute, and most look every 15 or 30 s."""


class Noticeboard:
    """Takes in each decision after it was performed, and writes what is due.

    Args:
        paths: `status`, and `metrics` unless that is empty.
        say: tells code, level and text to the log: once, if one of them cannot be written.
        clock: seconds that never jump.
    """

    def __init__(self, paths: Paths, say: Callable[[str, str, str], None], clock: Callable[[], float]) -> None:
        self._paths = paths
        self._say = say
        self._clock = clock
        self._book = Book()
        self._tally = Tally(clock())
        self._due_s = clock()

    def post(self, before: State, event: Event, after: State, actions: tuple[Action, ...], said: Said) -> bool:
        """Take note of one decision; whether an operator would see a difference."""
        now_s = self._clock()
        self._book.enter(before, event, after, actions, said)
        self._tally.enter(now_s, before, event, after, actions, said.code)
        news = self._book.is_news(after)
        # With a look nothing may have changed, but the last probes and the counters have.
        if news or event == on.TimerFired(Timer.LOOK):
            told = report(after, self._book.witness())
            self._write("status-failed", self._paths.status, json.dumps(told, indent=1) + "\n")
        if self._paths.metrics and (now_s >= self._due_s or before.phase is not after.phase):
            self._due_s = now_s + METRICS_EVERY_S
            self._write("metrics-failed", self._paths.metrics, render(self._tally.counted(after, now_s, time.time())))
        return news

    def _write(self, code: str, path: str, text: str) -> None:
        try:
            publisher.replace_file(Path(path), text.encode("utf-8", "backslashreplace"))
        except OSError as error:
            # libc does not read it: say so once, and go on guarding.
            failures = code.replace("-failed", "_failures")
            if not self._book.counters[failures]:
                self._say(code, "warning", f"cannot write {path}: {error.strerror}")
            self._book.counters[failures] += 1
