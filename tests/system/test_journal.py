"""A real journal: every line explained and searchable, none of a healthy host's loud, none about what users do."""

import json
import re
from typing import Any

from dnsguard.core.message_id import message_id
from pages.codes import DOCUMENT, codes
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.faults import direct, hang_dnsmasq, kill_dnsmasq
from tests.system.kinds import configure, is_guarded
from tests.system.machine import Machine
from tests.system.package import newer_package, package

LEVELS = {"7": "debug", "6": "info", "4": "warning", "3": "error"}
SECRET = "name-of-a-user"

Line = dict[str, Any]


def lines(machine: Machine, *matches: str) -> list[Line]:
    """What journald has, over all boots."""
    machine.run("journalctl --sync")
    told = machine.run(["journalctl", "--output=json", "--all", "--no-pager", *matches]).stdout
    return [json.loads(line) for line in told.splitlines()]


def of_daemon(machine: Machine) -> list[Line]:
    """The daemon's own lines; what the small programs beside it print has no code."""
    return [line for line in lines(machine, "-t", "dnsguard") if "DNSGUARD_CODE" in line]


def loud(machine: Machine) -> list[str]:
    """Lines of dnsguard, or about a unit of it, at warning or above."""
    marks = ("_SYSTEMD_UNIT", "UNIT", "SYSLOG_IDENTIFIER")
    told = lines(machine, "--priority=warning")
    return [line["MESSAGE"] for line in told if any("dnsguard" in str(line.get(mark)) for mark in marks)]


def come_to_rest(machine: Machine) -> None:
    """Until dnsmasq is trusted, and for some probes more."""
    wait_for(lambda: is_guarded(machine), "trust in dnsmasq")
    machine.start_sampler()
    machine.wait_for_lookups(200)
    machine.stop_sampler()


def test_every_line_is_explained_and_can_be_searched(guarded: Machine) -> None:
    """`journalctl -x` says what it means and what to do; fields are those that are documented."""
    kill_dnsmasq(guarded)
    wait_for(lambda: lines(guarded, "DNSGUARD_CODE=dnsmasq-died"), "word of the death")
    wait_for(lambda: is_guarded(guarded), "trust in the next one")
    said = of_daemon(guarded)
    explained = guarded.run("journalctl -x -t dnsguard --no-pager").stdout
    documented = set(re.findall(r"^\| `([A-Z_]+)` \|", DOCUMENT.read_text(), re.MULTILINE))

    assert {"started", "found", "upstreams-known", "guarded", "dnsmasq-died"} <= {
        each["DNSGUARD_CODE"] for each in said
    }
    for line in said:
        code = line["DNSGUARD_CODE"]
        assert message_id(code) == line["MESSAGE_ID"]
        assert LEVELS[line["PRIORITY"]] in codes()[code].level
        assert {name for name in line if name.startswith("DNSGUARD_")} <= documented
        assert f"Subject: {codes()[code].what}\n" in explained
        assert f"More like this: journalctl DNSGUARD_CODE={code}\n" in explained
    for phase in ("direct", "guarded"):
        found = lines(guarded, f"DNSGUARD_PHASE={phase}")
        assert found
        assert {phase} == {line["DNSGUARD_PHASE"] for line in found}


def test_a_healthy_host_has_nothing_to_say_at_warning(with_dnsmasq: Machine) -> None:
    """Installed, booted, a new lease, dnsmasq reloaded and restarted, dnsguard upgraded: a month in a minute."""
    machine = with_dnsmasq
    machine.install(package())
    come_to_rest(machine)
    machine.reboot()
    come_to_rest(machine)
    machine.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: machine.nameservers() == ["127.0.0.1", OTHER_UPSTREAM], "trust after the lease")
    machine.new_lease(OTHER_UPSTREAM)
    machine.run("systemctl reload dnsmasq")
    come_to_rest(machine)
    machine.run("systemctl restart dnsmasq")
    come_to_rest(machine)
    machine.run("systemctl reload dnsguard && systemctl restart dnsguard")
    come_to_rest(machine)
    machine.install(newer_package())
    come_to_rest(machine)

    assert [] == loud(machine)
    # And the ear is not deaf.
    kill_dnsmasq(machine)
    wait_for(lambda: any("has ended; libc asks" in message for message in loud(machine)), "warning of a death")


def test_a_refusal_in_a_unit_is_an_error_with_its_code(guarded: Machine) -> None:
    """`-p err` shows why the service does not start; plain lines of stderr would be at info."""
    configure(guarded, "[guard]\nrise = 0\n")
    guarded.run("systemctl restart dnsguard", check=False)
    # Two: the daemon, and `dnsguard detach` behind it, which goes on with the defaults.
    said = lines(guarded, "--priority=err", "-t", "dnsguard")

    assert {("out-of-range", message_id("out-of-range"))} == {
        (each["DNSGUARD_CODE"], each["MESSAGE_ID"]) for each in said
    }
    assert all("dnsguard.toml:2: rise = 0" in each["MESSAGE"] for each in said)


def test_no_line_has_a_name_that_a_user_looked_up(guarded: Machine) -> None:
    """Not at debug either, nor while dnsmasq fails with the question in its hands."""
    configure(guarded, '[log]\nlevel = "debug"\n')
    guarded.run("systemctl restart dnsguard")
    wait_for(lambda: is_guarded(guarded), "trust in dnsmasq")
    hang_dnsmasq(guarded)
    guarded.run(f"for number in 1 2 3; do getent ahostsv4 {SECRET}-$number.example.net; done")
    wait_for(lambda: direct(guarded), "flip")
    said = of_daemon(guarded)

    assert "routine" in {line["DNSGUARD_CODE"] for line in said}
    assert "dnsmasq-failed" in {line["DNSGUARD_CODE"] for line in said}
    assert SECRET not in json.dumps(said)
    assert [UPSTREAM] == guarded.nameservers()
