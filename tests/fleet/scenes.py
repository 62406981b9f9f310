"""What happens to a fleet, and what its upstreams feel of it."""

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from dnsguard.core.vocabulary import Kind
from tests.fleet.host import FOREVER_S, Feel, Host, World

LASTS_S = 600
"""How long a scene is looked at."""
BINS_PER_S = 10

LOOKUPS_PER_S = 1.0
"""Assumed: what the programs on a host look up."""
CACHED_SHARE = 0.8
"""Assumed: how many of those dnsmasq answers from its cache, once that is warm."""
WARMING_S = 60.0
"""Assumed: a cache is two thirds warm after this."""


@dataclass(frozen=True, slots=True)
class Scene:
    """One thing that happens to hosts.

    Attributes:
        name: a word or two, for the seed and the picture.
        words: for people.
        world_of: what happens to one host, by chance.
        marks: moments to show in the picture.
    """

    name: str
    words: str
    world_of: Callable[[Random], World]
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(slots=True)
class Load:
    """What the upstream that is named first feels.

    Attributes:
        questions: dnsguard's own that it answers, by tenth of a second.
        in_vain: those that it does not answer.
        spans: how many hosts were told of that kind of server from this second to that one; and for how many
            seconds their dnsmasq had run when it began.
    """

    questions: Counter[int] = field(default_factory=Counter)
    in_vain: Counter[int] = field(default_factory=Counter)
    spans: Counter[tuple[Kind, int, int, int]] = field(default_factory=Counter)

    def add(self, other: "Load") -> None:
        """Both together."""
        self.questions.update(other.questions)
        self.in_vain.update(other.in_vain)
        self.spans.update(other.spans)

    def lookups_per_s(self) -> list[float]:
        """What the programs' lookups come to at the upstreams in each second, by the assumptions above."""
        seconds = [0.0] * LASTS_S
        for (kind, from_s, to_s, age_s), number in self.spans.items():
            for second in range(max(0, from_s), min(to_s, LASTS_S)):
                warm = CACHED_SHARE * -math.expm1(-(age_s + second - from_s) / WARMING_S)
                seconds[second] += number * LOOKUPS_PER_S * (1 - warm if kind is Kind.GUARDED else 1)
        return seconds


def per_s(counted: Counter[int]) -> list[float]:
    """Tenths of a second -> each second of the scene."""
    seconds = [0.0] * LASTS_S
    for place, number in counted.items():
        if 0 <= place // BINS_PER_S < LASTS_S:
            seconds[place // BINS_PER_S] += number
    return seconds


def play(scene: Scene, hosts: range, seed: str) -> Load:
    """Play it for these hosts; the same seed gives the same."""
    load = Load()
    for number in hosts:
        random = Random(f"{seed} {scene.name} {number}")
        Host(scene.world_of(random), random, _felt_by(load)).run(LASTS_S)
    return load


def _felt_by(load: Load) -> Feel:
    def question(at_s: float, answers: bool) -> None:
        (load.questions if answers else load.in_vain)[math.floor(at_s * BINS_PER_S)] += 1

    def span(kind: Kind, from_s: float, to_s: float, since_s: float) -> None:
        load.spans[kind, round(from_s), round(to_s), max(0, round(from_s - since_s))] += 1

    return Feel(question, span)


# The scenes -------------------------------------------------------------------------------------

BEGINS_S, ENDS_S = 60.0, 360.0
ALWAYS = ((-3600.0, FOREVER_S),)


def _long_on(random: Random) -> float:
    """It is guarded for some minutes when the scene begins, and asks at its own pace."""
    return -120 - 30 * random.random()


def _restarted(jitter: bool) -> Callable[[Random], World]:
    return lambda random: World(random.random(), ALWAYS, inherited=True, jitter=jitter)


def _pushed(random: Random) -> World:
    killed_s, back_s = BEGINS_S + 10 * random.random(), ENDS_S + 10 * random.random()
    return World(_long_on(random), ((ALWAYS[0][0], killed_s), (back_s, FOREVER_S)))


def _unanswered(random: Random) -> World:
    return World(_long_on(random), ALWAYS, silent=(BEGINS_S, ENDS_S))


def _powered(random: Random) -> World:
    on_s = BEGINS_S * random.random()
    return World(on_s, ((on_s + 2, FOREVER_S),), silent=(-FOREVER_S, NETWORK_S))


NETWORK_S = 120.0
PUSH = ((BEGINS_S, "pushed"), (ENDS_S, "mended"))

SCENES = (
    Scene("restart", "dnsguard is restarted everywhere within one second", _restarted(jitter=True)),
    Scene("no jitter", "the same, if its timers had no jitter", _restarted(jitter=False)),
    Scene("bad push", "a bad configuration kills dnsmasq within ten seconds; mended after five minutes", _pushed, PUSH),
    Scene(
        "silence",
        "the upstreams are silent for five minutes",
        _unanswered,
        ((BEGINS_S, "silent"), (ENDS_S, "answer")),
    ),
    Scene(
        "power return",
        "all hosts boot within a minute; the network is there after two",
        _powered,
        ((NETWORK_S, "network"),),
    ),
)
