"""What the sampler saw, and what it comes to."""

import json
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from tests.sandbox.namespaces import PrivateRoot
from tests.sandbox.processes import Inside, wait_for

SLOW_S = 1.2
"""Above this a lookup counts as slow: one timeout of a second, and some air."""
STALL_S = 0.05
"""A sampler that is later than this was not let run; less is jitter."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup by libc; `error` is empty if it was answered. Times in seconds, monotonic.

    Attributes:
        stalled_s: for how long of it the sampler was not let run, which is the machine's doing and nobody else's.
    """

    start_s: float
    took_s: float
    error: str
    stalled_s: float = 0.0

    @property
    def is_slow(self) -> bool:
        """Whether it was answered, and a person would have noticed."""
        return not self.error and self.took_s - self.stalled_s > SLOW_S

    def __str__(self) -> str:
        ending = self.error or "answered"
        return f"{ending} after {self.took_s:.3f} s" + (
            f", stalled for {self.stalled_s:.3f} s" if self.stalled_s else ""
        )


@dataclass(frozen=True, slots=True)
class Tally:
    """What some lookups come to.

    Attributes:
        window_s: from the start of the first to the start of the last that failed or was slow.
        slowest_s: how long the slowest answered one took.
    """

    lookups: int
    failed: int
    slow: int
    window_s: float
    slowest_s: float


def tally(lookups: Iterable[Lookup]) -> Tally:
    """Count lookups."""
    seen = sorted(lookups, key=lambda lookup: lookup.start_s)
    lost = [lookup.start_s for lookup in seen if lookup.error or lookup.is_slow]
    return Tally(
        lookups=len(seen),
        failed=sum(bool(lookup.error) for lookup in seen),
        slow=sum(lookup.is_slow for lookup in seen),
        window_s=lost[-1] - lost[0] if lost else 0.0,
        slowest_s=max((lookup.took_s for lookup in seen if not lookup.error), default=0.0),
    )


def read(record: Path) -> list[Lookup]:
    """The lookups in a sampler's record, but for one that is being written."""
    lookups = [Lookup(*json.loads(line)) for line in record.read_text().split("\n")[:-1]]
    stalls = list(_stalls(sorted(lookup.start_s for lookup in lookups)))
    return [replace(each, stalled_s=_shared(each, stalls)) if each.took_s > SLOW_S else each for each in lookups]


def _stalls(starts_s: Sequence[float]) -> Iterator[tuple[float, float]]:
    """From when to when the sampler was late with its next lookup."""
    gaps = [(before_s, start_s) for before_s, start_s in pairwise(starts_s)]
    pace_s = statistics.median(start_s - before_s for before_s, start_s in gaps) if gaps else 0.0
    for before_s, start_s in gaps:
        if start_s - before_s - pace_s > STALL_S:
            yield before_s + pace_s, start_s


def _shared(lookup: Lookup, stalls: Iterable[tuple[float, float]]) -> float:
    end_s = lookup.start_s + lookup.took_s
    return sum(max(0.0, min(end_s, until_s) - max(lookup.start_s, since_s)) for since_s, until_s in stalls)


def start_sampler(host: PrivateRoot, record: Path, *numbers: float) -> Inside:
    """Start a sampler inside, with these arguments; returns when the first lookup has ended, one way or the other."""
    script = Path(__file__).with_name("sampler.py")
    command = ["/usr/bin/python3", str(script), *map(str, numbers)]
    sampler = host.popen(command, output=record, errors=record.with_suffix(".err"))
    wait_for(lambda: record.stat().st_size or sampler.door.poll() is not None, "lookup")
    return sampler


def end_sampler(sampler: Inside, record: Path) -> list[Lookup]:
    """End the sampler, wait for the lookups that are under way, and give them all.

    Raises:
        RuntimeError: the sampler itself failed; the text is its own.
    """
    if sampler.end():
        raise RuntimeError(record.with_suffix(".err").read_text())
    return read(record)
