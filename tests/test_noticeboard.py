"""dnsguard.noticeboard: status.json and the metrics, as files."""

import gc
import json
from dataclasses import replace
from pathlib import Path

import pytest

from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.settings import Paths
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Kind, Phase, Timer
from dnsguard.core.words import Said
from dnsguard.noticeboard import METRICS_EVERY_S, Noticeboard
from tests.core.story import PID, direct, failed, guarded, passed, upstreams


class Board:
    """A noticeboard in a folder, with a clock that goes when it is told to."""

    def __init__(self, folder: Path, status: str = "status.json", metrics: str = "metrics.prom") -> None:
        self.now_s, self.state = 0.0, guarded()
        self.codes: list[str] = []
        self.status, self.metrics = folder / status, folder / metrics
        paths = replace(Paths(), status=str(self.status), metrics=str(self.metrics) if metrics else "")
        self._board = Noticeboard(paths, lambda code, _level, _text: self.codes.append(code), lambda: self.now_s)

    def post(self, event: Event) -> bool:
        """Have this decided."""
        before = self.state
        self.state, actions = decide(before, event)
        return self._board.post(before, event, self.state, actions, Said("a-code", "info", ""))

    def guarded_s(self) -> str:
        """The seconds that the file has for this phase; "" if there is no file."""
        lines = self.metrics.read_text().splitlines() if self.metrics.exists() else []
        return next(
            (line.split()[1] for line in lines if line.startswith('dnsguard_phase_seconds_total{phase="gu')), ""
        )


ROUTINE = on.TimerFired(Timer.FORWARD)


def test_metrics_are_written_with_the_first_decision_and_then_every_15_seconds(tmp_path: Path) -> None:
    """Also while nothing changes: an old file means that the daemon is gone."""
    board = Board(tmp_path)
    board.post(ROUTINE)
    assert "0" == board.guarded_s()
    for board.now_s, expected in ((METRICS_EVERY_S - 0.1, "0"), (METRICS_EVERY_S, "15"), (20.0, "15"), (31.0, "31")):
        board.post(ROUTINE)
        assert expected == board.guarded_s()
    assert 0o644 == board.metrics.stat().st_mode & 0o777


def test_a_change_of_phase_is_written_at_once(tmp_path: Path) -> None:
    """A flip is not to wait for its turn."""
    board = Board(tmp_path)
    board.post(ROUTINE)
    board.now_s = 3.0
    board.post(on.DnsmasqGone(PID))

    assert "3" == board.guarded_s()
    assert 'dnsguard_phase{phase="direct"} 1' in board.metrics.read_text()


def test_no_metrics_are_written_if_they_are_switched_off(tmp_path: Path) -> None:
    board = Board(tmp_path, metrics="")
    board.post(ROUTINE)

    assert {"status.json"} == {each.name for each in tmp_path.iterdir()}


def test_the_status_is_written_when_an_operator_would_see_a_difference(tmp_path: Path) -> None:
    """And with each look at the files, for the counters."""
    board = Board(tmp_path)
    assert board.post(passed(forward=False))
    board.status.unlink()
    assert not board.post(ROUTINE)
    assert not board.status.exists()
    assert not board.post(on.TimerFired(Timer.LOOK))
    assert 1 == json.loads(board.status.read_text())["counters"]["looks"]


@pytest.mark.parametrize(
    ("status", "metrics", "code"),
    [
        ("nowhere/status.json", "metrics.prom", "status-failed"),
        ("status.json", "nowhere/metrics.prom", "metrics-failed"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_once(tmp_path: Path, status: str, metrics: str, code: str) -> None:
    """libc reads neither of them: guarding goes on, and the other is written."""
    board = Board(tmp_path, status, metrics)
    for board.now_s in (0.0, METRICS_EVERY_S, 2 * METRICS_EVERY_S):
        board.post(on.TimerFired(Timer.LOOK))

    assert [code] == board.codes
    assert 1 == len(list(tmp_path.iterdir()))


def test_nothing_grows_with_time(tmp_path: Path) -> None:
    """A daemon runs for years, and a laptop meets other upstreams every day."""
    board, counts = Board(tmp_path), []
    for number in range(100):
        board.now_s += METRICS_EVERY_S
        server = f"192.0.2.{number}"
        known = direct(generation=number, upstreams=upstreams(server), published=(Kind.DIRECT, number), standby=None)
        for board.state, event in (
            (known, on.LookupAnswered(Kind.DIRECT, number, server)),
            (replace(known, phase=Phase.GUARDED), failed(generation=number)),
        ):
            board.post(event)
        gc.collect()
        # Bytes would be those of Python's own free lists and interned paths, too.
        counts.append(len(gc.get_objects()))

    assert counts[20] == counts[-1]


def test_it_begins_before_anything_is_known(tmp_path: Path) -> None:
    board = Board(tmp_path)
    board.state = State()
    board.post(on.Started())

    assert 'dnsguard_phase{phase="starting"} 1' in board.metrics.read_text()
