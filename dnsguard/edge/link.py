"""Attach and detach: whose file /etc/resolv.conf is. Run by root, rarely; daily work is elsewhere.

Facts the code below rests on:

- rename(2) swings a link in one step, and is the only one to ask whether that is allowed: EBUSY on a
  mount point, EPERM for root on an immutable or append-only file or directory, EROFS. (st_dev does
  not tell a mount from a file of an overlay, and chattr's ioctl differs by machine.)
- /var/lib/dnsguard and /run/dnsguard belong to the daemon's user, who parses answers from the
  network. What root reads there is a claim: it is never followed as a link, waited for as a FIFO,
  taken through a hard link (it could be /etc/shadow), or believed to ask for a setuid file.
- mkdir(2) subtracts the umask; a directory that only root may enter hides the published file.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from errno import EACCES, EBUSY, EPERM, EROFS, errorcode
from pathlib import Path

from dnsguard.core.errors import LinkError
from dnsguard.core.resolvconf import is_loopback, parse

ReplaceFile = Callable[..., bool]
"""The publisher's replace_file(path, data, mode, durable)."""

MAX_BYTES = 2**20
"""A file longer than this is no resolv.conf, whatever its name."""
# Never through a link that somebody else turned, and never waiting.
_CAREFULLY = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class LinkPaths:
    """Every path that attach and detach touch."""

    resolv_conf: Path = Path("/etc/resolv.conf")
    published: Path = Path("/run/dnsguard/resolv.conf")
    kept: Path = Path("/var/lib/dnsguard/resolv.conf.kept")
    kept_facts: Path = Path("/var/lib/dnsguard/kept.json")
    request: Path = Path("/run/dnsguard/attach-wanted")
    newcomer: Path = Path("/var/lib/dnsguard/newcomer.conf")

    @property
    def found(self) -> Path:
        """Where the package's take-back lays aside what it put the link back over."""
        return self.resolv_conf.with_name(f".{self.resolv_conf.name}.dnsguard-found")


@dataclass(frozen=True, slots=True)
class _Thing:
    """What can be at /etc/resolv.conf: kind "link" (to target), "file" (the rest) or "absent".

    `stand_in` is the SHA-256 of the plain file that detach left instead of it, if it did.
    """

    kind: str
    target: str = ""
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    stand_in: str = ""
    data: bytes = b""

    def __str__(self) -> str:
        return {"link": f"a link to {self.target}", "file": "a plain file"}.get(self.kind, "nothing")


_FACTS = {"kind": str, "target": str, "mode": int, "uid": int, "gid": int, "stand_in": str}
"""What kept.json says of a thing; the bytes of a plain file lie beside it."""


def attach(paths: LinkPaths, first: str, replace_file: ReplaceFile) -> str:
    """Make /etc/resolv.conf our link and keep what was there; says in one line what was done.

    `first` is published before the swing, unless a file with a nameserver is published already.
    Any number of runs gives the same result; one that was killed is completed by the next.

    Raises:
        LinkError: /etc/resolv.conf is as it was; the request is consumed all the same.
    """
    with _as_link_error(paths):
        # First: a request that cannot be met must not start us again for ever.
        paths.request.unlink(missing_ok=True)
        laid_aside = _look(paths.found)
        if laid_aside.kind != "absent":
            _keep(paths, laid_aside, replace_file)
            paths.found.unlink(missing_ok=True)
        # Once, unless somebody is rewriting the file at this moment: what is kept must be the newest.
        for _ in range(5):
            found = _look(paths.resolv_conf)
            _publish_first(paths, first, replace_file)
            if _is_ours(paths, found.target):
                return f"{paths.resolv_conf} is a link to {paths.published} already"
            _keep(paths, found, replace_file)
            if _look(paths.resolv_conf) == found:
                break
        replace_file(paths.resolv_conf, b"", durable=True, link_to=f"{paths.published}")
        return f"{paths.resolv_conf} is now a link to {paths.published}; before, it was {found}"


def detach(paths: LinkPaths, works: Callable[[str], bool], upstreams_text: str, replace_file: ReplaceFile) -> str:
    """Hand /etc/resolv.conf back, if it is ours; says in one line what was done.

    What was there is put back if it works now: it names servers and each of them that is loopback
    `works`, which is asked about no other; or if no real upstream is known at all. Otherwise they are
    left there as a plain file, and what was there stays kept: the next detach may still put it
    back, and the next attach knows the plain file for ours.

    Raises:
        LinkError: /etc/resolv.conf is as it was.
    """
    with _as_link_error(paths):
        stands_in = _is_stand_in(paths)
        if not stands_in and not _is_ours(paths, _target(paths.resolv_conf)):
            return f"{paths.resolv_conf} is not dnsguard's; nothing was changed"
        kept = _kept(paths)
        servers = _nameservers(_says(paths, kept)) if kept else ()
        if kept and servers and all(map(works, filter(is_loopback, servers))):
            return _put_back(paths, kept, replace_file)
        if stands_in:
            return f"{paths.resolv_conf} holds the upstreams that were left there before; nothing was changed"
        published = _read(paths.published, ours=True) or b""
        upstreams = _real_upstreams(upstreams_text, published)
        if upstreams or not kept:
            return _leave(paths, upstreams or published, kept, replace_file)
        return _put_back(paths, kept, replace_file) + "; no better upstream is known"


def _publish_first(paths: LinkPaths, first: str, replace_file: ReplaceFile) -> None:
    """See to it that our link leads to a file that libc can use, before it is one."""
    if _nameservers(_read(paths.published, ours=True)):
        return
    _make_directory(paths.published.parent)
    replace_file(paths.published, first.encode("utf-8", "surrogateescape"))


def _keep(paths: LinkPaths, thing: _Thing, replace_file: ReplaceFile) -> None:
    if _is_stand_in(paths):
        return  # What an earlier detach left is no news; what it stands in for is kept already.
    for path in (paths.kept, paths.kept_facts):
        _make_directory(path.parent)
    if thing.kind == "file":
        # The daemon must be able to read it, whatever mode it had: it is a source.
        replace_file(paths.kept, thing.data, durable=True)
    _keep_facts(paths, thing, replace_file)
    if _nameservers(_says(paths, thing)):
        # It has servers to offer, newer ones. What has none, as resolvconf's link while it is being
        # installed, does not make us forget what was written before it.
        paths.newcomer.unlink(missing_ok=True)
        if thing.kind != "file" and not set(_nameservers(_says(paths, thing))) <= set(_nameservers(_read(paths.kept))):
            paths.kept.unlink(missing_ok=True)


def _keep_facts(paths: LinkPaths, thing: _Thing, replace_file: ReplaceFile) -> None:
    facts = {name: getattr(thing, name) for name in _FACTS}
    replace_file(paths.kept_facts, (json.dumps(facts, indent=1) + "\n").encode(), durable=True)


def _put_back(paths: LinkPaths, thing: _Thing, replace_file: ReplaceFile) -> str:
    if thing.kind == "link":
        replace_file(paths.resolv_conf, b"", durable=True, link_to=thing.target)
    elif thing.kind == "file":
        replace_file(paths.resolv_conf, thing.data, thing.mode & 0o777, durable=True)
        # Whose file it is matters less than that it is there: a container may not know the user.
        with suppress(OSError, OverflowError):
            os.chown(paths.resolv_conf, thing.uid, thing.gid, follow_symlinks=False)
    else:
        paths.resolv_conf.unlink()
    # What cannot be removed is overwritten by the next attach.
    with suppress(OSError):
        paths.kept_facts.unlink()
        paths.kept.unlink()
    return f"{paths.resolv_conf} is again what it was: {thing}"


def _leave(paths: LinkPaths, upstreams: bytes, kept: _Thing | None, replace_file: ReplaceFile) -> str:
    if kept:
        stand_in = hashlib.sha256(upstreams).hexdigest()
        _keep_facts(paths, replace(kept, stand_in=stand_in), replace_file)
    replace_file(paths.resolv_conf, upstreams, durable=True)
    was = f"{kept}, which would not work now and stays kept" if kept else "not known"
    return f"{paths.resolv_conf} is a plain file with the last upstreams known; before, it was {was}"


def _real_upstreams(upstreams_text: str, published: bytes) -> bytes:
    """What the caller knows, else what is published without its loopback servers, else nothing."""
    left = b"".join(line for line in published.splitlines(True) if not any(map(is_loopback, _nameservers(line))))
    asked = upstreams_text.encode("utf-8", "surrogateescape")
    return next(filter(_nameservers, (asked, left)), b"")


def _says(paths: LinkPaths, thing: _Thing) -> bytes | None:
    """What libc would read now if the thing stood at /etc/resolv.conf."""
    if thing.kind != "link":
        return thing.data
    target = os.path.realpath(paths.resolv_conf.parent / thing.target)
    # A link that leads to the published file by a detour says nothing once we are gone.
    return _read(Path(target)) if target != os.path.realpath(paths.published) else None


def _nameservers(data: bytes | None) -> tuple[str, ...]:
    return parse((data or b"").decode("utf-8", "surrogateescape")).nameservers


def _target(path: Path) -> str:
    try:
        return os.readlink(path)
    except OSError:
        return ""


def _is_ours(paths: LinkPaths, target: str) -> bool:
    """Whether a link to this at /etc/resolv.conf leads straight to the published file."""
    there, ours = paths.resolv_conf.parent / target, paths.published
    return target != "" and there.name == ours.name and os.path.realpath(there.parent) == os.path.realpath(ours.parent)


def _is_stand_in(paths: LinkPaths) -> bool:
    kept, there = _kept(paths), _read(paths.resolv_conf)
    return bool(kept and there and kept.stand_in == hashlib.sha256(there).hexdigest())


def _look(path: Path) -> _Thing:
    try:
        there = path.lstat()
    except FileNotFoundError:
        return _Thing("absent")
    target, data = _target(path), _read(path)
    if target:
        return _Thing("link", target)
    if data is None:
        what = f"{path} is neither a link nor a readable file of at most {MAX_BYTES} bytes"
        raise LinkError("resolv-conf-not-a-file", f"{what}; move it away, then attach again")
    return _Thing("file", "", stat.S_IMODE(there.st_mode), there.st_uid, there.st_gid, data=data)


def _kept(paths: LinkPaths) -> _Thing | None:
    """What was there before, or None if that was never kept or cannot be made out any more."""
    try:
        facts = json.loads(_read(paths.kept_facts, ours=True) or b"")
        os.fsencode(facts["target"])
    except (KeyError, TypeError, ValueError, RecursionError):
        return None
    if {name: type(value) for name, value in facts.items()} != _FACTS:
        return None
    data = _read(paths.kept, ours=True) if facts["kind"] == "file" else b""
    is_target = facts["target"] != "" and "\0" not in facts["target"]
    is_known = {"link": is_target, "file": data is not None, "absent": True}.get(facts["kind"])
    return _Thing(**facts, data=data or b"") if is_known else None


def _read(path: Path, ours: bool = False) -> bytes | None:
    """The bytes of a regular file; None if it is none, too long, unreadable, or `ours` and not."""
    try:
        descriptor = os.open(path, os.O_RDONLY | _CAREFULLY)
    except OSError:
        return None
    try:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode) or there.st_size > MAX_BYTES or (ours and there.st_nlink > 1):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES)
    finally:
        os.close(descriptor)


def _make_directory(path: Path) -> None:
    if not path.is_dir():
        path.mkdir(parents=True)
        path.chmod(0o755)


_code_and_step = {
    EBUSY: ("resolv-conf-is-mount", "umount it, or leave the file to who mounted it"),
    EPERM: ("resolv-conf-immutable", "see lsattr -d for the file and its directory; chattr -i -a"),
    EROFS: ("etc-read-only", "mount the directory writable"),
    EACCES: ("not-permitted", "run it as root"),
}


@contextmanager
def _as_link_error(paths: LinkPaths) -> Iterator[None]:
    """What the kernel refused, as a code, what, where, and what to do next."""
    try:
        yield
    except OSError as error:
        where, number = Path(os.fsdecode(error.filename or paths.resolv_conf)), error.errno or 0
        code, step = "link-failed", "mend that and run it again"
        if number in (EACCES, EPERM) and os.geteuid() != 0:
            code, step = _code_and_step[EACCES]
        elif where.parent == paths.resolv_conf.parent:
            code, step = _code_and_step.get(number, (code, step))
        reason = f"{where}: {error.strerror} ({errorcode.get(number, 'no errno')})"
        raise LinkError(code, f"{reason}; {paths.resolv_conf} stays as it is; next: {step}") from error
