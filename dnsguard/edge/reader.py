"""Reads every source of upstreams in one look; waits for none but, a moment, for a file of ours that was emptied.

Facts, each met in a test:
- Opening a FIFO to read waits for a writer, and reading a device may wait for ever; with O_NONBLOCK the
  open returns, and fstat says what it is. A socket cannot be opened at all (ENXIO).
- resolvconf writes a record to NAME_new.PID and renames it; a record that is listed may be gone when it is
  opened, and an empty one counts as none. Source: /sbin/resolvconf and list-records of resolvconf 1.91.
- Debian's resolvconf keeps its records in `interface`, openresolv in `interfaces`.
- Who writes through our link empties the file first: `echo` fills it within microseconds, the `cat` of Debian 13's
  dhclient-script and of dhcpcd has yet to be started then. What is replaced meanwhile is written to nobody.
- After a power cut a file may hold NUL bytes where its text was.
"""

import errno
import os
import re
import stat
import time
from dataclasses import dataclass
from pathlib import Path

from dnsguard.core.upstreams import Source, Sources

# glibc would read more, but nobody writes more: the largest file seen in the field is below 2 KiB.
MAX_BYTES = 65536
# What is published is put together from several files.
MAX_PUBLISHED_BYTES = 2**20
# A host with 1000 interfaces, each with a lease, is still a host; more is a mistake or malice.
MAX_RECORDS = 1000

# How long an empty file of ours is waited for: 10 ms, ten times what a fork and an exec take.
EMPTY_LOOKS = 20
EMPTY_PAUSE_S = 0.0005

_RECORD_DIRECTORIES = ("interface", "interfaces")
_UNFINISHED = re.compile(rb"_new\.[0-9]+\Z")
_AT_ONCE = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
_NOT_REGULAR = "it is not a regular file"


@dataclass(frozen=True, slots=True)
class SourcePaths:
    """Where the sources are on this host; the defaults are Debian's."""

    resolvconf_dir: Path = Path("/run/resolvconf")
    """Holds resolvconf's records, one directory below."""
    interface_order: Path = Path("/etc/resolvconf/interface-order")
    """The patterns that order the records."""
    head: Path = Path("/etc/resolvconf/resolv.conf.d/head")
    """What the administrator puts before everything."""
    base: Path = Path("/etc/resolvconf/resolv.conf.d/base")
    """What the administrator adds to the records."""
    tail: Path = Path("/etc/resolvconf/resolv.conf.d/tail")
    """What the administrator puts after everything."""
    upstream_file: Path = Path("/run/dnsmasq/resolv.conf")
    """What dnsmasq is given as its upstreams."""
    others: tuple[Path, ...] = (
        Path("/run/NetworkManager/no-stub-resolv.conf"),
        Path("/run/systemd/resolve/resolv.conf"),
    )
    """Lists of other programs, in the order they are believed."""
    resolv_conf: Path = Path("/etc/resolv.conf")
    """What libc reads."""
    published: Path = Path("/run/dnsguard/resolv.conf")
    """Where resolv_conf leads while it is ours; a source only if another program wrote into it."""
    newcomer: Path = Path("/var/lib/dnsguard/newcomer.conf")
    """What another program wrote into `published` last."""
    kept: Path = Path("/var/lib/dnsguard/resolv.conf.kept")
    """What resolv_conf said before `attach`, if it was a plain file."""
    remembered: Path = Path("/var/lib/dnsguard/upstreams.conf")
    """What the guard itself has kept of the list that was good."""


def watched(paths: SourcePaths) -> tuple[Path, ...]:
    """All files and directories whose change may change what read_sources says."""
    return (
        *(paths.resolvconf_dir / name for name in _RECORD_DIRECTORIES),
        paths.interface_order,
        paths.head,
        paths.base,
        paths.tail,
        paths.upstream_file,
        *paths.others,
        paths.resolv_conf,
        paths.published,
        paths.newcomer,
        paths.kept,
    )


def read_sources(paths: SourcePaths) -> Sources:
    """Read all sources as they are now; what cannot be read says so in its `trouble`."""
    attached = _is_ours(paths.resolv_conf, paths.published)
    etc = Source(_shown(paths.resolv_conf)) if attached else _read(paths.resolv_conf)
    return Sources(
        records=_records(paths.resolvconf_dir),
        interface_order=_read(paths.interface_order),
        head=_read(paths.head),
        base=_read(paths.base),
        tail=_read(paths.tail),
        upstream_file=_read(paths.upstream_file),
        others=tuple(_read(path) for path in paths.others),
        etc=etc,
        published=_read_published(paths.published),
        newcomer=_read(paths.newcomer),
        kept=_read(paths.kept),
        attached=attached,
        remembered=_read(paths.remembered),
    )


def _read_published(path: Path) -> Source:
    """What we have published, or what stands there instead; who has just emptied the file may go on writing."""
    source = _read(path, limit=MAX_PUBLISHED_BYTES)
    for _ in range(EMPTY_LOOKS):
        if source.text != "":
            break
        time.sleep(EMPTY_PAUSE_S)
        source = _read(path, limit=MAX_PUBLISHED_BYTES)
    return source


def _records(resolvconf_dir: Path) -> tuple[Source, ...] | None:
    """Records of either resolvconf; None if there is no directory of either."""
    listings = [_listed(resolvconf_dir / name) for name in _RECORD_DIRECTORIES]
    present = [listing for listing in listings if listing is not None]
    return tuple(source for listing in present for source in listing) if present else None


def _listed(directory: Path) -> list[Source] | None:
    """The records in one directory, by name; None if there is no such directory."""
    try:
        names = os.listdir(os.fsencode(directory))
    except FileNotFoundError:
        return None
    except OSError as error:
        return [Source(_shown(directory), trouble=_reason(error))]
    finished = sorted(name for name in names if not _UNFINISHED.search(name))
    records = [_record(directory, name) for name in finished[:MAX_RECORDS]]
    sources = [record for record in records if record is not None]
    if len(finished) > MAX_RECORDS:
        refused = f"it holds {len(finished)} records; only the first {MAX_RECORDS} are read"
        sources.append(Source(_shown(directory), trouble=refused))
    return sources


def _record(directory: Path, name: bytes) -> Source | None:
    """One record; None if it is empty, gone, or no regular file, and so none to resolvconf either."""
    source = _read(directory / os.fsdecode(name), _shown(name))
    return source if source.text or source.trouble not in ("", _NOT_REGULAR) else None


def _read(path: Path, name: str = "", limit: int = MAX_BYTES) -> Source:
    """The file's text, or what is wrong with it; neither if there is no such file."""
    name = name or _shown(path)
    try:
        content = _content(path, limit)
    except FileNotFoundError:
        return Source(name)
    except OSError as error:
        return Source(name, trouble=_reason(error))
    if content is None:
        return Source(name, trouble=_NOT_REGULAR)
    if len(content) > limit:
        return Source(name, trouble=f"it is larger than {limit} bytes")
    if b"\0" in content:
        return Source(name, trouble="it is binary: there are NUL bytes in it")
    return Source(name, content.decode("utf-8", "replace"))


def _content(path: Path, limit: int) -> bytes | None:
    """What a regular file holds, one byte more than the limit at most; None if it is something else."""
    descriptor = os.open(path, _AT_ONCE)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(limit + 1)
    finally:
        os.close(descriptor)


def _reason(error: OSError) -> str:
    if error.errno == errno.ENXIO:
        return _NOT_REGULAR
    return f"it cannot be read: {error.strerror or error}"


def _is_ours(resolv_conf: Path, published: Path) -> bool:
    """Whether the one is a symlink that names the other, which may not exist yet."""
    try:
        target = os.readlink(resolv_conf)
        return _place(resolv_conf.parent / target) == _place(published)
    except OSError:
        return False


def _place(path: Path) -> Path:
    """The path as the kernel would reach it, its last name not followed."""
    return Path(os.path.realpath(path.parent)) / path.name


def _shown(path: Path | bytes) -> str:
    """A name as a log may show it: one line, printable."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(character if character.isprintable() else ascii(character)[1:-1] for character in text)
