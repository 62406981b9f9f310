"""dnsguard.tally: what is counted of decisions that the real core takes."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from dnsguard.core import actions as do
from dnsguard.core import events as on
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.metrics import METRICS, Distribution, render
from dnsguard.core.nature import Nature
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault, Kind, Phase, Timer, Verdict
from dnsguard.core.words import say
from dnsguard.tally import CAUSES, FLIPS, Tally
from tests.core.story import NEW, OLD, PID, POLICY, direct, failed, guarded, look, passed, proving, upstreams

CLOCK_S = 1_790_000_000.0
"""What the clock on the wall says when the other says 0."""


class Play:
    """A tally beside the core; each list is written when that is asked for, unless `disk_full`."""

    def __init__(self, state: State, disk_full: bool = False) -> None:
        self.state, self.tally, self.disk_full = state, Tally(0.0), disk_full
        if state.published:
            # The tally has seen how it came to be so.
            self.tally.enter(0.0, state, on.Published(*state.published), state, (), "routine")

    def happen(self, at_s: float, *events: Event) -> "Play":
        """Let this be decided at this time."""
        queue = list(events)
        while queue:
            before, event = self.state, queue.pop(0)
            after, actions = decide(before, event)
            self.state = after
            self.tally.enter(at_s, before, event, after, actions, say(before, event, after, actions).code)
            queue += [self._written(action) for action in actions if isinstance(action, do.Publish)]
            # Probes are taken to be asked again after each answer.
            self.state = replace(self.state, probing=True)
        return self

    def _written(self, asked: do.Publish) -> Event:
        if self.disk_full:
            return on.PublishFailed(asked.kind, asked.generation, "full")
        return on.Published(asked.kind, asked.generation)

    def counted(self, name: str, at_s: float = 0.0) -> Mapping[tuple[str, ...], float | Distribution]:
        """The samples of a metric, without those at 0."""
        counted = self.tally.counted(self.state, at_s, CLOCK_S + at_s)
        return {labels: value for labels, value in counted.get(f"dnsguard_{name}", {}).items() if value}


def test_all_metrics_are_counted_and_no_other() -> None:
    """From the start, so that increase() sees the first change; what is not known yet has no sample."""
    begun = Tally(0.0).counted(State(), 0.0, CLOCK_S)
    known = Play(direct()).happen(1.0, on.LookupAnswered(Kind.DIRECT, 1, OLD))
    known.happen(2.0, passed(), passed())
    names = set(known.tally.counted(known.state, 2.0, CLOCK_S))

    assert {metric.name for metric in METRICS} == names
    unknown = {"last_forwarded_timestamp_seconds", "attached", "upstream_up", "upstream_asked_timestamp_seconds"}
    assert unknown == {each.removeprefix("dnsguard_") for each in names if not begun.get(each)}
    assert render(begun)


def test_seconds_in_each_phase_add_up_to_the_time_since_the_start() -> None:
    """The phase that goes on is counted up to now."""
    play = Play(proving()).happen(2.0, passed(), passed(), passed()).happen(7.0, on.DnsmasqGone(PID))

    assert {("proving",): 2.0, ("guarded",): 5.0, ("direct",): 3.0} == play.counted("phase_seconds_total", at_s=10.0)
    assert {("direct",): True} == play.counted("phase")
    assert {(): CLOCK_S + 7.0} == play.counted("phase_start_timestamp_seconds", at_s=10.0)
    assert {(): CLOCK_S} == play.counted("start_timestamp_seconds", at_s=10.0)


@pytest.mark.parametrize(
    ("state", "events", "flip"),
    [
        (proving(), (passed(), passed(), passed()), ("guarded", "guarded")),
        (guarded(), (on.DnsmasqGone(PID),), ("direct", "dnsmasq-died")),
        (guarded(), (failed(), failed()), ("direct", "dnsmasq-failed")),
        (guarded(), (failed(Verdict.LACKING),), ("direct", "dnsmasq-failed")),
        (guarded(), (look(OLD, offered=None, registered=False),), ("direct", "dnsmasq-leaving")),
        (guarded(), (look(NEW), look(NEW, settled=True)), ("direct", "upstreams-changed")),
        (guarded(), (on.DnsmasqFound(PID + 1),), ("direct", "direct")),
        (guarded(rounds=POLICY.trample_limit), (look(OLD, attached=False),), ("direct", "yielded")),
    ],
)
def test_a_flip_is_counted_with_the_code_of_its_log_line(
    state: State, events: tuple[Event, ...], flip: tuple[str, str]
) -> None:
    """So that who sees it on a dashboard finds it in docs/log-codes.md and in the journal."""
    play = Play(state).happen(1.0, *events)

    assert {flip: 1} == play.counted("flips_total")
    assert flip in FLIPS


def test_no_flip_is_counted_while_libc_reads_the_same_servers() -> None:
    """A trial that fails, a list that is new while direct, and a failed probe change nothing for libc."""
    play = Play(proving()).happen(1.0, failed(Verdict.LACKING)).happen(2.0, look(NEW), look(NEW, settled=True))
    play.happen(3.0, on.DnsmasqGone(PID))

    assert {} == play.counted("flips_total")


def test_a_file_that_cannot_be_written_is_no_flip_until_it_is() -> None:
    """And then the cause is that of the first try."""
    play = Play(guarded(), disk_full=True).happen(1.0, on.DnsmasqGone(PID))

    assert {} == play.counted("flips_total", at_s=1.0)
    play.disk_full = False
    play.happen(4.0, on.TimerFired(Timer.PUBLISH))
    assert {("direct", "dnsmasq-died"): 1} == play.counted("flips_total", at_s=9.0)
    assert {(): 1} == play.counted("publish_failures_total", at_s=9.0)
    assert {("publish",): 3.0} == play.counted("unavailable_seconds_total", at_s=9.0)


def test_a_trusted_dnsmasq_that_this_guard_was_left_is_no_flip_until_it_fails() -> None:
    """An upgrade must not be seen as a flip."""
    heir = replace(State(policy=POLICY), pid=PID, nature=Nature(), understood=True, attached=True)
    first = look(OLD, settled=True, inherited=("127.0.0.1", OLD))
    good = Play(heir).happen(1.0, look(OLD), first).happen(2.0, passed(), passed(), passed())
    bad = Play(heir).happen(1.0, look(OLD), first).happen(2.0, failed(Verdict.LACKING))

    assert (Phase.GUARDED, {}) == (good.state.phase, good.counted("flips_total"))
    assert {("direct", "trial-failed"): 1} == bad.counted("flips_total")


def test_a_hang_is_unavailable_since_the_last_answer() -> None:
    """Up to an interval too much, and never too little: nobody knows when it began."""
    play = Play(guarded()).happen(10.0, passed(forward=False)).happen(11.25, failed()).happen(11.5, failed())

    assert Phase.DIRECT is play.state.phase
    assert {("dnsmasq",): 1.5} == play.counted("unavailable_seconds_total", at_s=60.0)


def test_a_probe_that_is_missed_once_counts_up_to_the_next_answer() -> None:
    """The host may have been overloaded, and lookups too."""
    play = Play(guarded()).happen(10.0, passed(forward=False)).happen(11.25, failed())
    play.happen(11.5, passed(forward=False))

    assert {("dnsmasq",): 1.5} == play.counted("unavailable_seconds_total", at_s=60.0)
    assert {("silent",): 1} == play.counted("probe_failures_total")


def test_an_answer_that_is_not_news_proves_nothing() -> None:
    """A probe of another process, or for an old list."""
    stale = Play(guarded()).happen(1.0, passed(forward=False)).happen(9.0, passed(pid=PID + 1)).happen(10.0, failed())
    strange = Play(guarded()).happen(1.0, passed(forward=False)).happen(9.0, failed(generation=7))

    assert {("dnsmasq",): 9.0} == stale.counted("unavailable_seconds_total", at_s=10.0)
    assert {} == strange.counted("unavailable_seconds_total", at_s=10.0)


def test_a_death_costs_no_second() -> None:
    """It is heard of, and the upstreams are published before anything else is done."""
    play = Play(guarded()).happen(10.0, passed(forward=False)).happen(10.9, on.DnsmasqGone(PID))

    assert {} == play.counted("unavailable_seconds_total", at_s=60.0)
    assert {(): 1} == play.counted("dnsmasq_deaths_total")
    assert {} == play.counted("dnsmasq_restarts_total")


def test_published_servers_that_do_not_answer_are_unavailable_until_one_does() -> None:
    """And so is a host that knows no upstream."""
    play = Play(State(policy=POLICY)).happen(1.0, look(OLD)).happen(2.0, look(OLD, settled=True))
    play.happen(3.0, on.LookupFailed(Kind.DIRECT, 1, "silent")).happen(8.0, on.LookupAnswered(Kind.DIRECT, 1, OLD))

    assert {("no-upstream",): 2.0, ("upstreams",): 5.0} == play.counted("unavailable_seconds_total", at_s=60.0)
    assert {
        cause for (cause,) in play.tally.counted(play.state, 60.0, CLOCK_S)["dnsguard_unavailable_seconds_total"]
    } == set(CAUSES)


NETWORK = replace(failed(Verdict.UNFORWARDED), fault=Fault.NETWORK, unanswered=(OLD,))


def test_a_network_that_is_down_is_unavailable_until_an_upstream_answers() -> None:
    """By dnsmasq's questions while guarded; it is no failure of dnsmasq's, and no flip."""
    play = Play(guarded()).happen(10.0, passed()).happen(40.0, NETWORK, NETWORK)
    assert {} == play.counted("upstream_up", at_s=41.0)
    play.happen(45.0, passed(forward=False)).happen(47.0, passed())

    assert Phase.GUARDED is play.state.phase
    assert {("upstreams",): 7.0} == play.counted("unavailable_seconds_total", at_s=60.0)
    assert {} == play.counted("flips_total")


@pytest.mark.parametrize("fault", [Fault.ZONE, Fault.UNKNOWN])
def test_upstreams_that_say_something_are_there(fault: Fault) -> None:
    """A zone that is down, and answers that are no answer, cost some names and not all of them."""
    play = Play(guarded()).happen(1.0, replace(NETWORK, fault=fault))

    assert {} == play.counted("unavailable_seconds_total", at_s=60.0)


def test_only_an_answer_ends_a_silence() -> None:
    """Neither what is said beside the point does, nor what was said by another process."""
    play = Play(guarded()).happen(1.0, NETWORK).happen(2.0, replace(NETWORK, fault=Fault.UNKNOWN))
    play.happen(3.0, passed(pid=PID + 1))

    assert {("upstreams",): 9.0} == play.counted("unavailable_seconds_total", at_s=10.0)


def test_a_failure_that_comes_after_an_answer_is_no_silence() -> None:
    """Two questions may be under way; nobody asks a third time."""
    play = Play(direct()).happen(1.0, on.LookupFailed(Kind.DIRECT, 1, "silent"))

    assert {} == play.counted("unavailable_seconds_total", at_s=60.0)


def test_upstreams_are_heard_in_a_comparison() -> None:
    """While libc asks them, all of them are asked again and again."""
    both = direct(upstreams=upstreams(OLD, NEW))
    play = Play(both).happen(1.0, on.Compared(1, (NEW,), (OLD,))).happen(2.0, on.Compared(0, (OLD, NEW), ()))
    assert {(NEW,): True} == play.counted("upstream_up", at_s=5.0)
    assert {} == play.counted("unavailable_seconds_total", at_s=5.0)

    play.happen(6.0, on.Compared(1, (), (OLD, NEW))).happen(16.0, on.Compared(1, (OLD, NEW), ()))
    assert {("upstreams",): 10.0} == play.counted("unavailable_seconds_total", at_s=60.0)


def test_silence_of_another_phase_is_not_counted_for_ever() -> None:
    """Where there is one upstream and no dnsmasq, it is asked no more once it has answered."""
    play = Play(guarded()).happen(1.0, NETWORK).happen(4.0, on.DnsmasqGone(PID))

    assert Phase.DIRECT is play.state.phase
    assert {("upstreams",): 3.0} == play.counted("unavailable_seconds_total", at_s=60.0)


def test_an_answer_about_another_list_says_nothing_of_this_one() -> None:
    """Nor does one about the file that names dnsmasq, once an upstream has answered."""
    old = Play(direct(standby=None)).happen(1.0, on.LookupFailed(Kind.DIRECT, 0, "silent"))
    other = Play(guarded(ready=False)).happen(1.0, on.LookupFailed(Kind.GUARDED, 1, "silent"))
    other.happen(1.0, on.DnsmasqGone(PID))

    assert {} == old.counted("unavailable_seconds_total", at_s=60.0)
    assert {} == old.counted("upstream_asked_timestamp_seconds")
    assert Phase.DIRECT is other.state.phase
    assert {} == other.counted("unavailable_seconds_total", at_s=60.0)


def test_what_another_program_does_with_its_file_is_not_known() -> None:
    """While standing back nothing is claimed, neither good nor bad."""
    play = Play(direct(rounds=POLICY.trample_limit, standby=None, published=(Kind.DIRECT, 1)))
    play.happen(1.0, on.LookupFailed(Kind.DIRECT, 1, "silent")).happen(3.0, look(OLD, attached=False))
    play.happen(4.0, NETWORK, on.Compared(1, (), (OLD,)))

    assert Phase.YIELDED is play.state.phase
    assert {("upstreams",): 2.0} == play.counted("unavailable_seconds_total", at_s=60.0)
    assert {(): 1} == play.counted("overwritten_total")
    assert {} == play.counted("attached")


def test_upstreams_are_as_they_answered_last() -> None:
    """Only those that were asked, and only while they are upstreams."""
    play = Play(direct(ready=False, standby=None)).happen(1.0, on.LookupFailed(Kind.DIRECT, 1, "silent"))

    assert {} == play.counted("upstream_up")
    assert {(OLD,): CLOCK_S + 1.0} == play.counted("upstream_asked_timestamp_seconds", at_s=5.0)
    play.happen(6.0, on.LookupAnswered(Kind.DIRECT, 1, OLD))
    assert {(OLD,): True} == play.counted("upstream_up")
    play.happen(7.0, look(NEW), look(NEW, settled=True))
    assert {} == play.counted("upstream_up", at_s=8.0)
    assert {(): 2} == play.counted("upstream_changes_total")
    assert {(): 1} == play.counted("upstreams")


def test_what_was_heard_in_another_network_is_forgotten() -> None:
    """A laptop meets many upstreams in its life, and comes back to some."""
    play = Play(direct()).happen(1.0, on.LookupAnswered(Kind.DIRECT, 1, OLD))
    play.happen(2.0, look(NEW), look(NEW, settled=True)).happen(3.0, on.LookupAnswered(Kind.DIRECT, 2, NEW))
    assert {(NEW,): True} == play.counted("upstream_up")

    play.happen(4.0, look(OLD), look(OLD, settled=True))
    assert {} == play.counted("upstream_asked_timestamp_seconds")


def test_a_reload_is_taken_when_dnsmasq_shows_that_it_holds_the_list() -> None:
    """Once for each list and process, however many SIGHUPs it took."""
    play = Play(direct()).happen(1.0, look(NEW), look(NEW, settled=True)).happen(1.1, on.ReloadSent(2, PID))
    assert {(): 1} == play.counted("reloads_asked_total")
    assert {} == play.counted("reloads_taken_total")

    lacking = on.ProbeFailed(2, PID, Verdict.LACKING, (OLD,), "as told")
    play.happen(1.2, lacking, on.TimerFired(Timer.RELOAD), on.ReloadSent(2, PID))
    holding = on.ProbePassed(2, PID, False, (NEW,), 0.3)
    play.happen(1.3, holding).happen(1.4, lacking).happen(1.5, holding)
    assert {(): 2} == play.counted("sighups_total")
    assert {(): 1} == play.counted("reloads_asked_total")
    assert {(): 1} == play.counted("reloads_taken_total")


def test_a_restart_is_one_that_happened() -> None:
    """A signal that could not be sent ends nothing."""
    ended, refused = Play(direct()), Play(direct())
    for play in (ended, refused):
        play.tally.enter(1.0, play.state, on.TimerFired(Timer.RELOAD), play.state, (do.EndDnsmasq(1, PID),), "x")
    ended.happen(1.1, on.DnsmasqGone(PID))
    refused.happen(1.1, on.EndFailed(1, PID, "not permitted"))

    assert ({(): 1}, {}) == tuple(play.counted("dnsmasq_restarts_total") for play in (ended, refused))


def test_probes_are_told_apart_by_what_was_asked() -> None:
    """What leaves the host takes longer."""
    play = Play(guarded()).happen(3.0, passed(forward=False), passed(), passed())
    local, forwarded = (play.counted("probe_duration_seconds")[(name,)] for name in ("local", "forwarded"))

    assert isinstance(local, Distribution)
    assert isinstance(forwarded, Distribution)
    assert (1, 2) == (sum(local.counts), sum(forwarded.counts))
    assert pytest.approx(0.0003) == local.sum_s
    assert {(): CLOCK_S + 3.0} == play.counted("last_forwarded_timestamp_seconds", at_s=9.0)
