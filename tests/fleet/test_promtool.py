"""What promtool says of the metrics, the alerts and the dashboard's queries."""

import json
import re
from pathlib import Path

import pytest

from dnsguard.core import events as on
from dnsguard.core.metrics import render
from dnsguard.core.vocabulary import Kind
from tests.core.story import OLD, PID, direct, passed
from tests.fleet.promtool import ALERTS, DASHBOARD, ROOM, check
from tests.test_tally import CLOCK_S, Play

TRIED = ROOM / "alerts_test.yml"


def test_the_file_is_as_prometheus_wants_it() -> None:
    """Syntax, names, units, and that everything has its help."""
    play = Play(direct()).happen(1.0, on.LookupAnswered(Kind.DIRECT, 1, OLD))
    play.happen(2.0, passed(), passed(), passed()).happen(3.0, on.DnsmasqGone(PID))

    assert (0, "") == check("check", "metrics", given=render(play.tally.counted(play.state, 4.0, CLOCK_S)))


def test_a_fault_in_the_file_would_be_found() -> None:
    """The checker that says nothing must be one that can speak."""
    status, said = check("check", "metrics", given="# TYPE dnsguard_flips counter\ndnsguard_flips 1\n")

    assert 0 != status
    assert "_total" in said


def test_the_alerts_are_rules() -> None:
    status, said = check("check", "rules", ALERTS)

    assert 0 == status, said


def test_each_alert_comes_when_it_should_and_not_otherwise() -> None:
    """alerts_test.yml plays each of them."""
    status, said = check("test", "rules", TRIED)

    assert 0 == status, said


def test_each_alert_is_played_both_ways() -> None:
    """An alert that was never seen to come, or never to stay away, is a hope."""
    alerts = set(re.findall(r"- alert: (\w+)", ALERTS.read_text()))
    plays = re.findall(r"alertname: (\w+)\n +exp_alerts:( \[\])?", TRIED.read_text())

    assert alerts == {name for name, stays_away in plays if not stays_away}
    assert alerts == {name for name, stays_away in plays if stays_away}


@pytest.mark.parametrize(
    ("good", "broken"),
    [
        ("> 10\n", "> 100\n"),
        ("> 120", "> 12000"),
        ("dnsguard_attached == 0", "dnsguard_attached == 1"),
        ("unless on (job, instance)", "and on (job, instance)"),
        (', cause!="upstreams-changed"', ""),
        ("dnsguard_dnsmasq_restarts_total[1h]", "dnsguard_dnsmasq_deaths_total[1h]"),
        ("dnsguard_publish_failures_total[5m]", "dnsguard_publish_failures_total[1d]"),
        ("> 0.1", "> 0.6"),
        ("_seconds < 600", "_seconds < 60000"),
        ("< 0.5", "< 0.6"),
    ],
)
def test_an_alert_that_is_broken_is_found(good: str, broken: str, tmp_path: Path) -> None:
    """The plays tell each rule from a wrong one."""
    rules = ALERTS.read_text()
    assert good in rules
    (tmp_path / "alerts.yml").write_text(rules.replace(good, broken))
    (tmp_path / "test.yml").write_text(TRIED.read_text().replace("../../docs/fleet/alerts.yml", "alerts.yml"))

    assert 0 != check("test", "rules", tmp_path / "test.yml")[0]


def queries() -> list[str]:
    """The dashboard's, with its variables filled in."""
    board = json.loads(DASHBOARD.read_text())
    texts = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    return [text.replace("$__rate_interval", "1m").replace("$job", ".*").replace("$instance", ".*") for text in texts]


def test_every_query_of_the_dashboard_is_one(tmp_path: Path) -> None:
    """Grafana shows a query that Prometheus refuses as a panel without data."""
    rules = [
        f"      - record: query:{number}\n        expr: {json.dumps(query)}\n" for number, query in enumerate(queries())
    ]
    (tmp_path / "rules.yml").write_text("groups:\n  - name: all\n    rules:\n" + "".join(rules))
    status, said = check("check", "rules", tmp_path / "rules.yml")

    assert 0 == status, said
    assert f"{len(rules)} rules found" in said
