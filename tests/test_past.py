"""dnsguard.past: `dnsguard history` and `dnsguard replay` on files; tests/system reads a real journal."""

import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from dnsguard.core import events as on
from dnsguard.core.errors import DnsguardError
from dnsguard.core.events import Event
from dnsguard.core.guard import decide
from dnsguard.core.record import to_plain
from dnsguard.core.state import State
from dnsguard.past import history, replay
from tests.core.story import PID, guarded, passed, proving

NOW = datetime.now().astimezone()


def logged(at: datetime, code: str, before: State, event: Event) -> str:
    after, actions = decide(before, event)
    decision = {"event": to_plain(event), "state": to_plain(before), "actions": to_plain(actions)}
    return json.dumps({"timestamp": at.isoformat(), "code": code, "text": code, "phase": after.phase.value, **decision})


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """It was trusted half an hour ago, and died twenty minutes later."""
    path = tmp_path / "dnsguard.log"
    trusted = logged(NOW - timedelta(minutes=30), "guarded", proving(passes=2), passed())
    died = logged(NOW - timedelta(minutes=10), "dnsmasq-died", guarded(), on.DnsmasqGone(PID))
    found = json.dumps({"timestamp": NOW.isoformat(), "code": "found", "text": "no decision"})
    path.write_text(f"{trusted}\n{died}\n{found}\n")
    return path


def test_history_tells_the_time_in_each_phase(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By rows, as data."""
    assert 0 == history("hour", "2h", log, as_json=True)
    told = json.loads(capsys.readouterr().out)
    spent = {phase: sum(row["phases"].get(phase, 0) for row in told["rows"]) for phase in ("guarded", "direct")}

    assert (1, "hour") == (told["version"], told["per"])
    assert 1200 == pytest.approx(spent["guarded"], abs=1)
    assert spent["direct"] >= 600
    assert {"guarded": 1, "dnsmasq-died": 1} == {k: v for row in told["rows"] for k, v in row["flips"].items()}


@pytest.mark.parametrize("per", ["minute", "hour", "day"])
def test_history_has_a_row_for_each_minute_hour_or_day(per: str, log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The last one is now."""
    assert 0 == history(per, "", log, as_json=False)
    rows = capsys.readouterr().out.splitlines()[1:]

    assert {"minute": 60, "hour": 24, "day": 30}[per] == len(rows)
    assert rows[-1].startswith(f"{NOW:%Y-%m-%d}") or rows[-1] > f"{NOW:%Y-%m-%d}"
    assert any("dnsmasq-died 1" in row for row in rows)


@pytest.mark.parametrize("since", ["yesterday", "12", "1e9h", "2999-01-01", "99999h", "800000d", "0001-01-01"])
def test_a_time_that_makes_no_sense_is_refused(since: str, log: Path) -> None:
    """With a stable code."""
    with pytest.raises(DnsguardError) as refused:
        history("minute", since, log, as_json=False)
    assert "bad-time" == refused.value.code


def test_what_was_before_the_first_row_lasts_into_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A healthy daemon is silent for days."""
    log = tmp_path / "dnsguard.log"
    trusted = logged(NOW - timedelta(days=3), "guarded", proving(passes=2), passed())
    log.write_text(trusted.replace('"guarded"', '"on-trial"') + f"\n{trusted}\n")

    assert 0 == history("hour", "2h", log, as_json=True)
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert [{"guarded"}] * 3 == [set(row["phases"]) for row in rows]
    assert [{}] * 3 == [row["flips"] for row in rows]
    assert 3 * 3600 > sum(row["phases"]["guarded"] for row in rows) > 2 * 3600


def test_nothing_to_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Or an empty journal would look like a daemon that never ran."""
    empty = tmp_path / "empty"
    empty.touch()

    assert 1 == history("hour", "", empty, as_json=False)
    assert f"no line of dnsguard's in {empty}" in capsys.readouterr().err
    with pytest.raises(DnsguardError) as refused:
        history("hour", "", tmp_path / "missing", as_json=False)
    assert "unreadable-log" == refused.value.code


def test_replay_decides_again_and_explains(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Event, move, words, and each action."""
    assert 0 == replay(log)
    told = capsys.readouterr().out

    assert "ProbePassed in proving -> guarded: dnsmasq" in told
    assert "DnsmasqGone in guarded -> direct: dnsmasq" in told
    assert 'Publish: kind "direct"' in told
    assert "found: no decision" in told
    assert told.endswith("2 decisions, of which 0 come out otherwise or cannot be read\n")


def test_replay_notices_what_comes_out_otherwise(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Another version, or a line that was changed."""
    lines = log.read_text().splitlines()
    changed = json.loads(lines[0]) | {"actions": [{"is": "Leave"}]}
    strange = json.loads(lines[1]) | {"event": {"is": "Unheard"}}
    log.write_text(f"{json.dumps(changed)}\n{json.dumps(strange)}\n")

    assert 1 == replay(log)
    told = capsys.readouterr().out
    assert "    - Leave\n" in told
    assert "cannot be decided again: " in told
    assert "2 decisions, of which 2 come out otherwise" in told
