"""What a guard owes to libc, and what it does not: lookups and books that are made up."""

import pytest

from tests.sandbox.book import Book, Deed
from tests.sandbox.lookups import Lookup
from tests.sandbox.oracle import DNSMASQ, Demands, judge
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.sandbox.waits import Waits

BOTH = (UPSTREAM, OTHER_UPSTREAM)
TODAY = Demands()
NOTICES = Demands(notice_s=3.0)
HOLDS = Demands(holds=True)


def book(*lease: str) -> Book:
    """All is well, and this lease in force."""
    return Book(BOTH, lease or (UPSTREAM,))


def failed(start_s: float) -> Lookup:
    return Lookup(start_s, 0.01, "Temporary failure in name resolution")


def broken(lookup: Lookup, world: Book, demands: Demands = TODAY) -> list[float]:
    """When a promise was broken, if this lookup was all there was."""
    return [each.at_s for each in judge([lookup], [], world, demands).broken]


def test_a_lookup_that_fails_although_all_is_well_breaks_a_promise() -> None:
    verdict = judge([failed(10.0), Lookup(10.1, 0.5, "")], [], book(), TODAY)

    assert [10.0] == [each.at_s for each in verdict.broken]
    assert (2, 0) == (verdict.judged, verdict.excused)


@pytest.mark.parametrize(("took_s", "count"), [(1.1, 0), (2.1, 0), (2.3, 1)])
def test_an_answer_counts_after_two_timeouts_and_no_later(took_s: float, count: int) -> None:
    assert count == len(broken(Lookup(10.0, took_s, ""), book()))


@pytest.mark.parametrize(("start_s", "count"), [(7.9, 1), (8.5, 0), (12.4, 0), (12.6, 1)])
def test_nothing_is_owed_while_the_only_server_is_silent_nor_to_what_was_under_way(start_s: float, count: int) -> None:
    world = book()
    world.manners[UPSTREAM].note("silent", 10.0, 10.0)
    world.manners[UPSTREAM].note("well", 12.0, 12.0)

    assert count == len(broken(failed(start_s), world))


def test_the_cable_is_as_good_as_a_silent_server() -> None:
    world = book()
    world.plugged.note(False, 10.0, 10.1)

    assert [] == broken(failed(11.0), world)


def test_after_a_new_lease_the_old_server_is_no_excuse() -> None:
    """The network is another one: libc must be given its server in half a second."""
    world = book()
    world.manners[UPSTREAM].note("silent", 10.0, 10.0)
    world.lease.note((OTHER_UPSTREAM,), 11.0, 11.1)

    assert [] == broken(failed(11.5), world)
    assert [11.7] == broken(failed(11.7), world)


def test_a_server_of_another_network_is_of_no_interest() -> None:
    world = book()
    world.manners[OTHER_UPSTREAM].note("silent", 1.0, 1.0)

    assert [10.0] == broken(failed(10.0), world)


@pytest.mark.parametrize(("start_s", "demands", "count"), [(20.0, TODAY, 0), (12.0, NOTICES, 0), (14.0, NOTICES, 1)])
def test_one_bad_server_of_two_is_an_excuse_until_it_must_have_been_noticed(
    start_s: float, demands: Demands, count: int
) -> None:
    """A guard that does not reorder the list is owed this for ever."""
    world = book(*BOTH)
    world.manners[UPSTREAM].note("silent", 10.0, 10.0)

    assert count == len(broken(failed(start_s), world, demands))


def test_a_server_that_says_servfail_is_no_excuse_while_another_works() -> None:
    """dnsmasq asks the other, and so does libc."""
    world = book(*BOTH)
    world.manners[UPSTREAM].note("servfail", 9.0, 9.0)

    assert [10.0] == broken(failed(10.0), world)
    assert [] == broken(failed(10.0), book_of_refusals())


def book_of_refusals() -> Book:
    """Both say SERVFAIL."""
    world = book(*BOTH)
    for address in BOTH:
        world.manners[address].note("servfail", 9.0, 9.0)
    return world


def test_a_server_that_says_servfail_may_be_the_standby_when_dnsmasq_dies() -> None:
    world = book(*BOTH)
    world.manners[UPSTREAM].note("servfail", 9.0, 9.0)
    world.deeds.append(Deed(10.1, 10.2, ("kill",)))

    assert [] == broken(failed(10.0), world)


def test_a_file_that_somebody_empties_is_an_excuse_for_a_moment() -> None:
    world = book()
    world.deeds.append(Deed(10.0, 10.01, ("spoil",)))

    assert [] == broken(failed(10.05), world)
    assert [10.2] == broken(failed(10.2), world)


def test_a_dead_dnsmasq_is_no_excuse() -> None:
    """It is what the guard is for."""
    world = book()
    world.deeds.append(Deed(10.0, 10.01, ("kill",)))

    assert [10.0] == broken(failed(10.0), world)


def test_a_machine_that_stood_still_is_an_excuse_of_its_own() -> None:
    """The guard may have been kept from its work as the sampler was."""
    calm = [Lookup(9.0 + step / 10, 0.01, "") for step in range(10)]
    late = [Lookup(10.5 + step / 10, 0.01, "") for step in range(20)]

    verdict = judge([*calm, failed(10.0), *late], [], book(), TODAY)

    assert (1, ()) == (verdict.busy, verdict.broken)


def test_a_file_without_a_server_breaks_a_promise_unless_somebody_else_emptied_it() -> None:
    world = book()
    world.deeds.append(Deed(20.0, 20.01, ("spoil",)))
    flips = [(10.0, ""), (10.1, UPSTREAM), (20.05, ""), (20.06, UPSTREAM)]

    assert [10.0] == [each.at_s for each in judge([], flips, world, TODAY).broken]


def test_a_guard_that_was_kept_from_its_work_is_excused() -> None:
    verdict = judge([failed(10.0)], [], book(), TODAY, lambda begin_s, end_s: 0.5 if begin_s < 10.0 < end_s else 0.0)

    assert (1, ()) == (verdict.busy, verdict.broken)


def test_waiting_is_counted_between_two_moments() -> None:
    waits = Waits(0)
    waits.seen = [(1.0, 0.0), (2.0, 0.1), (3.0, 0.4), (4.0, 0.4)]

    assert 0.4 == waits.between(1.5, 2.5)
    assert 0.0 == waits.between(3.0, 9.0)


# Flips while the network is down ------------------------------------------------------------------


def flipped(world: Book, demands: Demands = HOLDS) -> list[float]:
    """When a promise was broken, if the file was turned to the upstreams at 12.0."""
    flips = [(5.0, DNSMASQ), (12.0, UPSTREAM), (15.0, DNSMASQ)]
    return [each.at_s for each in judge([], flips, world, demands).broken]


def silent(address: str, world: Book) -> Book:
    world.manners[address].note("silent", 10.0, 10.0)
    return world


def test_a_flip_while_no_server_can_be_reached_breaks_a_promise() -> None:
    assert [12.0] == flipped(silent(UPSTREAM, book()))
    assert [12.0] == flipped(silent(OTHER_UPSTREAM, silent(UPSTREAM, book(*BOTH))))


def test_a_guard_that_is_not_asked_to_hold_may_flip() -> None:
    assert [] == flipped(silent(UPSTREAM, book()), TODAY)


def test_a_flip_is_right_while_one_server_can_be_reached() -> None:
    assert [] == flipped(silent(UPSTREAM, book(*BOTH)))


def test_a_flip_because_dnsmasq_died_meanwhile_is_right() -> None:
    world = silent(UPSTREAM, book())
    world.deeds.append(Deed(11.9, 11.95, ("kill",)))

    assert [] == flipped(world)


def test_a_death_that_was_got_over_is_no_reason_to_flip() -> None:
    world = silent(UPSTREAM, book())
    world.deeds.append(Deed(3.0, 3.1, ("kill-and-start",)))

    assert [12.0] == flipped(world)


def test_what_was_done_to_the_network_is_no_reason_to_flip() -> None:
    world = silent(UPSTREAM, book())
    world.deeds.append(Deed(10.0, 10.0, ("manner", UPSTREAM, "silent")))

    assert [12.0] == flipped(world)
