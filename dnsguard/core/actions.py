"""Everything that may be done. Imperative; frozen; performed by the daemon in the order given.

Each action that can fail is answered by an event, named in its docstring (law 3 of the core).
"""

from dataclasses import dataclass

from dnsguard.core.resolvconf import ResolvConf
from dnsguard.core.vocabulary import Kind, Timer


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Fire `timer` after `after_s` seconds plus a random share of `spread_s`; replaces an older one.

    Answered by TimerFired.
    """

    timer: Timer
    after_s: float
    spread_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ReadSources:
    """Read every source of upstreams; `settled` if a new list has had its time. Answered by SourcesRead."""

    settled: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """Make this the file that libc reads. Answered by Published or PublishFailed."""

    kind: Kind
    generation: int
    conf: ResolvConf


@dataclass(frozen=True, slots=True)
class KeepNewcomer:
    """Keep what another program wrote into our file: it is a source, and about to be replaced.

    Not answered: where it cannot be kept nothing can be published either, and Publish says why.
    """


@dataclass(frozen=True, slots=True)
class KeepList:
    """Keep the list for a life in which no source speaks; `networks` as in Reading.

    Not answered: nothing hangs on it in this life.
    """

    conf: ResolvConf
    networks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FindDnsmasq:
    """Find the process. Answered by DnsmasqFound or DnsmasqMissing, and one day by DnsmasqGone."""


@dataclass(frozen=True, slots=True)
class ReadNature:
    """Read how this process is configured. Answered by NatureRead."""

    pid: int


@dataclass(frozen=True, slots=True)
class Reload:
    """Send SIGHUP. Answered by ReloadSent or ReloadFailed."""

    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class Probe:
    """Ask dnsmasq what it holds and, if `forward`, questions that it must forward.

    What it does not answer, the upstreams are asked directly. Answered by ProbePassed or ProbeFailed, whatever happens.
    """

    generation: int
    pid: int
    demanded: tuple[str, ...]
    forward: bool
    upstreams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AskPublished:
    """Ask the published servers themselves, in order, as libc would.

    Answered by LookupAnswered or LookupFailed.
    """

    kind: Kind
    generation: int
    nameservers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskUpstreams:
    """Ask each of the upstreams, all at the same time. Answered by Compared."""

    generation: int
    nameservers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AskAttach:
    """Ask the root helper to attach again. Answered by AttachAsked or AttachNotAsked."""


@dataclass(frozen=True, slots=True)
class AskUpdate:
    """Ask the root helper to have dnsmasq's upstream file written again. Answered by UpdateAsked or UpdateNotAsked."""


@dataclass(frozen=True, slots=True)
class EndDnsmasq:
    """Send SIGKILL: systemd starts another one. Answered by DnsmasqGone, or by EndFailed."""

    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class SayReady:
    """Tell systemd that dependents may start; `degraded` says why with doubt, or is empty."""

    degraded: str = ""


@dataclass(frozen=True, slots=True)
class SayReloaded:
    """Tell systemd that the new settings are in force."""


@dataclass(frozen=True, slots=True)
class Leave:
    """End the daemon; what is published stays until `dnsguard detach` looks at it."""


Action = (
    SetTimer
    | ReadSources
    | Publish
    | KeepNewcomer
    | KeepList
    | FindDnsmasq
    | ReadNature
    | Reload
    | Probe
    | AskPublished
    | AskUpstreams
    | AskAttach
    | AskUpdate
    | EndDnsmasq
    | SayReady
    | SayReloaded
    | Leave
)
