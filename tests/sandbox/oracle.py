"""Holds what libc saw against what it could have had. Pure: lookups, flips and the world's book in, verdicts out.

A lookup that begins is owed an answer within WITHIN_S if, from LAG_S before it until WITHIN_S after it:
- every server of every list that libc may have been given (each lease that was in force) works all the time.
  Where one of them says SERVFAIL and another works, dnsmasq and libc go on by themselves: that is owed too, unless
  somebody touches dnsmasq meanwhile, because the standby may be the one that says SERVFAIL.
  Where one of them is silent, today's guard owes nothing: it does not put those last that do not answer. A guard
  that does so gets `notice_s`: the time after which it must have noticed a server that does not work.
- the published file itself was not emptied by somebody less than SPOILT_S before;
- the machine was not too busy: in that time the guard has waited for a processor for less than BUSY_S, and
  no lookup began later than that.

AIR_S is for the answer itself after two of libc's timeouts, which are 1 s each. A dnsmasq that hangs or has died costs
one. Two it takes if only half of a lookup is lost, as when dnsmasq forwarded AAAA to a server that was taken from it
a moment later: glibc has the A by then, and asks dnsmasq again instead of the standby (seed 61).

So a lookup under way when its server vanished is nobody's fault, nor is the hole between that and the lease that
names another; but LAG_S after that lease, whatever else happens to dnsmasq, lookups are owed again.

No file without a server may be published, ever.
A flip from dnsmasq to the upstreams breaks a promise if no server of the lease could be reached when it came, and
nobody had touched dnsmasq or the files in the AFTERMATH_S before: a hang is felt after two seconds.
"""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from tests.sandbox.book import Book
from tests.sandbox.flips import Flip
from tests.sandbox.lookups import Lookup

WITHIN_S = 2.0
AIR_S = 0.25
LAG_S = 0.5
SPOILT_S = 0.1
BUSY_S = 0.25
AFTERMATH_S = 4.0

Waited = Callable[[float, float], float]

DNSMASQ = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of a guard.

    Attributes:
        notice_s: how long a server that does not work may cost lookups while another of the list works.
        holds: whether it must leave the file alone while the network is down.
        every_s: the sampler's pace.
    """

    notice_s: float = math.inf
    holds: bool = False
    every_s: float = 0.1


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that was broken, when, in words."""

    at_s: float
    words: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is to be said of some lookups.

    Attributes:
        judged: lookups that were owed an answer.
        excused: those that were not answered in time and were owed nothing.
        busy: those that would count as broken promises, had the machine not been too busy.
        broken: promises that were not kept.
    """

    judged: int = 0
    excused: int = 0
    busy: int = 0
    broken: tuple[Broken, ...] = ()


def judge(
    lookups: Sequence[Lookup], flips: Sequence[Flip], book: Book, demands: Demands, waited: Waited = lambda *_: 0.0
) -> Verdict:
    """Judge the lookups, and the flips during them, before which libc was sent to dnsmasq.

    `waited` tells how long the guard has waited for a processor between two moments.
    """
    ordered = sorted(lookups, key=lambda lookup: lookup.start_s)
    starts_s = [lookup.start_s for lookup in ordered]
    judged = excused = busy = 0
    broken = []
    for lookup in ordered:
        in_time = not lookup.error and lookup.took_s <= WITHIN_S + AIR_S
        if not is_owed(lookup.start_s, book, demands):
            excused += not in_time
            continue
        judged += 1
        if in_time:
            continue
        begin_s, end_s = lookup.start_s - LAG_S, lookup.start_s + WITHIN_S
        if waited(begin_s, end_s) > BUSY_S or _was_late(starts_s, begin_s, end_s, demands.every_s):
            busy += 1
        else:
            broken.append(Broken(lookup.start_s, f"a lookup took {lookup.took_s:.2f} s: {lookup.error or 'answered'}"))
    broken += empty_files(flips, book)
    if demands.holds:
        broken += flips_while_down(flips, book)
    return Verdict(judged, excused, busy, tuple(broken))


def is_owed(start_s: float, book: Book, demands: Demands) -> bool:
    """Whether a lookup that begins now must be answered in time."""
    begin_s, end_s = start_s - LAG_S, start_s + WITHIN_S
    if book.was_spoilt(start_s - SPOILT_S, start_s + SPOILT_S):
        return False
    calm = not book.was_touched(begin_s - WITHIN_S, end_s)
    for servers in book.lease.held(begin_s, end_s):
        others = [address for address in servers if not book.works(address, begin_s, end_s)]
        refusing = calm and all(book.answers(address, begin_s, end_s) for address in others)
        noticed = all(book.fails(address, begin_s - demands.notice_s, end_s) for address in others)
        if len(others) == len(servers) or not (refusing or noticed):
            return False
    return True


def empty_files(flips: Sequence[Flip], book: Book) -> list[Broken]:
    """The files without a server that were published, unless somebody emptied them at that moment."""
    empty_s = [now_s for now_s, first in flips if not first]
    emptied = [now_s for now_s in empty_s if not book.was_spoilt(now_s - SPOILT_S, now_s + SPOILT_S)]
    return [Broken(now_s, "a file without a server was published") for now_s in emptied]


def flips_while_down(flips: Sequence[Flip], book: Book) -> list[Broken]:
    """The flips from dnsmasq to servers that could not be reached, for no other reason."""
    broken = []
    before = DNSMASQ
    for now_s, first in flips:
        if before == DNSMASQ != first and _is_down(now_s, book) and not book.was_touched(now_s - AFTERMATH_S, now_s):
            broken.append(Broken(now_s, f"the file was turned to {first} while no server could be reached"))
        before = first
    return broken


def _is_down(now_s: float, book: Book) -> bool:
    addresses = {address for lease in book.lease.held(now_s, now_s) for address in lease}
    return all(book.is_unreachable(address, now_s, now_s) for address in addresses)


def _was_late(starts_s: Sequence[float], begin_s: float, end_s: float, every_s: float) -> bool:
    first = max(0, bisect_left(starts_s, begin_s) - 1)
    seen = starts_s[first : bisect_right(starts_s, end_s) + 1]
    return any(after - before > every_s + BUSY_S for before, after in pairwise(seen))
