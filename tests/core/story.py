"""Plays for the pure core: start somewhere, feed events, look at where it ends."""

from dataclasses import replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.nature import Nature
from dnsguard.core.policy import Policy
from dnsguard.core.state import State
from dnsguard.core.upstreams import Reading, Upstreams
from dnsguard.core.vocabulary import Kind, Phase, Verdict

OLD, NEW = "192.0.2.53", "192.0.2.54"
PID = 4711
POLICY = Policy(rise=3, fall=2)


def upstreams(*nameservers: str) -> Upstreams:
    """A list whose every server is demanded."""
    return Upstreams(nameservers, nameservers, source="resolvconf: eth0.inet")


def look(
    *nameservers: str, offered: tuple[str, ...] | None = (), settled: bool = False, **more: object
) -> on.SourcesRead:
    """A look that found these upstreams; offered to dnsmasq too, unless said otherwise."""
    found = upstreams(*nameservers) if nameservers else None
    given = nameservers if offered == () and nameservers else offered
    reading = Reading(found, given, True)
    return on.SourcesRead(replace(reading, **more), settled)  # type: ignore[arg-type]


def direct(**more: object) -> State:
    """dnsmasq is there and was asked; libc reads the upstreams."""
    known = State(
        policy=POLICY,
        phase=Phase.DIRECT,
        generation=1,
        upstreams=upstreams(OLD),
        offered=(OLD,),
        registered=True,
        attached=True,
        pid=PID,
        nature=Nature(),
        understood=True,
        probing=True,
        reloaded=1,
        published=(Kind.DIRECT, 1),
        standby=OLD,
        ready=True,
    )
    return replace(known, **more)  # type: ignore[arg-type]


def proving(**more: object) -> State:
    """dnsmasq is on trial, and has not passed once."""
    return replace(direct(phase=Phase.PROVING, held=(OLD,)), **more)  # type: ignore[arg-type]


def guarded(**more: object) -> State:
    """libc asks dnsmasq; a probe is under way."""
    trusted = proving(phase=Phase.GUARDED, passes=POLICY.rise, published=(Kind.GUARDED, 1))
    return replace(trusted, **more)  # type: ignore[arg-type]


def passed(*, forward: bool = True, generation: int = 1, pid: int = PID) -> on.ProbePassed:
    """dnsmasq holds what it should, and answered."""
    return on.ProbePassed(generation, pid, forward, (OLD,), 0.3)


def failed(verdict: Verdict = Verdict.SILENT, *, generation: int = 1, pid: int = PID) -> on.ProbeFailed:
    """dnsmasq did not answer as it should."""
    return on.ProbeFailed(generation, pid, verdict, None, "as told")


def story(state: State, *events: Event) -> State:
    """Where it ends. Probes are taken to be asked again after each answer."""
    for event in events:
        state, _ = decide(state, event)
        state = replace(state, probing=True)
    return state


def kinds(actions: tuple[Action, ...]) -> list[type]:
    """The actions without their details, and without timers."""
    return [type(action) for action in actions if not isinstance(action, do.SetTimer)]
