"""Processes that were started through nsenter, and waiting for what they do.

Facts about nsenter (util-linux 2.38): to enter a PID namespace it forks, a signal to it does not reach its
child, and when the child stops it stops too. So the child is signalled by its own id.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PATIENCE_S = 20.0
"""How long anything that must happen may take on a busy machine."""


class Inside:
    """A process inside, known by the id that it has outside."""

    def __init__(self, door: subprocess.Popen[str]) -> None:
        self.door = door
        self.pid = child_of(door)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process itself; nothing happens if it has ended."""
        if self.door.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)
        if number == signal.SIGCONT:
            # nsenter has stopped too, and nobody else would wake it.
            self.door.send_signal(number)

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end, insist after a while, and give its exit status."""
        self.send(number)
        try:
            wait_for(self._is_over, "end")
        except TimeoutError:
            self.send(signal.SIGKILL)
            wait_for(self._is_over, "end by SIGKILL")
        if self.door.stdin is not None:
            self.door.stdin.close()
        return self.door.returncode

    def _is_over(self) -> bool:
        self.send(signal.SIGCONT)
        return self.door.poll() is not None


def begin_or_close(begin: Callable[[], object], close: Callable[[], object]) -> None:
    """Begin something that is made of processes; where that fails half-way, nothing is left behind."""
    try:
        begin()
    except BaseException:
        close()
        raise


def wait_for(condition: Callable[[], object], what: str, patience_s: float = PATIENCE_S) -> None:
    """Return as soon as the condition holds.

    Raises:
        TimeoutError: it did not within `patience_s`; the text is "no WHAT".
    """
    deadline = time.monotonic() + patience_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {patience_s} s")
        time.sleep(0.005)


def child_of(process: subprocess.Popen[str]) -> int:
    """The id of the only child of a process that we started.

    Raises:
        RuntimeError: the process ended without one.
    """
    found: list[int] = []

    def is_there() -> bool:
        found.extend(_children(process.pid))
        return bool(found) or process.poll() is not None

    wait_for(is_there, "child")
    if not found:
        raise RuntimeError(f"{process.args!r} ended with {process.returncode}")
    return found[0]


def child_of_pid(pid: int) -> int:
    """The same for any process; an error if there is none in time."""
    wait_for(lambda: _children(pid), "child")
    return _children(pid)[0]


def _children(pid: int) -> list[int]:
    children = []
    for process in Path("/proc").glob("[0-9]*"):
        # Any of them may end at this moment.
        with contextlib.suppress(OSError):
            # The name, between parentheses, may hold anything.
            if int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]) == pid:
                children.append(int(process.name))
    return children
