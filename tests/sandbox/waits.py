"""How long a process has waited for a processor: whoever is kept from its work cannot be blamed.

Fact: the second number of /proc/PID/schedstat is the time in nanoseconds that its first thread was ready to
run and did not. Source: Documentation/scheduler/sched-stats.rst.
"""

import contextlib
import threading
import time
from bisect import bisect_left, bisect_right
from operator import itemgetter
from pathlib import Path
from typing import Self

LOOK_S = 0.1


class Waits:
    """The waiting of a process, moment by moment; a context manager.

    Attributes:
        seen: when (seconds, monotonic), and how long it had waited by then, in all.
    """

    def __init__(self, pid: int) -> None:
        self.seen: list[tuple[float, float]] = []
        self._file = Path(f"/proc/{pid}/schedstat")
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, begin_s: float, end_s: float) -> float:
        """How long it waited between these moments, or a little more; seconds."""
        if not self.seen:
            return 0.0
        first = max(0, bisect_right(self.seen, begin_s, key=itemgetter(0)) - 1)
        last = min(len(self.seen) - 1, bisect_left(self.seen, end_s, key=itemgetter(0)))
        return self.seen[last][1] - self.seen[first][1]

    def _look(self) -> None:
        # When it ends, nothing more is to be seen.
        with contextlib.suppress(OSError):
            while not self._over.is_set():
                waited_s = int(self._file.read_text().split()[1]) / 1e9
                self.seen.append((time.monotonic(), waited_s))
                self._over.wait(LOOK_S)
