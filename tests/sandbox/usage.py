"""What a process has used, as the kernel counts it."""

import time
from dataclasses import dataclass
from pathlib import Path

KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """Counters at one moment, all threads together.

    Attributes:
        at_s: when (monotonic).
        cpu_s: time on a processor, to the nanosecond; utime and stime of stat are counted in ticks.
        wakeups: how often it went to sleep by itself, and so was woken.
        rss_bytes, pss_bytes: resident memory, and the same with shared pages divided among those who share.
    """

    at_s: float
    cpu_s: float
    wakeups: int
    rss_bytes: int
    pss_bytes: int


def used_by(pid: int) -> Usage:
    """Read the counters of a living process."""
    process = Path(f"/proc/{pid}")
    threads = list((process / "task").iterdir())
    return Usage(
        at_s=time.monotonic(),
        cpu_s=sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9,
        wakeups=sum(_number(thread / "status", "voluntary_ctxt_switches") for thread in threads),
        rss_bytes=_number(process / "status", "VmRSS") * KIB,
        pss_bytes=_number(process / "smaps_rollup", "Pss") * KIB,
    )


def _number(file: Path, name: str) -> int:
    lines = file.read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))
