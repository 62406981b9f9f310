"""Finds the dnsmasq process, signals it, and notices its death; trusts no PID file.

Facts the code below rests on:

- A pidfd stays with its process for ever, a PID is used again. So: open the pidfd, look at /proc,
  then ask the pidfd whether the process still lives; only then was it that process one looked at.
  A pidfd becomes readable when the process ends, zombie or not. Source: pidfd_open(2), Linux 5.3.
- What /proc tells of a process, and what a PID file is worth: dnsmasq_process.py, its back room.
"""

import asyncio
import os
import select
import signal
from collections.abc import Callable
from dataclasses import dataclass
from errno import EPERM
from pathlib import Path

from dnsguard.core.actions import EndDnsmasq, Reload
from dnsguard.core.events import DnsmasqFound, DnsmasqGone, DnsmasqMissing, EndFailed, ReloadFailed, ReloadSent
from dnsguard.edge.dnsmasq_process import MAX_PID, Passport, RefusedError, in_words, read_pid


@dataclass(frozen=True, slots=True)
class _Held:
    """A process that was seen to be dnsmasq, and the pidfd that tells of its end."""

    pid: int
    pidfd: int


class Dnsmasq:
    """The one dnsmasq process that this host's resolv.conf may name.

    The caller must end it with close(). `on_gone` is called once for each process that was found
    and has ended or been given up, from the loop or from within find(); it should only take note. `unit` is the
    systemd unit that it must belong to; empty if any will do.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        pid_file: Path,
        unit: str,
        on_gone: Callable[[DnsmasqGone], None],
        proc: Path = Path("/proc"),
        cgroup: Path = Path("/sys/fs/cgroup"),
    ) -> None:
        self._loop = loop
        self._pid_file = pid_file
        self.unit = unit
        self._on_gone = on_gone
        self._passport = Passport(proc, unit)
        self._cgroup = cgroup
        self._held: _Held | None = None

    def find(self) -> DnsmasqFound | DnsmasqMissing:
        """Find dnsmasq: the PID file's claim, else the unit's processes, else the one known before.

        Without a unit the PID file is believed as far as the program's name goes.
        """
        if self._held and _has_ended(self._held.pidfd):
            self._give_up()
        refusals = []
        for look in (self._by_pid_file, self._by_unit, self._by_memory):
            try:
                return DnsmasqFound(look())
            except RefusedError as refused:
                refusals.append(str(refused))
        self._give_up()
        return DnsmasqMissing("; ".join(filter(None, refusals)))

    def reload(self, asked: Reload) -> ReloadSent | ReloadFailed:
        """Send SIGHUP, if `asked.pid` is the process that was found last and still is dnsmasq."""
        refusal = self._signal(asked.pid, signal.SIGHUP)
        if refusal:
            return ReloadFailed(asked.generation, asked.pid, f"PID {asked.pid} {refusal}")
        return ReloadSent(asked.generation, asked.pid)

    def end(self, asked: EndDnsmasq) -> EndFailed | None:
        """Send SIGKILL, if `asked.pid` is the process that was found last and still is dnsmasq; its end is heard."""
        refusal = self._signal(asked.pid, signal.SIGKILL)
        return EndFailed(asked.generation, asked.pid, f"PID {asked.pid} {refusal}") if refusal else None

    def close(self) -> None:
        """Let go of the process without a word; it lives on."""
        if self._held:
            self._loop.remove_reader(self._held.pidfd)
            os.close(self._held.pidfd)
            self._held = None

    def _by_pid_file(self) -> int:
        pid = read_pid(self._pid_file)
        refusal = self._hold(pid)
        if refusal:
            raise RefusedError(f"{self._pid_file} names PID {pid}, which {refusal}")
        return pid

    def _by_unit(self) -> int:
        if not self.unit:
            raise RefusedError
        for pid in self._passport.of_unit(self._cgroup):
            if not self._hold(pid):
                return pid
        raise RefusedError(f"{self.unit} has no process that is dnsmasq")

    def _by_memory(self) -> int:
        """A dnsmasq whose PID file has been spoilt is still the dnsmasq that was found."""
        if not self._held:
            raise RefusedError
        pid = self._held.pid
        refusal = self._hold(pid)
        if refusal:
            raise RefusedError(f"PID {pid}, which was dnsmasq, {refusal}")
        return pid

    def _hold(self, pid: int) -> str:
        """Hold on to this process if it is dnsmasq; otherwise say why it is not."""
        if self._held and self._held.pid == pid:
            return self._passport.refusal(pid)
        if not 1 < pid <= MAX_PID:
            return "is not dnsmasq"
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return "is not running"
        except OSError as error:
            return f"cannot be watched: {in_words(error)}"
        refusal = self._passport.refusal(pid)
        if _has_ended(pidfd):
            # What was looked at may have been the next process of that number.
            refusal = "has ended"
        if refusal:
            os.close(pidfd)
            return refusal
        self._give_up()
        self._held = _Held(pid, pidfd)
        self._loop.add_reader(pidfd, self._give_up)
        return ""

    def _give_up(self) -> None:
        held = self._held
        self.close()
        if held:
            self._on_gone(DnsmasqGone(held.pid))

    def _signal(self, pid: int, number: signal.Signals) -> str:
        """Send a signal; empty, or why it was not sent."""
        if not self._held or self._held.pid != pid:
            return "is not the dnsmasq that was found last"
        refusal = self._passport.refusal(pid)
        if refusal:
            return refusal
        try:
            signal.pidfd_send_signal(self._held.pidfd, number)
        except ProcessLookupError:
            return "has ended"
        except OSError as error:
            step = "; the guard's unit needs AmbientCapabilities=CAP_KILL" if error.errno == EPERM else ""
            return f"cannot be sent {number.name}: {in_words(error)}{step}"
        return ""


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))
