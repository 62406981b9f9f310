"""Walks every state that `decide` can reach, against a world that answers in every way it can.

The world keeps its own books (which file libc reads, who lives, how many passes in a row were seen)
and holds each step against the promises; it never believes the state's own counters.

Three liberties make the walk finite and short, and none hides a state: every look at the files may
come at any time (so when they settle does not matter, see test_looks.py), timers may fire too early,
and what can have no effect any more is left out, after it was checked that it has none. A fourth hides
some: in the long walk a plain dnsmasq is followed by one that routes names; the other way round, and for
those that have their own servers or are barred, there are short walks.

The walk is breadth first, so the story that leads to a broken promise is among the shortest.
"""

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import islice
from operator import attrgetter
from typing import NamedTuple

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.guard import decide, row_of
from dnsguard.core.nature import Nature
from dnsguard.core.policy import Policy
from dnsguard.core.servers import Server
from dnsguard.core.state import State, file_of
from dnsguard.core.upstreams import Reading, Upstreams
from dnsguard.core.vocabulary import TELLING, Fault, Kind, Moment, Phase, Timer, Verdict

POLICY = Policy(
    rise=2, fall=2, dwell_s=0, falls=0, eager_tries=1, network_tries=1, reload_tries=2, restarts=0, trample_limit=1
)
# One with a choice among its servers, one without; and two without, which make far fewer states.
LISTS = tuple(Upstreams(each, each) for each in (("192.0.2.53", "192.0.2.55"), ("192.0.2.54",)))
ALONE = tuple(Upstreams(each, each) for each in (("192.0.2.53",), ("192.0.2.54",)))
GENERATIONS = 2
# The first may die at any moment; the second lives on.
PROCESSES = (101, 102)

Decide = Callable[[State, Event], tuple[State, tuple[Action, ...]]]
File = tuple[Kind, int]


class BrokenPromiseError(AssertionError):
    """A step that the guard must never take."""


INHERITED: File = (Kind.GUARDED, 0)
"""What a guard that had proved dnsmasq has left when it was upgraded."""

PLAIN, ROUTING = Nature(), Nature(keeps=("server=/corp/192.0.2.99",))
SELF_MADE, BARRED = Nature(no_resolv=True, unread=("a file",)), Nature(port=5353)
VIA_STUB = Nature(no_resolv=True, binds=True, servers=(Server("127.0.0.53"),))
CACHES = (PLAIN, VIA_STUB)
NATURES = ((PLAIN, ROUTING), (ROUTING, PLAIN), (SELF_MADE, SELF_MADE), (BARRED, BARRED), (VIA_STUB, VIA_STUB))
"""How the processes of a world are configured: SELF_MADE has its own servers, and is in doubt.

VIA_STUB asks systemd-resolved, which may begin to ask dnsmasq, and end that, at any look.
"""


class World(NamedTuple):
    """What is true outside of the guard.

    Attributes:
        file: what libc reads; None while nothing was published, or another program has spoilt it.
        refused: the last write was refused, and the guard knows or is about to learn it.
        answered: the file that libc reads has answered.
        heard: the last generation of which an upstream has answered.
        deaths: how many dnsmasq processes have died; the next one may be found at any time.
        passes, failures: consecutive forwarded passes, or failures, of dnsmasq for this generation.
        signals: SIGHUPs that this process got for this generation.
        paying: what the failure of a trusted dnsmasq costs still: a dwell, a longer trial.
        dead: upstreams of this generation that did not answer when others did, last time.
        under_way: questions that dnsmasq or the published servers have not answered yet.
        timers: those that run.
        natures: which of NATURES its processes are.
    """

    file: File | None = None
    refused: bool = False
    answered: bool = False
    heard: int = 0
    deaths: int = 0
    passes: int = 0
    failures: int = 0
    signals: int = 0
    paying: frozenset[Timer] = frozenset()
    dead: frozenset[str] = frozenset()
    under_way: frozenset[do.Probe | do.AskPublished] = frozenset()
    timers: frozenset[Timer] = frozenset()
    natures: int = 0


Node = tuple[State, World]

# `held` matters only by what it lacks; whose fault it was last, only for words and for how soon the next question
# comes, and here timers fire at any time; the rest is constant or taken by its identity.
_LEFT_OUT = {"policy", "upstreams", "candidate", "held", "nature", "fault", "fault_tries"}
_state_key = attrgetter("is_lacking", *(each.name for each in fields(State) if each.name not in _LEFT_OUT))


def state_key(state: State) -> tuple[object, ...]:
    """What tells two states apart; the lists are singletons here, so their identity is enough."""
    return (id(state.upstreams), id(state.candidate), id(state.nature), *_state_key(state))


def key(node: Node) -> tuple[object, ...]:
    """What tells two nodes apart."""
    return (*state_key(node[0]), *node[1])


BOTH = tuple(address for each in LISTS for address in each.nameservers)
MOMENTS = (on.MomentPassed(Moment.NETWORK, ""),)
AT_ANY_TIME = frozenset(Timer) - {Timer.PROBE, Timer.PUBLISH, Timer.PAUSE, Timer.SETTLE, Timer.LOOK}
"""Timers that this world fires whether they were set or not: earlier and later than any clock would."""
LOOKS = frozenset({Timer.PAUSE, Timer.SETTLE, Timer.LOOK})
"""Timers that only lead to a look at the files, which this world brings at any time."""


def looks(state: State) -> tuple[on.SourcesRead, ...]:
    """Every look at the files that can come out; after the second generation no third list appears."""
    found = LISTS if state.generation < GENERATIONS else (state.upstreams,)
    # A host without resolvconf stays one, and the other way round; the first look settles it.
    first, plain = state.attached is None, state.offered is None
    readings = looks_without(found) if plain else ()
    readings += looks_with(found, state.upstreams) if first or not plain else ()
    if state.published:
        # Another program has written into our file, or removed it.
        readings += (replace(readings[-1], attached=True, spoilt_by=""),)
    if state.nature is VIA_STUB:
        readings += (replace(readings[0], resolved_asks=("127.0.0.1",)),)
    return tuple(
        on.SourcesRead(reading, settled) for settled in SETTLED[: 1 + bool(state.candidate)] for reading in readings
    )


SETTLED = (False, True)


@cache
def _with_inheritance(look: on.SourcesRead) -> on.SourcesRead:
    return replace(look, reading=replace(look.reading, inherited=(POLICY.dnsmasq_address, *BOTH[:1])))


@cache
def looks_without(lists: tuple[Upstreams | None, ...]) -> tuple[Reading, ...]:
    """On a host without resolvconf, whose dnsmasq is given no file."""
    return tuple(Reading(found, None, None, attached=True) for found in lists)


@cache
def looks_with(lists: tuple[Upstreams | None, ...], known: Upstreams | None) -> tuple[Reading, ...]:
    """On a host with resolvconf: dnsmasq registered or not, its file full or empty, our link there or not."""
    return (
        *(Reading(found, offered, True, attached=True) for found in lists for offered in ((), BOTH)),
        *(Reading(found, offered, False, attached=True) for found in lists for offered in ((), BOTH)),
        Reading(None, (), True, attached=True),
        Reading(known, BOTH, True, attached=False),
    )


COSTS = frozenset({Timer.DWELL, Timer.FALLS})
TIMERS = {timer: on.TimerFired(timer) for timer in Timer}


def happenings(node: Node) -> Iterator[tuple[Event, World]]:
    """Every event that this world can bring forth now, with the world after it."""
    state, world = node
    for timer in world.timers | (AT_ANY_TIME - idle_timers(state)):
        yield TIMERS[timer], world._replace(timers=world.timers - {timer})
    for asked in world.under_way:
        waiting = world._replace(under_way=world.under_way - {asked})
        for answer in answers(asked):
            yield answer, waiting
    for look in looks(state):
        spoilt = look.reading.spoilt_by is not None
        seen = _with_inheritance(look) if world.file == INHERITED else look
        yield seen, world._replace(file=None, answered=False) if spoilt else world
    for moment in MOMENTS:
        yield moment, world
    yield on.StopAsked(), world
    if state.generation > 1:
        # Other late comparisons are those that a late timer brings.
        yield on.Compared(state.generation - 1, BOTH[1:], BOTH[:1]), world
    if state.pid is not None and world.deaths < len(PROCESSES) - 1:
        yield on.DnsmasqGone(state.pid), world._replace(deaths=world.deaths + 1)
        # Its death was not heard, but its successor was seen.
        yield on.DnsmasqFound(PROCESSES[world.deaths + 1]), world._replace(deaths=world.deaths + 1)


def idle_timers(state: State) -> frozenset[Timer]:
    """Timers that mean nothing while this state lasts, and that are set again by what ends it.

    Leaving them out makes many nodes one. That they mean nothing is checked, not believed.
    """
    absent = state.pid is None
    idle = {
        Timer.FIND: not absent,
        Timer.PROBE: absent or state.probing or state.phase in (Phase.STARTING, Phase.YIELDED),
        Timer.RELOAD: absent or state.phase is not Phase.DIRECT,
        Timer.RESTARTS: state.restarts == 0,
        Timer.DWELL: not state.dwelling,
        Timer.FALLS: state.falls == 0,
        Timer.PUBLISH: state.is_published or state.upstreams is None,
        Timer.COMPARE: state.phase in (Phase.STARTING, Phase.GUARDED) or len(state.nameservers) < 2,
        Timer.ASK: state.is_answered or not state.is_published,
        Timer.READY: state.ready,
        Timer.QUIET: state.rounds == 0,
        Timer.YIELD: state.phase is not Phase.YIELDED and not (state.circle and state.phase is Phase.DIRECT),
        Timer.FORWARD: state.phase is not Phase.GUARDED or (state.forward_due and not state.revisited),
    }
    return frozenset(timer for timer, means_nothing in idle.items() if means_nothing)


def is_spent(state: State, asked: do.Probe | do.AskPublished) -> bool:
    """Whether no answer to this question can ever matter again."""
    if isinstance(asked, do.Probe):
        return (asked.generation, asked.pid) != (state.generation, state.pid)
    return state.ready and (asked.generation < state.generation or asked.kind is Kind.GUARDED)


@cache
def answers(asked: do.Probe | do.AskPublished) -> tuple[Event, ...]:
    """Every way in which a question that takes time can be answered, the kindest first."""
    if isinstance(asked, do.AskPublished):
        return (
            # Always the same, so that it may be the one which goes silent later.
            on.LookupAnswered(asked.kind, asked.generation, min(asked.nameservers)),
            on.LookupFailed(asked.kind, asked.generation, "silence"),
        )
    return (
        on.ProbePassed(asked.generation, asked.pid, asked.forward, asked.demanded or ("192.0.2.99",), 0.1),
        on.ProbePassed(asked.generation, asked.pid, asked.forward, None, 0.1),
        on.ProbeFailed(asked.generation, asked.pid, Verdict.SILENT, None, ""),
        on.ProbeFailed(asked.generation, asked.pid, Verdict.LACKING, (), ""),
        *(_unforwarded(asked) if asked.forward else ()),
    )


def _unforwarded(asked: do.Probe) -> tuple[Event, ...]:
    """dnsmasq lives and holds the upstreams, but does not answer: whose fault is it?"""
    first, others = asked.upstreams[:1], asked.upstreams[1:]

    def failed(verdict: Verdict, fault: Fault, *who: tuple[str, ...]) -> Event:
        return on.ProbeFailed(asked.generation, asked.pid, verdict, asked.demanded, "", fault, *who)

    return (
        failed(Verdict.UNFORWARDED, Fault.NETWORK, (), asked.upstreams),
        failed(Verdict.SERVFAIL, Fault.UNKNOWN, (), ()),
        failed(Verdict.WRONG, Fault.ZONE, asked.upstreams, ()),
        failed(Verdict.SERVFAIL, Fault.DNSMASQ, others or first, first if others else ()),
    )


REQUESTED: dict[type, Event] = {do.AskAttach: on.AttachAsked(), do.AskUpdate: on.UpdateAsked()}


def outcomes(action: Action, world: World) -> Iterator[tuple[World, Event | None]]:
    """Every way in which the daemon can perform an action at once, with the answer it brings back."""
    match action:
        case do.SetTimer(timer):
            yield world._replace(timers=world.timers | ({timer} - AT_ANY_TIME - LOOKS)), None
        case do.Publish(kind, generation):
            written = world._replace(file=(kind, generation), refused=False)
            if written.file != world.file:
                written = written._replace(answered=False)
            yield written, on.Published(kind, generation)
            yield world._replace(refused=True), on.PublishFailed(kind, generation, "ENOSPC")
        case do.FindDnsmasq():
            yield world, on.DnsmasqFound(PROCESSES[world.deaths])
            yield world, on.DnsmasqMissing("")
        case do.ReadNature(pid):
            yield world, on.NatureRead(pid, NATURES[world.natures][PROCESSES.index(pid)])
        case do.Reload(generation, pid):
            signalled = world._replace(signals=world.signals + 1)
            yield signalled, on.ReloadSent(generation, pid)
            yield signalled, on.ReloadFailed(generation, pid, "EPERM")
        case do.Probe() | do.AskPublished():
            yield world._replace(under_way=_asked_too(action, world)), None
        case do.AskUpstreams(generation, nameservers):
            # At once: what comes later finds a state that a later timer finds, too.
            yield world, on.Compared(generation, nameservers, ())
            yield world, on.Compared(generation, nameservers[1:], nameservers[:1])
            yield world, on.Compared(generation, (), nameservers)
        case do.EndDnsmasq(generation, pid):
            # Its death is one of those that may come at any time; the last process cannot be ended.
            yield world, None
            yield world, on.EndFailed(generation, pid, "EPERM")
        case _:
            # What was heard before resolvconf was asked is too old for the step after that.
            heard = 0 if isinstance(action, do.AskUpdate) else world.heard
            yield world._replace(heard=heard), REQUESTED.get(type(action))


def _asked_too(asked: do.Probe | do.AskPublished, world: World) -> frozenset[do.Probe | do.AskPublished]:
    """Of libc's older questions one may still be answered; what came before it has timed out."""
    if isinstance(asked, do.Probe):
        return world.under_way | {asked}
    older = [each for each in world.under_way if isinstance(each, do.AskPublished) and each != asked]
    latest = max(older, key=lambda each: (each.generation, each.kind.value), default=None)
    return world.under_way - {each for each in older if each is not latest} | {asked}


def is_stale(state: State, event: Event) -> bool:
    """Whether an event answers for an old generation or another process."""
    match event:
        case on.ProbePassed() | on.ProbeFailed() | on.ReloadSent() | on.ReloadFailed():
            return (event.generation, event.pid) != (state.generation, state.pid)
        case on.DnsmasqGone() | on.NatureRead():
            return event.pid != state.pid
        case on.Compared():
            return event.generation != state.generation
        case _:
            return False


def witnessed(state: State, event: Event, world: World) -> World:
    """Enter an event into the world's own books, before the guard answers it."""
    if is_stale(state, event):
        return world
    world = _compared(state, event, world)
    if isinstance(event, on.TimerFired):
        return world._replace(paying=world.paying - {event.timer})
    match event:
        case on.ProbePassed(forward=forward):
            return world._replace(passes=min(world.passes + forward, POLICY.rise), failures=0)
        case on.ProbeFailed():
            return _failed(state, event, world)
        case on.DnsmasqGone():
            return world._replace(passes=0, failures=0, signals=0)
        case on.LookupAnswered(kind=kind, generation=generation) if (kind, generation) == world.file:
            return world._replace(answered=True, heard=generation * _minds(kind) or world.heard)
        case on.SourcesRead(reading=reading) if _is_announced(state, reading):
            return world._replace(passes=0)
        case _:
            return world


def _failed(state: State, event: on.ProbeFailed, world: World) -> World:
    """The same for a probe that failed."""
    if event.fault is Fault.ZONE:
        return world._replace(passes=min(world.passes + 1, POLICY.rise), failures=0)
    if event.fault is not Fault.DNSMASQ:
        # No failure of dnsmasq's, and no proof either.
        return world._replace(passes=world.passes if state.phase is Phase.GUARDED else 0, failures=0)
    if state.phase is not Phase.GUARDED:
        # What was inherited is not given a second chance.
        return world._replace(passes=0, failures=POLICY.fall if world.file == INHERITED else 0)
    # One failure ends a trial, but not yet a trust that was earned.
    telling = event.verdict in TELLING
    return world._replace(failures=POLICY.fall if telling else min(world.failures + 1, POLICY.fall))


def _is_announced(state: State, reading: Reading) -> bool:
    """Whether dnsmasq is about to stop, or its file was emptied."""
    emptied = reading.offered == () != state.offered
    return reading.registered is False or (emptied and not state.has_own_servers)


def _minds(kind: Kind) -> bool:
    """Whether it is minded that an upstream has answered: where nobody is ended that would only make more states."""
    return POLICY.restarts > 0 and kind is Kind.DIRECT


def _compared(state: State, event: Event, world: World) -> World:
    if isinstance(event, on.Compared | on.ProbeFailed) and event.answered and state.phase is not Phase.YIELDED:
        return world._replace(dead=frozenset(event.unanswered))
    return world


def promised(condition: bool, promise: str) -> None:
    """Hold a step against a promise."""
    if not condition:
        raise BrokenPromiseError(promise)


def check_step(before: State, event: Event, after: State, actions: tuple[Action, ...], world: World) -> None:
    """What must be true of the decision itself, whatever comes of its actions."""
    if is_stale(before, event):
        # An answer that is kept (_decided) may be that of a state which differs by what is left out.
        unchanged = state_key(after) == state_key(before) and not actions
        promised(unchanged, "an answer of an old generation or process changes nothing")
    else:
        check_evidence(before, event, after, actions)
    promised(after.passes <= POLICY.rise, "passes are bounded")
    check_patience(before, after, actions, world)
    check_moment(before, event, after, actions)
    file = world.file
    signals = world.signals
    for action in actions:
        match action:
            case do.Publish(kind, generation, conf):
                file = (kind, generation)
                promised(bool(conf.nameservers), "no published list is empty")
                promised(generation == after.generation, "only the current generation is published")
                alive = [each not in world.dead for each in conf.nameservers]
                promised(alive == sorted(alive, reverse=True), "who does not answer is named last")
                loopback = POLICY.dnsmasq_address in conf.nameservers
                promised(loopback == (kind is Kind.GUARDED), "dnsmasq is named in the guarded file alone")
                if loopback:
                    promised(world.passes >= POLICY.rise, "dnsmasq is named only after `rise` passes in a row")
                    nature = NATURES[world.natures][PROCESSES.index(after.pid or 0)]
                    promised(nature is not BARRED, "a dnsmasq that libc cannot reach is never named")
                    promised(
                        len(conf.nameservers) == 1 + (nature in CACHES), "a standby stands behind a plain dnsmasq alone"
                    )
                    alone = nature not in CACHES or "timeout:1" in conf.options
                    promised(alone, "libc goes on to the standby after a second")
                    promised(all(alive), "and it is one that answers")
            case do.Reload(generation, pid):
                promised(file == (Kind.DIRECT, after.generation), "libc has the upstreams before dnsmasq is disturbed")
                promised((generation, pid) == (after.generation, after.pid), "SIGHUP is for the living")
                signals += 1
                promised(signals <= POLICY.reload_tries, "no more than `reload_tries` SIGHUPs for one list")
            case do.EndDnsmasq(generation, pid):
                promised((generation, pid) == (after.generation, after.pid), "SIGKILL is for who was found last")
                promised(file == (Kind.DIRECT, after.generation), "libc has the upstreams before dnsmasq is ended")
                promised(world.heard == after.generation, "dnsmasq is not ended while the upstreams are silent")
                promised(signals >= POLICY.reload_tries, "SIGKILL only after all the SIGHUPs")
                promised(before.restarts < POLICY.restarts, "no more than `restarts` SIGKILLs in their window")
            case do.SayReady(degraded=""):
                promised(world.answered, "READY only after what is published has answered")
            case do.Probe(generation, pid):
                same = [each for each in world.under_way if isinstance(each, do.Probe)]
                twins = [each for each in same if (each.generation, each.pid) == (generation, pid)]
                promised(not twins, "one probe at once")
                promised(after.understood and not after.bar, "no question to one that is not understood, or barred")
                demanding = not NATURES[world.natures][PROCESSES.index(pid)].has_own_servers
                promised(bool(action.demanded) == demanding, "who has its own servers need not hold ours")
            case do.AskAttach():
                promised(after.phase is not Phase.YIELDED, "who has yielded asks for nothing")
            case _:
                pass


def check_patience(before: State, after: State, actions: tuple[Action, ...], world: World) -> None:
    """What must be true where a trial begins."""
    if (before.phase, after.phase) == (Phase.DIRECT, Phase.PROVING):
        promised(Timer.DWELL not in world.paying, "no trial before the dwell is over")
        hasty = Timer.FALLS in world.paying and any(isinstance(each, do.Probe) for each in actions)
        promised(not hasty, "one that fails again and again is not asked at once")


def check_moment(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
    """What must be true when the world has moved."""
    if not isinstance(event, on.MomentPassed) or before.phase is Phase.STOPPING:
        return
    asked = [each for each in actions if isinstance(each, do.Probe)]
    promised(before.pausing or do.ReadSources() in actions, "a moment costs a look at the files")
    promised(before.phase is after.phase, "a hint moves nothing by itself")
    if before.phase is Phase.GUARDED and not before.revisited:
        promised(after.forward_due and (before.probing or bool(asked)), "who is trusted is asked when the world moves")
        promised(after.revisited, "and it is remembered that it was")
    elif before.phase is Phase.GUARDED:
        promised(not asked, "a storm costs one question between two that are due")


def check_evidence(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> None:
    """What must be true of a decision about who answers, and who does not."""
    if not isinstance(event, on.Compared | on.ProbeFailed):
        return
    if isinstance(event, on.Compared) or event.fault in (Fault.NETWORK, Fault.UNKNOWN):
        what = "no flip while the network is down, or because an upstream is"
        promised((before.phase, before.generation) == (after.phase, after.generation), what)
        disturbing = (do.Reload, do.AskAttach, do.FindDnsmasq)
        promised(not any(isinstance(each, disturbing) for each in actions), "and nobody is disturbed for it")
    elif (before.phase, after.phase) == (Phase.GUARDED, Phase.DIRECT):
        own = event.verdict in (Verdict.SILENT, Verdict.LACKING)
        promised(own or bool(event.answered), "dnsmasq is blamed only if an upstream answers")
    if before.is_published and before.phase is not Phase.YIELDED and file_of(before) != file_of(after):
        promised(any(isinstance(each, do.Publish) for each in actions), "libc is given the order that is known")


def check_rest(state: State, world: World) -> None:
    """What must be true whenever the daemon waits for the next event."""
    if state.phase is Phase.STOPPING:
        return

    needless = state.phase in (Phase.STARTING, Phase.YIELDED)
    promised(needless or state.upstreams is not None, "no other phase without servers")
    retried = world.refused and Timer.PUBLISH in world.timers
    if state.phase is Phase.YIELDED and world.file is None:
        pass  # Another program has our file; to write it would be the next blow.
    elif world.refused:
        promised(retried or state.is_published, "a refused file is tried again")
    elif world.file == INHERITED and state.phase is Phase.PROVING:
        promised(not world.failures, "what was inherited is left at the first failure")
        promised(state.registered is not False, "and before an announced end")
    elif state.upstreams is not None:
        promised(world.file == (state.wanted, state.generation), "libc reads what the phase calls for")
    if state.phase in (Phase.PROVING, Phase.GUARDED):
        promised(is_asked(state, world), "who is trusted or tried is asked again")
        promised(not state.bar, "who is barred is neither trusted nor tried")
    if world.file and world.file[0] is Kind.GUARDED and world.file != INHERITED and not retried:
        promised(world.passes >= POLICY.rise, "dnsmasq is named only while it is proven")
        promised(world.failures < POLICY.fall, "`fall` failures, or a telling one, end it")
        promised(world.file[1] == state.generation, "dnsmasq is named only for the current generation")
        promised(state.registered is not False, "an announced end is acted on before it comes")


def is_asked(state: State, world: World) -> bool:
    """Whether dnsmasq is being asked, or will be by a timer that runs."""
    current = (state.generation, state.pid)
    under_way = (each for each in world.under_way if isinstance(each, do.Probe))
    return Timer.PROBE in world.timers or any(current == (each.generation, each.pid) for each in under_way)


def is_well(state: State, world: World) -> bool:
    """Whether the host is where it belongs: guarded, and its dependents let go."""
    if state.phase is Phase.STOPPING:
        return True
    if NATURES[world.natures][0] is BARRED:
        return state.ready and state.phase is Phase.DIRECT and world.file == (Kind.DIRECT, state.generation)
    return state.ready and state.phase is Phase.GUARDED and world.file == (Kind.GUARDED, state.generation)


def kindly(node: Node) -> tuple[Event, World]:
    """What happens next in a world that means well, without leaving anything out for ever."""
    state, world = node
    for asked in sorted(world.under_way, key=str):
        return answers(asked)[0], world._replace(under_way=world.under_way - {asked})
    waiting = {
        Timer.ASK: not state.is_answered and state.is_published,
        Timer.YIELD: bool(state.circle) or state.phase is Phase.YIELDED,
        Timer.DWELL: state.dwelling,
    }
    for timer in (Timer.PUBLISH, Timer.ASK, Timer.YIELD, Timer.DWELL, Timer.PROBE):
        if timer in world.timers or waiting.get(timer):
            return TIMERS[timer], world._replace(timers=world.timers - {timer})
    return on.SourcesRead(Reading(state.upstreams or LISTS[0], BOTH, True, attached=True), settled=True), world


@dataclass
class Walk:
    """One exploration: what was seen, and how each state was come by."""

    decide: Decide = decide
    most: int = 3_000_000
    worlds: tuple[World, ...] = (World(), World(file=INHERITED))
    transitions: int = 0

    def __post_init__(self) -> None:
        self.answered: dict[tuple[object, ...], tuple[State, tuple[Action, ...]]] = {}
        self.checked: set[tuple[object, ...]] = set()
        self.seen: set[tuple[object, ...]] = set()
        self.moves: set[tuple[Phase, Phase, object]] = set()
        self.nodes: list[Node] = []
        self.came_from: dict[tuple[object, ...], tuple[tuple[object, ...], Event]] = {}

    def run(self, start: Node | None = None) -> "Walk":
        """Visit everything from the start, or from a node; raises BrokenPromiseError at the first broken promise."""
        waiting = deque[Node]([start] if start else [])
        for world in () if start else self.worlds:
            for node in self._settled((State(policy=POLICY), world), on.Started()):
                self._arrive(self._reduced(node), waiting, (), on.Started())
        while waiting and len(self.seen) < self.most:
            node = waiting.popleft()
            if node[0].phase is Phase.STOPPING:
                continue
            mark = key(node)
            for event, world in happenings(node):
                try:
                    for after in self._settled((node[0], world), event):
                        self._arrive(self._reduced(after), waiting, mark, event)
                except BrokenPromiseError as broken:
                    raise BrokenPromiseError(f"{broken}\n{self._story(mark)}\n{event}") from broken
        return self

    def _story(self, mark: tuple[object, ...]) -> str:
        """The shortest way to a node, one event a line."""
        lines: list[str] = []
        while mark in self.came_from:
            mark, event = self.came_from[mark]
            lines.append(str(event))
        return "\n".join(reversed(lines))

    def _arrive(self, node: Node, waiting: deque[Node], parent: tuple[object, ...], event: Event) -> None:
        self.transitions += 1
        check_rest(*node)
        mark = key(node)
        if mark not in self.seen:
            self.seen.add(mark)
            self.nodes.append(node)
            self.came_from[mark] = (parent, event)
            waiting.append(node)

    def _reduced(self, node: Node) -> Node:
        """The node without what can have no effect any more; that it has none is checked here."""
        state, world = node
        if state.phase is Phase.STOPPING:
            # Nothing follows, and who stops is like everybody else who stops.
            return State(policy=POLICY, phase=Phase.STOPPING), World()
        spent = frozenset(asked for asked in world.under_way if is_spent(state, asked))
        idle = idle_timers(state)
        self._check_idle(state, spent, idle)
        if state.pausing:
            state = replace(state, pausing=False, stirred=False)
        if not state.understood:
            # Of a process that has gone only the log says anything more.
            state = replace(state, nature=None)
        return state, world._replace(timers=world.timers - idle, under_way=world.under_way - spent)

    def _check_idle(self, state: State, spent: frozenset[do.Probe | do.AskPublished], idle: frozenset[Timer]) -> None:
        mark = (*state_key(state), spent)
        if mark not in self.checked:
            self.checked.add(mark)
            late = (answer for asked in spent for answer in answers(asked))
            for event in (*late, *(TIMERS[timer] for timer in idle)):
                promised(self.decide(state, event) == (state, ()), "what is spent has no effect")

    def _decided(self, state: State, event: Event) -> tuple[State, tuple[Action, ...]]:
        """The answer of `decide`, which is pure: the same question is put to it once."""
        mark = (*state_key(state), event)
        if mark not in self.answered:
            self.answered[mark] = self.decide(state, event)
        return self.answered[mark]

    def _settled(self, node: Node, event: Event, kind: bool = False) -> Iterator[Node]:
        """All nodes where the daemon may come to rest after one event: answers given at once come first."""
        unfinished: list[tuple[Node, tuple[Event, ...]]] = [(node, (event,))]
        while unfinished:
            (state, world), queue = unfinished.pop()
            if not queue:
                yield state, world
                continue
            world = witnessed(state, queue[0], world)
            after, actions = self._decided(state, queue[0])
            check_step(state, queue[0], after, actions, world)
            if after.phase is not state.phase:
                self.moves.add((state.phase, after.phase, row_of(queue[0])))
            if (after.generation, after.pid) != (state.generation, state.pid):
                dead = world.dead if after.generation == state.generation else frozenset()
                world = world._replace(passes=0, failures=0, signals=0, dead=dead)
            if (state.phase, after.phase) == (Phase.GUARDED, Phase.DIRECT) and not isinstance(queue[0], on.SourcesRead):
                world = world._replace(paying=COSTS if POLICY.falls else frozenset())
            if after.phase not in (Phase.PROVING, Phase.GUARDED):
                # The next trial begins from nothing.
                world = world._replace(passes=0, failures=0)
            for performed, told in self._performed(world, actions, kind):
                unfinished.append(((after, performed), queue[1:] + told))

    def _performed(
        self, world: World, actions: tuple[Action, ...], kind: bool
    ) -> Iterator[tuple[World, tuple[Event, ...]]]:
        """Perform the actions in order, in every way they can come out; a kind world has only the first."""
        if not actions:
            yield world, ()
            return
        ways = outcomes(actions[0], world)
        for performed, told in islice(ways, 1) if kind else ways:
            for rest, later in self._performed(performed, actions[1:], kind):
                yield rest, ((told, *later) if told else later)

    def end_of_kindness(self, world: World = World()) -> Node:  # noqa: B008
        """Where a kind world leads to from the start: guarded, and ready."""
        node = next(self._settled((State(policy=POLICY), world), on.Started(), kind=True))
        for _ in range(100):
            if is_well(*node):
                break
            event, world = kindly(node)
            node = next(self._settled((node[0], world), event, kind=True))
        return node

    def stuck(self) -> list[str]:
        """The states from which a world that now means well does not lead to where the host belongs."""
        well: set[tuple[object, ...]] = set()
        return [self._story(key(node)) for node in self.nodes if not self._ends_well(node, well)]

    def _ends_well(self, node: Node, well: set[tuple[object, ...]]) -> bool:
        path = []
        for _ in range(40):
            mark = key(node)
            path.append(mark)
            if mark in well or is_well(*node):
                well.update(path)
                return True
            event, world = kindly(node)
            node = next(self._settled((node[0], world), event, kind=True))
        return False
