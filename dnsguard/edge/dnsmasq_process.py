"""Which process is dnsmasq, by what /proc shows: dnsmasq.py's back room, which needs no loop.

Facts the code below rests on:

- /run/dnsmasq and the PID file in it belong to the user dnsmasq: what stands there is a claim. It
  may be a FIFO, a symlink, endless, or name any process. Source: Debian's dnsmasq, tmpfiles.d.
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

import os
import stat
from contextlib import suppress
from dataclasses import dataclass
from errno import errorcode
from pathlib import Path

_NAME = "dnsmasq"
MAX_PID = 2**22
_MAX_PID_FILE_BYTES = 32


class RefusedError(Exception):
    """No process was found where one looked; says why. Never leaves dnsmasq.py and this module."""


def find_pid(
    pid_file: Path, unit: str, proc: Path = Path("/proc"), cgroup: Path = Path("/sys/fs/cgroup")
) -> tuple[int, str]:
    """The PID of the dnsmasq that the PID file names, else of the unit's; 0 and why, if there is none.

    It is not held: it may have ended when this returns.
    """
    passport = Passport(proc, unit)
    try:
        pid = read_pid(pid_file)
        refusal = passport.refusal(pid)
        if not refusal:
            return pid, ""
        refusal = f"{pid_file} names PID {pid}, which {refusal}"
    except RefusedError as refused:
        refusal = str(refused)
    return next(((pid, "") for pid in passport.of_unit(cgroup)), (0, refusal))


@dataclass(frozen=True, slots=True)
class Passport:
    """What /proc says about who a process is; `unit` is the unit it must belong to, "" if it need not."""

    proc: Path
    unit: str

    def refusal(self, pid: int) -> str:
        """Why this process is not the dnsmasq that is looked for; empty if it is."""
        if not 1 < pid <= MAX_PID or pid == os.getpid():
            return "is not dnsmasq"
        refusal = self._stranger(pid)
        if refusal:
            return refusal
        parent = self._stat(pid, 4)
        if parent > 1 and not self._stranger(parent):
            return f"is only a child of dnsmasq, PID {parent}"
        return ""

    def of_unit(self, cgroup: Path) -> list[int]:
        """The unit's processes that are dnsmasq, the newest first; none without a unit.

        While dnsmasq daemonises there are two: the parent, which waits for a moment, and the new one.
        """
        pids = _unit_pids(cgroup, self.unit) if self.unit else []
        return sorted((pid for pid in pids if not self.refusal(pid)), key=self._started_at, reverse=True)

    def _started_at(self, pid: int) -> int:
        """When it was started, in clock ticks since boot; 0 if that cannot be told."""
        return self._stat(pid, 22)

    def _stranger(self, pid: int) -> str:
        try:
            comm = self._read(pid, "comm").rstrip("\n")
            program = self._program(pid)
            cgroups = self._read(pid, "cgroup") if self.unit else ""
        except OSError as error:
            return f"cannot be looked at: {in_words(error)}"
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


def read_pid(path: Path) -> int:
    """The PID that a file names, without trusting who wrote the file, and without ever waiting.

    Raises:
        RefusedError: it cannot be read, or names none.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {in_words(error)}") from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise RefusedError(f"{path} is not a regular file")
        text = os.read(descriptor, _MAX_PID_FILE_BYTES)
    finally:
        os.close(descriptor)
    if not text.strip().isdigit() or len(text) == _MAX_PID_FILE_BYTES:
        raise RefusedError(f"{path} holds no PID but {text.decode('latin-1')!a}")
    return int(text)


def _unit_pids(cgroup: Path, unit: str) -> list[int]:
    """The processes of a unit of the system; none if it has none, or cannot be read."""
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


def in_words(error: OSError) -> str:
    """What the kernel said, with its symbol."""
    return f"{error.strerror} ({errorcode.get(error.errno or 0, 'no errno')})"
