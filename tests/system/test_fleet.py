"""A flip of dnsmasq's as Prometheus sees it: Debian's own packages, set up as docs/fleet/metrics.md says."""

import json
from urllib.parse import quote

import pytest

from tests.fleet.promtool import ALERTS
from tests.fleet.test_promtool import queries
from tests.house.tree import ROOT
from tests.sandbox.processes import wait_for
from tests.system.conftest import Boot
from tests.system.kinds import GUARDED, KINDS, Kind, is_guarded
from tests.system.machine import Machine

WATCHED = "guarded, watched by prometheus"
METRICS_FILE = "/run/dnsguard/metrics.prom"
READ_AT = "/var/lib/prometheus/node-exporter/dnsguard.prom"
LINK = f"ln -s {METRICS_FILE} {READ_AT}"
CONFIGURATION = """
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [/etc/prometheus/alerts.yml]
scrape_configs: [{job_name: node, static_configs: [{targets: ["127.0.0.1:9100"]}]}]
"""
PATIENCE_S = 60.0
"""Two programs in Go start, and look once a second."""


def _watch(machine: Machine) -> None:
    machine.install("prometheus", "prometheus-node-exporter")
    machine.path("/etc/prometheus/prometheus.yml").write_text(CONFIGURATION)
    machine.path("/etc/prometheus/alerts.yml").write_text(ALERTS.read_text())
    machine.run(LINK)


KINDS |= {WATCHED: Kind(GUARDED, _watch, is_guarded)}


def fetched(machine: Machine, url: str) -> str:
    """What a web server in it answers; "" if it does not yet."""
    script = f"import urllib.request; print(urllib.request.urlopen({url!r}, timeout=10).read().decode())"
    return machine.run(["python3", "-c", script], check=False).stdout


def asked(machine: Machine, query: str) -> list[float]:
    """The values that its Prometheus answers, now."""
    answer = fetched(machine, f"http://127.0.0.1:9090/api/v1/query?query={quote(query)}")
    return [float(each["value"][1]) for each in json.loads(answer)["data"]["result"]] if answer else []


def wait_until(machine: Machine, query: str, *values: float) -> None:
    """Return as soon as the query has these values."""
    wait_for(lambda: asked(machine, query) == list(values), f"{values} from {query}", PATIENCE_S)


@pytest.fixture
def watched(boot: Boot) -> Machine:
    """A machine whose Prometheus has seen that dnsmasq is trusted."""
    machine = boot(WATCHED)
    wait_until(machine, 'dnsguard_phase{phase="guarded"}', 1)
    return machine


def test_a_flip_is_read_back_through_a_query(watched: Machine) -> None:
    """By its cause, within the hour that the alert looks at; and back, when dnsmasq is trusted again."""
    flip = 'dnsguard_flips_total{to="direct", cause="dnsmasq-died"}'
    assert [0] == asked(watched, flip)
    watched.run("systemctl kill --signal=KILL dnsmasq")

    wait_until(watched, flip, 1)
    assert [0 < each < 10 for each in asked(watched, f"increase({flip}[1m])")] == [True]
    wait_until(watched, 'dnsguard_flips_total{to="guarded"}', 2)
    wait_until(watched, 'dnsguard_phase{phase="guarded"}', 1)
    assert [1] == asked(watched, "dnsguard_dnsmasq_deaths_total")
    assert [0] == asked(watched, "node_textfile_scrape_error")


def test_every_panel_of_the_dashboard_has_data(watched: Machine) -> None:
    """Of what happens on a host that is well; the rest counts what should not be there."""
    wait_until(watched, "dnsguard_probe_duration_seconds_count{question='forwarded'} > bool 2", 1)
    wait_for(lambda: asked(watched, "rate(dnsguard_ready[1m])"), "second look", PATIENCE_S)
    without = [query for query in queries() if not asked(watched, query)]

    assert [query for query in without if not query.startswith("count(")] == []


def test_the_alerts_are_in_force_and_none_has_come(watched: Machine) -> None:
    """A host that is well is silent."""
    told = json.loads(fetched(watched, "http://127.0.0.1:9090/api/v1/rules"))
    rules = [rule for group in told["data"]["groups"] for rule in group["rules"]]

    assert ALERTS.read_text().count("- alert:") == len(rules)
    assert {"ok"} == {rule["health"] for rule in rules}
    assert [] == asked(watched, 'ALERTS{alertname=~"Dnsguard.*"}')


def test_a_daemon_that_is_gone_leaves_an_old_file_and_no_file_is_an_error_of_node_exporter(watched: Machine) -> None:
    """As the page about metrics says; the file is for everybody to read, and the daemon's own."""
    mtime = f'node_textfile_mtime_seconds{{file="{READ_AT}"}}'
    assert [True] == [0 <= age_s < 60 for age_s in asked(watched, f"time() - {mtime}")]
    assert "644 dnsguard\n" == watched.run(f"stat --format='%a %U' {METRICS_FILE}").stdout
    watched.run("systemctl stop dnsguard")
    wait_until(watched, 'dnsguard_phase{phase="stopping"}', 1)
    before = asked(watched, mtime)
    wait_for(lambda: asked(watched, f"time() - {mtime} > 20"), "old file", PATIENCE_S)

    assert before == asked(watched, mtime)
    watched.run(f"rm {METRICS_FILE}")
    wait_until(watched, "node_textfile_scrape_error", 1)
    watched.run("systemctl start dnsguard")
    wait_until(watched, "node_textfile_scrape_error", 0)


def test_the_page_tells_what_was_done_here() -> None:
    """The command that an operator copies is the one that was tried."""
    assert LINK in (ROOT / "docs/fleet/metrics.md").read_text()
    assert LINK in (ROOT / "pages/dnsguard.8.scd").read_text()
