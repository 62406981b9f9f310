"""The past: `dnsguard history` and `dnsguard replay`, from the journal or from a file that somebody sent."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from dnsguard.core import events as on
from dnsguard.core.errors import DnsguardError, RecordError
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.history import Line, as_plain, in_words, timeline
from dnsguard.core.record import event_from, state_from, to_plain
from dnsguard.core.words import say
from dnsguard.edge import log_reader

DEFAULT_ROWS = {"minute": 60, "hour": 24, "day": 30}
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
_SHAPES = {"minute": "%Y-%m-%d %H:%M", "hour": "%Y-%m-%d %H:00", "day": "%Y-%m-%d"}
MOST_ROWS = 2000


def history(per: str, since: str, path: Path | None, *, as_json: bool) -> int:
    """Print the timeline; returns 0, or 1 if there is not one line to read."""
    until = datetime.now().astimezone()
    edges = _edges(per, _begin(per, since, until), until)
    lines = [
        Line(found["at_s"], str(found["code"]), str(found["phase"] or ""), _state_in(found))
        for found in _read(path, edges[0].timestamp())
    ]
    if not lines:
        where = str(path) if path else "the journal (root and the group systemd-journal may read it)"
        print(f"dnsguard: there is no line of dnsguard's in {where} since {edges[0]:%Y-%m-%d %H:%M}", file=sys.stderr)
        return 1
    buckets = timeline(lines, [edge.timestamp() for edge in edges], until.timestamp())
    names = {edge.timestamp(): edge.strftime(_SHAPES[per]) for edge in edges}
    if as_json:
        rows = [as_plain(bucket, edge.isoformat()) for bucket, edge in zip(buckets, edges, strict=False)]
        print(json.dumps({"version": 1, "per": per, "rows": rows}, indent=1))
    else:
        print(in_words(buckets, names), end="")
    return 0


def _state_in(found: dict[str, Any]) -> dict[str, Any]:
    state = found.get("state")
    return state if isinstance(state, dict) else {}


def _begin(per: str, since: str, until: datetime) -> datetime:
    """When the first row begins.

    Raises:
        DnsguardError: code "bad-time".
    """
    if not since:
        return until - timedelta(**{f"{per}s": DEFAULT_ROWS[per] - 1})
    try:
        if ago := re.fullmatch(r"(\d{1,6})([mhd])", since):
            return until - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
        return datetime.fromisoformat(since).astimezone()
    except (ValueError, OverflowError):
        words = f"{since!a} is no time: write 90m, 12h or 30d, or a date as in 2026-11-25 or 2026-11-25T03:00"
        raise DnsguardError("bad-time", words) from None


def _edges(per: str, begin: datetime, until: datetime) -> list[datetime]:
    """Where the rows begin, on full minutes, hours or days, and where the last one ends.

    Raises:
        DnsguardError: code "bad-time".
    """
    edge = begin.replace(second=0, microsecond=0)
    edge = edge if per == "minute" else edge.replace(minute=0)
    edge = edge if per != "day" else edge.replace(hour=0)
    step = timedelta(**{f"{per}s": 1})
    if edge >= until or (until - edge) / step > MOST_ROWS:
        raise DnsguardError("bad-time", f"that makes no row, or more than {MOST_ROWS}; choose another --since or --per")
    edges = []
    while edge < until:
        edges.append(edge)
        edge += step
    return [*edges, edge]


def replay(path: Path) -> int:
    """Decide each recorded event again and explain it; returns 0, or 1 if one of them comes out otherwise now."""
    differing = decisions = 0
    for found in _read(path, 0.0):
        if not found.get("event"):
            print(f"{_clock(found)}  {found['code']}: {found['text']}")
            continue
        decisions += 1
        try:
            before, event = state_from(found["state"]), event_from(found["event"])
        except RecordError as error:
            differing += 1
            print(f"{_clock(found)}  {found['code']}: {found['text']}\n    cannot be decided again: {error}")
            continue
        after, actions = decide(before, event)
        again = json.loads(json.dumps(to_plain(actions)))
        said = say(before, event, after, actions)
        print(f"{_clock(found)}  {_name(event)} in {before.phase.value} -> {after.phase.value}: {said.text}")
        for action in again:
            print(f"    {_in_words(action)}")
        if again != found["actions"]:
            differing += 1
            print("    otherwise than recorded, where the actions were:")
            for action in found["actions"]:
                print(f"    - {_in_words(action)}")
    print(f"{decisions} decisions, of which {differing} come out otherwise or cannot be read")
    return 1 if differing else 0


def _clock(found: dict[str, Any]) -> str:
    return datetime.fromtimestamp(found["at_s"]).astimezone().isoformat(timespec="milliseconds")


def _name(event: Event) -> str:
    name = type(event).__name__
    return f"{name}({event.timer.value})" if isinstance(event, on.TimerFired) else name


def _in_words(action: dict[str, Any]) -> str:
    """An action as it was recorded: its name, and what it is about."""
    about = ", ".join(f"{name} {json.dumps(value)}" for name, value in action.items() if name != "is" and value)
    return f"{action.get('is')}: {about}" if about else str(action.get("is"))


def _read(path: Path | None, since_s: float) -> Iterator[dict[str, Any]]:
    """The lines of a file, of standard input for "-", or of this host's journal.

    Raises:
        DnsguardError: code "unreadable-log".
    """
    if path is None:
        yield from log_reader.from_journal(since_s)
        return
    try:
        with nullcontext(sys.stdin) if str(path) == "-" else path.open(errors="replace") as file:
            yield from log_reader.from_lines(file, since_s)
    except OSError as error:
        raise DnsguardError("unreadable-log", f"{path}: {error.strerror}") from error
