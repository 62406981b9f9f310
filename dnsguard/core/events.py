"""Everything that can happen. Past tense; frozen; all that a decision needs, and nothing live.

Events that answer an action carry the action's generation: an answer with an old one is not news.
"""

from dataclasses import dataclass, field

from dnsguard.core.nature import Nature
from dnsguard.core.policy import Policy
from dnsguard.core.upstreams import Reading
from dnsguard.core.vocabulary import Fault, Kind, Moment, Timer, Verdict


@dataclass(frozen=True, slots=True)
class Started:
    """The daemon is up; nothing is known."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """SIGTERM, SIGINT, or the end of the loop."""


@dataclass(frozen=True, slots=True)
class SettingsChanged:
    """dnsguard.toml was read again and is valid."""

    policy: Policy


@dataclass(frozen=True, slots=True)
class TimerFired:
    """The time that SetTimer asked for is over."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class FilesStirred:
    """Something moved in a watched directory; a hint, not a fact."""


@dataclass(frozen=True, slots=True)
class MomentPassed:
    """What is known of the world may be old; a hint, not a fact. `detail` says what was seen, in words."""

    moment: Moment
    detail: str


@dataclass(frozen=True, slots=True)
class SourcesRead:
    """Answers ReadSources, and says after it whether a new list has had its time."""

    reading: Reading
    settled: bool = False


@dataclass(frozen=True, slots=True)
class Published:
    """Answers Publish: libc sees this file from now on."""

    kind: Kind
    generation: int


@dataclass(frozen=True, slots=True)
class PublishFailed:
    """Answers Publish: the file that was there before is still there, whole."""

    kind: Kind
    generation: int
    reason: str


@dataclass(frozen=True, slots=True)
class DnsmasqFound:
    """Answers FindDnsmasq: this process is dnsmasq, and its death will be heard."""

    pid: int


@dataclass(frozen=True, slots=True)
class DnsmasqMissing:
    """Answers FindDnsmasq: no process can be trusted to be dnsmasq; `reason` says why, in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class NatureRead:
    """Answers ReadNature: so it is configured, as far as that could be read."""

    pid: int
    nature: Nature


@dataclass(frozen=True, slots=True)
class DnsmasqGone:
    """The process has ended."""

    pid: int


@dataclass(frozen=True, slots=True)
class ReloadSent:
    """Answers Reload: SIGHUP is delivered. It proves nothing yet."""

    generation: int
    pid: int


@dataclass(frozen=True, slots=True)
class ReloadFailed:
    """Answers Reload: SIGHUP could not be sent."""

    generation: int
    pid: int
    reason: str


@dataclass(frozen=True, slots=True)
class ProbePassed:
    """Answers Probe: dnsmasq holds what the generation demands and, if `forward`, answered for it.

    Attributes:
        held: the servers that dnsmasq has loaded; None if it is blinded (`no-ident`, NOTIMP).
        forward: whether a question was forwarded to an upstream and came back answered.
    """

    generation: int
    pid: int
    forward: bool
    held: tuple[str, ...] | None
    took_ms: float


@dataclass(frozen=True, slots=True)
class ProbeFailed:
    """Answers Probe.

    Attributes:
        held: the servers that dnsmasq has loaded; None if that was not learned.
        detail: what was seen, in words, for the log.
        fault: whose fault it is; dnsmasq's own without asking anybody, if it fails at what it must know by itself.
        answered, unanswered: upstreams that were asked directly, and answered something or nothing.
    """

    generation: int
    pid: int
    verdict: Verdict
    held: tuple[str, ...] | None
    detail: str
    fault: Fault = Fault.DNSMASQ
    answered: tuple[str, ...] = ()
    unanswered: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LookupAnswered:
    """Answers AskPublished: this published server answered first; `took_ms` is for people."""

    kind: Kind
    generation: int
    nameserver: str
    took_ms: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class LookupFailed:
    """Answers AskPublished: none of the published servers answered; `detail` says what was seen."""

    kind: Kind
    generation: int
    detail: str


@dataclass(frozen=True, slots=True)
class Compared:
    """Answers AskUpstreams: which of them have answered, and which have not, though asked three times.

    Attributes:
        took_ms: how long each that answered took, for people.
    """

    generation: int
    answered: tuple[str, ...]
    unanswered: tuple[str, ...]
    took_ms: tuple[float, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True)
class AttachAsked:
    """Answers AskAttach: the request lies where the root helper sees it."""


@dataclass(frozen=True, slots=True)
class AttachNotAsked:
    """Answers AskAttach: the request could not be left."""

    reason: str


@dataclass(frozen=True, slots=True)
class UpdateAsked:
    """Answers AskUpdate: the request lies where the root helper sees it."""


@dataclass(frozen=True, slots=True)
class UpdateNotAsked:
    """Answers AskUpdate: the request could not be left."""

    reason: str


@dataclass(frozen=True, slots=True)
class EndFailed:
    """Answers EndDnsmasq: SIGKILL could not be sent."""

    generation: int
    pid: int
    reason: str


Event = (
    Started
    | StopAsked
    | SettingsChanged
    | TimerFired
    | FilesStirred
    | MomentPassed
    | SourcesRead
    | Published
    | PublishFailed
    | DnsmasqFound
    | DnsmasqMissing
    | NatureRead
    | DnsmasqGone
    | ReloadSent
    | ReloadFailed
    | ProbePassed
    | ProbeFailed
    | LookupAnswered
    | LookupFailed
    | Compared
    | AttachAsked
    | AttachNotAsked
    | UpdateAsked
    | UpdateNotAsked
    | EndFailed
)
