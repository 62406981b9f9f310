"""What happens to a host's DNS, event by event; the same with and without the guard.

Every step has its fixed time, so that both tellings can be laid side by side. Where the failures
come from without the guard:

`starts-empty`: the first story. dnsmasq starts, finds its upstream file empty, and its start script
    registers it; resolvconf fills the file and turns /etc/resolv.conf to 127.0.0.1 alone. A dnsmasq
    of 2013 saw the file at its next poll; today's sees it at once unless `no-poll` is set, so
    that is set, and a SIGHUP after three seconds stands for the poll.
`new-lease`: still under `no-poll`. The old server falls silent half a second after the lease is
    announced, which is a network that was renumbered. (In one that was left behind it is silent
    before anybody can know, and everybody waits.)
`restart`: with Debian's defaults. `stop-resolvconf` empties dnsmasq's upstream file first and turns
    /etc/resolv.conf back later: 17-29 ms on Debian 12. On Debian 13 it is killed before that.
`crash`: nobody deregisters a dnsmasq that was killed, and Debian's unit does not restart it.
`hang`: the process is there, its socket takes questions, no answer comes.
`comes-back`: it wakes, and answers what waited in its socket, if anybody still listens.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from tests.sandbox.guard import Guard, PhaseWatch
from tests.sandbox.host import Host
from tests.sandbox.lookups import Lookup, end_sampler, start_sampler
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

CALM_S = 1.0
"""Lookups before the first event."""

EDGE_S = 0.1
"""An event begins this long before its first step: lookups under way belong to it."""

HANG_S = 3.0
"""How long a dnsmasq has hung that comes back without having hung in an event before."""

Act = Callable[[Host], object]


class GivenUpError(Exception):
    """Whoever listened has gone."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happens.

    Attributes:
        name: for a command line.
        title: for people.
        before: brings any host to where the event can begin; not part of it.
        phases_before: where the guard may stand by then.
        steps: (seconds after the beginning, what is done), in order.
        lasts_s: how long its lookups are counted, from the beginning.
        deaths: how many times a trusted dnsmasq ends in it.
        hangs: how many times a trusted dnsmasq stops answering in it.
    """

    name: str
    title: str
    before: Act
    phases_before: tuple[str, ...]
    steps: tuple[tuple[float, Act], ...]
    lasts_s: float
    deaths: int = 0
    hangs: int = 0


@dataclass(frozen=True, slots=True)
class Happened:
    """An event as it went, and the lookups that began in it. Times in seconds, monotonic."""

    event: Event
    begin_s: float
    end_s: float
    lookups: tuple[Lookup, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """One telling of the story.

    Attributes:
        happened: the events.
        between: the lookups that began before, between and after them.
        moves: when the guard moved and where to (seconds, monotonic; phase); none without it.
        troubles: events that began although the guard was not yet where it should be, in words.
    """

    happened: tuple[Happened, ...]
    between: tuple[Lookup, ...]
    moves: tuple[tuple[float, str], ...] = ()
    troubles: tuple[str, ...] = ()


def _absent_and_blind(host: Host) -> None:
    if host.is_dnsmasq_running():
        host.stop_dnsmasq()
    host.configure_dnsmasq("no-poll")


def _running_blind(host: Host) -> None:
    if not host.is_dnsmasq_running():
        _absent_and_blind(host)
        host.start_dnsmasq()
        host.reload_dnsmasq()


def _running(host: Host) -> None:
    if host.configure_dnsmasq() or not host.is_dnsmasq_running():
        host.restart_dnsmasq()


def _hung(host: Host) -> None:
    if not host.is_dnsmasq_hung():
        _running(host)
        host.hang_dnsmasq()
        time.sleep(HANG_S)


def _announce_other(host: Host) -> None:
    host.start_upstream(OTHER_UPSTREAM)
    host.new_lease(OTHER_UPSTREAM)


STORY = (
    Event(
        "starts-empty",
        "dnsmasq starts knowing no upstream, registers itself, looks again after 3 s",
        before=_absent_and_blind,
        phases_before=("direct",),
        steps=((0.0, Host.start_dnsmasq), (3.0, Host.reload_dnsmasq)),
        lasts_s=6.0,
    ),
    Event(
        "new-lease",
        "a new lease; the old upstream falls silent; dnsmasq looks again after 4 s",
        before=_running_blind,
        phases_before=("guarded",),
        steps=(
            (0.0, _announce_other),
            (0.5, lambda host: host.silence_upstream(UPSTREAM)),
            (4.0, Host.reload_dnsmasq),
        ),
        lasts_s=7.0,
    ),
    Event(
        "restart",
        "dnsmasq is stopped, started after 1 s, and restarted after 5 s",
        before=_running,
        phases_before=("guarded",),
        steps=((0.0, Host.stop_dnsmasq), (1.0, Host.start_dnsmasq), (5.0, Host.restart_dnsmasq)),
        lasts_s=8.0,
        deaths=2,
    ),
    Event(
        "crash",
        "dnsmasq is killed; somebody starts it after 4 s",
        before=_running,
        phases_before=("guarded",),
        steps=((0.0, Host.kill_dnsmasq), (4.0, Host.start_dnsmasq)),
        lasts_s=7.0,
        deaths=1,
    ),
    Event(
        "hang",
        "dnsmasq hangs",
        before=_running,
        phases_before=("guarded",),
        steps=((0.0, Host.hang_dnsmasq),),
        lasts_s=7.0,
        hangs=1,
    ),
    Event(
        "comes-back",
        "it comes back",
        before=_hung,
        phases_before=("direct", "proving"),
        steps=((0.0, Host.wake_dnsmasq),),
        lasts_s=4.0,
    ),
)


def tell(
    events: Sequence[Event],
    directory: Path,
    settings: str | None,
    say: Callable[[str], None] = lambda _: None,
    given_up: threading.Event | None = None,
) -> Told:
    """Let the events happen on a host of their own, with a lookup by libc every 10 ms.

    Args:
        events: what is to happen, in order.
        directory: where records and the guard's log are kept.
        settings: the text of dnsguard.toml; None tells it without the guard.
        say: is told what happens, as it happens.
        given_up: when set, nobody wants to hear the end.

    Raises:
        GivenUpError: `given_up` was set.
    """
    given_up = given_up or threading.Event()
    directory.mkdir(parents=True, exist_ok=True)
    with Host() as host, contextlib.ExitStack() as company:
        guard = watch = None
        if settings is not None:
            guard = Guard(host, directory / "guard.log", settings)
            guard.start()
            watch = company.enter_context(PhaseWatch(guard))
        record = directory / "lookups.jsonl"
        sampler = start_sampler(host, record)
        time.sleep(CALM_S)
        times, troubles = [], []
        for event in events:
            troubles += _prepare(event, host, guard)
            say(event.title)
            times.append(_let_happen(event, host, given_up))
        if host.is_dnsmasq_hung():
            host.wake_dnsmasq()
        lookups = end_sampler(sampler, record)
        company.close()
        if guard is not None:
            guard.stop()
    told = _told(events, times, lookups)
    return replace(told, moves=tuple(watch.moves) if watch else (), troubles=tuple(troubles))


def _prepare(event: Event, host: Host, guard: Guard | None) -> list[str]:
    """Bring the host to where the event can begin; what went wrong with that."""
    event.before(host)
    # In life, minutes pass between the events.
    host.age_upstream_file()
    try:
        if guard is not None:
            guard.wait_for_phase(*event.phases_before)
    except TimeoutError as error:
        return [f"{event.name}: {error} before it"]
    return []


def _let_happen(event: Event, host: Host, given_up: threading.Event) -> tuple[float, float]:
    begin_s = time.monotonic()
    for after_s, act in (*event.steps, (event.lasts_s - EDGE_S, lambda _: None)):
        if given_up.wait(max(0.0, begin_s + EDGE_S + after_s - time.monotonic())):
            raise GivenUpError
        act(host)
    return begin_s, time.monotonic()


def _told(
    events: Sequence[Event],
    times: Sequence[tuple[float, float]],
    lookups: Sequence[Lookup],
) -> Told:
    happened = []
    between = set(lookups)
    for event, (begin_s, end_s) in zip(events, times, strict=True):
        within = tuple(lookup for lookup in lookups if begin_s <= lookup.start_s < end_s)
        between.difference_update(within)
        happened.append(Happened(event, begin_s, end_s, within))
    return Told(tuple(happened), tuple(between))
