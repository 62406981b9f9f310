"""Replaces a file atomically: a reader sees the old one or the new one, whole, and nothing else.

Facts the code below rests on:

- rename(2) within one directory replaces the name in one step, on every file system that can hold
  /run, /etc or /var; a reader that has the old file open keeps the old file. A symlink under the
  name is replaced itself and never followed, so the published name cannot lead a write elsewhere.
- open(2) subtracts the umask from the mode; fchmod(2) does not.
- write(2) may take less than it was given: a file system that fills up says so at the next call.
- On tmpfs a page that a file has is kept when it is written again, and rename(2) needs no page: a file
  that was laid in before still takes a whole resolv.conf when there is no room for a new one (tried).
- After a power cut the new name may be there and its bytes not, unless the file was synced before
  the rename; the name itself is certain once its directory is synced. Source: fsync(2).
- kill(2) with signal 0 asks whether a process exists; EPERM means that it does. /proc does not
  tell: under hidepid= or ProtectProc= a living process is missing there.
"""

import os
import stat
from contextlib import suppress
from errno import EACCES, EDQUOT, EEXIST, EISDIR, ELOOP, ENOENT, ENOSPC, ENOTDIR, EPERM, EROFS, errorcode
from pathlib import Path

from dnsguard.core.actions import Publish
from dnsguard.core.events import Published, PublishFailed

MAX_KEPT_BYTES = 65536
"""No resolv.conf is longer; the largest seen in the field is below 2 KiB."""

SPARE_BYTES = 4096
"""One page; the published file has at most a few hundred bytes."""

_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_NEXT = {
    ENOSPC: "free some space there",
    EDQUOT: "free some space there, or raise the quota",
    EROFS: "mount it writable",
    EACCES: "give the directory to the user that dnsguard runs as",
    EPERM: "give the directory to the user that dnsguard runs as, and see lsattr",
    EEXIST: "remove the directory that has the temporary file's name",
    ENOENT: "make the directory; the unit's RuntimeDirectory= does",
    ENOTDIR: "make the directory; the unit's RuntimeDirectory= does",
    EISDIR: "remove the directory that has the file's name",
    ELOOP: "look at the symlinks on the way",
}


def publish(path: Path, asked: Publish, text: str) -> Published | PublishFailed:
    """Make `text` what libc reads; on failure the file that was there before is still there, whole.

    A symlink at `path` is replaced by the file. Nothing is synced: /run does not outlive a power cut. Where there
    is no room for a new file, the spare that was laid in beside it the last time is used up.
    """
    data = text.encode("utf-8", "surrogateescape")
    try:
        replace_file(path, data)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT) or not _use_spare(path, data):
            return PublishFailed(asked.kind, asked.generation, _in_words(path, error))
    _lay_in_spare(path)
    return Published(asked.kind, asked.generation)


def _spare(path: Path) -> Path:
    return path.with_name(f".{path.name}.spare")


def _lay_in_spare(path: Path) -> None:
    """Have a file ready that has its room already; without one the next full disk costs a flip."""
    if not _spare(path).exists():
        with suppress(OSError):
            replace_file(_spare(path), b"\n" * SPARE_BYTES)


def _use_spare(path: Path, data: bytes) -> bool:
    """Put the data into the spare and the spare at `path`; False if there is none, or it is too small."""
    try:
        descriptor = os.open(_spare(path), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        if len(data) > os.fstat(descriptor).st_size:
            return False
        os.pwrite(descriptor, data, 0)
        os.truncate(descriptor, len(data))
        os.rename(_spare(path), path)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def keep_aside(path: Path, aside: Path) -> None:
    """Copy a regular file of up to MAX_KEPT_BYTES to `aside`, atomically; in vain if that cannot be done."""
    with suppress(OSError), open(os.open(path, _READ), "rb") as file:
        if (
            stat.S_ISREG(os.fstat(file.fileno()).st_mode)
            and len(data := file.read(MAX_KEPT_BYTES + 1)) <= MAX_KEPT_BYTES
        ):
            replace_file(aside, data)


def replace_file(path: Path, data: bytes, mode: int = 0o644, durable: bool = False, link_to: str = "") -> bool:
    """Make `path` a regular file with these bytes and this mode; False if it was that already.

    With `link_to` make it a symlink to that instead. Whatever had the name is replaced, a symlink
    itself and not what it leads to; a directory is not replaced. The new file belongs to the
    caller. With `durable`, file and name survive a power cut once this returns, also when nothing
    had to be written. Two threads must not replace the same file at once; two processes may.

    Raises:
        OSError: what was there before is still there, whole; or, if only the sync of the
            directory failed, the new file is.
    """
    same = _is_link(path, link_to) if link_to else _is_file(path, data, mode, durable)
    if not same:
        _sweep(path)
        fresh = path.with_name(f"{_prefix(path)}{os.getpid()}")
        try:
            _make(fresh, data, mode, durable, link_to)
            os.rename(fresh, path)
        except OSError as error:
            _remove(fresh)
            # write(2) knows only a descriptor, and Python names a symlink's target first.
            error.filename, error.filename2 = str(fresh), None
            raise
    if durable:
        _sync_directory(path.parent)
    return not same


def _make(fresh: Path, data: bytes, mode: int, durable: bool, link_to: str) -> None:
    if link_to:
        os.symlink(link_to, fresh)
        return
    descriptor = os.open(fresh, _NEW, 0o600)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, mode)
        if durable:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _is_link(path: Path, target: str) -> bool:
    try:
        return os.readlink(path) == target
    except OSError:
        return False


def _is_file(path: Path, data: bytes, mode: int, durable: bool) -> bool:
    try:
        descriptor = os.open(path, _READ)
    except OSError:
        # Absent, a symlink, unreadable: if that matters, the rename will say so.
        return False
    try:
        there = os.fstat(descriptor)
        if (there.st_mode, there.st_size) != (stat.S_IFREG | mode, len(data)):
            return False
        with open(descriptor, "rb", closefd=False) as file:
            same = file.read() == data
        if same and durable:
            # A predecessor may have been killed between its rename and its sync.
            os.fsync(descriptor)
        return same
    finally:
        os.close(descriptor)


def _prefix(path: Path) -> str:
    """How the temporary names for `path` begin; the process's PID follows.

    One name per process and file, so that two writers (the daemon, and `dnsguard attach` as root)
    never touch each other's, and a killed one can be told from a living one.
    """
    return f".{path.name}.new."


def _sweep(path: Path) -> None:
    """Remove what killed predecessors left, and our own name: what has it is not from this life."""
    with suppress(OSError):
        for name in os.listdir(path.parent):
            pid = name.removeprefix(_prefix(path))
            if pid != name and pid.isascii() and pid.isdigit() and not _is_another_living(pid):
                _remove(path.with_name(name))


def _is_another_living(pid: str) -> bool:
    if int(pid) == os.getpid():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        # Somebody else's process; or no PID at all, and so no name of ours.
        pass
    return True


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _in_words(path: Path, error: OSError) -> str:
    name = errorcode.get(error.errno or 0, "no errno")
    step = _NEXT.get(error.errno or 0, "see the kernel's log")
    return (
        f"{path} could not be replaced: {error.strerror} ({name}); what was there stays; "
        f"next: {step}; dnsguard tries again by itself"
    )
