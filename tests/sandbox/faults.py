"""Random sequences of faults, as data: the same seed gives the same faults at the same times, on any machine.

A fault is a line of words, as `hang` or `manner 192.0.2.53 slow 0.2`; ordeal.py knows what they mean.
Most troubles of the network and of a hang end by themselves after a while, for what is broken for good hides
everything that comes after it.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

SERVERS = (UPSTREAM, OTHER_UPSTREAM)
LEASES = ((UPSTREAM,), (OTHER_UPSTREAM,), SERVERS, SERVERS[::-1])

GAPS_S = ((0.0, 0.05), (0.05, 0.5), (0.3, 1.5), (1.0, 2.5))
"""Between two faults: at once, while the guard reacts, while it looks again, when it has settled."""

OUTAGE_SHARE = 0.1
"""Sequences that end with a long outage of the network."""

HALF_OUTAGE_SHARE = 0.05
"""Sequences that end with a long silence of one of two servers."""

QUIET_S = 5.0
"""Before it: whatever the guard does in it, it does because of it."""

OUTAGE_S = 9.0
"""More than it takes two questions in a row to go unanswered: 2 s until the first is asked, and 2 s for each."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that is done to a host, so many seconds after the sequence began."""

    after_s: float
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.after_s:.2f} {' '.join(self.words)}"


Sequence = tuple[Fault, ...]

Happening = list[tuple[float, str]]
"""What belongs together: (seconds after its beginning, line of words)."""


def draw(seed: int) -> Sequence:
    """The sequence of a seed: 5 to 10 faults, and how they end."""
    dice = random.Random(seed)
    # A lease of its own, so that not all begin with the same list.
    lines = _lease(dice)
    at_s = 0.0
    for _ in range(dice.randint(5, 10)):
        at_s += dice.uniform(*dice.choice(GAPS_S))
        (happening,) = dice.choices(list(KINDS), list(KINDS.values()))
        lines += [(at_s + after_s, line) for after_s, line in happening(dice)]
    last_s = max(after_s for after_s, _ in lines)
    lines += [(last_s + after_s, line) for after_s, line in _ending(dice)]
    return in_order(lines)


def told(text: str) -> Sequence:
    """A sequence that is written down, a fault a line, as `str` writes it."""
    lines = [line.split(maxsplit=1) for line in text.strip().splitlines()]
    return in_order([(float(after_s), line) for after_s, line in lines])


def in_order(lines: Happening) -> Sequence:
    """Faults by their time; those of the same time as they were said."""
    return tuple(Fault(round(after_s, 2), tuple(line.split())) for after_s, line in sorted(lines, key=lambda it: it[0]))


def _ending(dice: random.Random) -> Happening:
    """For some, a long and quiet end: the network is down, or half of the servers are."""
    roll = dice.random()
    if roll < OUTAGE_SHARE:
        return [(QUIET_S, "unplug"), (QUIET_S + OUTAGE_S, "plug-in")]
    if roll < OUTAGE_SHARE + HALF_OUTAGE_SHARE:
        address = dice.choice(SERVERS)
        trouble: Happening = [(QUIET_S, f"manner {address} silent"), (QUIET_S + OUTAGE_S, f"manner {address} well")]
        return [(0.1, f"lease {' '.join(dice.choice(LEASES[2:]))}"), *trouble]
    return []


# What may happen ------------------------------------------------------------------------------


def _death(dice: random.Random) -> Happening:
    return [(0.0, dice.choice(["kill", "kill-and-start", "stop", "restart", "start", "reload", "restart-broken"]))]


def _hang(dice: random.Random) -> Happening:
    return _with_end(dice, "hang", "wake", longest_s=4.0)


def _slow(dice: random.Random) -> Happening:
    address = dice.choice(SERVERS)
    return _with_end(dice, f"manner {address} slow {dice.uniform(0.05, 0.3):.2f}", f"manner {address} well", 3.0)


def _bad_server(dice: random.Random) -> Happening:
    address = dice.choice(SERVERS)
    lossy = f"lossy {dice.uniform(0.1, 0.6):.2f} {dice.randrange(1000)}"
    return _with_end(dice, f"manner {address} {dice.choice(['silent', 'servfail', lossy])}", f"manner {address} well")


def _bad_servers(dice: random.Random) -> Happening:
    """All of them at once: whatever is asked, the answer is bad."""
    manner = dice.choice(["silent", "servfail"])
    lasts_s = round(dice.uniform(0.2, 3.0), 2)
    begin: Happening = [(0.0, f"manner {address} {manner}") for address in SERVERS]
    return begin + [(lasts_s, f"manner {address} well") for address in SERVERS]


def _no_network(dice: random.Random) -> Happening:
    return [(0.0, "unplug"), (round(dice.uniform(0.2, 4.0), 2), "plug-in")]


def _lease(dice: random.Random) -> Happening:
    return [(0.0, f"lease {' '.join(dice.choice(LEASES))}")]


def _lost_lease(dice: random.Random) -> Happening:
    """The record goes away and comes back, as when a client restarts."""
    return [(0.0, "release"), (round(dice.uniform(0.1, 2.0), 2), f"lease {' '.join(dice.choice(LEASES))}")]


def _other_network(dice: random.Random) -> Happening:
    """A lease names another server, and the old one is silent from just before or just after."""
    old, new = dice.sample(SERVERS, 2)
    silent_s = dice.uniform(0.0, 1.0)
    lease_s = dice.uniform(0.0, 0.6)
    back: Happening = [(silent_s + dice.uniform(2.0, 4.0), f"manner {old} well")]
    return [(0.0, f"manner {new} well"), (lease_s, f"lease {new}"), (silent_s, f"manner {old} silent"), *back]


def _emptied(dice: random.Random) -> Happening:
    return _with_end(dice, "empty-upstream-file", "fill-upstream-file")


def _spoilt(_: random.Random) -> Happening:
    return [(0.0, "spoil")]


def _with_end(dice: random.Random, begin: str, end: str, longest_s: float = 2.5) -> Happening:
    """Most of what begins ends again."""
    lasts_s = round(dice.uniform(0.1, longest_s), 2)
    return [(0.0, begin), (lasts_s, end)] if dice.random() < 0.8 else [(0.0, begin)]


KINDS: dict[Callable[[random.Random], Happening], int] = {
    _death: 7,
    _hang: 4,
    _slow: 2,
    _bad_server: 2,
    _bad_servers: 1,
    _no_network: 1,
    _lease: 3,
    _lost_lease: 1,
    _other_network: 2,
    _emptied: 2,
    _spoilt: 1,
}
"""How often each comes, in proportion."""
