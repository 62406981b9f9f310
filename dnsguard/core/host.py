"""What `dnsguard doctor` saw of a host in one look; nothing is concluded here.

Named tuples, not frozen dataclasses: to define one takes Python 0.1 ms instead of 0.7, and doctor has 100 ms.
"""

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from dnsguard.core.nature import Nature
    from dnsguard.core.owner import Provider
    from dnsguard.core.settings import Settings
    from dnsguard.core.upstreams import Reading, Sources

NOT_ASKED = "not asked"
"""Stands where another server's trouble does."""

HIDDEN, KEPT, ABSENT = "hidden", "kept", "absent"
"""A file that who asks may not read; that the daemon's user may not read; that is not there."""


class Thing(NamedTuple):
    """What stands at /etc/resolv.conf.

    Attributes:
        kind: "link" (to `target`), "file", "absent", "mount", or "other".
        target: where a link leads, as it is written; "" if it is none.
        text: what libc reads there; None if nothing can be read.
        is_immutable: whether chattr +i or +a keeps everybody from replacing it.
    """

    kind: str = "absent"
    target: str = ""
    text: str | None = None
    is_immutable: bool = False


class Unit(NamedTuple):
    """A unit of systemd, by its files.

    Attributes:
        exists: whether there is a unit file.
        masked_at: the link to /dev/null that masks it; "" if none does.
        is_enabled: whether another unit wants it.
    """

    exists: bool = False
    masked_at: str = ""
    is_enabled: bool = False


class Space(NamedTuple):
    """A file system: its size and what is free for an ordinary user, in bytes; free inodes; its largest file.

    `largest` is empty unless the file system is full: to find it costs a walk.
    """

    path: str
    size: int
    free: int
    free_inodes: int
    largest: str = ""


class Listener(NamedTuple):
    """Who takes questions at a port: an address, and a process and its unit where they can be told (else 0, "")."""

    address: str
    pid: int = 0
    name: str = ""
    unit: str = ""


class Answer(NamedTuple):
    """What a server said: `trouble` is "" if it answered, else a word for it; `texts` are those of its TXT records."""

    trouble: str = ""
    texts: tuple[str, ...] = ()


class Process(NamedTuple):
    """The dnsmasq of this host.

    Attributes:
        pid: 0 if there is none, or none that can be known for it; then `missing` says why.
        nature: how it is configured; None if there is none.
        pages: the configuration files that it reads, path and text.
        held: what is answered at its address when its servers are asked for, each "ADDRESS#PORT queries failed", though
            no process is found; None if not asked.
        takes_all: whether, by its files, it will want its port at all addresses once it is started; False if it runs,
            or if they could not all be read.
    """

    pid: int = 0
    missing: str = ""
    nature: "Nature | None" = None
    pages: tuple[tuple[str, str], ...] = ()
    held: Answer | None = None
    takes_all: bool = False


class Host(NamedTuple):
    """Everything that was seen.

    Attributes:
        settings: dnsguard's; the defaults if the file is bad, and then `settings_error` says why.
        settings_file: what keeps that file from being read; then, too, they are the defaults, but for KEPT.
        now_s: CLOCK_REALTIME; `dated`: paths with their times, each written by a clock of this host.
        programs: which of the programs that a mend may need are here, by path.
        hosts_line: the words after `hosts:` in nsswitch.conf; None if there is no such line.
        own: those of the servers in dnsmasq's upstream file that are this host's, loopback aside.
        updates_disabled: whether `resolvconf --disable-updates` is in force.
        units: dnsmasq's and dnsguard's, by name.
        listeners: who takes DNS questions on port 53; without PIDs while dnsmasq runs.
        answers: what each server said to `. SOA`, by address.
        network: "NAME ADDRESS HARDWARE" for each default route; `network_manager`: whether NetworkManager runs.
        told: the daemon's last report; None if there is none. `is_running`: whether that daemon is.
    """

    settings: "Settings"
    settings_path: str
    settings_error: str
    settings_file: str
    now_s: float
    dated: tuple[tuple[str, float], ...]
    programs: frozenset[str]
    space: Space
    hosts_line: tuple[str, ...] | None
    resolv_conf: Thing
    sources: "Sources"
    reading: "Reading"
    own: frozenset[str]
    provider: "Provider"
    updates_disabled: bool
    dnsmasq: Process
    units: dict[str, Unit]
    listeners: tuple[Listener, ...]
    answers: dict[str, Answer]
    network_manager: bool
    resolved: bool
    told: dict[str, Any] | None
    is_running: bool

    @property
    def is_in_use(self) -> bool:
        """Whether dnsguard is meant to guard this host."""
        return self.is_running or self.units["dnsguard.service"].is_enabled

    def trouble_of(self, address: str) -> str:
        """What was wrong with the answer of this server; "" if it answered, NOT_ASKED if it was not asked."""
        return self.answers.get(address, Answer(NOT_ASKED)).trouble

    def fails(self, address: str) -> bool:
        """Whether this server was asked, and did not answer as it should."""
        return self.trouble_of(address) not in ("", NOT_ASKED)

    def told_of(self, address: str) -> str:
        """This server, and what it did, in words."""
        return f"{address} ({self.trouble_of(address) or 'answers'})"
