"""`python -m tests.system.table`: what everything that can happen costs a host, without dnsguard and with it.

Boots a whole Debian for each case, twice for each suite; needs root, and touches nothing of this machine. Prints a
table in Markdown, and on the side what it is doing. docs/what-it-changes.md has its output.
"""

import argparse
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

from tests.sandbox.lookups import SLOW_S, Lookup, tally
from tests.sandbox.namespaces import NotAllowedError
from tests.system.cases import Case, play
from tests.system.conftest import SUITES
from tests.system.ending import ENDING
from tests.system.faults import FAULTS
from tests.system.installing import INSTALLING
from tests.system.kinds import Shelf
from tests.system.machine import root_of
from tests.system.overwriting import OVERWRITING
from tests.system.package import package

CHAPTERS = {
    "Installing": INSTALLING,
    "What goes wrong with dnsmasq": FAULTS,
    "Somebody overwrites /etc/resolv.conf": OVERWRITING,
    "What happens to dnsguard": ENDING,
}
NAMES = {"bookworm": "Debian 12", "trixie": "Debian 13"}
LEGEND = (
    "One lookup by `getaddrinfo()` every 10 ms. *failed*: no answer; *slow*: answered after more than"
    f" {SLOW_S} s; in brackets the time from the first lookup that was lost to the last. *for ever*: still lost three"
    " seconds after the last thing that happened. An empty cell: it cannot happen there."
)


def main(words: Sequence[str] | None = None) -> int:
    """Play all cases, or some; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.system.table", description=__doc__)
    parser.add_argument("--only", default="", metavar="WORDS", help="the cases with these words in their title")
    parser.add_argument("--suite", action="append", choices=SUITES, help="this Debian alone")
    given = parser.parse_args(words)
    suites = given.suite or SUITES
    try:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="dnsguard-table-")))
            shelves = {}
            for suite in suites:
                (folder / suite).mkdir()
                shelves[suite] = Shelf(root_of(suite), folder / suite)
            for line in table(shelves, given.only):
                print(line, flush=True)
    except NotAllowedError as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


def table(shelves: dict[str, Shelf], only: str) -> Iterator[str]:
    """The lines of the table, each as soon as it is known."""
    yield LEGEND
    for chapter, cases in CHAPTERS.items():
        chosen = [case for case in cases if only in case.title]
        if not chosen:
            continue
        heads = [f"{NAMES[suite]} {how}" for suite in shelves for how in ("alone", "with dnsguard")]
        yield f"\n## {chapter}\n\n| | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}"
        for case in chosen:
            cells = [cell for shelf in shelves.values() for cell in _cells(case, shelf)]
            yield f"| {case.title} | {' | '.join(cells)} |"


def _cells(case: Case, shelf: Shelf) -> tuple[str, str]:
    alone = "" if case.without is None else _cell(case, case.without, shelf, [])
    return alone, _cell(case, case.kind, shelf, [package()])


def _cell(case: Case, kind: str, shelf: Shelf, ours: Sequence[Path]) -> str:
    with shelf.booted(kind) as machine:
        lookups = play(case, machine, ours)
    told = in_words(lookups)
    print(
        f"{shelf.root.parent.name} {'with' if ours else 'without'}: {case.title}: {told}", file=sys.stderr, flush=True
    )
    return told


def in_words(lookups: Sequence[Lookup]) -> str:
    """What some lookups come to, in a few words."""
    seen = tally(lookups)
    if not seen.failed + seen.slow:
        return "0"
    counts = [f"{seen.failed} failed"] * bool(seen.failed) + [f"{seen.slow} slow"] * bool(seen.slow)
    last = sorted(lookups, key=lambda lookup: lookup.start_s)[-20:]
    lost = all(lookup.error or lookup.is_slow for lookup in last)
    return f"{', '.join(counts)} ({'for ever' if lost else f'{seen.window_s:.2f} s'})"


if __name__ == "__main__":
    sys.exit(main())
