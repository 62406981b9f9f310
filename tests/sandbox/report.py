"""Two tellings of the story, laid side by side in plain text of at most 100 columns."""

from collections.abc import Iterable, Iterator, Sequence

from tests.sandbox.lookups import SLOW_S, Lookup, Tally, tally
from tests.sandbox.story import Event, Happened, Told

BUCKET_S = 0.1
LABEL = 10
"""Columns before a timeline; 90 remain for nine seconds."""

ANSWERED, SLOW, FAILED, NO_LOOKUP = ".", "s", "X", " "
PHASE_LETTERS = {
    "starting": "?",
    "direct": "d",
    "proving": "p",
    "guarded": "G",
    "yielded": "y",
    "stopping": "-",
}
LEGEND = (
    f"{BUCKET_S * 1000:.0f} ms a column: {ANSWERED} all answered, {SLOW} some slow, {FAILED} some failed. "
    "Phase: d direct, p proving, G guarded"
)

RED, YELLOW, GREEN, PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[32m", "\x1b[0m"
COLOURS = {FAILED: RED, SLOW: YELLOW, "G": GREEN}

# What the guard promises without a standby line: the lookups that dnsmasq had taken in when it died,
# and those of the time that it takes to notice a hang.
LOST_PER_DEATH = 2
LOST_PER_HANG_S = 1.6


def table(without: Told, guarded: Told) -> str:
    """Event by event what was lost, in both tellings."""
    columns = f"{'lookups':>9}{'failed':>8}{f'>{SLOW_S} s':>8}{'window':>9}"
    lines = [
        f"{'':14}{'without the guard':^34}  {'with the guard':^34}".rstrip(),
        f"{'event':14}{columns:34}  {columns}",
    ]
    rows = [
        *zip(
            (one.event.name for one in without.happened),
            (tally(one.lookups) for one in without.happened),
            (tally(one.lookups) for one in guarded.happened),
            strict=True,
        ),
        ("in between", tally(without.between), tally(guarded.between)),
    ]
    lines += [f"{name:14}{_row(left)}  {_row(right)}" for name, left, right in rows]
    lines.append("window: from the first lookup that failed or was slow to the last; 100 lookups a second")
    return "\n".join(lines)


def timeline(without: Told, guarded: Told, colour: bool = False) -> str:
    """What libc saw, bucket by bucket, above where the guard stood."""
    lines = [LEGEND]
    for number, (bare, kept) in enumerate(zip(without.happened, guarded.happened, strict=True), start=1):
        lines += [
            "",
            f"{number}. {bare.event.name}: {bare.event.title}",
            f"{'without':{LABEL}}{_painted(_seen(bare), colour)}",
            f"{'guarded':{LABEL}}{_painted(_seen(kept), colour)}",
            f"{'phase':{LABEL}}{_painted(_stood(kept, guarded.moves), colour)}",
        ]
    return "\n".join(lines)


def broken_promises(guarded: Told, standby: bool) -> list[str]:
    """What the guard lost and had promised to keep; empty if it kept its word."""
    broken = list(guarded.troubles)
    for happened in guarded.happened:
        allowed = 0 if standby else _allowed(happened.event)
        broken += _complaint(happened.event.name, happened.lookups, allowed)
        if not happened.lookups:
            broken.append(f"{happened.event.name}: nothing was looked up")
    # What is done to prepare an event may kill a dnsmasq too.
    allowed = 0 if standby else len(guarded.happened) * LOST_PER_DEATH
    return broken + _complaint("between the events", guarded.between, allowed)


def _complaint(name: str, lookups: Iterable[Lookup], allowed: int) -> list[str]:
    lost = [lookup for lookup in lookups if lookup.error or lookup.is_slow]
    if len(lost) <= allowed:
        return []
    first = "; ".join(map(str, lost[:5]))
    return [f"{name}: {len(lost)} lookups failed or were slow, {allowed} may: {first}"]


def _allowed(event: Event) -> int:
    return event.deaths * LOST_PER_DEATH + round(event.hangs * LOST_PER_HANG_S / 0.01)


def _row(seen: Tally) -> str:
    window = f"{seen.window_s:.2f} s" if seen.failed + seen.slow else "-"
    return f"{seen.lookups:>9}{seen.failed:>8}{seen.slow:>8}{window:>9}"


def _buckets(happened: Happened) -> Iterator[float]:
    """When each bucket begins."""
    for number in range(round((happened.end_s - happened.begin_s) / BUCKET_S)):
        yield happened.begin_s + number * BUCKET_S


def _seen(happened: Happened) -> str:
    return "".join(_worst(_within(happened.lookups, begin_s)) for begin_s in _buckets(happened))


def _within(lookups: Sequence[Lookup], begin_s: float) -> list[Lookup]:
    return [lookup for lookup in lookups if begin_s <= lookup.start_s < begin_s + BUCKET_S]


def _worst(lookups: Iterable[Lookup]) -> str:
    marks = {FAILED if lookup.error else SLOW if lookup.is_slow else ANSWERED for lookup in lookups}
    return next((mark for mark in (FAILED, SLOW, ANSWERED) if mark in marks), NO_LOOKUP)


def _stood(happened: Happened, moves: Sequence[tuple[float, str]]) -> str:
    letters = []
    for begin_s in _buckets(happened):
        past = [phase for when_s, phase in moves if when_s < begin_s + BUCKET_S]
        letters.append(PHASE_LETTERS.get(past[-1], "?") if past else NO_LOOKUP)
    return "".join(letters)


def _painted(line: str, colour: bool) -> str:
    if not colour:
        return line
    return "".join(f"{COLOURS[mark]}{mark}{PLAIN}" if mark in COLOURS else mark for mark in line)
