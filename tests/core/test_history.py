"""Twin of dnsguard/core/history.py: what the log's lines come to."""

import pytest

from dnsguard.core.history import OFF, Line, as_plain, in_words, timeline


def line(at_s: float, code: str, after: str = "", **before: object) -> Line:
    return Line(at_s, code, after, before)


LIFE = (
    line(0.0, "started", "starting", phase="starting"),
    line(2.0, "upstreams-known", "direct", phase="starting"),
    line(3.0, "on-trial", "proving", phase="direct", standby="a"),
    line(4.0, "guarded", "guarded", phase="proving", standby="a"),
    line(30.0, "dnsmasq-doubted", "guarded", phase="guarded", standby="a"),
    line(30.5, "dnsmasq-failed", "direct", phase="guarded", standby="a"),
    line(40.0, "guarded", "guarded", phase="proving", standby="a"),
    line(60.0, "dnsmasq-died", "direct", phase="guarded", standby="a"),
    line(70.0, "stopping", "stopping", phase="direct", standby="a"),
)


def test_seconds_are_spent_in_phases_and_none_are_lost() -> None:
    """Also those in which no daemon ran, and those before the first line."""
    (row,) = timeline(LIFE, [-10.0, 90.0], 90.0)

    assert {"starting": 2.0, "direct": 1.0 + 9.5 + 10.0, "proving": 1.0, "guarded": 26.0 + 0.5 + 20.0} == {
        phase: row.phases[phase] for phase in ("starting", "direct", "proving", "guarded")
    }
    assert 30.0 == pytest.approx(row.phases[OFF])
    assert 100.0 == pytest.approx(sum(row.phases.values()))


def test_flips_are_counted_by_the_line_that_says_why() -> None:
    """What libc is given: dnsmasq, or the upstreams."""
    first, second = timeline(LIFE, [0.0, 35.0, 90.0], 90.0)

    assert {"guarded": 1, "dnsmasq-failed": 1} == first.flips
    assert {"guarded": 1, "dnsmasq-died": 1} == second.flips


def test_a_hang_is_lost_from_a_second_before_the_first_doubt() -> None:
    """It was well when it was last asked."""
    (row,) = timeline(LIFE, [10.0, 90.0], 90.0)

    assert {"dnsmasq": pytest.approx(1.5, abs=0.6)} == row.unavailable


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ((line(0, "started", "starting"), line(7, "upstreams-known", "direct", phase="starting")), {"no-upstream": 7}),
        (
            (line(5, "network-down", "guarded", phase="guarded"), line(25, "fault-over", "guarded", fault="network")),
            {"upstreams": 20},
        ),
        (
            (
                line(5, "network-down", "guarded", phase="guarded"),
                line(10, "standby", "guarded", fault="network", standby="a", phase="guarded"),
                line(15, "dnsmasq-died", "direct", fault="network", phase="guarded"),
                line(50, "on-trial", "proving", standby="a", phase="direct"),
            ),
            {"upstreams": 45},
        ),
        (
            (
                line(5, "publish-failed", "direct", phase="direct"),
                line(6, "publish-failed", "direct", refused="full", phase="direct"),
                line(9, "on-trial", "proving", phase="direct"),
            ),
            {"publish": 4},
        ),
        ((line(5, "network-down", "guarded", phase="guarded"), line(9, "started", "starting")), {"upstreams": 4}),
        ((line(90, "network-down", "guarded", phase="guarded"),), {"upstreams": 10}),
    ],
)
def test_what_speaks_against_the_servers_lasts_until_it_is_known_to_be_over(
    lines: tuple[Line, ...], expected: dict[str, float]
) -> None:
    """Or until the daemon ends, or the time that is asked for."""
    (row,) = timeline((*lines, line(95, "started", "direct")) if lines[-1].at_s < 90 else lines, [0.0, 100.0], 100.0)

    assert expected == {cause: pytest.approx(row.unavailable[cause]) for cause in expected}


def test_the_strip_shows_what_is_rare_rather_than_what_is_usual() -> None:
    """A minute outside of `guarded` is what somebody looks for."""
    (row,) = timeline(LIFE, [0.0, 80.0], 80.0, parts=8)

    assert "?GGdGGd " == row.strip


def test_a_row_in_words_and_as_data() -> None:
    """The same facts."""
    (row,) = timeline(LIFE, [20.0, 80.0], 80.0, parts=6)
    words = in_words([row], {20.0: "03:00"})

    assert words.splitlines()[1].startswith("03:00 |GdGGd | no answer: dnsmasq ")
    assert "dnsmasq-failed 1, guarded 1, dnsmasq-died 1" in words
    plain = as_plain(row, "03:00")
    assert ("03:00", 1) == (plain["begin"], plain["flips"]["dnsmasq-died"])
    assert 60.0 == pytest.approx(sum(plain["phases"].values()))


def test_nothing_is_said_of_what_is_still_to_come() -> None:
    """The last row is seldom over."""
    lines = (line(0, "guarded", "guarded"), line(40, "network-down", "guarded", phase="guarded"))
    (row,) = timeline(lines, [0.0, 100.0], 50.0, parts=10)

    assert ({"guarded": 50.0, OFF: 0.0}, {"upstreams": 10.0}) == (row.phases, row.unavailable)
    assert "GGGGG     " == row.strip


def test_no_line_and_no_time_come_to_nothing() -> None:
    """A journal may be empty."""
    (row,) = timeline((), [0.0, 60.0], 60.0)

    assert ({OFF: 60.0}, {}, {}) == (row.phases, row.unavailable, row.flips)
    assert () == timeline(LIFE, [5.0], 5.0)
