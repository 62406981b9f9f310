"""A small share of the soak, and what it must not overlook; `make soak` goes on for as long as asked."""

import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.sandbox.arena import DEEDS
from tests.sandbox.faults import Sequence as Faults
from tests.sandbox.faults import draw, told
from tests.sandbox.guard import NO_UNIT
from tests.sandbox.namespaces import NotAllowedError
from tests.sandbox.ordeal import Trial
from tests.sandbox.soak import SETTINGS, side_by_side, undergo
from tests.sandbox.verdicts import Sum, story

SHARE = range(20)

SIDE_BY_SIDE = 10

ONCE_FAILED = {
    "half of a lookup was lost in a dnsmasq whose server was taken from it": 61,
    "a new lease left dnsmasq with the standby, and it was taken for one that reads our file": 3580,
}
"""Seeds, each with what was wrong."""

# It trusts dnsmasq once and for all.
USELESS = NO_UNIT + '[guard]\nstandby = "no"\nfall = 100\ninterval_s = 60\n'

HANG = """
0.5 hang
5.0 wake
"""


def test_no_promise_is_broken(tmp_path: Path) -> None:
    """At every sample: if the servers of the lease work, a lookup does."""
    trials = undergone(SHARE, tmp_path)

    assert len(SHARE) == len(trials)
    assert "" == complaints(trials)
    assert sum(trial.verdict.judged for trial in trials) > 10 * len(SHARE)


@pytest.mark.parametrize("why", ONCE_FAILED)
def test_what_once_failed_does_not_fail_again(tmp_path: Path, why: str) -> None:
    assert "" == complaints(undergone([ONCE_FAILED[why]], tmp_path))


def test_a_guard_that_never_doubts_is_caught(tmp_path: Path) -> None:
    """Its host loses every lookup of a hang; the report says which, and what led there."""
    (trial,) = undergone([0], tmp_path, USELESS, lambda _: told(HANG))

    assert trial.verdict.broken
    report = story(trial)
    assert report.index("hang") < report.index("LOST  a lookup took") < report.index("wake")


def test_a_sequence_may_be_all_calm(tmp_path: Path) -> None:
    """What puts everything right between two sequences costs nothing by itself."""
    trials = undergone([0, 1], tmp_path, drawn=lambda _: told("1.0 reload"))

    assert ("", 0) == (complaints(trials), sum(trial.verdict.excused for trial in trials))


def test_the_same_seed_gives_the_same_faults() -> None:
    assert draw(7) == draw(7)
    assert draw(7) != draw(8)


def test_what_is_written_down_can_be_told_again() -> None:
    """A report is enough to play a sequence again."""
    assert draw(7) == told("\n".join(map(str, draw(7))))


def test_every_line_that_is_drawn_means_something() -> None:
    drawn = {fault.words[0] for seed in range(300) for fault in draw(seed)}

    assert DEEDS.keys() == drawn


def test_the_sum_is_of_all_trials() -> None:
    total = Sum()
    total.add(Trial(1, 0.0, 1.0, (), (), "", ""))

    assert str(total).startswith("1 sequences, 0 lookups judged")


def undergone(
    seeds: Sequence[int], directory: Path, settings: str = SETTINGS, drawn: Callable[[int], Faults] = draw
) -> list[Trial]:
    def run(part: Sequence[int], given_up: threading.Event) -> list[Trial]:
        return undergo(part, directory, settings, drawn=drawn, given_up=given_up)

    try:
        return list(side_by_side(seeds, SIDE_BY_SIDE, run))
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))


def complaints(trials: Sequence[Trial]) -> str:
    return "\n".join(story(trial) for trial in trials if trial.verdict.broken)
