"""The outcome of many sequences, for people."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tests.sandbox.ordeal import Trial


@dataclass(slots=True)
class Sum:
    """What many trials come to."""

    sequences: int = 0
    judged: int = 0
    excused: int = 0
    busy: int = 0
    broken: int = 0

    def add(self, trial: Trial) -> None:
        """Count one more."""
        self.sequences += 1
        self.judged += trial.verdict.judged
        self.excused += trial.verdict.excused
        self.busy += trial.verdict.busy
        self.broken += bool(trial.verdict.broken)

    def __str__(self) -> str:
        return (
            f"{self.sequences} sequences, {self.judged} lookups judged, {self.excused} lost that nobody was to blame"
            f" for, {self.busy} while the machine was too busy; {self.broken} sequences broke a promise"
        )


def story(trial: Trial) -> str:
    """What was done, published, said and lost, in order; seconds since the sequence began."""
    lines: list[tuple[float, str]] = [(deed.begin_s, f"      {' '.join(deed.words)}") for deed in trial.deeds]
    lines += [(now_s, f"file  {first}") for now_s, first in trial.flips]
    lines += [(broken.at_s, f"LOST  {broken.words}") for broken in trial.verdict.broken]
    told = [f"{at_s - trial.begin_s:6.2f} {what}" for at_s, what in sorted(lines)]
    again = f'(make soak SOAK="--first {trial.seed} --count 1")'
    return "\n".join([f"seed {trial.seed}: {again}", *told, "what the guard said:", *_log(trial.log.splitlines())])


def _log(lines: Iterable[str]) -> Iterator[str]:
    for line in lines:
        # A traceback, or a line that is being written.
        if not (line.startswith("{") and line.endswith("}")):
            yield f"  {line}"
            continue
        record = json.loads(line)
        if record["code"] != "routine":
            yield f"  {record['timestamp']} {record['phase']:8} {record['code']}: {record['text']}"
