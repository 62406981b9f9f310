"""A report for a human: one screen, the most important first.

Times become ages by a function that is handed in, for the core has no clock; keys that are missing are passed over, for
the report may be of another version.
"""

from collections.abc import Callable, Iterator
from typing import Any

Age = Callable[[str], str]
"""ISO 8601 -> how long ago, in words; "" if that cannot be said."""

_WIDTH = 10
_BOLD, _RED, _YELLOW, _GREEN, _PLAIN = "\x1b[1m", "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
_COLOURS = {"guarded": _GREEN, "direct": _YELLOW, "proving": _YELLOW, "starting": _RED, "yielded": _RED}


def screen(told: dict[str, Any], age: Age, *, colour: bool = False) -> str:
    """What `dnsguard status` prints of a report."""
    lines = [*_phase(told, age, colour), *_upstreams(told, age), *_dnsmasq(told, age), *_moves(told, age)]
    return "".join(f"{name:>{_WIDTH}}{': ' if name else '  '}{words}\n" for name, words in lines)


_Line = tuple[str, str]


def _phase(told: dict[str, Any], age: Age, colour: bool) -> Iterator[_Line]:
    phase = str(told.get("phase"))
    shown = f"{_BOLD}{_COLOURS.get(phase, '')}{phase}{_PLAIN}" if colour else phase
    yield "phase", f"{shown} for {age(str(told.get('since')))} (before: {told.get('phase_before') or 'none'})"
    yield "libc", str(told.get("summary"))
    yield "next", str(told.get("next") or "unknown")
    yield "attached", _ATTACHED.get(str(told.get("attached")), "unknown")
    for complaint in told.get("complaints") or []:
        yield "complaint", complaint


_ATTACHED = {"True": "yes: /etc/resolv.conf is our link", "False": "no: /etc/resolv.conf is somebody else's"}


def _upstreams(told: dict[str, Any], age: Age) -> Iterator[_Line]:
    known = told.get("upstreams") or []
    yield "upstreams", f"{_listed(known)} (generation {told.get('generation')}, {told.get('source') or 'no source'})"
    heard, spared = told.get("heard") or {}, told.get("spared") or []
    for address in known:
        last = " named last" if address in spared else ""
        yield "", f"{address}: {_heard(heard.get(address), age)}{',' if last else ''}{last}"
    reason = f": {told['standby_why']}" if told.get("standby_why") else ""
    used = "used" if told.get("standby_used") else "not used"
    yield "standby", f"{told.get('standby') or 'none yet'}, {used}{reason}"


def _heard(heard: dict[str, Any] | None, age: Age) -> str:
    if heard is None:
        return "not asked directly yet"
    took = f" in {heard['took_ms']:.1f} ms" if heard.get("took_ms") is not None else ""
    return f"{'answered' + took if heard.get('answers') else 'did not answer'} {age(str(heard.get('at')))} ago"


def _dnsmasq(told: dict[str, Any], age: Age) -> Iterator[_Line]:
    dnsmasq = told.get("dnsmasq") or {}
    pid = dnsmasq.get("pid")
    yield "dnsmasq", f"PID {pid}" if pid else f"absent: {dnsmasq.get('missing') or 'not looked for yet'}"
    holds = "unknown" if dnsmasq.get("holds") is None else _listed(dnsmasq["holds"])
    offered = "there is none" if dnsmasq.get("offered") is None else _listed(dnsmasq["offered"])
    yield "holds", f"{holds}; its upstream file: {offered}"
    if dnsmasq.get("barred"):
        yield "barred", dnsmasq["barred"]
    for loop in dnsmasq.get("loops") or []:
        yield "loop", loop
    for note in dnsmasq.get("notes") or []:
        yield "note", note
    for doubt in dnsmasq.get("in_doubt") or []:
        yield "in doubt", doubt
    if told.get("fault"):
        yield "fault", told["fault"]
    yield "probe", _probe(told.get("last_probe"), age)
    yield "forwarded", _probe(told.get("last_forwarded"), age)


def _probe(words: Any, age: Age) -> str:
    """A probe in words, as the report has it: "passed in 0.3 ms at TIME", "failed at TIME: WHY"."""
    before, at, after = str(words or "").partition(" at ")
    if not at:
        return before or "none yet"
    when, colon, why = after.partition(": ")
    return f"{before} {age(when)} ago{colon}{why}"


def _moves(told: dict[str, Any], age: Age) -> Iterator[_Line]:
    counters = told.get("counters") or {}
    yield "counters", ", ".join(f"{name} {count}" for name, count in counters.items()) or "none yet"
    for name, move in zip(_named("moves"), told.get("moves") or [], strict=False):
        step = f"{move.get('before')} -> {move.get('after')}"
        yield name, f"{age(str(move.get('at')))} ago, {step}: {move.get('text')} ({move.get('code')})"


def _named(name: str) -> Iterator[str]:
    yield name
    while True:
        yield ""


def _listed(words: Any) -> str:
    return ", ".join(str(word) for word in words or ()) or "none"
