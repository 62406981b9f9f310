"""What can happen to a whole Debian, and what it may cost.

Played with dnsguard by test_cases.py, and by `make table` without it, too, so that everybody sees the difference.
Each case begins on a booted machine at rest; a sampler in it calls getaddrinfo() every 10 ms from before the first step
until the machine has been at rest again for half a second.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.sandbox.lookups import Lookup
from tests.sandbox.processes import wait_for
from tests.system.kinds import is_guarded
from tests.system.machine import Machine

Act = Callable[[Machine, Sequence[Path]], object]
"""What happens to a machine; it is given what to install as dnsguard: one .deb, or none where it is played without."""

CALM = 50
"""Lookups before the first step and after the last: half a second of them."""

LONG_AFTER = 300
"""Lookups after the last step where nobody mends anything."""

END_S = 60.0
"""How long a case may take to come to its end; the longest wait in it is dnsmasq's restart, a few seconds."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something that happens to a host.

    Attributes:
        title: for people, and the test's name.
        kind: the machine it begins with.
        act: what happens.
        ends: what must come true afterwards, without help.
        without: the kind of machine without dnsguard that it can happen to as well; None for what happens to dnsguard.
        most: how many lookups may fail or be slow, and why not none is told where it is more.
    """

    title: str
    kind: str
    act: Act
    ends: Callable[[Machine], bool] = is_guarded
    without: str | None = None
    most: int = 0

    def __str__(self) -> str:
        return self.title


def play(case: Case, machine: Machine, ours: Sequence[Path]) -> list[Lookup]:
    """Let the case happen on a machine, with dnsguard if it is given one: the lookups.

    Raises:
        TimeoutError: what must come true did not.
    """
    machine.start_sampler()
    machine.wait_for_lookups(CALM)
    case.act(machine, ours)
    if ours:
        wait_for(lambda: case.ends(machine), f"end of: {case.title}", END_S)
    # A lookup that waits for a dead server is recorded when it gives up, seconds later.
    machine.wait_for_lookups(CALM if ours else LONG_AFTER, END_S)
    return machine.stop_sampler()
