"""What the sampler saw, and what it comes to."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.namespaces import PrivateRoot
from tests.sandbox.processes import Inside, wait_for

SLOW_S = 1.2
"""Above this a lookup counts as slow: one timeout of a second, and some air."""


@dataclass(frozen=True, slots=True)
class Lookup:
    """One lookup by libc; `error` is empty if it was answered. Times in seconds, monotonic."""

    start_s: float
    took_s: float
    error: str

    @property
    def is_slow(self) -> bool:
        """Whether it was answered, and a person would have noticed."""
        return not self.error and self.took_s > SLOW_S


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
    """The lookups in a sampler's record; a line that is being written is not one yet."""
    lines = record.read_text().splitlines(keepends=True)
    return [Lookup(*json.loads(line)) for line in lines if line.endswith("\n")]


def start_sampler(host: PrivateRoot, record: Path) -> Inside:
    """Start a sampler inside; returns when the first lookup has ended, one way or the other."""
    script = Path(__file__).with_name("sampler.py")
    sampler = host.popen(["/usr/bin/python3", str(script)], output=record, errors=record.with_suffix(".err"))
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
