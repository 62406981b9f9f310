"""Finds the dnsmasq process, signals it, and notices its death; trusts no PID file.

Facts the code below rests on:

- /run/dnsmasq and the PID file in it belong to the user dnsmasq: what stands there is a claim. It
  may be a FIFO, a symlink, endless, or name any process. Source: Debian's dnsmasq, tmpfiles.d.
- A pidfd stays with its process for ever, a PID is used again. So: open the pidfd, look at /proc,
  then ask the pidfd whether the process still lives; only then was it that process one looked at.
  A pidfd becomes readable when the process ends, zombie or not. Source: pidfd_open(2), Linux 5.3.
- dnsmasq forks: a child for each TCP client (for up to 150 s) and one that runs the DHCP script.
  They carry the same name, program and unit, and dnsmasq itself is their parent.
- /proc/PID/exe may be read only by who may trace the process, so not by an unprivileged guard;
  comm, cmdline, stat and cgroup may be read by all, unless hidepid= or ProtectProc= hides the process.
- A script's comm is its own name, its cmdline begins with the shell's: resolvconf's hook update.d/dnsmasq,
  run from dnsmasq's unit when that ends, looks like dnsmasq by comm (seen on Debian 12 and 13).
- After an upgrade of the package /proc/PID/exe ends in " (deleted)".
- systemd puts a unit of the system into /system.slice/UNIT, an instance N@I.service into
  /system.slice/system-N.slice/N@I.service, and a user's own into /user.slice; a user may give a
  unit of his any name. Source: systemd.slice(5), cgroups(7).
- The kernel hands out no PID above 2^22, and cgroup.procs says 0 for a process of another PID
  namespace. Source: proc(5), cgroups(7).
"""

import asyncio
import os
import select
import signal
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from errno import EPERM, errorcode
from pathlib import Path

from dnsguard.core.actions import EndDnsmasq, Reload
from dnsguard.core.events import DnsmasqFound, DnsmasqGone, DnsmasqMissing, EndFailed, ReloadFailed, ReloadSent

_NAME = "dnsmasq"
_MAX_PID = 2**22
_MAX_PID_FILE_BYTES = 32


@dataclass(frozen=True, slots=True)
class _Held:
    """A process that was seen to be dnsmasq, and the pidfd that tells of its end."""

    pid: int
    pidfd: int


class _RefusedError(Exception):
    """No process was found where one looked; says why. Never leaves this module."""


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
        self._passport = _Passport(proc, unit)
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
            except _RefusedError as refused:
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
        pid = _read_pid(self._pid_file)
        refusal = self._hold(pid)
        if refusal:
            raise _RefusedError(f"{self._pid_file} names PID {pid}, which {refusal}")
        return pid

    def _by_unit(self) -> int:
        if not self.unit:
            raise _RefusedError
        pids = [pid for pid in _unit_pids(self._cgroup, self.unit) if not self._passport.refusal(pid)]
        # While dnsmasq daemonises there are two: the parent, which waits for a moment, and the new one.
        for pid in sorted(pids, key=self._passport.started_at, reverse=True):
            if not self._hold(pid):
                return pid
        raise _RefusedError(f"{self.unit} has no process that is dnsmasq")

    def _by_memory(self) -> int:
        """A dnsmasq whose PID file has been spoilt is still the dnsmasq that was found."""
        if not self._held:
            raise _RefusedError
        pid = self._held.pid
        refusal = self._hold(pid)
        if refusal:
            raise _RefusedError(f"PID {pid}, which was dnsmasq, {refusal}")
        return pid

    def _hold(self, pid: int) -> str:
        """Hold on to this process if it is dnsmasq; otherwise say why it is not."""
        if self._held and self._held.pid == pid:
            return self._passport.refusal(pid)
        if not 1 < pid <= _MAX_PID:
            return "is not dnsmasq"
        try:
            pidfd = os.pidfd_open(pid)
        except ProcessLookupError:
            return "is not running"
        except OSError as error:
            return f"cannot be watched: {_in_words(error)}"
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
            return f"cannot be sent {number.name}: {_in_words(error)}{step}"
        return ""


@dataclass(frozen=True, slots=True)
class _Passport:
    """What /proc says about who a process is."""

    proc: Path
    unit: str

    def refusal(self, pid: int) -> str:
        """Why this process is not the dnsmasq that is looked for; empty if it is."""
        if pid <= 1 or pid == os.getpid():
            return "is not dnsmasq"
        refusal = self._stranger(pid)
        if refusal:
            return refusal
        parent = self._stat(pid, 4)
        if parent > 1 and not self._stranger(parent):
            return f"is only a child of dnsmasq, PID {parent}"
        return ""

    def started_at(self, pid: int) -> int:
        """When it was started, in clock ticks since boot; 0 if that cannot be told."""
        return self._stat(pid, 22)

    def _stranger(self, pid: int) -> str:
        try:
            comm = self._read(pid, "comm").rstrip("\n")
            program = self._program(pid)
            cgroups = self._read(pid, "cgroup") if self.unit else ""
        except OSError as error:
            return f"cannot be looked at: {_in_words(error)}"
        if comm != _NAME:
            return f"is not dnsmasq but {comm!a}"
        if program not in ("", _NAME):
            return f"calls itself dnsmasq but runs {program!a}"
        if self.unit and not _is_in_unit(cgroups, self.unit):
            return f"does not belong to {self.unit}"
        return ""

    def _program(self, pid: int) -> str:
        """The name of the program it runs; empty if we may not know."""
        try:
            path = os.readlink(self.proc / str(pid) / "exe")
        except PermissionError:
            path = self._read(pid, "cmdline").partition("\0")[0]
        return path.removesuffix(" (deleted)").rpartition("/")[2]

    def _stat(self, pid: int, field: int) -> int:
        """A number of /proc/PID/stat, counted as in proc(5); 0 if it cannot be read."""
        try:
            # The second field is the name in brackets, and a name may hold blanks and brackets.
            fields = self._read(pid, "stat").rpartition(")")[2].split()
            return int(fields[field - 3])
        except (OSError, ValueError, IndexError):
            return 0

    def _read(self, pid: int, name: str) -> str:
        return (self.proc / str(pid) / name).read_text("utf-8", "replace")


def _read_pid(path: Path) -> int:
    """The PID that a file names, without trusting who wrote the file, and without ever waiting."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise _RefusedError(f"{path} cannot be read: {_in_words(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _RefusedError(f"{path} is not a regular file")
        text = os.read(descriptor, _MAX_PID_FILE_BYTES)
    finally:
        os.close(descriptor)
    if not text.strip().isdigit() or len(text) == _MAX_PID_FILE_BYTES:
        raise _RefusedError(f"{path} holds no PID but {text.decode('latin-1')!a}")
    return int(text)


def _unit_pids(cgroup: Path, unit: str) -> list[int]:
    slices = ["system.slice"]
    template, at, _ = unit.partition("@")
    if at:
        slices.append("system.slice/system-" + template.replace("-", r"\x2d") + ".slice")
    pids: list[int] = []
    for name in slices:
        with suppress(OSError, ValueError):
            pids += map(int, (cgroup / name / unit / "cgroup.procs").read_text("ascii").split())
    return pids


def _is_in_unit(cgroups: str, unit: str) -> bool:
    """Whether /proc/PID/cgroup shows a process of this unit of the system, not of a user's."""
    paths = (line.split(":", 2)[-1].split("/") for line in cgroups.splitlines())
    return any(unit in path and "user.slice" not in path[: path.index(unit)] for path in paths)


def _has_ended(pidfd: int) -> bool:
    poll = select.poll()
    poll.register(pidfd, select.POLLIN)
    return bool(poll.poll(0))


def _in_words(error: OSError) -> str:
    return f"{error.strerror} ({errorcode.get(error.errno or 0, 'no errno')})"
