"""Reads how a dnsmasq process is configured: its command line, and the files that it names; never waits.

Facts the code below rests on:

- /proc/PID/cmdline is what it was started with, each word ended by a NUL; all may read it, unless hidepid= or
  ProtectProc= hides the process. dnsmasq never rewrites it. Source: proc(5); option.c of 2.90 copies its words.
- dnsmasq reads its files once, as root and before it becomes another user; we may be unable to, and then say so.
  What was changed since it started is in force at its next start, and read then: that is another process.
- Which file a path of its upstreams leads to, and which addresses are this host's, is seen when it is met; through
  a bind mount or a copy nothing can be seen, and the guard learns it by trial (core/circle.py).
- A path may be a FIFO, whose opening would wake its writer, or a device: only what stat calls regular is opened.
- A list of blocked names may be megabytes of `address=`: it is not read to its end, and so it is in doubt. To
  understand 1 MiB costs 0.1 s of processor time (measured); the loop waits, but libc has the upstreams meanwhile.
"""

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from dnsguard.core.dnsmasq_conf import NOT_REGULAR, Names, Page, understand
from dnsguard.core.nature import Nature
from dnsguard.core.resolvconf import is_loopback

if TYPE_CHECKING:
    from dnsguard.core.actions import ReadNature
    from dnsguard.core.events import NatureRead

MAX_COMMAND_LINE_BYTES = 2**17
MAX_TOTAL_BYTES = 2**20
MAX_NAMES = 1000
_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of this host a configuration is held against; the paths are Debian's.

    Attributes:
        is_own: whether an address is one of this host's.
        published: the file that we write; `resolv_conf`: our link to it.
        upstream_file: the one that dnsmasq is taken to read.
    """

    is_own: Callable[[str], bool] = is_loopback
    published: Path = Path("/run/dnsguard/resolv.conf")
    resolv_conf: Path = Path("/etc/resolv.conf")
    upstream_file: Path = Path("/run/dnsmasq/resolv.conf")


def read_nature(asked: "ReadNature", around: Surroundings, proc: Path = Path("/proc")) -> "NatureRead":
    """The nature of the process `asked.pid`; what cannot be read is named in it."""
    # Here, because `dnsguard doctor` wants the nature alone: events take it longer than all that it reads.
    from dnsguard.core.events import NatureRead

    return NatureRead(asked.pid, nature_of(asked.pid, Disk(), around, proc))


def nature_of(pid: int, disk: "Disk", around: Surroundings, proc: Path = Path("/proc")) -> Nature:
    """The nature of a process that is dnsmasq; what cannot be read is named in it."""
    try:
        with open(proc / str(pid) / "cmdline", "rb") as file:
            words = file.read(MAX_COMMAND_LINE_BYTES).split(b"\0")[1:-1]
    except OSError as error:
        return Nature(unread=(f"its command line cannot be read: {error.strerror}",))
    # A list of blocked names is thousands of servers, all at the same few addresses.
    nature = understand([_decoded(word) for word in words], disk, cache(around.is_own))
    # What could not be read may name another file.
    files = () if nature.has_own_servers or nature.unread else nature.resolv_files
    mirror = next((path for path in files if _is_ours(path, around)), "")
    # dnsmasq reads the newest of several: with the right one among them it is taken to be that.
    known = bool(mirror) or _end(around.upstream_file) in map(_end, files)
    return replace(nature, mirror=mirror, stray="" if known else "".join(files[:1]))


def _is_ours(path: str, around: Surroundings) -> bool:
    return path == str(around.resolv_conf) or _end(path) == _end(around.published)


def _end(path: str | Path) -> str:
    """Where a path leads to; itself if that cannot be told."""
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return str(path)


class Disk:
    """The files of this host, up to MAX_TOTAL_BYTES of them.

    Attributes:
        pages: those that were read, by path.
    """

    def __init__(self) -> None:
        self.pages: dict[str, str] = {}
        self._left_bytes = MAX_TOTAL_BYTES

    def page(self, path: str) -> Page:
        """One regular file, whole."""
        try:
            about = os.stat(path)
            if not stat.S_ISREG(about.st_mode):
                return Page(trouble=NOT_REGULAR)
            content = _content(path, self._left_bytes + 1)
        except FileNotFoundError:
            return Page()
        except (OSError, ValueError) as error:
            return Page(trouble=_reason(error))
        if len(content) > self._left_bytes:
            return Page(trouble=f"with it there is more than {MAX_TOTAL_BYTES} bytes of configuration")
        self._left_bytes -= len(content)
        if b"\0" in content:
            return Page(trouble="it is binary: there are NUL bytes in it")
        self.pages[path] = _decoded(content)
        return Page(self.pages[path], (about.st_dev, about.st_ino))

    def names(self, directory: str) -> Names:
        """The names in a directory, in no order."""
        found: list[str] = []
        try:
            with os.scandir(directory) as entries:
                for entry in entries:
                    found.append(entry.name)
                    if len(found) > MAX_NAMES:
                        return Names(trouble=f"it holds more than {MAX_NAMES} files")
        except (OSError, ValueError) as error:
            return Names(trouble=_reason(error))
        return Names(tuple(found))


def _content(path: str, limit: int) -> bytes:
    with open(os.open(path, _AT_ONCE), "rb") as file:
        return file.read(limit)


def _decoded(octets: bytes) -> str:
    """Text that keeps the bytes that are none, as a path needs them."""
    return octets.decode("utf-8", "surrogateescape")


def _reason(error: OSError | ValueError) -> str:
    return f"it cannot be read: {getattr(error, 'strerror', None) or error}"
