"""`dnsguard history` and `replay` read what the real journald has kept."""

import json

from tests.sandbox.processes import wait_for
from tests.system.kinds import is_guarded
from tests.system.machine import Machine


def test_the_journal_tells_of_a_death_and_each_decision_can_be_decided_again(guarded: Machine) -> None:
    """With the phases before and after it."""
    guarded.run("systemctl kill --signal KILL --kill-whom main dnsmasq.service")
    wait_for(lambda: not is_guarded(guarded), "the upstreams")
    wait_for(lambda: is_guarded(guarded), "trust")
    told = json.loads(guarded.run("dnsguard history --per minute --since 10m --json").stdout)
    flips = {code for row in told["rows"] for code in row["flips"]}
    again = guarded.run("journalctl --sync; journalctl -t dnsguard -o json --all | dnsguard replay -").stdout

    assert {"guarded", "dnsmasq-died"} <= flips
    assert sum(row["phases"].get("direct", 0) for row in told["rows"]) >= 5
    assert "DnsmasqGone in guarded -> direct: dnsmasq (PID " in again
    assert again.endswith("of which 0 come out otherwise or cannot be read\n")


def test_who_may_not_read_the_journal_is_told_so(guarded: Machine) -> None:
    """Instead of a history in which nothing ever happened."""
    refused = guarded.run("setpriv --reuid nobody --regid nogroup --clear-groups dnsguard history", check=False)

    assert 1 == refused.returncode
    assert "root and the group systemd-journal may read it" in refused.stderr


LAST = """
import time
from dnsguard.edge.log_reader import from_journal
print(*(found["phase"] for found in from_journal(time.time())))
"""


def test_what_was_said_last_is_read_however_old(guarded: Machine) -> None:
    """A healthy daemon is silent for days: its phase is known from before the first row."""
    assert "guarded" == guarded.run(["python3", "-c", LAST]).stdout.split()[0]
