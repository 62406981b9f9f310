"""The log of a real run is complete: the pure core, fed with it, decides the same again."""

import json
from pathlib import Path
from typing import Any

import pytest

from dnsguard.core.guard import decide
from dnsguard.core.record import event_from, state_from, to_plain
from dnsguard.past import replay
from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

EVERYTHING = NO_UNIT + '[log]\nlevel = "debug"\n'


def test_recorded_run_can_be_replayed(host: Host, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Start, lease, death, start, hang, recovery, stop: each decision follows from its line alone."""
    guard = Guard(host, tmp_path / "guard.log", EVERYTHING)
    live_through_much(host, guard)
    assert 0 == guard.stop()
    decisions = [record for record in guard.records() if "event" in record]

    phases = [record["state"]["phase"] for record in decisions] + [decisions[-1]["phase"]]
    turns = [phase for phase, before in zip(phases, [None, *phases], strict=False) if phase != before]
    lived = ["starting", "direct", "proving", "guarded"]
    lived += ["direct", "proving", "guarded"] * 3
    assert [*lived, "stopping"] == without_lost_trials(turns)
    assert broken_links(decisions) == []
    assert 0 == replay(guard.log)
    explained = capsys.readouterr().out
    assert "DnsmasqGone in guarded -> direct: dnsmasq (PID " in explained
    assert explained.endswith(f"{len(decisions)} decisions, of which 0 come out otherwise or cannot be read\n")


def live_through_much(host: Host, guard: Guard) -> None:
    guard.start()
    guard.wait_for_phase("direct")
    host.start_dnsmasq()
    guard.wait_for_phase("guarded")
    host.start_upstream(OTHER_UPSTREAM)
    host.age_upstream_file()
    host.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: guard.status()["upstreams"] == [OTHER_UPSTREAM], "new lease")
    guard.wait_for_phase("guarded")
    host.kill_dnsmasq()
    guard.wait_for_phase("direct")
    host.start_dnsmasq()
    guard.wait_for_phase("guarded")
    host.hang_dnsmasq()
    guard.wait_for_phase("direct")
    host.wake_dnsmasq()
    guard.wait_for_phase("guarded")


def without_lost_trials(turns: list[str]) -> list[str]:
    """The phases without the trials that were begun too early: dnsmasq registers after it has started."""
    kept: list[str] = []
    for phase in turns:
        if phase == "direct" and kept[-2:] == ["direct", "proving"]:
            kept.pop()
        else:
            kept.append(phase)
    return kept


def broken_links(decisions: list[dict[str, Any]]) -> list[str]:
    """What does not follow: actions from state and event, or a state from the one before."""
    broken = []
    for number, (record, following) in enumerate(zip(decisions, [*decisions[1:], None], strict=True)):
        after, actions = decide(state_from(record["state"]), event_from(record["event"]))
        if as_json(actions) != record["actions"]:
            broken.append(f"{number}: {record['event']} led to {record['actions']}")
        if following and as_json(after) != following["state"]:
            broken.append(f"{number}: {record['event']} led to {following['state']}")
        if after.phase.value != record["phase"] or after.generation != record["generation"]:
            broken.append(f"{number}: {record['event']} led to {record['phase']}")
    return broken


def as_json(thing: object) -> Any:
    """As it comes back from a file."""
    return json.loads(json.dumps(to_plain(thing)))


def test_replay_notices_a_line_that_is_missing_or_false(host: Host, guarded: Guard) -> None:
    """Or the test above would prove nothing; by default routine is not recorded, so links are missing."""
    decisions = [record for record in guarded.records() if "event" in record]
    assert broken_links(decisions)

    alone = decisions[0]
    assert broken_links([alone]) == []
    assert broken_links([alone | {"actions": []}])
    assert broken_links([alone | {"phase": "guarded"}])
    assert [UPSTREAM] == host.nameservers()[1:]
