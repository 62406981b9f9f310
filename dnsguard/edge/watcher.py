"""Says that files of interest may have changed; the only module that imports pyinotify.

Facts of inotify(7), Linux 6.1:
- A watch is on an inode, not on a name. A file that is replaced by rename takes its watch with it, so directories
  are watched and names compared; all directories on the way to a file, because any of them may be made, removed
  or renamed. Each is watched before the next name is looked up in it: what changes later is in the queue.
- A symlink's target changes in the target's directory, so links are followed here, one at a time.
- Watching an inode again gives the same number; the new mask replaces the old unless IN_MASK_ADD is set.
- When a directory or its file system goes, IN_IGNORED is the last that is heard of its watch.
- When the queue is full (16384 events by default) one IN_Q_OVERFLOW, with watch -1, stands for the rest.
- A file system mounted over a directory on the way makes no event. Nothing here can see that.

Facts of pyinotify 0.9.6:
- It imports asyncore, which Python 3.12 dropped and 3.11 warns of, for one class that is not used here.
- Importing it hangs a handler on its logger, at level INFO.
- Its descriptor blocks and is inherited by children.
- Its Notifier blocks on an empty queue, loses what follows a name that is not UTF-8, and keeps every IN_MOVED_FROM
  for a minute; so only its WatchManager is used, and the queue is read here.
- It encodes paths strictly: a directory whose name is not UTF-8 is reached through /proc/self/fd only.
"""

import asyncio
import logging
import os
import re
import stat
import struct
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from types import ModuleType

# Stands in for asyncore during the import, unless the real one is loaded already.
_stub = ModuleType("asyncore")
vars(_stub)["file_dispatcher"] = type("file_dispatcher", (), {})
_asyncore = sys.modules.setdefault("asyncore", _stub)
try:
    import pyinotify
finally:
    if _asyncore is _stub:
        del sys.modules["asyncore"]
pyinotify.log.handlers.clear()
pyinotify.log.setLevel(logging.CRITICAL)

# What can make, remove or replace a name, or open a directory to us. Reading makes none of these.
_MOVED = pyinotify.IN_MOVED_FROM | pyinotify.IN_MOVED_TO
_NAMES = _MOVED | pyinotify.IN_CREATE | pyinotify.IN_DELETE | pyinotify.IN_ATTRIB
# What can change a file in place. Directories without files of interest are spared these.
_CONTENTS = pyinotify.IN_MODIFY | pyinotify.IN_CLOSE_WRITE
_ALWAYS = pyinotify.IN_ONLYDIR | pyinotify.IN_EXCL_UNLINK | pyinotify.IN_MASK_ADD

# struct inotify_event: watch, mask, cookie, length of the name that follows, padded with NULs.
_EVENT = struct.Struct("iIII")
# Read at one go: about 500 events, in about a millisecond; then the loop has its turn.
SLICE_BYTES = 16384
# The kernel gives up after this many symlinks too. Source: path_resolution(7).
MAX_LINKS = 40
# While inotify cannot be had: how often a change is supposed, and how often inotify is tried again.
POLL_EVERY_S = 1.0
RETRY_EVERY_S = 60.0
# resolvconf writes a record under such a name first. Source: /sbin/resolvconf of resolvconf 1.91.
_UNFINISHED = re.compile(rb"_new\.[0-9]+\Z")
# Stands for all entries among the names that count in a directory; no entry is called so.
_ENTRIES = b"/"

_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
_AS_IT_IS = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC


class Watcher:
    """Calls `on_stir` soon after something has changed at one of the paths; a hint, not a fact.

    A path may name a file, or a directory whose entries count (not what is below them, nor where an entry
    leads that is a symlink). Neither it nor its parents need to exist. At most one hint is given for
    SLICE_BYTES of events. Without inotify, or without enough of it, `on_trouble` gets one text that says why,
    and `on_stir` is called every `poll_every_s`.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        paths: Iterable[Path],
        on_stir: Callable[[], None],
        on_trouble: Callable[[str], None],
        *,
        poll_every_s: float = POLL_EVERY_S,
        retry_every_s: float = RETRY_EVERY_S,
    ) -> None:
        self._loop = loop
        self._paths = tuple(os.fsencode(path.absolute()) for path in paths)
        self._on_stir = on_stir
        self._on_trouble = on_trouble
        self._poll_every_s = poll_every_s
        self._retry_every_s = retry_every_s
        self._inotify: _Inotify | None = None
        self._interests: dict[int, set[bytes]] = {}
        self._poll: asyncio.TimerHandle | None = None
        self._retry_at_s = 0.0

    @property
    def polling(self) -> bool:
        """Whether inotify cannot be had, or not for all of the paths."""
        return self._poll is not None

    def start(self) -> None:
        """Watch from now on; what was read before this may be out of date, so read after it."""
        self._arm()

    def close(self) -> None:
        """Give no more hints, and give everything back; once or often."""
        self._stop_polling()
        self._let_go()

    def _let_go(self) -> None:
        if self._inotify is not None:
            self._loop.remove_reader(self._inotify.descriptor)
            self._inotify.close()
        self._inotify = None
        self._interests = {}

    def _arm(self) -> None:
        """Watch what has to be watched as things are now; poll if that fails."""
        try:
            if self._inotify is None:
                self._inotify = _Inotify()
                self._loop.add_reader(self._inotify.descriptor, self._drain, self._inotify)
            trouble = self._walk_all(self._inotify)
        except OSError as error:
            trouble = f"inotify cannot be had: {error}"
            self._let_go()
        if trouble:
            self._start_polling(trouble)
        else:
            self._stop_polling()

    def _walk_all(self, inotify: "_Inotify") -> str:
        """Watch all paths as far as possible, and nothing else; say what was not possible."""
        interests: dict[int, set[bytes]] = {}
        trouble = ""
        for path in self._paths:
            try:
                _walk(path, inotify, interests)
            except OSError as error:
                shown = path.decode("utf-8", "backslashreplace")
                trouble = trouble or f"{shown} cannot be watched: {error.strerror or error}"
        for watch in self._interests.keys() - interests.keys():
            inotify.forget(watch)
        self._interests = interests
        return trouble

    def _drain(self, inotify: "_Inotify") -> None:
        """Judge one slice of the queue; arm first, then hint, so that nothing falls between."""
        if any(self._matters(*event) for event in inotify.read()):
            self._arm()
            self._on_stir()

    def _matters(self, watch: int, mask: int, name: bytes) -> bool:
        names = self._interests.get(watch)
        if names is None:
            return bool(mask & pyinotify.IN_Q_OVERFLOW)
        # Without a name it is the directory itself, or the end of its watch.
        return not name or name in names or (_ENTRIES in names and not _UNFINISHED.search(name))

    def _start_polling(self, trouble: str) -> None:
        if self._poll is None:
            self._retry_at_s = self._loop.time() + self._retry_every_s
            self._poll = self._loop.call_later(self._poll_every_s, self._suppose)
            self._on_trouble(trouble)

    def _suppose(self) -> None:
        """Give a hint because nothing can be heard; now and then, try to hear again."""
        self._poll = self._loop.call_later(self._poll_every_s, self._suppose)
        if self._loop.time() >= self._retry_at_s:
            self._retry_at_s = self._loop.time() + self._retry_every_s
            self._arm()
        self._on_stir()

    def _stop_polling(self) -> None:
        if self._poll is not None:
            self._poll.cancel()
            self._poll = None


def _walk(path: bytes, inotify: "_Inotify", interests: dict[int, set[bytes]]) -> None:
    """Follow a path as the kernel would, as far as it leads today, watching each directory on the way.

    `interests` gets the names that count, by watch. OSError if something may be there and cannot be watched.
    """

    def care(name: bytes, mask: int) -> None:
        interests.setdefault(inotify.watch(here, mask), set()).add(name)

    ahead = deque(_steps(path))
    links = 0
    here = os.open(b"/", _DIRECTORY)
    try:
        while ahead:
            name = ahead.popleft()
            care(name, _NAMES if ahead else _NAMES | _CONTENTS)
            found = _lookup(name, here)
            if isinstance(found, bytes):
                links += 1
                ahead.extendleft(reversed(_steps(found)))
                found = os.open(b"/" if found.startswith(b"/") else b".", _DIRECTORY, dir_fd=here)
            if found is None:
                return
            os.close(here)
            here = found
            if links > MAX_LINKS:
                return
        care(_ENTRIES, _NAMES | _CONTENTS)
    finally:
        os.close(here)


def _steps(path: bytes) -> list[bytes]:
    return [name for name in path.split(b"/") if name not in (b"", b".")]


def _lookup(name: bytes, directory: int) -> int | bytes | None:
    """What has this name: a directory's descriptor, a link's target, or None for the end of the way.

    A name that we may not look up is no more to us than an absent one: we may not read it either,
    and a chmod shows in the parent's watch.
    """
    try:
        found = os.open(name, _AS_IT_IS, dir_fd=directory)
    except (FileNotFoundError, PermissionError):
        return None
    kind = os.fstat(found).st_mode
    if stat.S_ISDIR(kind):
        return found
    try:
        return os.readlink(b"", dir_fd=found) if stat.S_ISLNK(kind) else None
    finally:
        os.close(found)


class _Inotify:
    """One inotify instance; OSError if none is to be had."""

    def __init__(self) -> None:
        self._manager = pyinotify.WatchManager()
        self.descriptor = self._manager.get_fd()
        os.set_inheritable(self.descriptor, False)
        os.set_blocking(self.descriptor, False)

    def close(self) -> None:
        """End all watches; to be called once."""
        self._manager.close()

    def watch(self, directory: int, mask: int) -> int:
        """The number of a watch on this open directory; OSError if none is left, or it may not be read."""
        place = f"/proc/self/fd/{directory}"
        try:
            return self._manager.add_watch(place, mask | _ALWAYS, quiet=False)[place]
        except pyinotify.WatchManagerError as error:
            raise OSError(str(error).rpartition("Errno=")[2]) from error

    def forget(self, watch: int) -> None:
        """End a watch, unless the kernel already has."""
        with suppress(pyinotify.WatchManagerError):
            self._manager.rm_watch(watch, quiet=False)
        self._manager.watches.pop(watch, None)

    def read(self) -> Iterator[tuple[int, int, bytes]]:
        """The watch, mask and name of each event in one slice of the queue."""
        try:
            events = os.read(self.descriptor, SLICE_BYTES)
        except BlockingIOError:
            return
        at = 0
        while at < len(events):
            watch, mask, _cookie, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size + length
            yield watch, mask, events[at - length : at].rstrip(b"\0")
