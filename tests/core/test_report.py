"""Twin of dnsguard/core/report.py: what `dnsguard status` shows."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.nature import Nature
from dnsguard.core.report import Witness, in_words, last_phase, report, upstreams_text
from dnsguard.core.servers import Server
from dnsguard.core.state import State
from tests.core.story import OLD, PID, direct, guarded

WITNESS = Witness(1, "direct", "2026-01-01T00:00:00+00:00", "2026-01-01T00:01:00+00:00", "passed", "", {"probes": 3})


def test_a_program_reads_phase_generation_servers_and_what_dnsmasq_holds() -> None:
    """Keys stay; new ones may come."""
    told = json.loads(json.dumps(report(guarded(), WITNESS)))

    assert ("guarded", "direct", 1, [OLD]) == (
        *(told["phase"], told["phase_before"], told["generation"], told["upstreams"]),
    )
    assert (PID, [OLD]) == (told["dnsmasq"]["pid"], told["dnsmasq"]["holds"])
    assert {"probes": 3} == told["counters"]


def test_a_human_reads_the_same_in_words() -> None:
    """One fact a line."""
    words = in_words(report(guarded(complaints=("file: binary",), attached=False), WITNESS))

    assert "guarded since 2026-01-01" in words
    assert f"libc asks 127.0.0.1, {OLD}" in words
    assert "somebody else's" in words
    assert "file: binary" in words


def test_the_reason_for_the_standby_line_stands_in_both() -> None:
    """And what bars or blurs a dnsmasq, and what is noted of it."""
    told = report(guarded(nature=Nature(validates=True, no_ident=True, unread=("a file",))), WITNESS)
    barred = in_words(report(direct(nature=Nature(port=0)), WITNESS))

    assert (False, True) == (told["standby_used"], "DNSSEC" in told["standby_why"])
    assert (1, ["a file"], "") == (
        len(told["dnsmasq"]["notes"]),
        *(told["dnsmasq"][it] for it in ("in_doubt", "barred")),
    )
    assert f"standby: {OLD}, not used: dnsmasq validates DNSSEC" in in_words(told)
    assert "note: it does not tell what it holds (no-ident)" in in_words(told)
    assert "in doubt: a file" in in_words(told)
    assert f"standby: {OLD}, used: dnsmasq neither" in barred
    assert "barred: it serves no DNS (port=0)" in barred
    looped = report(direct(nature=Nature(servers=(Server("127.0.0.1", option="server=127.0.0.1 (f:1)"),))), WITNESS)
    assert f"loop: {looped['dnsmasq']['loops'][0]}\n" in in_words(looped)


def test_nothing_known_yet_can_be_said_as_well() -> None:
    """Right after the start."""
    assert "no upstream is known yet" in in_words(report(State(), WITNESS))


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


@given(st.dictionaries(st.sampled_from(["phase", "upstreams", "counters", "dnsmasq", "complaints"]), st.just(None)))
def test_a_report_of_another_version_is_shown_as_far_as_it_goes(told: dict[str, None]) -> None:
    """A daemon that is being upgraded may have written it."""
    assert in_words(told)
