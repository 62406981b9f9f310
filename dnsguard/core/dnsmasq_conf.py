"""dnsmasq's command line and configuration files -> its Nature, by dnsmasq's own rules.

Facts, from option.c of dnsmasq 2.90 (one_opt, read_file, one_file, read_opts), each met in a test:
- The command line is read first; the first -C stands for /etc/dnsmasq.conf and is read last, further ones at once.
- A file may override the command line, so what is read last counts; flags only ever add up.
- Files: `name=value` with blanks around `=`, `#` begins a comment at the start or after a blank, quotes with
  backslashes in them. A file is read once, by device and inode. A line ends after 1024 bytes all the same.
- conf-dir: no dotfile, `*~` or `#*#`; then `*SUFFIX` says which to read and `SUFFIX` which not, of names that are
  longer than it; regular files alone, in order of their bytes.
- Long options may be abbreviated, and stand as --name=value or --name value; what stands there without a dash and is
  no value would have ended dnsmasq, and so would an ambiguous abbreviation, an unknown option or an open quote.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from dnsguard.core import servers
from dnsguard.core.nature import Nature
from dnsguard.core.resolvconf import is_loopback

CONF_FILE = "/etc/dnsmasq.conf"
NOT_REGULAR = "it is not a regular file"
MAX_FILES = 1000
MAX_DEPTH = 10
MAX_LINE = 1024
# A log line carries them: enough to see what is meant.
MAX_SHOWN = 3
MAX_SERVERS = 10
MAX_SHOWN_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Page:
    """What stands at a path.

    Attributes:
        text: what it says; None if there is no such file or it cannot be read.
        identity: device and inode.
        trouble: why it cannot be read, in words; empty if it was, or does not exist.
    """

    text: str | None = None
    identity: tuple[int, int] | None = None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Names:
    """What a directory holds, or why that cannot be told."""

    names: tuple[str, ...] = ()
    trouble: str = ""


class Disk(Protocol):
    """Where the files are looked up; never raises, never waits."""

    def page(self, path: str) -> Page:
        """One file."""

    def names(self, directory: str) -> Names:
        """One directory."""


_FLAGS = {
    "dnssec": "validates", "no-resolv": "no_resolv", "no-poll": "no_poll", "no-ident": "no_ident",
    "bind-interfaces": "binds", "bind-dynamic": "binds", "dns-loop-detect": "detects_loops",
    "strict-order": "is_strict",
}  # fmt: skip
_LISTS = {"listen-address": "listens", "interface": "interfaces", "except-interface": "excepted"}
# It knows names that no upstream knows, or servers that may change at any time without a file.
_KEEPING = {
    *("address", "rev-server", "dhcp-range", "addn-hosts", "hostsdir", "host-record", "dynamic-host", "cname"),
    *("interface-name", "synth-domain", "auth-zone", "ptr-record", "srv-host", "mx-host", "txt-record", "dns-rr"),
    *("naptr-record", "enable-dbus"),
}
# Servers that may come at any time, without a file that could be read now.
_GIVING = {"enable-dbus", "servers-file"}
_OTHERS = {"server", "local", "domain", "domain-suffix", "port", "resolv-file", "servers-file"}
_FURTHER = {"conf-file", "conf-dir", "conf-script"}
_KNOWN = {*_FLAGS, *_LISTS, *_KEEPING, *_OTHERS, *_FURTHER}
# fmt: off
_SHORT = {
    "C": "conf-file", "7": "conf-dir", "R": "no-resolv", "r": "resolv-file", "n": "no-poll", "p": "port",
    "S": "server", "A": "address", "a": "listen-address", "i": "interface", "I": "except-interface", "s": "domain",
    "F": "dhcp-range", "H": "addn-hosts", "W": "srv-host", "m": "mx-host", "Y": "txt-record", "1": "enable-dbus",
    "z": "bind-interfaces", "o": "strict-order",
}
# fmt: on
# OPTSTRING of 2.90: these take a value, in the same word or the next.
_TAKING = frozenset("rmpclsitugaxSCATHQIBFGOMXVUjPJWY24678" + "03")
_ESCAPES = {"t": "\t", "n": "\n", "b": "\b", "r": "\r", "e": "\033", '"': '"', "\\": "\\"}


def understand(words: Sequence[str], disk: Disk, is_own: Callable[[str], bool] = is_loopback) -> Nature:
    """The nature of a dnsmasq with these words after its name on the command line.

    `is_own` says whether an address is one of this host's, beyond the loopback ones.
    """
    reading = _Reading(disk, is_own)
    first = ""
    for name, value in command_line(words):
        if name != "conf-file" or first:
            reading.take(name, value, "on its command line")
        else:
            first = value
    reading.file(first or CONF_FILE, may_miss=not first)
    return reading.nature


def foresee(disk: Disk, instance: str = "") -> Nature:
    """The likely nature of a dnsmasq, or an instance, that does not run: by the files that Debian's units name."""
    defaults = disk.page("/etc/default/dnsmasq" + (f".{instance}" if instance else "")).text or ""
    said = (line.strip().partition("=") for line in defaults.split("\n"))
    options = " ".join(value.strip("\"'") for name, _, value in said if name == "DNSMASQ_OPTS")
    return understand(["-7", "/etc/dnsmasq.d,.dpkg-dist,.dpkg-old,.dpkg-new", *options.split()], disk)


def command_line(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The options by their long names, each with its value or an empty one."""
    waiting = deque(words)
    while waiting:
        word = waiting.popleft()
        if word == "--":
            return
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if not equals and waiting and not (waiting[0].startswith("-") and waiting[0] != "-"):
                value = waiting.popleft()
            yield _whole(name), value
        elif word.startswith("-"):
            yield from _letters(word[1:], waiting)


def _letters(letters: str, waiting: deque[str]) -> Iterator[tuple[str, str]]:
    for at, letter in enumerate(letters, start=1):
        name = _SHORT.get(letter, letter)
        if letter in _TAKING:
            yield name, letters[at:] or (waiting.popleft() if waiting else "")
            return
        yield name, ""


def _whole(name: str) -> str:
    """The long name that an abbreviation stands for; none that matters is the beginning of another one's."""
    meant = [known for known in _KNOWN if known.startswith(name)]
    return meant[0] if len(meant) == 1 and name not in _KNOWN else name


def lines(text: str) -> Iterator[tuple[int, str | None]]:
    """The lines that say something, with their numbers; None for one with an open quote."""
    for number, whole in enumerate(text.split("\n"), start=1):
        for at in range(0, len(whole), MAX_LINE):
            line = _plain(whole[at : at + MAX_LINE])
            if line != "":
                yield number, line


def _plain(line: str) -> str | None:
    """A line without its comment, quotes and outer blanks; None if a quote is not closed."""
    kept: list[str] = []
    quoted, blank, following = False, True, iter(line)
    for character in following:
        if character == '"':
            quoted = not quoted
        elif quoted:
            escaped = next(following, "") if character == "\\" else ""
            kept.append(_ESCAPES.get(escaped, character + escaped))
        elif blank and character == "#":
            break
        else:
            blank = character in " \t\v\f\r"
            kept.append(" " if blank else character)
    return None if quoted else "".join(kept).strip(" ")


class _Reading:
    """One pass over everything; `nature` is what is known so far."""

    def __init__(self, disk: Disk, is_own: Callable[[str], bool]) -> None:
        self.nature = Nature()
        self._disk = disk
        self._is_own = is_own
        self._read: set[tuple[int, int]] = set()
        self._files = 0
        self._depth = 0
        self._is_default = True

    def take(self, name: str, value: str, place: str) -> None:
        """One option; what does not matter is passed over."""
        self._server(name, value, place)
        if name in _FLAGS:
            raised: dict[str, Any] = {_FLAGS[name]: True}
            self.nature = replace(self.nature, **raised)
        elif name in _LISTS:
            more = tuple(each.strip() for each in value.split(",") if each.strip())
            self.nature = replace(self.nature, **{_LISTS[name]: getattr(self.nature, _LISTS[name]) + more})
        elif name in _FURTHER:
            self._further(name, value, place)
        elif name in _KEEPING or servers.keeps_names(name, value):
            if len(self.nature.keeps) < MAX_SHOWN:
                self.nature = replace(self.nature, keeps=(*self.nature.keeps, _placed(name, value, place)))
        elif name in _OTHERS:
            self._other(name, value)

    def _server(self, name: str, value: str, place: str) -> None:
        """Whom it asks: kept if that may be itself."""
        found = servers.server_of(name, value) if name in servers.OPTIONS else None
        known = self.nature.servers
        if found and (is_loopback(found.address) or self._is_own(found.address)) and len(known) < MAX_SERVERS:
            met = replace(found, option=_placed(name, value, place))
            self.nature = replace(self.nature, servers=(*known, met))
        elif name in _GIVING or (found and not found.routed) or (name == "server" and value[:1] not in ("", "/")):
            # The last of these is a host's name, which dnsmasq looks up when it starts.
            self.nature = replace(self.nature, may_ask_others=True)

    def _other(self, name: str, value: str) -> None:
        if name == "port" and value.strip().isdecimal():
            self.nature = replace(self.nature, port=int(value[:9]))
        elif name == "servers-file":
            self.nature = replace(self.nature, servers_file=_shown(value))
        elif name == "resolv-file":
            # The first takes the default's place, with nothing if it is empty; later ones are added.
            others = () if self._is_default else self.nature.resolv_files
            self._is_default = False
            self.nature = replace(self.nature, resolv_files=(*others, _shown(value)) if value else others)

    def _further(self, name: str, value: str, place: str) -> None:
        if name == "conf-script":
            self._doubt(f"what {value} prints is not known ({place})")
        elif value and name == "conf-dir":
            self._directory(value)
        elif value:
            self.file(value)

    def _directory(self, value: str) -> None:
        path, *suffixes = (each.strip(" ") for each in value.split(","))
        wanted = tuple(each[1:] for each in suffixes if each.startswith("*") and len(each) > 1)
        unwanted = tuple(each for each in suffixes if each and not each.startswith("*"))
        listing = self._disk.names(path) if path.startswith("/") else Names(trouble=_RELATIVE)
        if listing.trouble:
            self._doubt(f"{path}: {listing.trouble}")
        for name in sorted(listing.names):
            if name.startswith(".") or name.endswith("~") or (name.startswith("#") and name.endswith("#")):
                continue
            if (not wanted or _ends_in(name, wanted)) and not _ends_in(name, unwanted):
                self.file(f"{path}/{name}", is_member=True)

    def file(self, path: str, *, may_miss: bool = False, is_member: bool = False) -> None:
        """Everything that a file says, and what it leads to; a member of a directory counts if it is regular."""
        self._files += 1
        if self._files > MAX_FILES or self._depth >= MAX_DEPTH:
            self._doubt(f"{path}: it is one file too many, or too deep")
            return
        page = self._disk.page(path) if path.startswith("/") else Page(trouble=_RELATIVE)
        if page.text is None:
            if not (may_miss and not page.trouble) and not (is_member and page.trouble == NOT_REGULAR):
                self._doubt(f"{path}: {page.trouble or 'it does not exist any more'}")
            return
        if page.identity in self._read:
            return
        if page.identity:
            self._read.add(page.identity)
        self._depth += 1
        for number, line in lines(page.text):
            if line is None:
                self._doubt(f"{path}:{number}: a quote is not closed")
                continue
            name, _, value = line.partition("=")
            self.take(name.rstrip(" "), value.lstrip(" "), f"{path}:{number}")
        self._depth -= 1

    def _doubt(self, words: str) -> None:
        if len(self.nature.unread) < MAX_SHOWN:
            self.nature = replace(self.nature, unread=(*self.nature.unread, _shown(words)))


_RELATIVE = "the path is relative, and from where is not known"


def _ends_in(name: str, suffixes: tuple[str, ...]) -> bool:
    return any(name.endswith(suffix) and len(name) > len(suffix) for suffix in suffixes)


def _placed(name: str, value: str, place: str) -> str:
    option = _shown(f"{name}={value}" if value else name)
    return f"{option} ({_shown(place)})"


def _shown(words: str) -> str:
    """Words as a log may show them: one line, printable, bounded."""
    text = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in words)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[:MAX_SHOWN_CHARACTERS] + "..."
