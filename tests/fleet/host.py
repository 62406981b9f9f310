"""A host as the upstreams feel it: the real core, with a network, a dnsmasq and files that are a few numbers.

What is decided is decided by `decide`, with the limits that dnsguard.toml has by default; the times that a question
takes and how often it is sent are the prober's own. Nothing waits: time is what the next event says that it is.
"""

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.settings import Settings
from dnsguard.core.state import State
from dnsguard.core.upstreams import Reading, Upstreams
from dnsguard.core.vocabulary import Fault, Kind, Timer, Verdict
from dnsguard.edge.prober import FORWARD_SENDS, STAGGER_S

SETTINGS = Settings()
UPSTREAMS = ("192.0.2.53", "192.0.2.54")
PID = 4711
MISSING = "no process"
FOREVER_S = 1e9
RESTFUL = frozenset({Timer.PROBE, Timer.LOOK, Timer.FIND})
"""Timers that run while nothing happens, and change nothing then."""

LOCAL_S = 0.0005
"""Assumed: what dnsmasq takes to answer by itself."""
ROUND_TRIP_S = 0.005
"""Assumed: what an upstream takes to answer."""
REGISTERED_S = 0.05
"""Assumed: after dnsmasq has started, until resolvconf has its record and its file is written."""


@dataclass(frozen=True, slots=True)
class World:
    """What happens to one host. Times in seconds since the scene began.

    Attributes:
        on_s: when dnsguard starts.
        lives: from when to when there is a dnsmasq, one after the other.
        silent: from when to when no upstream answers: the network is down, or they are.
        inherited: dnsguard was there before, and libc is told of a dnsmasq that it had proved.
        jitter: whether random shares of a timer are heeded; without, all hosts keep step.
    """

    on_s: float
    lives: tuple[tuple[float, float], ...]
    silent: tuple[float, float] = (FOREVER_S, FOREVER_S)
    inherited: bool = False
    jitter: bool = True


@dataclass(frozen=True, slots=True)
class Feel:
    """Who is told of what the host does to its upstreams.

    Attributes:
        question: at this time the upstream that is named first is sent one of dnsguard's questions; whether it answers.
        span: libc was told of servers of this kind from then to then; of dnsmasq, and since when that has run.
    """

    question: Callable[[float, bool], None]
    span: Callable[[Kind, float, float, float], None]


class Host:
    """One host; run() plays it to the end of the scene. With `all_of_it`, also what changes nothing."""

    def __init__(self, world: World, random: Random, feel: Feel, all_of_it: bool = False) -> None:
        self._world, self._random, self._feel = world, random, feel
        self._restful = frozenset() if all_of_it else RESTFUL
        self._state = State(policy=SETTINGS.policy)
        self._now_s = world.on_s
        self._order = count()
        self._agenda: list[tuple[float, int, Event]] = []
        """What will happen, but for timers."""
        self._timers: dict[Timer, float] = {}
        self._named: tuple[Kind, float, float] | None = None

    def run(self, until_s: float) -> State:
        """Everything up to that time; the state at the end."""
        for number, (from_s, to_s) in enumerate(self._world.lives):
            for at_s in (from_s + REGISTERED_S, to_s + REGISTERED_S):
                self._at(max(at_s, self._now_s), on.FilesStirred())
            self._at(max(to_s, self._now_s), on.DnsmasqGone(PID + number))
        self._happen(on.Started())
        while True:
            timer = min(self._timers, key=self._timers.__getitem__, default=None)
            timer_s = self._timers[timer] if timer else until_s
            next_s = self._agenda[0][0] if self._agenda else until_s
            if min(timer_s, next_s) >= until_s:
                break
            self._now_s = min(timer_s, next_s)
            if next_s <= timer_s or timer is None:
                self._happen(heapq.heappop(self._agenda)[2])
            elif not self._is_skipped(timer):
                del self._timers[timer]
                self._happen(on.TimerFired(timer))
        self._end_span(until_s)
        return self._state

    def _happen(self, event: Event) -> None:
        queue = deque((event,))
        while queue:
            self._state, actions = decide(self._state, queue.popleft())
            for action in actions:
                answer = self._at_once(action)
                if answer is not None:
                    queue.append(answer)

    def _at_once(self, action: Action) -> Event | None:
        """Perform an action; what takes no time answers at once."""
        match action:
            case do.ReadSources(settled):
                return on.SourcesRead(self._reading(), settled)
            case do.Publish(kind, generation):
                self._end_span(self._now_s)
                self._named = (kind, self._now_s, self._began_s())
                return on.Published(kind, generation)
            case do.FindDnsmasq():
                return on.DnsmasqMissing(MISSING) if self._life() is None else on.DnsmasqFound(self._pid())
            case do.ReadNature(pid):
                return on.NatureRead(pid, Nature())
            case do.Reload(generation, pid):
                return on.ReloadSent(generation, pid)
            case do.AskAttach():
                return on.AttachAsked()
            case do.AskUpdate():
                return on.UpdateAsked()
        self._set_in_motion(action)
        return None

    def _set_in_motion(self, action: Action) -> None:
        match action:
            case do.SetTimer(timer, after_s, spread_s):
                share = self._random.random() if self._world.jitter else 0.5
                self._timers[timer] = self._now_s + after_s + share * spread_s
            case do.Probe():
                self._probe(action)
            case do.AskPublished():
                self._ask_published(action)
            case do.AskUpstreams(generation):
                self._compare(generation)
            case do.EndDnsmasq() | do.Leave():
                raise AssertionError(f"no scene of ours should lead to {action}")

    # What is asked ------------------------------------------------------------------------

    def _probe(self, asked: do.Probe) -> None:
        if self._life() is None or self._pid() != asked.pid:
            failed = on.ProbeFailed(asked.generation, asked.pid, Verdict.CLOSED, None, "nobody listens")
            self._at(self._now_s + LOCAL_S, failed)
            return
        answered_s: float | None = self._now_s + LOCAL_S
        if asked.forward:
            answered_s = self._forwarded(self._now_s + LOCAL_S)
        if answered_s is not None:
            took_ms = (answered_s - self._now_s) * 1000
            self._at(answered_s, on.ProbePassed(asked.generation, asked.pid, asked.forward, UPSTREAMS, took_ms))
            return
        # Silent so long, the upstreams are asked as well.
        at_s = self._now_s + LOCAL_S + SETTINGS.health.probe_timeout_s
        self._forwarded(at_s)
        at_s += SETTINGS.health.forward_timeout_s
        who = (Fault.NETWORK, (), UPSTREAMS)
        why = (Verdict.UNFORWARDED, UPSTREAMS, "no answer in time")
        self._at(at_s, on.ProbeFailed(asked.generation, asked.pid, *why, *who))

    def _compare(self, generation: int) -> None:
        answered_s = self._forwarded(self._now_s)
        if answered_s is not None:
            self._at(answered_s, on.Compared(generation, UPSTREAMS, ()))
        else:
            self._at(self._now_s + SETTINGS.health.forward_timeout_s, on.Compared(generation, (), UPSTREAMS))

    def _ask_published(self, asked: do.AskPublished) -> None:
        answers: list[tuple[float, str]] = []
        for place, nameserver in enumerate(asked.nameservers):
            asked_s = self._now_s + place * STAGGER_S
            if answers and answers[0][0] <= asked_s:
                break
            is_felt = nameserver != UPSTREAMS[1]
            answered_s = self._forwarded(asked_s, is_felt)
            if answered_s is not None:
                answers.append((answered_s, nameserver))
        if answers:
            at_s, first = min(answers)
            self._at(at_s, on.LookupAnswered(asked.kind, asked.generation, first))
        else:
            at_s = asked_s + SETTINGS.health.forward_timeout_s
            self._at(at_s, on.LookupFailed(asked.kind, asked.generation, "silent"))

    def _forwarded(self, from_s: float, is_felt: bool = True) -> float | None:
        """Send a question to an upstream until it answers: when it does; None if it is never reached.

        dnsmasq sends a question to all of its upstreams if it has not done so for 20 s: each of them feels it.
        """
        every_s = SETTINGS.health.forward_timeout_s / FORWARD_SENDS
        for sent_s in (from_s + number * every_s for number in range(FORWARD_SENDS)):
            answers = not self._world.silent[0] <= sent_s < self._world.silent[1]
            if is_felt:
                self._feel.question(sent_s, answers)
            if answers:
                return sent_s + ROUND_TRIP_S
        return None

    # What is there ------------------------------------------------------------------------

    def _life(self) -> tuple[float, float] | None:
        return next((life for life in self._world.lives if life[0] <= self._now_s < life[1]), None)

    def _began_s(self) -> float:
        life = self._life()
        return life[0] if life else self._now_s

    def _pid(self) -> int:
        """Each life has its own."""
        return PID + sum(from_s < self._began_s() for from_s, _ in self._world.lives)

    def _reading(self) -> Reading:
        life = self._life()
        is_registered = life is not None and self._now_s >= self._began_s() + REGISTERED_S
        known = Upstreams(UPSTREAMS, UPSTREAMS, source="resolvconf: eth0.inet")
        inherited = ("127.0.0.1", UPSTREAMS[0]) if self._world.inherited else ()
        return Reading(known, UPSTREAMS, is_registered, inherited=inherited)

    def _at(self, at_s: float, event: Event) -> None:
        heapq.heappush(self._agenda, (at_s, next(self._order), event))

    def _end_span(self, at_s: float) -> None:
        if self._named:
            kind, from_s, since_s = self._named
            self._feel.span(kind, from_s, at_s, since_s)
            self._named = None

    # What need not be played ----------------------------------------------------------------

    def _is_skipped(self, timer: Timer) -> bool:
        """Pass over a timer that changes nothing, to its turn after the next thing that may change something."""
        every_s = self._idle_s(timer) if timer in self._restful else None
        if every_s is None:
            return False
        ends_s = [self._agenda[0][0]] if self._agenda else []
        ends_s += [due_s for other, due_s in self._timers.items() if other not in self._restful]
        gap_s = min(ends_s, default=FOREVER_S) - self._now_s
        self._timers[timer] = self._now_s + (gap_s // every_s + 1) * every_s
        return True

    def _idle_s(self, timer: Timer) -> float | None:
        """After what time it is set again, if it does nothing else and no upstream feels it; None if it may.

        It is played once for each state: the answer is that of the core.
        """
        now = self._state
        place = (timer, now.phase, now.pid, now.probing, now.pausing, now.forward_due, self._life() is None)
        state, every_s = _IDLE.get(place, (None, None))
        if state != self._state:
            every_s = self._try(timer)
            _IDLE[place] = (self._state, every_s)
        return every_s

    def _try(self, timer: Timer) -> float | None:
        state, actions = decide(self._state, on.TimerFired(timer))
        queue, every_s, takes_s = deque(actions), None, 0.0
        while queue:
            answer: Event
            match queue.popleft():
                case do.SetTimer(again, after_s, spread_s) if again is timer:
                    every_s = after_s + spread_s / 2
                    continue
                case do.SetTimer(Timer.PAUSE):
                    answer = on.TimerFired(Timer.PAUSE)
                case do.ReadSources(settled):
                    answer = on.SourcesRead(self._reading(), settled)
                case do.FindDnsmasq() if self._life() is None:
                    answer = on.DnsmasqMissing(MISSING)
                case do.Probe(generation, pid, forward=False) if self._life() is not None:
                    answer, takes_s = on.ProbePassed(generation, pid, False, UPSTREAMS, LOCAL_S * 1000), LOCAL_S
                case _:
                    return None
            state, more = decide(state, answer)
            queue.extend(more)
        return every_s + takes_s if every_s and state == self._state else None


_IDLE: dict[object, tuple[State | None, float | None]] = {}
