"""Twin of dnsguard/core/report.py: what `dnsguard status` shows."""

import json
from dataclasses import replace

import pytest

from dnsguard.core.nature import Nature
from dnsguard.core.report import Heard, Move, Witness, last_phase, report, upstreams_text
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault
from tests.core.story import NEW, OLD, PID, direct, guarded

WITNESS = Witness(1, "direct", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00", "passed", "", {"probes": 3})


def test_a_program_reads_phase_generation_servers_and_what_dnsmasq_holds() -> None:
    """Keys stay; new ones may come."""
    told = json.loads(json.dumps(report(guarded(), WITNESS)))

    assert ("guarded", "direct", 1, [OLD]) == (
        *(told["phase"], told["phase_before"], told["generation"], told["upstreams"]),
    )
    assert (PID, [OLD]) == (told["dnsmasq"]["pid"], told["dnsmasq"]["holds"])
    assert {"probes": 3} == told["counters"]


def test_the_reason_for_the_standby_line_stands_there() -> None:
    """And what bars or blurs a dnsmasq, and what is noted of it."""
    told = report(guarded(nature=Nature(validates=True, no_ident=True, unread=("a file",))), WITNESS)

    assert (False, True) == (told["standby_used"], "DNSSEC" in told["standby_why"])
    assert (1, ["a file"], "") == (
        len(told["dnsmasq"]["notes"]),
        *(told["dnsmasq"][it] for it in ("in_doubt", "barred")),
    )


def test_what_was_heard_of_each_upstream_and_the_last_moves_stand_there() -> None:
    """As JSON can carry it; of upstreams that are not known any more nothing is said."""
    heard = {OLD: Heard(True, 1.5, "2026-01-01T00:00:00+00:00"), NEW: Heard(False, None, "2026-01-01T00:00:00+00:00")}
    move = Move("2026-01-01T00:00:00+00:00", "direct", "proving", "on-trial", "it is on trial")
    told = json.loads(json.dumps(report(guarded(), replace(WITNESS, heard=heard, moves=(move,)))))

    assert {OLD: {"answers": True, "took_ms": 1.5, "at": "2026-01-01T00:00:00+00:00"}} == told["heard"]
    assert [("direct", "proving", "on-trial")] == [(it["before"], it["after"], it["code"]) for it in told["moves"]]


def test_the_last_real_upstreams_can_be_handed_back() -> None:
    """Also when the daemon was killed."""
    assert f"nameserver {OLD}\n" in upstreams_text(report(direct(), WITNESS))
    assert "" == upstreams_text(report(State(), WITNESS))
    assert "" == upstreams_text({"upstreams": ["nonsense"]})


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ({"phase": "guarded"}, "guarded"),
        ({"phase": "stopping", "phase_before": "guarded"}, "guarded"),
        ({}, ""),
    ],
)
def test_the_last_phase_is_the_one_before_stopping(told: dict[str, str], expected: str) -> None:
    """SIGKILL leaves no `stopping`."""
    assert expected == last_phase(told)


def test_a_fault_and_a_silent_upstream_are_reported() -> None:
    """Both name who is to be looked at."""
    told = report(guarded(fault=Fault.NETWORK, spared=(OLD,)), WITNESS)

    assert ("network", [OLD]) == (told["fault"], told["spared"])
    assert "the network is down" in told["summary"]
