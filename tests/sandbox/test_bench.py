"""The bench's arithmetic, and two rounds of everything that is quick."""

from pathlib import Path

import pytest

from tests.sandbox.bench import FIGURES, STATISTICS, Bench, Figure, evenly, missed, table
from tests.sandbox.namespaces import NotAllowedError
from tests.sandbox.observer import MOVED_TO, OPENED, Observer

GOALS = Figure("death", "a death", goals={"median": 3.0, "p99": 15.0})


def test_p99_is_the_198th_of_200() -> None:
    """By the nearest rank: something that was measured, not something in between."""
    values = [float(number) for number in range(200, 0, -1)]

    assert 198.0 == STATISTICS["p99"](values)
    assert 100.5 == STATISTICS["median"](values)
    assert 200.0 == STATISTICS["max"](values)
    assert 7.0 == STATISTICS["p99"]([7.0])


def test_a_goal_is_met_up_to_its_very_limit() -> None:
    assert [] == missed(GOALS, [0.003])
    assert ["median"] == missed(GOALS, [0.004])
    assert ["p99"] == missed(GOALS, [0.001] * 50 + [0.016])
    assert ["median", "p99"] == missed(GOALS, [0.016])


def test_the_table_shows_each_goal_beside_its_figure() -> None:
    met, floor = table({"death": [0.001] * 2, "death floor": [0.0005] * 2}).splitlines()[1:]

    assert ["2", "1", "1", "1", "ms", "median", "3,", "p99", "15:", "met"] == met.split()[-10:]
    assert ["2", "0.5", "0.5", "0.5", "ms"] == floor.split()[-5:]
    assert "MISSED" in table({"death": [0.004]})


def test_what_was_measured_once_has_no_statistics() -> None:
    assert ["1", "25", "MiB", "30:", "met"] == table({"rss": [25.0 * 2**20]}).split()[-5:]


def test_each_figure_has_one_name_and_its_goals_are_statistics() -> None:
    assert len({figure.name for figure in FIGURES}) == len(FIGURES)
    assert {name for figure in FIGURES for name in figure.goals} <= STATISTICS.keys()


def test_rounds_are_divided_and_none_is_lost() -> None:
    assert [41, 40, 40, 40, 40] == evenly(201, 5)
    assert [1, 1, 0] == evenly(2, 3)


def test_the_observer_keeps_what_came_with_what_was_waited_for(tmp_path: Path) -> None:
    """One reading may bring several events; the one who waits for the first must not lose the others."""
    (tmp_path / "read").touch()
    with Observer() as observer:
        observer.watch(tmp_path, MOVED_TO)
        observer.watch(tmp_path / "read", OPENED)
        (tmp_path / "fresh").touch()
        (tmp_path / "fresh").rename(tmp_path / "file")
        (tmp_path / "read").read_text()
        first, second = (next(observer.sightings(1.0)) for _ in range(2))

        assert (MOVED_TO, "file") == first[1:]
        assert (OPENED, "") == second[1:]
        with pytest.raises(TimeoutError):
            next(observer.sightings(0.0))


def test_the_observer_forgets_on_demand(tmp_path: Path) -> None:
    with Observer() as observer:
        observer.watch(tmp_path, MOVED_TO)
        (tmp_path / "fresh").touch()
        (tmp_path / "fresh").rename(tmp_path / "file")
        observer.forget()

        with pytest.raises(TimeoutError):
            next(observer.sightings(0.0))


def test_what_cannot_be_watched_is_an_error(tmp_path: Path) -> None:
    with Observer() as observer, pytest.raises(FileNotFoundError):
        observer.watch(tmp_path / "absent", MOVED_TO)


def test_two_rounds_measure_every_figure(tmp_path: Path) -> None:
    """On a real host; no bound on how long anything takes."""
    bench = Bench(2, 1.5, tmp_path)
    try:
        for part in bench.parts.values():
            part()
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))

    assert {figure.name for figure in FIGURES} == bench.measured.keys()
    assert {1, 2} == {len(values) for values in bench.measured.values()}
    assert min(min(values) for name, values in bench.measured.items() if "wakeups" not in name) > 0
