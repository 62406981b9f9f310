"""Sees at once that a file is replaced or opened: inotify through libc, for both ends of a stopwatch.

Facts of inotify(7): a watch on a directory tells the name that was moved there; a watch on a file tells that
it was opened, by whomever; one instance keeps the order. Python's standard library has none of it, and
pyinotify is the daemon's: what measures it shall not share it.
"""

import contextlib
import ctypes
import os
import select
import struct
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

MOVED_TO = 0x80
OPENED = 0x20

Sighting = tuple[float, int, str]
"""Seconds (monotonic) at which it was known, mask, and name in the directory."""

_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class Observer:
    """One inotify instance; a context manager.

    Attributes:
        descriptor: readable when something was seen.
    """

    def __init__(self) -> None:
        self.descriptor = _or_raise(_libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC), "inotify_init1")
        self._seen: deque[Sighting] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.descriptor)

    def watch(self, path: Path, mask: int) -> None:
        """Look at this file or directory from now on."""
        _or_raise(_libc.inotify_add_watch(self.descriptor, os.fsencode(path), mask), str(path))

    def forget(self) -> None:
        """What was seen so far is of no interest."""
        self._read()
        self._seen.clear()

    def sightings(self, patience_s: float) -> Iterator[Sighting]:
        """What is seen, one after the other; what is left when one stops comes first the next time.

        Raises:
            TimeoutError: nothing more was seen within `patience_s` of the beginning.
        """
        waiter = select.poll()
        waiter.register(self.descriptor, select.POLLIN)
        deadline_s = time.monotonic() + patience_s
        while True:
            while self._seen:
                yield self._seen.popleft()
            if not waiter.poll(max(0.0, deadline_s - time.monotonic()) * 1000):
                raise TimeoutError(f"not seen within {patience_s} s")
            self._read()

    def _read(self) -> None:
        now_s, events, at = time.monotonic(), b"", 0
        with contextlib.suppress(BlockingIOError):
            events = os.read(self.descriptor, 65536)
        while at < len(events):
            _watch, mask, _cookie, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            self._seen.append((now_s, mask, os.fsdecode(events[at - length : at].rstrip(b"\0"))))


def _or_raise(result: int, what: str) -> int:
    if result < 0:
        raise OSError(ctypes.get_errno(), what)
    return result
