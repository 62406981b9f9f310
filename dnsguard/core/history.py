"""What the log tells of the past: the phases over time, and how long names did not resolve, by cause.

Only codes and phases are read, and little of the recorded state, so that the lines of older versions count too. What is
known is what was logged: docs/history.md says how far that goes.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise, zip_longest
from typing import Any

OFF = "off"
"""No daemon ran, or its lines are not in the log any more."""

LETTERS = {
    "guarded": "G",
    "proving": "p",
    "direct": "d",
    "starting": "?",
    "yielded": "y",
    OFF: " ",
}
DOUBT_S = 1.0
"""A doubted dnsmasq was well when it was last asked, a second before at most."""

# What opens a time without answers, and why; the causes are those of the metrics.
_OPENS = {"network-down": "upstreams", "ready-degraded": "upstreams", "publish-failed": "publish"}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the log.

    Attributes:
        at_s: when, seconds since 1970.
        code, phase: its code, and the phase after it; "" if it says none.
        before: the recorded state before it, as plain data; {} if there is none.
    """

    at_s: float
    code: str
    phase: str
    before: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Span:
    """A time in one phase, or without answers for one cause; seconds since 1970."""

    begin_s: float
    end_s: float
    what: str


@dataclass(frozen=True, slots=True)
class Bucket:
    """One row of the timeline.

    Attributes:
        phases: seconds by phase; OFF is one of them.
        unavailable: seconds by cause.
        flips: how often libc was given dnsmasq instead of the upstreams, or the other way round, by log code.
        strip: the rarest phase of each part, a letter each.
    """

    begin_s: float
    phases: Mapping[str, float]
    unavailable: Mapping[str, float]
    flips: Mapping[str, int]
    strip: str


def timeline(lines: Sequence[Line], edges: Sequence[float], now_s: float, parts: int = 60) -> tuple[Bucket, ...]:
    """Lay what the lines tell, the oldest first, over the buckets between these edges (seconds since 1970).

    The last bucket may not be over yet: nothing is said of what comes after `now_s`.
    """
    if len(edges) < 2:
        return ()
    phases = tuple(_phases(lines, now_s))
    unavailable = tuple(_unavailable(lines, now_s))
    flips = tuple(_flips(lines))
    buckets = []
    for begin_s, end_s in pairwise(edges):
        here = [span for span in phases if span.begin_s < end_s and span.end_s > begin_s]
        spent = _seconds(here, begin_s, end_s)
        spent[OFF] = max(0.0, min(end_s, now_s) - begin_s - sum(spent.values()))
        within: dict[str, int] = {}
        for at_s, code in flips:
            if begin_s <= at_s < end_s:
                within[code] = within.get(code, 0) + 1
        strip = _strip(here, begin_s, end_s, parts)
        buckets.append(Bucket(begin_s, spent, _seconds(unavailable, begin_s, end_s), within, strip))
    return tuple(buckets)


def _phases(lines: Sequence[Line], end_s: float) -> Iterator[Span]:
    """From each line that says a phase to the next one; who has said `stopping` is off."""
    said = [line for line in lines if line.phase]
    for line, next_line in zip_longest(said, said[1:]):
        until_s = next_line.at_s if next_line else end_s
        if line.phase != "stopping" and not (next_line and next_line.code == "started"):
            yield Span(line.at_s, until_s, line.phase)


def _unavailable(lines: Sequence[Line], end_s: float) -> Iterator[Span]:
    """The times in which something spoke against the servers that libc had, the earlier cause first."""
    open_since_s, cause = 0.0, ""
    for line in lines:
        if cause and _closes(line, cause):
            yield Span(open_since_s, line.at_s, cause)
            cause = ""
        if line.code in ("dnsmasq-doubted", "dnsmasq-failed") and _depends(line):
            yield Span(line.at_s - DOUBT_S, line.at_s, "dnsmasq")
        if not cause and (opened := _opened(line)):
            open_since_s, cause = line.at_s, opened
    if cause:
        yield Span(open_since_s, end_s, cause)


def _opened(line: Line) -> str:
    return "no-upstream" if line.phase == "starting" else _OPENS.get(line.code, "")


def _closes(line: Line, cause: str) -> bool:
    if line.code in ("started", "stopping"):
        return True
    if cause == "no-upstream":
        return line.phase not in ("starting", "")
    if cause == "publish":
        return line.code != "publish-failed" and not line.before.get("refused")
    # The state before a line tells what was learned since the line before it.
    lasts = line.before.get("fault") == "network" or not line.before.get("standby")
    return line.code in ("fault-over", "ready") or (bool(line.before) and not lasts)


def _depends(line: Line) -> bool:
    """Whether libc was given the dnsmasq that the line is about."""
    return line.before.get("phase") == "guarded"


def _flips(lines: Iterable[Line]) -> Iterator[tuple[float, str]]:
    """When libc was given something else, and by which log code."""
    for line in lines:
        was = str(line.before.get("phase") or line.phase)
        if was != line.phase and "guarded" in (was, line.phase) and line.phase != "stopping":
            yield line.at_s, line.code


def _seconds(spans: Iterable[Span], begin_s: float, end_s: float) -> dict[str, float]:
    """How much of each lies between two moments."""
    spent: dict[str, float] = {}
    for span in spans:
        common_s = min(span.end_s, end_s) - max(span.begin_s, begin_s)
        if common_s > 0:
            spent[span.what] = spent.get(span.what, 0.0) + common_s
    return spent


def _strip(phases: Sequence[Span], begin_s: float, end_s: float, parts: int) -> str:
    width_s = (end_s - begin_s) / parts
    letters = []
    for part in range(parts):
        spent = _seconds(phases, begin_s + part * width_s, begin_s + (part + 1) * width_s)
        # Rather what is seldom than what is usual: a minute in `direct` is what somebody looks for.
        rare = [phase for phase in ("yielded", "starting", "direct", "proving", "guarded") if spent.get(phase)]
        letters.append(LETTERS[rare[0]] if rare else LETTERS[OFF])
    return "".join(letters)


def in_words(buckets: Iterable[Bucket], name: Mapping[float, str]) -> str:
    """The rows, each with its strip, its seconds without answers and its flips; `name` puts a beginning into words."""
    rows = [LEGEND]
    for bucket in buckets:
        lost = ", ".join(f"{cause} {seconds:.1f} s" for cause, seconds in bucket.unavailable.items())
        flips = ", ".join(f"{code} {count}" for code, count in bucket.flips.items())
        words = "; ".join(words for words in (f"no answer: {lost}" if lost else "", flips) if words)
        rows.append(f"{name[bucket.begin_s]} |{bucket.strip}| {words}".rstrip())
    return "".join(f"{row}\n" for row in rows)


LEGEND = (
    "G guarded, p proving, d direct, ? starting, y yielded, blank: nothing is known; of each part the rarest is shown"
)


def as_plain(bucket: Bucket, name: str) -> dict[str, Any]:
    """A row as JSON can carry it; seconds are rounded to milliseconds."""

    def rounded(seconds: Mapping[str, float]) -> dict[str, float]:
        return {what: round(spent_s, 3) for what, spent_s in seconds.items() if spent_s > 0}

    return {
        "begin": name,
        "phases": rounded(bucket.phases),
        "unavailable": rounded(bucket.unavailable),
        "flips": dict(bucket.flips),
    }
