"""What is true of the world, and when: written by the one who changes it, read by the one who judges.

While a change is being made, both the old and the new are held to be true. Times in seconds, monotonic.
"""

import math
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Generic, TypeVar

Value = TypeVar("Value")

GOOD_MANNERS = frozenset({"well", "slow"})
"""A server of such manners answers everybody, in much less than a second."""

REFUSING = "servfail"
"""One of this manner answers at once, and whoever asked goes on to the next."""

HARMLESS = frozenset({"manner", "unplug", "plug-in"})
"""What is done to the network alone: dnsmasq and the files are as they were."""


class Track(Generic[Value]):
    """One thing that has a value at every moment."""

    def __init__(self, value: Value) -> None:
        # Value, and from when until when it may have been so.
        self._spans: list[tuple[Value, float, float]] = [(value, -math.inf, math.inf)]

    @contextmanager
    def changing(self, value: Value) -> Iterator[None]:
        """Have it changed by the body."""
        old, since_s, _ = self._spans[-1]
        self._spans.append((value, time.monotonic(), math.inf))
        yield
        self._spans[-2] = (old, since_s, time.monotonic())

    def note(self, value: Value, begin_s: float, end_s: float) -> None:
        """Note a change that was made between these moments."""
        old, since_s, _ = self._spans[-1]
        self._spans[-1] = (old, since_s, end_s)
        self._spans.append((value, begin_s, math.inf))

    def held(self, begin_s: float, end_s: float) -> list[Value]:
        """What it may have been between these moments."""
        return [value for value, since_s, until_s in self._spans if since_s <= end_s and until_s >= begin_s]


@dataclass(frozen=True, slots=True)
class Deed:
    """Something that was done to the host."""

    begin_s: float
    end_s: float
    words: tuple[str, ...]

    @property
    def is_harmless(self) -> bool:
        """Whether it left dnsmasq and the files alone."""
        return self.words[0] in HARMLESS


class Book:
    """Which servers answer, which of them a lease names, and what was done to the host.

    Attributes:
        manners: how each server behaves.
        plugged: whether the cable is in.
        lease: the servers that the last lease named; one that was released is the last one still.
        deeds: what was done, in order.
    """

    def __init__(self, servers: Iterable[str], lease: tuple[str, ...]) -> None:
        self.manners = {address: Track("well") for address in servers}
        self.plugged = Track(True)
        self.lease = Track(lease)
        self.deeds: list[Deed] = []

    def works(self, address: str, begin_s: float, end_s: float) -> bool:
        """Whether a server can be reached and is of use, all the time between these moments."""
        manners = self.manners[address].held(begin_s, end_s)
        return all(self.plugged.held(begin_s, end_s)) and GOOD_MANNERS.issuperset(manners)

    def answers(self, address: str, begin_s: float, end_s: float) -> bool:
        """Whether it can be reached and says something, if only that it has failed, all the time between these."""
        manners = self.manners[address].held(begin_s, end_s)
        return all(self.plugged.held(begin_s, end_s)) and {*GOOD_MANNERS, REFUSING}.issuperset(manners)

    def fails(self, address: str, begin_s: float, end_s: float) -> bool:
        """Whether it is of no use to anybody, all the time between these moments."""
        manners = self.manners[address].held(begin_s, end_s)
        return not any(self.plugged.held(begin_s, end_s)) or GOOD_MANNERS.isdisjoint(manners)

    def is_unreachable(self, address: str, begin_s: float, end_s: float) -> bool:
        """Whether nobody hears anything of it, all the time between these moments."""
        manners = self.manners[address].held(begin_s, end_s)
        return not any(self.plugged.held(begin_s, end_s)) or manners == ["silent"]

    def was_touched(self, begin_s: float, end_s: float) -> bool:
        """Whether somebody did something to dnsmasq or the files between these moments."""
        return any(deed.begin_s <= end_s and deed.end_s >= begin_s for deed in self.deeds if not deed.is_harmless)

    def was_spoilt(self, begin_s: float, end_s: float) -> bool:
        """Whether the published file itself was emptied between these moments."""
        spoilt = [deed for deed in self.deeds if deed.words[0] == "spoil"]
        return any(deed.begin_s <= end_s and deed.end_s >= begin_s for deed in spoilt)
