"""The limits that the core decides by; dnsguard.toml sets them, settings.py reads them."""

from dataclasses import dataclass

from dnsguard.core.vocabulary import Standby, ZoneDown


@dataclass(frozen=True, slots=True)
class Policy:
    """How much proof, how much patience. Times in seconds.

    A hang is seen within interval_s + fall * probe_timeout_s, 1.5 s by default.
    """

    dnsmasq_address: str = "127.0.0.1"
    """What resolv.conf names while guarded."""
    dnsmasq_port: int = 53
    """Where libc must find it; libc itself always asks 53."""
    standby: Standby = Standby.AUTO
    """Whether one upstream stands behind dnsmasq in the file while guarded.

    "auto": unless dnsmasq validates DNSSEC or routes names by its configuration, or that is in doubt."""
    rise: int = 3
    """Passes in a row, in one generation, before dnsmasq is trusted."""
    fall: int = 2
    """Failures in a row before a trusted dnsmasq is left, unless one of them is telling."""
    zone_down: ZoneDown = ZoneDown.HOLD
    """What follows if some of the [health] questions fail both through dnsmasq and directly, while others pass.

    "hold": no upstream would answer them, so to leave dnsmasq would only lose its cache and its local names.
    "flip": it counts as dnsmasq's failure."""
    dwell_s: float = 5.0
    """How long libc keeps the upstreams after a trusted dnsmasq has failed, at least; 0: as long as a trial takes."""
    falls: int = 3
    """Failures of a trusted dnsmasq, within falls_window_s of one another, that make its trials longer; 0: none do."""
    falls_window_s: float = 600.0
    """Without a failure for that long, those before are forgotten."""
    long_trial_interval_s: float = 10.0
    """Between two questions of a longer trial: by default it takes half a minute instead of half a second."""
    interval_s: float = 1.0
    """Between two questions to a dnsmasq that is trusted, or that has long been useless."""
    trial_interval_s: float = 0.2
    """Between two questions to a dnsmasq that has just come or is on trial."""
    forward_interval_s: float = 30.0
    """Between two questions that leave the host while nothing is wrong: two a minute; up to a fifth more is jitter.

    With several questions, or several upstreams to compare, all of them are asked that many times less often."""
    network_retry_s: float = 2.0
    """Between two forwarded questions while no upstream answers; each takes up to forward_timeout_s itself.

    That long a mended network is not noticed; nobody waits for it, for libc's servers are not changed meanwhile."""
    network_tries: int = 30
    """Forwarded questions at network_retry_s, a minute or two, before forward_interval_s is enough."""
    pause_s: float = 0.01
    """Files that move are read at once, then no sooner than this.

    Less than the 17 ms in which dnsmasq's end is announced (measured on Debian 12)."""
    settle_s: float = 0.05
    """A new list is believed if it is still there after this: a file may be half-written."""
    look_s: float = 30.0
    """The files are looked at this often even if nothing was heard."""
    find_s: float = 1.0
    """Between two looks for an absent dnsmasq, and between two looks at the files while no upstream is known."""
    eager_tries: int = 5
    """Questions at trial_interval_s to a dnsmasq that fails them, before interval_s is enough."""
    offer_wait_s: float = 3.0
    """How long dnsmasq's own file may lag behind the list before SIGHUP is sent all the same.

    Debian's update.d/dnsmasq sleeps up to 1 s so that the file's time stamp changes."""
    reload_retry_s: float = 1.0
    """After SIGHUP, before it is sent again to a dnsmasq that still lacks its upstreams; doubles."""
    reload_tries: int = 3
    """SIGHUPs for one list, the first included."""
    restarts: int = 5
    """Times within restart_window_s that a dnsmasq which does not take its upstreams is ended by SIGKILL; 0: never.

    systemd starts another one, by the drop-in that the package brings for dnsmasq.service."""
    restart_window_s: float = 300.0
    """The window of `restarts`, from the first of them on."""
    publish_retry_s: float = 0.5
    """Between two tries to write the file."""
    ask_retry_s: float = 1.0
    """Between two questions to published servers that do not answer, until ready."""
    ready_timeout_s: float = 30.0
    """Dependents are let go after this, answer or not."""
    trample_limit: int = 9
    """Times that resolv.conf may be overwritten without `quiet_s` of peace, before yielding."""
    quiet_s: float = 5.0
    """Peace that forgets the times before."""
    yield_s: float = 300.0
    """How long the guard stands back."""
