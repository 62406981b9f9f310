"""What is counted, what is drawn, and what is called a broken promise."""

import json
from dataclasses import replace
from pathlib import Path

from tests.sandbox.lookups import Lookup, Tally, read, tally
from tests.sandbox.report import broken_promises, table, timeline
from tests.sandbox.story import STORY, Event, Happened, Told

CRASH = next(event for event in STORY if event.name == "crash")
HANG = next(event for event in STORY if event.name == "hang")


def test_tally_counts_failed_and_slow_apart() -> None:
    """A lookup that failed late is failed, not slow; the window spans both kinds."""
    seen = [good(1.0), late(1.5), refused(3.0), Lookup(3.5, 10.0, "no end in sight"), good(4.0)]

    assert Tally(lookups=5, failed=2, slow=1, window_s=2.0, slowest_s=5.0) == tally(reversed(seen))


def test_tally_of_nothing_is_nothing() -> None:
    assert Tally(lookups=0, failed=0, slow=0, window_s=0.0, slowest_s=0.0) == tally([])


def test_record_is_read_back(tmp_path: Path) -> None:
    """One JSON array a line, as the sampler prints them."""
    record = tmp_path / "lookups"
    record.write_text("".join(json.dumps([*line]) + "\n" for line in ((1.0, 0.5, ""), (2.0, 0.1, "refused"))))

    assert [Lookup(1.0, 0.5, ""), Lookup(2.0, 0.1, "refused")] == read(record)


def test_what_the_machine_stole_is_not_laid_at_the_guards_door(tmp_path: Path) -> None:
    """Two cores and a booting Debian: the sampler itself was not let run for a while, and so were the lookups."""
    record = tmp_path / "lookups"

    def slow(*starts_s: float, took_s: float = 1.3) -> list[bool]:
        quick = [[each, 0.001, ""] for each in starts_s if each != 1.0]
        record.write_text("".join(json.dumps(line) + "\n" for line in (*quick, [1.0, took_s, ""])))
        return [lookup.is_slow for lookup in read(record) if lookup.start_s == 1.0]

    even = [number / 100 for number in range(300)]
    stalled = [each for each in even if not 1.5 < each < 1.7]
    before = [each for each in even if not 0.5 < each < 0.7]
    jitter = [each + 0.004 * (number % 2) for number, each in enumerate(even)]

    assert [True] == slow(*even) == slow(*before) == slow(*jitter)
    assert [False] == slow(*stalled)
    # What would have been slow without it stays slow.
    assert [True] == slow(*stalled, took_s=1.5)


def test_a_broken_promise_says_which_lookups() -> None:
    """Who reads it in a report cannot measure again."""
    (broken,) = broken_promises(told(late(10.1), refused(10.2)), standby=True)

    assert broken.startswith("crash: 2 lookups failed or were slow, 0 may: answered after 5.000 s; ")


def test_timeline_shows_the_worst_of_each_bucket() -> None:
    """One failed lookup among good ones must not drown; a bucket without any stays empty."""
    bare = told(good(10.01), refused(10.02), late(10.12), good(10.13), good(10.3))
    kept = told(good(10.01), moves=((9.0, "guarded"), (10.15, "direct"), (10.25, "proving")))
    without, guarded, phase = [line[10:14] for line in timeline(bare, kept).splitlines()[3:6]]

    assert "Xs ." == without
    assert ".   " == guarded
    assert "Gdpp" == phase


def test_nothing_is_wider_than_a_terminal() -> None:
    """100 columns, for the longest event of the story as for the shortest."""
    story = Told(tuple(Happened(event, 0.0, event.lasts_s, (good(0.1),)) for event in STORY), ())

    drawn = f"{timeline(story, story)}\n{table(story, story)}"
    assert [] == [line for line in drawn.splitlines() if len(line) > 100]


def test_colour_is_asked_for() -> None:
    """A file or a pipe gets plain text."""
    seen = told(refused(10.0))

    assert "\x1b[31mX\x1b[0m" in timeline(seen, seen, colour=True)
    assert "\x1b" not in timeline(seen, seen)


def test_table_counts_what_lies_between_the_events_too() -> None:
    """No loss hides because nothing was said to happen just then."""
    bare = told(refused(10.0))
    kept = replace(told(good(10.0)), between=(refused(9.0), good(9.5)))
    crash, between = [line.split() for line in table(bare, kept).splitlines()[-3:-1]]

    assert ["crash", "1", "1", "0", "0.00", "s", "1", "0", "0", "-"] == crash
    assert ["in", "between", "0", "0", "0", "-", "2", "1", "0", "0.00", "s"] == between


def test_with_a_standby_line_nothing_may_be_lost() -> None:
    assert [] == broken_promises(told(good(10.0)), standby=True)
    assert 1 == len(broken_promises(told(good(10.0), refused(10.1)), standby=True))
    assert 1 == len(broken_promises(told(late(10.1)), standby=True))


def test_without_it_two_may_be_lost_at_a_death_and_1_6_seconds_at_a_hang() -> None:
    two, three = told(*[refused(10.0)] * 2), told(*[refused(10.0)] * 3)
    noticed, unnoticed = told(*[late(10.0)] * 160, event=HANG), told(*[late(10.0)] * 161, event=HANG)

    assert [] == broken_promises(two, standby=False)
    assert 1 == len(broken_promises(three, standby=False))
    assert [] == broken_promises(noticed, standby=False)
    assert 1 == len(broken_promises(unnoticed, standby=False))


def test_silence_of_the_sampler_is_no_success() -> None:
    """Where nothing was looked up, nothing was kept."""
    assert ["crash: nothing was looked up"] == broken_promises(told(), standby=True)


def test_loss_between_the_events_breaks_the_promise_too() -> None:
    assert 1 == len(broken_promises(replace(told(good(10.0)), between=(refused(9.0),)), standby=True))


def test_trouble_of_the_guard_is_reported() -> None:
    assert ["late"] == broken_promises(replace(told(good(10.0)), troubles=("late",)), standby=True)


def good(start_s: float) -> Lookup:
    return Lookup(start_s, 0.002, "")


def late(start_s: float) -> Lookup:
    return Lookup(start_s, 5.0, "")


def refused(start_s: float) -> Lookup:
    return Lookup(start_s, 0.001, "Temporary failure in name resolution")


def told(*lookups: Lookup, event: Event = CRASH, moves: tuple[tuple[float, str], ...] = ()) -> Told:
    """A story of one event that lasts from 10 s to 10.4 s."""
    return Told((Happened(event, 10.0, 10.4, lookups),), (), moves)
