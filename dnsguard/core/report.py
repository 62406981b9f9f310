"""State -> what `dnsguard status` shows, and back: status.json, version 1."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dnsguard.core import resolvconf
from dnsguard.core.resolvconf import ResolvConf

if TYPE_CHECKING:
    from dnsguard.core.state import State

VERSION = 1
"""Grows when a key changes its meaning or goes away; new keys may come at any time."""


@dataclass(frozen=True, slots=True)
class Witness:
    """What the daemon saw, for people; nothing is decided by it.

    Attributes:
        pid: the daemon's own process.
        phase_before: the phase before this one.
        since: when this phase began, ISO 8601 in UTC; `written`: when the report was.
        probe: the last probe, in words; `forwarded`: the last one that was forwarded.
        counters: how often each thing was done, since the daemon started.
    """

    pid: int
    phase_before: str
    since: str
    written: str
    probe: str
    forwarded: str
    counters: dict[str, int]


def report(state: "State", witness: Witness) -> dict[str, Any]:
    """Everything that a program may want to know, as JSON can carry it."""
    # `dnsguard status` reads a report and never makes one: it need not wait for events, actions and state.
    from dnsguard.core.nature import standby_rule
    from dnsguard.core.words import status_line

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
        "complaints": list(state.complaints),
        "counters": dict(witness.counters),
    }


def in_words(told: dict[str, Any]) -> str:
    """A report for a human, one fact a line. Keys that are missing are passed over."""
    dnsmasq = told.get("dnsmasq") or {}
    pid = dnsmasq.get("pid")
    reason = f": {told['standby_why']}" if told.get("standby_why") else ""
    lines = [
        ("phase", f"{told.get('phase')} since {told.get('since')} (before: {told.get('phase_before') or 'none'})"),
        ("libc", told.get("summary")),
        ("upstreams", f"{_listed(told.get('upstreams'))} (generation {told.get('generation')}, {told.get('source')})"),
        ("dnsmasq", f"PID {pid}" if pid else f"absent: {dnsmasq.get('missing') or 'not looked for yet'}"),
        ("holds", "unknown" if dnsmasq.get("holds") is None else _listed(dnsmasq["holds"])),
        ("offered", "no such file" if dnsmasq.get("offered") is None else _listed(dnsmasq["offered"])),
        (
            "standby",
            f"{told.get('standby') or 'none yet'}, {'used' if told.get('standby_used') else 'not used'}{reason}",
        ),
        ("attached", _ATTACHED.get(str(told.get("attached")), "unknown")),
        ("probe", told.get("last_probe") or "none yet"),
        ("forwarded", told.get("last_forwarded") or "none yet"),
        ("counters", ", ".join(f"{name} {count}" for name, count in (told.get("counters") or {}).items())),
    ]
    lines += [("barred", dnsmasq["barred"])] if dnsmasq.get("barred") else []
    lines += [("loop", loop) for loop in dnsmasq.get("loops") or []]
    lines += [("note", note) for note in dnsmasq.get("notes") or []]
    lines += [("in doubt", doubt) for doubt in dnsmasq.get("in_doubt") or []]
    lines += [("complaint", complaint) for complaint in told.get("complaints") or []]
    return "".join(f"{name:>10}: {words}\n" for name, words in lines)


_ATTACHED = {"True": "yes", "False": "no: resolv.conf is somebody else's"}


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


def _listed(words: Any) -> str:
    return ", ".join(str(word) for word in words or ()) or "none"
