"""`python -m tests.sandbox.bench`: how long things take, beside the least that they could take, and the goals.

Needs root or user namespaces; touches nothing of this machine. Exit status 1 if a goal was missed, 2 if
nothing can be measured here. What else the machine does is in the figures: look at its load first.
"""

import argparse
import concurrent.futures
import math
import os
import queue
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.sandbox import rounds
from tests.sandbox.namespaces import CHECKOUT, NotAllowedError, fetch
from tests.sandbox.rounds import Round
from tests.sandbox.stage import FLOORS_FOLDER, GUARDS_FOLDER, PYTHON, Stage

SIDE_BY_SIDE = 5
"""Hosts whose dnsmasq hangs at the same time: waiting costs nothing."""

TELL_EVERY_S = 10.0

UNITS = {"ms": 1000.0, "%": 100.0, "/s": 1.0, "MiB": 1 / 2**20}
"""What a measured value (seconds, a share, a number, bytes) is multiplied by to be shown."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    Attributes:
        name: as the rounds call it.
        words: for people.
        unit: one of UNITS.
        goals: the most that a statistic may be, in that unit.
    """

    name: str
    words: str
    unit: str = "ms"
    goals: Mapping[str, float] = field(default_factory=dict)


# 60 ms: the goal is 10 ms beyond the 50 ms that files are given to settle.
FIGURES = (
    Figure("death", "dnsmasq's death -> upstreams published", goals={"median": 3.0, "p99": 15.0}),
    Figure("death floor", "  floor"),
    Figure("death kernel", "  of it until the kernel tells of it"),
    Figure("death own", "  and from then on"),
    Figure("death own floor", "  floor"),
    Figure("change", "record renamed -> upstreams published", goals={"median": 60.0}),
    Figure("change floor", "  floor"),
    Figure("change hangup", "record renamed -> SIGHUP delivered"),
    Figure("change hangup floor", "  floor"),
    Figure("change guarded", "record renamed -> guarded again"),
    Figure("hang", "dnsmasq hangs -> upstreams published", goals={"max": 1600.0}),
    Figure("start", "process started -> first publish"),
    Figure("start floor", "  floor"),
    Figure("status", "dnsguard status, start to end", goals={"median": 100.0}),
    Figure("status floor", "  floor"),
    Figure("doctor", "dnsguard doctor: processor time", goals={"median": 100.0}),
    Figure("doctor floor", "  floor"),
    Figure("cpu", "guarded and idle: processor", "%", goals={"median": 0.1}),
    Figure("cpu floor", "  floor", "%"),
    Figure("wakeups", "guarded and idle: wake-ups", "/s", goals={"median": 4.0}),
    Figure("wakeups floor", "  floor", "/s"),
    Figure("rss", "guarded and idle: resident memory", "MiB", goals={"median": 30.0}),
    Figure("rss floor", "  floor", "MiB"),
    Figure("pss", "  of it our share of what is shared", "MiB"),
    Figure("pss floor", "  floor", "MiB"),
)

STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "median": statistics.median,
    # The nearest rank: of 200 values, the 198th.
    "p99": lambda values: sorted(values)[math.ceil(0.99 * len(values)) - 1],
    "max": max,
}


class Bench:
    """Runs the parts and keeps what they measured.

    Attributes:
        measured: by the name of the figure, in the order it was measured.
    """

    def __init__(self, wanted_rounds: int, seconds: float, directory: Path) -> None:
        self.measured: dict[str, list[float]] = defaultdict(list)
        self._rounds = wanted_rounds
        self._seconds = seconds
        self._directory = directory
        self._begin_s = time.monotonic()
        self.parts: dict[str, Callable[[], None]] = {
            "idle": self._idle,
            "death": self._death,
            "change": self._change,
            "start": self._start,
            "status": self._status,
            "doctor": self._doctor,
            "hang": self._hang,
        }

    def say(self, part: str, words: str) -> None:
        """Show that something goes on."""
        print(f"{time.monotonic() - self._begin_s:6.1f} s  {part:8}{words}", flush=True)

    def _idle(self) -> None:
        self.say("idle", f"{self._seconds:.0f} s in which nothing happens")
        with Stage(GUARDS_FOLDER) as stage:
            guard = stage.guarded(self._directory)
            self._keep("idle", rounds.idle(stage, guard, self._seconds), 1)

    def _death(self) -> None:
        with Stage(GUARDS_FOLDER) as stage:
            stage.guarded(self._directory)
            self._keep("death", rounds.deaths(stage, self._rounds), self._rounds)
        with Stage(FLOORS_FOLDER) as stage:
            self._keep("death", rounds.floor_of_deaths(stage, self._rounds), self._rounds)

    def _change(self) -> None:
        with Stage(GUARDS_FOLDER) as stage:
            stage.guarded(self._directory)
            self._keep("change", rounds.changes(stage, self._rounds), self._rounds)
        with Stage(FLOORS_FOLDER) as stage:
            self._keep("change", rounds.floor_of_changes(stage, self._rounds), self._rounds)

    def _start(self) -> None:
        with Stage(GUARDS_FOLDER) as stage:
            # It attaches, and is gone again: from here on the rounds start one themselves.
            stage.guarded(self._directory).stop()
            self._keep("start", rounds.starts(stage, self._rounds), self._rounds)
        with Stage(FLOORS_FOLDER) as stage:
            self._keep("start", rounds.floor_of_starts(stage, self._rounds), self._rounds)

    def _status(self) -> None:
        with Stage(GUARDS_FOLDER) as stage:
            stage.guarded(self._directory)
            self._keep("status", rounds.statuses(stage, self._rounds), self._rounds)

    def _doctor(self) -> None:
        with Stage(GUARDS_FOLDER) as stage:
            stage.guarded(self._directory)
            self._keep("doctor", rounds.doctors(stage, self._rounds), self._rounds)

    def _hang(self) -> None:
        """On several hosts at once."""
        shares = [share for share in evenly(self._rounds, SIDE_BY_SIDE) if share]
        self.say("hang", f"{len(shares)} hosts side by side; each round takes about four seconds")
        seen: queue.SimpleQueue[Round | None] = queue.SimpleQueue()

        def hang(share: int) -> None:
            try:
                with Stage(GUARDS_FOLDER) as stage:
                    stage.guarded(self._directory)
                    for measured in rounds.hangs(stage, share):
                        seen.put(measured)
            finally:
                seen.put(None)

        with concurrent.futures.ThreadPoolExecutor(len(shares)) as hosts:
            hanging = [hosts.submit(hang, share) for share in shares]
            self._keep("hang", _until_all_said_none(seen, len(shares)), self._rounds)
            for each in hanging:
                each.result()

    def _keep(self, part: str, measured: Iterator[Round], of: int) -> None:
        begin_s = told_s = time.monotonic()
        for number, values in enumerate(measured, start=1):
            for name, value in values.items():
                self.measured[name].append(value)
            now_s = time.monotonic()
            if now_s - told_s >= TELL_EVERY_S or number == of:
                told_s = now_s
                left_s = (now_s - begin_s) / number * (of - number)
                floor = " (floor)" if any(name.endswith("floor") for name in values) and len(values) < 3 else ""
                self.say(part, f"{number} of {of}{floor}" + (f", {left_s:.0f} s left" if left_s else ""))


def evenly(whole: int, parts: int) -> list[int]:
    """Divide a number of rounds; the first have one more if need be."""
    return [whole // parts + (part < whole % parts) for part in range(parts)]


def missed(figure: Figure, values: Sequence[float]) -> list[str]:
    """The statistics of a figure that are beyond their goals."""
    scale = UNITS[figure.unit]
    return [name for name, limit in figure.goals.items() if STATISTICS[name](values) * scale > limit]


def table(measured: Mapping[str, Sequence[float]]) -> str:
    """What was measured, a figure a line, and whether its goals were met."""
    head = f"{'':38}{'rounds':>7}{'median':>10}{'p99':>10}{'max':>10}       goal"
    return "\n".join([head, *(_line(figure, measured[figure.name]) for figure in FIGURES if figure.name in measured)])


def _line(figure: Figure, values: Sequence[float]) -> str:
    scale = UNITS[figure.unit]
    shown = [f"{statistic(values) * scale:10.3g}" for statistic in STATISTICS.values()]
    if max(values) * scale >= 100:
        shown = [f"{statistic(values) * scale:10.0f}" for statistic in STATISTICS.values()]
    if len(values) == 1:
        shown[1:] = [" " * 10] * 2
    beyond = missed(figure, values)
    goal = ", ".join(f"{name} {limit:g}" if len(values) > 1 else f"{limit:g}" for name, limit in figure.goals.items())
    verdict = (": MISSED" if beyond else ": met") if goal else ""
    return f"{figure.words:38}{len(values):>7}{''.join(shown)} {figure.unit:5} {goal}{verdict}".rstrip()


def _until_all_said_none(seen: "queue.SimpleQueue[Round | None]", count: int) -> Iterator[Round]:
    while count:
        measured = seen.get()
        if measured is None:
            count -= 1
        else:
            yield measured


def main(words: Sequence[str] | None = None) -> int:
    """Measure and show; the exit status."""
    chosen = _arguments(words)
    try:
        fetch()
        # As the package's postinst does: a daemon that compiles itself starts later and weighs more.
        subprocess.run([PYTHON, "-m", "compileall", "-q", CHECKOUT / "dnsguard", CHECKOUT / "tests"], check=True)
        with tempfile.TemporaryDirectory(prefix="dnsguard-bench-") as directory:
            return _measure(Bench(chosen.rounds, chosen.seconds, Path(directory)), chosen.only)
    except (NotAllowedError, subprocess.CalledProcessError) as refusal:
        print(refusal, *getattr(refusal, "__notes__", ()), sep="\n", file=sys.stderr)
        return 2
    except TimeoutError as late:
        print(f"the guard did not do what is measured: {late}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _measure(bench: Bench, only: str | None) -> int:
    bench.say("", f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}")
    for name, part in bench.parts.items():
        if only in (None, name):
            part()
    bench.say("", f"load {os.getloadavg()[0]:.1f}")
    print(f"\n{table(bench.measured)}\n")
    return 1 if any(missed(figure, bench.measured.get(figure.name) or [0.0]) for figure in FIGURES) else 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="how often each thing is measured (200)")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long nothing happens (60)")
    parser.add_argument(
        "--only", choices=["idle", "death", "change", "start", "status", "doctor", "hang"], help="one part alone"
    )
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
