"""Looks at the parts of a host that `dnsguard doctor` wants to see; reads only, and starts nothing.

Facts the code below rests on:

- A unit is masked if its file is a link to /dev/null (or empty), and the first of systemd's directories that has a
  file of that name counts, for an instance NAME@X.service without one that of NAME@.service; it is enabled if a
  `.wants` or `.requires` directory names it. Source: systemd.unit(5).
- FS_IOC_GETFLAGS is _IOR('f', 1, long): 2 is "read" in the top bits on all of Debian's architectures but MIPS,
  PowerPC, SPARC and Alpha: there the kernel refuses the number, and whether a file is immutable stays unknown.
- /proc/net/udp has the local address as the hex of the number in this machine's byte order, IPv6 in four such
  numbers, and a state of 7 where there is no peer. /proc/PID/fd shows whose a socket is, to its owner and to root.
- /var/lib/systemd/timesync/clock is touched whenever systemd-timesyncd knows the time: a clock that is before that
  is wrong. Source: systemd-timesyncd.service(8).
"""

import fcntl
import os
import re
import socket
import stat
import struct
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from dnsguard.core.host import Listener, Space, Thing, Unit

MAX_BYTES = 65536
_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_GETFLAGS = 2 << 30 | struct.calcsize("l") << 16 | ord("f") << 8 | 1
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20
_UNIT_DIRECTORIES = (
    *("/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"),
    *("/usr/lib/systemd/system", "/lib/systemd/system"),
)
_LISTENS = {"udp": "07", "tcp": "0A"}


def text_of(path: Path) -> str | None:
    """A regular file's text, at most MAX_BYTES; None if it cannot be read. Never waits."""
    try:
        descriptor = os.open(path, _AT_ONCE)
    except OSError:
        return None
    try:
        is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
        return os.read(descriptor, MAX_BYTES).decode("utf-8", "replace") if is_file else None
    except OSError:
        return None
    finally:
        os.close(descriptor)


def thing_at(path: Path, mounts: Path = Path("/proc/self/mounts")) -> Thing:
    """What stands there, and what is read there."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return Thing(is_immutable=_is_immutable(path.parent))
    held = any(_is_immutable(each) for each in (path, path.parent))
    if stat.S_ISLNK(mode):
        return Thing("link", os.readlink(path), text_of(path), held)
    mounted = any(line.split(" ")[1:2] == [str(path)] for line in (text_of(mounts) or "").splitlines())
    kind = "mount" if mounted else "file" if stat.S_ISREG(mode) else "other"
    return Thing(kind, "", text_of(path), held)


def _is_immutable(path: Path) -> bool:
    try:
        descriptor = os.open(path, _AT_ONCE | os.O_NOFOLLOW)
    except OSError:
        return False
    try:
        flags = struct.unpack_from("i", fcntl.ioctl(descriptor, _GETFLAGS, bytes(struct.calcsize("l"))))[0]
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return bool(flags & (_IMMUTABLE | _APPEND_ONLY))


def space_at(path: Path) -> Space:
    """How full the file system is that a path is on, or would be; its largest file, too, if it is full."""
    while not os.path.ismount(path) and path != path.parent:
        path = path.parent
    try:
        told = os.statvfs(path)
    except OSError:
        return Space(str(path), 0, 0, 0)
    free, inodes = told.f_bavail * told.f_frsize, told.f_favail
    is_full = told.f_blocks > 0 and (free == 0 or (told.f_files > 0 and inodes == 0))
    return Space(
        str(path), told.f_blocks * told.f_frsize, free, inodes if told.f_files else 1, _largest(path) if is_full else ""
    )


def _largest(top: Path) -> str:
    """The path of the largest file of this file system, and its size in bytes."""
    device, found = top.stat().st_dev, (0, "")
    for folder, folders, names in os.walk(top):
        folders[:] = [each for each in folders if _device(f"{folder}/{each}") == device]
        for name in names:
            with suppress(OSError):
                there = os.lstat(f"{folder}/{name}")
                found = max(found, (there.st_blocks * 512, f"{folder}/{name}"))
    return f"{found[1]} ({found[0]} bytes)" if found[0] else ""


def _device(path: str) -> int:
    try:
        return os.lstat(path).st_dev
    except OSError:
        return 0


def unit(name: str, directories: Iterable[str] = _UNIT_DIRECTORIES) -> Unit:
    """A unit, by its files."""
    folders = [Path(each) for each in directories]
    files = dict.fromkeys((name, re.sub(r"@.*(?=\.)", "@", name)))
    places = [folder / file for file in files for folder in folders if os.path.lexists(folder / file)]
    masked = next((place for place in places[:1] if _is_nothing(place)), None)
    wanted = (folder.glob(f"*.[wr]*s/{name}") for folder in folders[:1] if folder.is_dir())
    return Unit(
        any(not _is_nothing(place) for place in places), str(masked or ""), any(True for each in wanted for _ in each)
    )


def _is_nothing(place: Path) -> bool:
    try:
        return os.path.realpath(place) == os.devnull or place.stat().st_size == 0
    except OSError:
        return False


def hosts_line(path: Path = Path("/etc/nsswitch.conf")) -> tuple[str, ...] | None:
    """The words after `hosts:`; None if there is no such line."""
    for line in (text_of(path) or "").splitlines():
        name, colon, words = line.partition("#")[0].partition(":")
        if colon and name.strip() == "hosts":
            return tuple(words.split())
    return None


def dated(*paths: Path) -> tuple[tuple[str, float], ...]:
    """Those of the files that exist, with the time of their last change, in seconds of CLOCK_REALTIME."""
    found = []
    for path in paths:
        with suppress(OSError):
            found.append((str(path), path.stat().st_mtime))
    return tuple(found)


def listeners(port: int, name_them: bool, proc: Path = Path("/proc")) -> tuple[Listener, ...]:
    """Who listens at a port over UDP; with `name_them` over TCP, too, and who it is: a walk through all processes.

    Of several processes that hold one socket the first is named, with the lowest PID.
    """
    sockets = {
        inode: address
        for table in (("udp", "udp6", "tcp", "tcp6") if name_them else ("udp", "udp6"))
        for address, inode in _bound(proc / "self/net" / table, port)
    }
    # Several may hold one: a server and its children, or systemd and the service that it will start for the socket.
    held = _owners(set(sockets), proc) if name_them and sockets else ()
    owners = dict(sorted(held, reverse=True))
    found = {Listener(address, *owners.get(inode, (0, "", ""))) for inode, address in sockets.items()}
    return tuple(sorted(found))


def _bound(table: Path, port: int) -> Iterator[tuple[str, str]]:
    """The addresses that sockets without a peer have there, each with the socket's inode."""
    try:
        lines = table.read_text("ascii", "replace").splitlines()[1:]
    except OSError:
        return
    for line in lines:
        words = line.split()
        address, _, number = words[1].partition(":")
        if int(number, 16) == port and words[3] == _LISTENS[table.name[:3]]:
            octets = b"".join(
                int(address[at : at + 8], 16).to_bytes(4, sys.byteorder) for at in range(0, len(address), 8)
            )
            yield socket.inet_ntop(socket.AF_INET6 if len(octets) > 4 else socket.AF_INET, octets), words[9]


def _owners(inodes: set[str], proc: Path) -> Iterator[tuple[str, tuple[int, str, str]]]:
    """Which process has which of the sockets: its PID, name and unit."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for name in os.listdir(proc):
        if not name.isdecimal():
            continue
        with suppress(OSError):
            for descriptor in os.scandir(proc / name / "fd"):
                with suppress(OSError):
                    if inode := wanted.get(os.readlink(descriptor.path)):
                        comm = (text_of(proc / name / "comm") or "?").strip()
                        yield inode, (int(name), comm, _unit_of(proc / name / "cgroup"))


def _unit_of(cgroup: Path) -> str:
    """The service that a process belongs to; "" if none."""
    for line in (text_of(cgroup) or "").splitlines():
        services = [each for each in line.split("/") if each.endswith(".service")]
        if services and "user.slice" not in line:
            return services[-1]
    return ""
