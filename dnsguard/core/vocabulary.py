"""The words that events, actions and states share; a leaf that imports nothing of ours."""

from enum import Enum


class Phase(Enum):
    """Where the guard stands; each is a word that an operator reads in `systemctl status`."""

    STARTING = "starting"
    """No usable upstream is known yet; resolv.conf keeps what was there."""
    DIRECT = "direct"
    """resolv.conf names the upstreams; dnsmasq is absent or has not taken them."""
    PROVING = "proving"
    """resolv.conf names the upstreams; dnsmasq holds them and is on trial."""
    GUARDED = "guarded"
    """resolv.conf names dnsmasq, for as long as it keeps proving itself."""
    YIELDED = "yielded"
    """Another program keeps rewriting resolv.conf; the guard stands back for a while."""
    STOPPING = "stopping"
    """The daemon is leaving; `dnsguard detach` decides what is handed back."""


class Timer(Enum):
    """Everything the core can wait for; setting a timer again replaces it."""

    PAUSE = "pause"
    """The files may be read again: do so if they stirred meanwhile."""
    SETTLE = "settle"
    """A new list has had time to settle: see whether it is still there."""
    LOOK = "look"
    """Look at the files although nothing was heard, in case inotify lost something."""
    FIND = "find"
    """Look for dnsmasq again."""
    PROBE = "probe"
    """Ask dnsmasq the next question."""
    FORWARD = "forward"
    """The next question must be forwarded to an upstream too."""
    RELOAD = "reload"
    """dnsmasq was told of the upstreams and still lacks them: tell it again."""
    RESTARTS = "restarts"
    """The window in which dnsmasq may be ended only so often is over."""
    DWELL = "dwell"
    """libc has been kept from a dnsmasq that failed for long enough: it may be tried again."""
    FALLS = "falls"
    """A trusted dnsmasq has not failed for long: forget that it did."""
    PUBLISH = "publish"
    """Try again to write the file."""
    COMPARE = "compare"
    """Ask the upstreams that libc asks, each of them: one that does not answer goes last."""
    ASK = "ask"
    """Ask the published servers again: nothing has answered yet."""
    READY = "ready"
    """Dependents have waited long enough: say ready, degraded."""
    QUIET = "quiet"
    """Nobody has overwritten resolv.conf for a while: forget the old rounds."""
    YIELD = "yield"
    """The guard has stood back long enough: try again."""


class Moment(Enum):
    """What has passed, after which what is known of the world may be old."""

    NETWORK = "network"
    """A link or an address has come or gone."""
    CLOCK = "clock"
    """The time of day was set."""
    RESUME = "resume"
    """This host has slept."""


class Kind(Enum):
    """What the published file names."""

    DIRECT = "direct"
    """The real upstreams."""
    GUARDED = "guarded"
    """dnsmasq, and behind it the standby upstream if there is one."""


class Standby(Enum):
    """Whether one upstream stands behind dnsmasq in the file while guarded."""

    AUTO = "auto"
    """It does unless dnsmasq validates DNSSEC or routes names; in doubt it does not."""
    YES = "yes"
    """libc goes on to it after a second: no lookup fails while dnsmasq dies or hangs."""
    NO = "no"
    """dnsmasq alone: for hosts where going on would bypass DNSSEC or leak internal names."""


class ZoneDown(Enum):
    """What follows if some of the operator's questions fail both through dnsmasq and directly, and others pass."""

    HOLD = "hold"
    """dnsmasq stays, or passes its trial: the upstreams would not answer these either."""
    FLIP = "flip"
    """It counts as dnsmasq's failure: for hosts where a dnsmasq without these zones is of no use."""


class Fault(Enum):
    """Whose fault it is that a probe of dnsmasq failed."""

    DNSMASQ = "dnsmasq"
    """An upstream answers what dnsmasq does not, or dnsmasq fails at what it must know by itself."""
    NETWORK = "network"
    """No upstream says anything: to leave dnsmasq would help nobody."""
    ZONE = "zone"
    """Some questions fail through dnsmasq and directly, others pass."""
    UNKNOWN = "unknown"
    """Upstreams speak, but none answers what was asked; or there was none to ask."""


class Verdict(Enum):
    """Why a probe of dnsmasq failed."""

    SILENT = "silent"
    """No answer to a question that dnsmasq answers by itself: hung, or overloaded."""
    CLOSED = "closed"
    """Nobody listens on its port."""
    LACKING = "lacking"
    """It answers, but does not hold this generation's upstreams."""
    NO_UPSTREAM = "no-upstream"
    """REFUSED with EDE 14 (Not Ready): it knows no upstream at all."""
    REFUSED = "refused"
    """Any other REFUSED to a forwarded question."""
    SERVFAIL = "servfail"
    """The forwarded question came back as SERVFAIL."""
    UNFORWARDED = "unforwarded"
    """It answers for itself, but the forwarded question got no answer."""
    WRONG = "wrong"
    """The forwarded question was answered, but not with what must be answered."""
    RUBBISH = "rubbish"
    """It answers something that no dnsmasq says."""
    UNREACHABLE = "unreachable"
    """The question could not even be sent."""


TELLING = frozenset({Verdict.CLOSED, Verdict.LACKING, Verdict.NO_UPSTREAM})
"""Verdicts that leave no doubt: one is enough, `fall` is not waited for."""

MUTE = frozenset({Verdict.SILENT, Verdict.RUBBISH, Verdict.UNREACHABLE})
"""Verdicts on dnsmasq itself, not on what it forwards: `fall` of them end a trial, too."""
