"""What the daemon counts for a fleet's dashboard: dnsguard/core/metrics.py says what each name means.

Nothing is decided by it. Times are handed in: `now_s` of a clock that never jumps, `clock_s` of the one on the wall.
"""

from dnsguard import __version__
from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.actions import Action
from dnsguard.core.events import Event
from dnsguard.core.evidence import heard
from dnsguard.core.metrics import METRICS, Counted, Distribution
from dnsguard.core.moves import is_stale
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase, Verdict

CAUSES = ("no-upstream", "dnsmasq", "upstreams", "publish")
"""Why it is not known that libc's servers answer; docs/fleet/metrics.md defines each."""

FLIPS = (
    ("guarded", "guarded"),
    *(("direct", code) for code in ("dnsmasq-died", "dnsmasq-failed", "dnsmasq-circular", "dnsmasq-leaving")),
    *(("direct", code) for code in ("upstreams-changed", "trial-failed", "yielded", "resumed", "direct")),
)
"""To what, and by which log code. All are there from the start at 0: increase() does not see a first sample."""


class Tally:
    """Counts from the daemon's start on."""

    def __init__(self, now_s: float) -> None:
        self._began_s = self._at_s = self._phase_since_s = now_s
        self._cause = "no-upstream"
        self._phases = {phase.value: 0.0 for phase in Phase}
        self._unavailable = dict.fromkeys(CAUSES, 0.0)
        self._flips: dict[tuple[str, ...], int] = dict.fromkeys(FLIPS, 0)
        self._probes = {"local": Distribution(), "forwarded": Distribution()}
        self._failures = {verdict.value: 0 for verdict in Verdict}
        self._counts = {metric.name: 0 for metric in METRICS if metric.kind == "counter" and not metric.labels}
        self._named: Kind | None = None
        """What libc's file names; None before it is ours."""
        self._why = ""
        """The log code of the decision that libc's file is to name something else."""
        self._proved_s = now_s
        """When dnsmasq last passed a probe."""
        self._forwarded_s: float | None = None
        self._unanswered = False
        """No upstream answered when they were last asked in this phase, directly or through dnsmasq."""
        self._heard: dict[str, tuple[bool, float]] = {}
        """Upstream -> whether it answered when it was last asked directly, and when that was."""
        self._taken: tuple[int, int | None] | None = None
        """The list, and the process that has shown to hold it after SIGHUP."""
        self._ended: int | None = None
        """The process that was ended for systemd to start another."""

    def enter(
        self, now_s: float, before: State, event: Event, after: State, actions: tuple[Action, ...], code: str
    ) -> None:
        """Take note of one decision; `code` is that of its log line."""
        self._pass_time(now_s, before)
        if before.phase is not after.phase:
            # Who was silent may not be asked again in this phase, and must not be counted as silent for ever.
            self._phase_since_s, self._unanswered = now_s, False
        for action in actions:
            self._count_action(action, after, code)
        self._count_event(now_s, before, event, after)
        self._listen(now_s, before, event)
        self._count_flip(before, event, after)
        self._counts["dnsguard_upstream_changes_total"] = after.generation
        self._counts["dnsguard_overwritten_total"] += max(0, after.rounds - before.rounds)
        # On trial is only who holds the list.
        told = after.phase is Phase.PROVING and after.reloads > 0 and (after.generation, after.pid) != self._taken
        if told and before.phase is Phase.DIRECT:
            self._taken = (after.generation, after.pid)
            self._counts["dnsguard_reloads_taken_total"] += 1
        self._cause = self._cause_in(after)

    def _pass_time(self, now_s: float, state: State) -> None:
        passed_s, self._at_s = now_s - self._at_s, now_s
        self._phases[state.phase.value] += passed_s
        if self._cause:
            self._unavailable[self._cause] += passed_s

    def _count_action(self, action: Action, after: State, code: str) -> None:
        match action:
            case do.Publish(kind) if kind is not self._named and code != "routine":
                self._why = code
            case do.Reload():
                # The state counts it when it is answered: this is the first for this list and process.
                self._counts["dnsguard_reloads_asked_total"] += not after.reloads
            case do.EndDnsmasq(pid=pid):
                self._ended = pid

    def _count_event(self, now_s: float, before: State, event: Event, after: State) -> None:
        match event:
            case on.ProbePassed(forward=forward, took_ms=took_ms):
                question = "forwarded" if forward else "local"
                self._probes[question] = self._probes[question].with_value(took_ms / 1000)
                self._forwarded_s = now_s if forward else self._forwarded_s
                self._proved_s = self._proved_s if is_stale(before, event) else now_s
            case on.ProbeFailed(verdict=verdict):
                self._failures[verdict.value] += 1
                is_held = bool(after.failures) or after.phase is not Phase.GUARDED
                if before.phase is Phase.GUARDED and not before.failures and is_held and not is_stale(before, event):
                    # Since when is not known: it was well when it last answered.
                    self._unavailable["dnsmasq"] += now_s - self._proved_s
            case on.DnsmasqGone(pid=pid):
                self._counts["dnsguard_dnsmasq_deaths_total"] += pid == before.pid
                self._counts["dnsguard_dnsmasq_restarts_total"] += pid == self._ended
            case on.ReloadSent():
                self._counts["dnsguard_sighups_total"] += 1
            case on.PublishFailed():
                self._counts["dnsguard_publish_failures_total"] += 1

    def _listen(self, now_s: float, before: State, event: Event) -> None:
        """Take note of which upstreams have answered."""
        answers = {address: (has_answered, now_s) for address, (has_answered, _) in heard(before, event).items()}
        if answers:
            self._heard = self._heard_of(before) | answers
            has_one = any(has_answered for has_answered, _ in answers.values())
            self._unanswered = not has_one and (self._unanswered or _is_silence(before, event))
        elif isinstance(event, on.ProbePassed) and event.forward and not is_stale(before, event):
            self._unanswered = False

    def _heard_of(self, state: State) -> dict[str, tuple[bool, float]]:
        """What was heard of those that are upstreams still: a laptop meets many in its life."""
        return {address: self._heard[address] for address in state.nameservers if address in self._heard}

    def _count_flip(self, before: State, event: Event, after: State) -> None:
        """A flip is what libc sees: the file was written, and names the other kind of server."""
        if before.phase is Phase.STARTING and after.phase is Phase.PROVING:
            # Left by the guard before us, as it is.
            self._named = Kind.GUARDED
        if not isinstance(event, on.Published):
            return
        if self._named not in (None, event.kind):
            flip = (event.kind.value, self._why)
            self._flips[flip] = self._flips.get(flip, 0) + 1
        self._named = event.kind

    def _cause_in(self, state: State) -> str:
        """Why it is not known that libc's servers answer; "" if nothing speaks against it, or nothing is known."""
        if state.phase in (Phase.YIELDED, Phase.STOPPING):
            return ""
        if state.phase is Phase.GUARDED and state.failures:
            return "dnsmasq"
        if state.upstreams is None:
            return "no-upstream"
        if self._named is Kind.GUARDED and state.phase is Phase.DIRECT:
            return "publish" if state.refused else "dnsmasq"
        return "upstreams" if self._unanswered else ""

    def counted(self, state: State, now_s: float, clock_s: float) -> Counted:
        """Everything, as metrics.render() wants it. What is a moment is told by the clock as it goes now."""
        self._pass_time(now_s, state)
        heard = self._heard_of(state)

        def moment(at_s: float) -> float:
            return round(clock_s - (now_s - at_s), 3)

        moments = {
            "dnsguard_start_timestamp_seconds": self._began_s,
            "dnsguard_phase_start_timestamp_seconds": self._phase_since_s,
            "dnsguard_last_forwarded_timestamp_seconds": self._forwarded_s,
        }
        gauges = {
            "dnsguard_dnsmasq_present": state.pid is not None,
            "dnsguard_upstreams": len(state.nameservers),
            "dnsguard_attached": state.attached,
            "dnsguard_ready": state.ready,
        }
        return {
            **{name: {(): moment(at_s)} for name, at_s in moments.items() if at_s is not None},
            **{name: {(): value} for name, value in gauges.items() if value is not None},
            **{name: {(): count} for name, count in self._counts.items()},
            "dnsguard_build_info": {(__version__,): 1},
            "dnsguard_phase": {(phase.value,): phase is state.phase for phase in Phase},
            "dnsguard_phase_seconds_total": {(name,): spent_s for name, spent_s in self._phases.items()},
            "dnsguard_unavailable_seconds_total": {(name,): lost_s for name, lost_s in self._unavailable.items()},
            "dnsguard_flips_total": dict(self._flips.items()),
            "dnsguard_probe_duration_seconds": {(name,): probes for name, probes in self._probes.items()},
            "dnsguard_probe_failures_total": {(name,): count for name, count in self._failures.items()},
            "dnsguard_upstream_up": {(address,): up for address, (up, _) in heard.items()},
            "dnsguard_upstream_asked_timestamp_seconds": {
                (address,): moment(at_s) for address, (_, at_s) in heard.items()
            },
        }


def _is_silence(before: State, event: Event) -> bool:
    """Whether no upstream said anything, where none has answered."""
    match event:
        case on.ProbeFailed(fault=fault):
            return fault is Fault.NETWORK
        case on.LookupFailed():
            # Once one has answered nobody asks again, and a late failure would stand for ever.
            return not before.is_answered
    return True
