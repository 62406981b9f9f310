"""State -> what `dnsguard status` shows, and back: status.json, version 1."""

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from dnsguard.core import resolvconf
from dnsguard.core.resolvconf import ResolvConf

if TYPE_CHECKING:
    from dnsguard.core.state import State

VERSION = 1
"""Grows when a key changes its meaning or goes away; new keys may come at any time."""


@dataclass(frozen=True, slots=True)
class Heard:
    """What was last heard of an upstream that was asked directly.

    Attributes:
        answers: whether it did; `took_ms`: how long that took, None if it did not or that was not measured.
        at: when, ISO 8601 in UTC.
    """

    answers: bool
    took_ms: float | None
    at: str


@dataclass(frozen=True, slots=True)
class Move:
    """One change of phase: when (ISO 8601 in UTC), from where, to where, and the log line that says why."""

    at: str
    before: str
    after: str
    code: str
    text: str


@dataclass(frozen=True, slots=True)
class Witness:
    """What the daemon saw, for people; nothing is decided by it.

    Attributes:
        pid: the daemon's own process.
        phase_before: the phase before this one.
        since: when this phase began, ISO 8601 in UTC; `written`: when the report was.
        probe: the last probe, in words; `forwarded`: the last one that was forwarded.
        counters: how often each thing was done, since the daemon started.
        heard: by the upstream's address; those that were never asked directly are not in it.
        moves: the last changes of phase, the oldest first.
    """

    pid: int
    phase_before: str
    since: str
    written: str
    probe: str
    forwarded: str
    counters: dict[str, int]
    heard: dict[str, Heard] = field(default_factory=dict)
    moves: tuple[Move, ...] = ()


def report(state: "State", witness: Witness) -> dict[str, Any]:
    """Everything that a program may want to know, as JSON can carry it."""
    # `dnsguard status` reads a report and never makes one: it need not wait for events, actions and state.
    from dnsguard.core.banner import status_line
    from dnsguard.core.nature import standby_rule
    from dnsguard.core.outlook import outlook

    known = state.upstreams
    used, why = standby_rule(state.policy.standby, state.nature)
    return {
        "version": VERSION,
        "pid": witness.pid,
        "phase": state.phase.value,
        "phase_before": witness.phase_before,
        "since": witness.since,
        "written": witness.written,
        "summary": status_line(state),
        "next": outlook(state),
        "ready": state.ready,
        "attached": state.attached,
        "generation": state.generation,
        "published": None if state.published is None else state.published[0].value,
        "upstreams": list(known.nameservers) if known else [],
        "source": known.source if known else "",
        "search": list(known.search) if known else [],
        "options": list(known.options) if known else [],
        "rest": list(known.rest) if known else [],
        "standby": state.standby,
        "standby_used": used,
        "standby_why": why,
        "spared": list(state.spared),
        "fault": None if state.fault is None else state.fault.value,
        "dnsmasq": {
            "pid": state.pid,
            "missing": state.missing,
            "registered": state.registered,
            "offered": None if state.offered is None else list(state.offered),
            "holds": None if state.held is None else list(state.held),
            "passes": state.passes,
            "failures": state.failures,
            "barred": state.bar,
            "loops": list(state.loops),
            "notes": [] if state.nature is None else list(state.nature.notes),
            "in_doubt": [] if state.nature is None else list(state.nature.unread),
        },
        "last_probe": witness.probe,
        "last_forwarded": witness.forwarded,
        "heard": {each: asdict(witness.heard[each]) for each in state.nameservers if each in witness.heard},
        "moves": [asdict(move) for move in witness.moves],
        "complaints": list(state.complaints),
        "counters": dict(witness.counters),
    }


def upstreams_text(told: dict[str, Any]) -> str:
    """The last real upstreams as resolv.conf text, for handing back; "" if none were known."""
    nameservers = tuple(each for each in told.get("upstreams") or () if resolvconf.canonical(str(each)))
    if not nameservers:
        return ""
    kept = (tuple(str(word) for word in told.get(name) or ()) for name in ("search", "options", "rest"))
    return resolvconf.render(ResolvConf(nameservers, *kept), ("Left by dnsguard: the last real upstream servers.",))


def last_phase(told: dict[str, Any]) -> str:
    """The phase that the daemon was in before it began to stop, or died; "" if that is unknown."""
    phase = told.get("phase_before") if told.get("phase") == "stopping" else told.get("phase")
    return str(phase or "")
