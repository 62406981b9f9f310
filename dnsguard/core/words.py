"""Decisions in words: what a log line says."""

from dataclasses import dataclass, replace

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.banner import FAULTS
from dnsguard.core.events import Event
from dnsguard.core.nature import standby_rule
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Moment, Phase, Timer


@dataclass(frozen=True, slots=True)
class Said:
    """One log line.

    Attributes:
        code: stable; pages/codes.toml tells of each with what to do.
        level: debug, info, warning or error.
        text: for a human.
    """

    code: str
    level: str
    text: str


ROUTINE = Said("routine", "debug", "nothing of note")


def say(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> Said:
    """What the log line of a decision says; ROUTINE if nobody needs to read it."""
    if before.phase is not after.phase or before.generation != after.generation:
        said = _with_trouble(before, after, _with_damage(before, after, _moved(before, event, after)))
        return _with_suspicion(said, after) if before.phase is Phase.GUARDED and after.is_suspect else said
    return _with_trouble(before, after, _stayed(before, event, after, actions))


def _with_suspicion(said: Said, after: State) -> Said:
    """Said of each failure from the one on that makes the trials longer."""
    peace_min = after.policy.falls_window_s / 60
    text = f"{said.text}; {after.falls} failures without {peace_min:g} minutes of peace: its trials take longer"
    return replace(said, text=text)


def _moved(before: State, event: Event, after: State) -> Said:
    """The phase or the list is another one."""
    servers = ", ".join(after.nameservers) or "no server"
    if before.generation != after.generation:
        return _accepted(before, servers, after)
    match after.phase, event:
        case Phase.STOPPING, _:
            return Said("stopping", "info", f"stopping; resolv.conf stays {before.phase.value}")
        case Phase.YIELDED, _:
            text = "resolv.conf is overwritten again and again; standing back. Find the program that writes it"
            return Said("yielded", "error", text)
        case _ if before.phase is Phase.YIELDED:
            return Said("resumed", "info", "taking resolv.conf into care again")
        case Phase.PROVING, _:
            return Said("on-trial", "info", f"dnsmasq (PID {after.pid}) holds the upstreams; it is on trial")
        case Phase.GUARDED, _:
            return Said("guarded", "info", f"dnsmasq (PID {after.pid}) has proved itself; libc asks it now")
        case _, on.DnsmasqGone(pid):
            level = "warning" if before.phase is Phase.GUARDED else "info"
            return Said("dnsmasq-died", level, f"dnsmasq (PID {pid}) has ended; libc asks {servers} now")
        case _, on.SourcesRead(reading) if not after.bar:
            robbed = "was emptied" if reading.offered == () else "no longer names its upstreams"
            sign = "dnsmasq has deregistered" if reading.registered is False else f"dnsmasq's own list {robbed}"
            return Said("dnsmasq-leaving", "info", f"{sign}; libc asks {servers} now")
        case _, on.ProbeFailed():
            return _useless(before, event, after, servers)
    return Said("direct", "info", f"libc asks {servers} now")


def _useless(before: State, event: on.ProbeFailed, after: State, servers: str) -> Said:
    if after.circle:
        text = f"dnsmasq (PID {after.pid}) reads the file that we publish; when that named it, it lost its upstreams"
        return Said("dnsmasq-circular", "warning", f"{text}; libc asks {servers} now")
    level, code = ("warning", "dnsmasq-failed") if before.phase is Phase.GUARDED else ("info", "trial-failed")
    # By comparison, or by itself.
    compared = bool(event.answered) or event.fault is Fault.ZONE
    blame = FAULTS[event.fault] if compared else "dnsmasq is no use"
    return Said(code, level, f"{blame} ({event.verdict.value}: {event.detail}); libc asks {servers} now")


def _accepted(before: State, servers: str, after: State) -> Said:
    source = after.upstreams.source if after.upstreams else ""
    text = f"generation {after.generation}: upstreams {servers}, from {source}"
    if after.phase is Phase.PROVING:
        text += f"; libc was left with dnsmasq (PID {after.pid}), which is on trial"
    return Said("upstreams-changed" if before.generation else "upstreams-known", "info", text)


def _stayed(before: State, event: Event, after: State, actions: tuple[Action, ...]) -> Said:
    match event:
        case on.Started():
            return Said("started", "info", "looking for upstreams and for dnsmasq")
        case on.SourcesRead():
            return _looked(before, event, after)
        case on.MomentPassed():
            return _looked_again(before, event, after)
        case on.PublishFailed(reason=reason) if reason != before.refused:
            return Said("publish-failed", "error", f"libc still reads the old file: {reason}")
        case on.AttachNotAsked(reason=reason):
            return Said("attach-not-asked", "error", f"cannot ask for resolv.conf back: {reason}")
        case on.SettingsChanged():
            return Said("settings-changed", "info", "the new settings are in force")
        case on.ReloadSent() | on.ReloadFailed() | on.UpdateAsked() | on.UpdateNotAsked() | on.EndFailed():
            return _told(event, after)
        case on.TimerFired(Timer.RELOAD) if after.restarts > before.restarts:
            return _ended(after)
    if any(isinstance(action, do.SayReady) for action in actions):
        return _ready(actions)
    return _about_dnsmasq(before, event, after)


def _told(event: Event, after: State) -> Said:
    """A step that dnsmasq should take its upstreams by."""
    match event:
        case on.ReloadSent(pid=pid) if after.reloads > 1:
            text = f"dnsmasq (PID {pid}) still lacked its upstreams; sent SIGHUP number {after.reloads}"
            return Said("reload-repeated", "warning", text)
        case on.ReloadSent(pid=pid) if after.reloads:
            return Said("reload-sent", "info", f"sent SIGHUP to dnsmasq (PID {pid})")
        case on.UpdateAsked():
            lacks = f"dnsmasq lacks its upstreams after {after.policy.reload_tries} SIGHUPs"
            cause = "dnsmasq's upstream file lags behind" if after.is_lagging else lacks
            return Said("update-asked", "warning", f"{cause}; asked resolvconf to write it again")
        case on.UpdateNotAsked(reason=reason):
            return Said("update-not-asked", "error", f"cannot ask for dnsmasq's upstream file: {reason}")
        case on.EndFailed(pid=pid, reason=reason):
            return Said("end-failed", "warning", f"could not end dnsmasq (PID {pid}): {reason}")
        case on.ReloadFailed(pid=pid, reason=reason):
            return Said("reload-failed", "warning", f"could not send SIGHUP to dnsmasq (PID {pid}): {reason}")
    return ROUTINE


def _ended(after: State) -> Said:
    policy = after.policy
    text = f"dnsmasq (PID {after.pid}) takes its upstreams in no other way; ended it, and systemd starts another"
    count = f"{after.restarts} of {policy.restarts} in {policy.restart_window_s:g} s"
    pause = "; then no more until that time is over" if after.restarts == policy.restarts else ""
    return Said("dnsmasq-ended", "warning", f"{text} ({count}{pause})")


def _looked(before: State, event: on.SourcesRead, after: State) -> Said:
    """A look at the files that moved nothing; still, an operator may have to mend something."""
    if event.reading.spoilt_by is not None and before.published and before.phase is not Phase.YIELDED:
        text = f"another program wrote into our resolv.conf; it is put right. It said: {event.reading.spoilt_by!a}"
        return _with_damage(before, after, Said("trampled", "warning", text))
    if before.attached is not False and after.attached is False:
        text = f"resolv.conf is not ours; asking for it back. It says: {event.reading.trampled_by!a}"
        return _with_damage(before, after, Said("trampled", "warning", text))
    if before.upstreams and after.upstreams and after.upstreams != before.upstreams:
        text = f"the same servers, now from {after.upstreams.source}; libc has what goes with them"
        return _with_damage(before, after, Said("upstreams-restated", "info", text))
    kept = "the last good list stays" if after.upstreams else "no upstream is known yet"
    damaged = _with_damage(before, after, Said("sources-damaged", "info", kept))
    return damaged if damaged.level == "warning" else ROUTINE


def _looked_again(before: State, event: on.MomentPassed, after: State) -> Said:
    """Links come and go all day on some hosts: only told if more than the files is looked at."""
    looked = replace(before, pausing=after.pausing, stirred=after.stirred)
    if event.moment is Moment.NETWORK and after == looked:
        return ROUTINE
    return Said("looked-again", "info", f"{event.detail}; all is looked at again at once")


def _with_damage(before: State, after: State, said: Said) -> Said:
    """The line, and what cannot be read or understood if that is news: one look may show several things."""
    if not after.complaints or after.complaints == before.complaints:
        return said
    level = "warning" if said.level == "info" else said.level
    return replace(said, level=level, text="; ".join((said.text, *after.complaints)))


def _about_dnsmasq(before: State, event: Event, after: State) -> Said:
    match event:
        case on.DnsmasqFound(pid) if pid != before.pid:
            return Said("dnsmasq-found", "info", f"dnsmasq is PID {pid}")
        case on.NatureRead(pid, nature) if pid == before.pid and nature != before.nature:
            return _understood(after)
        case on.DnsmasqMissing(reason) if reason != before.missing:
            return Said("dnsmasq-missing", "info", f"no dnsmasq: {reason}")
        case on.DnsmasqGone(pid) if pid == before.pid:
            return Said("dnsmasq-died", "info", f"dnsmasq (PID {pid}) has ended; libc did not depend on it")
        case on.Compared() if after.spared != before.spared:
            return _reordered(before, after)
        case on.ProbeFailed(detail=detail, fault=fault) if fault is after.fault:
            return _blamed(fault, detail) if fault is not before.fault else ROUTINE
        case on.ProbePassed() | on.ProbeFailed() if before.fault and not after.fault:
            return Said("fault-over", "info", f"no longer: {FAULTS[before.fault]}")
        case on.ProbeFailed(verdict=verdict, detail=detail) if before.failures == 0 and after.failures:
            level = "warning" if after.phase is Phase.GUARDED else "info"
            return Said("dnsmasq-doubted", level, f"dnsmasq failed a probe ({verdict.value}: {detail})")
    return ROUTINE


def _with_trouble(before: State, after: State, said: Said) -> Said:
    """The line, behind what an operator must mend in dnsmasq's configuration, if that is news."""
    trouble = _trouble(after)
    if trouble is ROUTINE or said.code == trouble.code:
        return said
    # Another process that is configured in the same way is no news.
    if trouble == _trouble(replace(before, pid=after.pid, understood=True)):
        return said
    return trouble if said is ROUTINE else replace(trouble, text=f"{trouble.text}; {said.text}")


def _trouble(state: State) -> Said:
    """What is wrong with how dnsmasq is configured; ROUTINE if nothing is."""
    codes = ("dnsmasq-barred", "loop", "dnsmasq-circular")
    for code, bar in zip(codes, state.bars, strict=True):
        if bar:
            return Said(code, "warning", f"libc is never given dnsmasq (PID {state.pid}): {bar}")
    looped = "; ".join(state.loops)
    said = Said("loop", "warning", f"dnsmasq (PID {state.pid}) asks itself, and others too: {looped}")
    return said if looped else ROUTINE


def _understood(after: State) -> Said:
    """A dnsmasq that is configured in another way than the one before: what follows from that."""
    assert after.nature is not None
    notes = "".join(f"; {note}" for note in after.nature.notes)
    if after.bar:
        trouble = _trouble(after)
        return replace(trouble, text=trouble.text + notes)
    used, why = standby_rule(after.policy.standby, after.nature)
    what = "an upstream stands behind" if used else "no upstream stands behind"
    level = "warning" if after.nature.unread else "info"
    return Said("standby", level, f"{what} dnsmasq (PID {after.pid}) while it is trusted: {why}{notes}")


def _reordered(before: State, after: State) -> Said:
    silent = ", ".join(after.spared)
    level = "info" if set(after.spared) < set(before.spared) else "warning"
    text = f"{silent} does not answer, and is named last" if silent else "all upstreams answer again"
    return Said("order-changed", level, f"{text}: {', '.join(after.nameservers)}")


def _blamed(fault: Fault, detail: str) -> Said:
    """Not dnsmasq: told once, when it begins."""
    code = {Fault.NETWORK: "network-down", Fault.ZONE: "zone-down"}.get(fault, "fault-unknown")
    return Said(code, "warning", f"{FAULTS[fault]}; nothing is changed for it: {detail}")


def _ready(actions: tuple[Action, ...]) -> Said:
    degraded = next(action.degraded for action in actions if isinstance(action, do.SayReady))
    if degraded:
        return Said("ready-degraded", "warning", f"dependents may start, though {degraded}")
    return Said("ready", "info", "this host resolves; dependents may start")
