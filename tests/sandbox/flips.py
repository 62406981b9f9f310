"""Sees what the guard publishes, and when."""

import contextlib
import os
import threading
from pathlib import Path
from typing import Self

from tests.sandbox.observer import MOVED_TO, Observer

PUBLISHED = "resolv.conf"

Flip = tuple[float, str]
"""When (seconds, monotonic) a file was published, and the first server in it; empty if there is none."""


class FlipWatch:
    """Notes whenever the guard publishes a file; a context manager.

    Attributes:
        flips: what was published, in order.
        first: the first server in the file now.
    """

    def __init__(self, folder: Path) -> None:
        self.flips: list[Flip] = []
        self._file = folder / PUBLISHED
        self._observer = Observer()
        self._observer.watch(folder, MOVED_TO)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.first = self._first()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        os.close(self._observer.descriptor)

    def _look(self) -> None:
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                for now_s, _, name in self._observer.sightings(0.5):
                    if name == PUBLISHED:
                        self.first = self._first()
                        self.flips.append((now_s, self.first))

    def _first(self) -> str:
        with contextlib.suppress(OSError):
            lines = self._file.read_text().splitlines()
            return next((line.split()[1] for line in lines if line.startswith("nameserver ")), "")
        return ""
