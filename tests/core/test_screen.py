"""Twin of dnsguard/core/screen.py: one screen for a human."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.core.nature import Nature
from dnsguard.core.report import Heard, Move, Witness, report
from dnsguard.core.screen import screen
from dnsguard.core.servers import Server
from dnsguard.core.state import State
from dnsguard.core.vocabulary import Fault
from tests.core.story import NEW, OLD, PID, direct, guarded, upstreams

AT = "2026-01-01T00:00:00+00:00"
WITNESS = Witness(1, "direct", AT, AT, f"passed in 0.3 ms at {AT}", f"failed at {AT}: servfail, at last", {"probes": 3})


def shown(state: State, witness: Witness = WITNESS) -> str:
    return screen(report(state, witness), lambda at: "7 s" if at == AT else "?")


def test_a_human_reads_what_a_program_reads() -> None:
    """One fact a line, and times as ages."""
    words = shown(guarded(complaints=("file: binary",), attached=False))

    assert "phase: guarded for 7 s (before: direct)" in words
    assert f"libc: guarded: libc asks 127.0.0.1, {OLD}" in words
    assert f"next: when dnsmasq dies, lacks its upstreams or fails 2 probes in a row, libc is given {OLD}" in words
    assert "attached: no: /etc/resolv.conf is somebody else's" in words
    assert "complaint: file: binary" in words
    assert f"dnsmasq: PID {PID}" in words
    assert f"holds: {OLD}; its upstream file: {OLD}" in words
    assert "probe: passed in 0.3 ms 7 s ago" in words
    assert "forwarded: failed 7 s ago: servfail, at last" in words


def test_each_upstream_says_when_it_answered_last() -> None:
    """Also which are named last for that."""
    state = direct(upstreams=upstreams(OLD, NEW, "192.0.2.60"), spared=(NEW,))
    heard = {OLD: Heard(True, 12.2, AT), NEW: Heard(False, None, AT)}
    words = shown(state, replace(WITNESS, heard=heard))

    assert f"{OLD}: answered in 12.2 ms 7 s ago\n" in words
    assert f"{NEW}: did not answer 7 s ago, named last\n" in words
    assert "192.0.2.60: not asked directly yet\n" in words


def test_the_last_moves_come_with_their_cause() -> None:
    """The oldest first, as in a journal."""
    moves = (Move(AT, "direct", "proving", "on-trial", "it is tried"), Move(AT, "proving", "guarded", "guarded", "it"))
    lines = shown(guarded(), replace(WITNESS, moves=moves)).splitlines()[-2:]

    assert "moves: 7 s ago, direct -> proving: it is tried (on-trial)" == lines[0].strip()
    assert "7 s ago, proving -> guarded: it (guarded)" == lines[1].strip()


def test_why_the_standby_line_is_there_or_not() -> None:
    """And what bars or blurs a dnsmasq, and whose fault a failure is."""
    doubtful = Nature(validates=True, no_ident=True, unread=("a file",))
    words = shown(guarded(nature=doubtful, fault=Fault.NETWORK))

    assert f"standby: {OLD}, not used: dnsmasq validates DNSSEC" in words
    assert "note: it does not tell what it holds (no-ident)" in words
    assert "in doubt: a file" in words
    assert "fault: network" in words
    looped = direct(nature=Nature(servers=(Server("127.0.0.1", option="server=127.0.0.1 (f:1)"),)))
    assert f"loop: {report(looped, WITNESS)['dnsmasq']['loops'][0]}" in shown(looped)
    assert "barred: it serves no DNS (port=0)" in shown(direct(nature=Nature(port=0)))


@pytest.mark.parametrize("state", [State(), direct(pid=None, held=None, offered=None, missing="no PID file")])
def test_what_is_not_known_is_said_to_be_unknown(state: State) -> None:
    """Right after the start, or without any dnsmasq."""
    words = shown(state)

    assert "holds: unknown; its upstream file: there is none" in words
    assert "dnsmasq: absent" in words


@given(
    st.dictionaries(
        st.sampled_from(["phase", "upstreams", "counters", "dnsmasq", "complaints", "heard", "moves"]), st.just(None)
    )
)
def test_a_report_of_another_version_is_shown_as_far_as_it_goes(told: dict[str, None]) -> None:
    """A daemon that is being upgraded may have written it."""
    assert screen(told, str)


def test_colour_is_only_there_if_wanted() -> None:
    """And marks the phase."""
    told = report(guarded(), WITNESS)

    assert "\x1b" not in screen(told, str)
    assert "\x1b[32mguarded\x1b[0m for" in screen(told, str, colour=True)
