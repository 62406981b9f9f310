"""Boots: who may start when, and that nobody who waited for dnsguard finds DNS missing."""

import re
from collections.abc import Callable

import pytest

from tests.sandbox.lookups import read, tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import ANSWER, UPSTREAM
from tests.system.conftest import Boot
from tests.system.ending import is_handed_back
from tests.system.kinds import GUARDED, KINDS, Kind, configure, is_guarded
from tests.system.machine import SAMPLER, Machine

BOOTS = 20
READY_TIMEOUT_S = 3
INTERNAL = "203.0.113.99"
"""What dnsmasq alone says that wiki.corp.example is; the upstream has another opinion."""

# A single lookup, once dnsguard says that this host resolves; and all lookups from then on.
DEPENDENT = """[Unit]
Requires=dnsguard.service
After=dnsguard.service
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=getent ahosts dependent.example.net
[Install]
WantedBy=multi-user.target
"""
WATCHER = """[Unit]
Requires=dnsguard.service
After=dnsguard.service
[Service]
ExecStart=/bin/sh -c 'sleep infinity | exec /usr/bin/python3 /srv/brought/sampler.py'
StandardOutput=truncate:/var/lib/lookups
[Install]
WantedBy=multi-user.target
"""
OF_THE_ZONE = """[Unit]
Wants=dnsguard-guarded.target
After=dnsguard-guarded.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh -c 'getent ahostsv4 wiki.corp.example | grep -q ^203.0.113.99'
[Install]
WantedBy=multi-user.target
"""


def with_unit(name: str, text: str, *commands: str) -> Callable[[Machine], None]:
    """What makes a machine that starts this unit at each boot."""

    def prepare(machine: Machine) -> None:
        machine.bring(SAMPLER)
        machine.path(f"/etc/systemd/system/{name}.service").write_text(text)
        for command in (f"systemctl enable --quiet {name}", *commands):
            machine.run(command)

    return prepare


def is_up(machine: Machine) -> bool:
    """Whether systemd has nothing left to start: more cannot be asked of a host without network."""
    return machine.state() in ("running", "degraded")


ZONE = f"echo address=/corp.example/{INTERNAL} >/etc/dnsmasq.d/zone.conf"
BY_HAND = "sed -i 's/^auto lo eth0/auto lo/' /etc/network/interfaces"
"""The network comes when somebody brings it: `ifup eth0`."""

DEPENDED_UPON = "guarded, with a dependent"
WATCHED = "guarded, with a watcher"
WITH_ZONE = "guarded, with a zone"
NETWORK_LAST = "guarded, network last"
KINDS |= {
    DEPENDED_UPON: Kind(GUARDED, with_unit("dependent", DEPENDENT), is_guarded),
    WATCHED: Kind(GUARDED, with_unit("watcher", WATCHER), is_guarded),
    WITH_ZONE: Kind(GUARDED, with_unit("of-the-zone", OF_THE_ZONE, ZONE), is_guarded),
    NETWORK_LAST: Kind(GUARDED, with_unit("dependent", DEPENDENT, BY_HAND), is_up),
}


def says_nothing_of_a_cycle(machine: Machine) -> bool:
    """systemd breaks a cycle by leaving out a job, and says so."""
    return not re.search(r"ordering cycle|deleted to break", machine.journal())


def test_one_who_waited_for_dnsguard_never_finds_dns_missing(boot: Boot) -> None:
    """Requires= and After= are all that a unit needs; every other boot follows a power cut."""
    machine = boot(DEPENDED_UPON)
    for number in range(BOOTS):
        assert [] == machine.failed_units()
        assert "active" == machine.run("systemctl is-active dependent").stdout.strip()
        assert says_nothing_of_a_cycle(machine)
        if number % 2:
            machine.cut_power()
            machine.boot()
        else:
            machine.reboot()


def test_no_lookup_is_lost_from_readiness_on(boot: Boot) -> None:
    """dnsmasq comes up after that, registers itself, is on trial, and is trusted."""
    machine = boot(WATCHED)
    record = machine.path("/var/lib/lookups")
    wait_for(lambda: len(read(record)) > 100, "lookups")
    machine.run("systemctl stop watcher")
    seen = tally(read(record))

    assert (0, 0) == (seen.failed, seen.slow), seen


def test_readiness_comes_before_name_lookup_and_the_link_before_dnsmasq(guarded: Machine) -> None:
    """So that nothing that dnsmasq registers is ever seen by libc, and After=nss-lookup.target means something."""
    order = {
        words[0]: float(words[1])
        for line in guarded.run(
            "for unit in dnsguard-attach.service dnsguard.service dnsmasq.service nss-lookup.target; do"
            " echo $unit $(systemctl show --property ExecMainStartTimestampMonotonic --value $unit)"
            " $(systemctl show --property ActiveEnterTimestampMonotonic --value $unit); done"
        ).stdout.splitlines()
        if len(words := [line.split()[0], line.split()[-1]]) == 2
    }
    attached = guarded.run("journalctl -b -o short-monotonic -u dnsguard-attach --no-pager").stdout

    assert order["dnsguard.service"] <= order["nss-lookup.target"]
    assert "/etc/resolv.conf is a link to /run/dnsguard/resolv.conf already" in attached
    assert says_nothing_of_a_cycle(guarded)


def test_unit_that_needs_a_zone_waits_for_dnsmasq(boot: Boot) -> None:
    """Before that the upstream would be asked, which knows nothing of it, or something else."""
    machine = boot(WITH_ZONE)

    assert "active" == machine.run("systemctl is-active of-the-zone").stdout.strip()
    assert "active" == machine.run("systemctl is-active dnsguard-guarded.target").stdout.strip()
    assert INTERNAL == machine.run("getent ahostsv4 wiki.corp.example").stdout.split()[0]


def test_boot_without_network_is_not_held_up(boot: Boot) -> None:
    """Dependents are let go after ready_timeout_s, and the state says that it is degraded; then the network comes."""
    machine = boot(NETWORK_LAST)
    configure(machine, f"[guard]\nready_timeout_s = {READY_TIMEOUT_S}\n")
    machine.run("systemctl reset-failed; rm -f /var/lib/dnsguard/resolv.conf.kept")
    machine.reboot()
    took_s = (
        int(machine.run("systemctl show --property ActiveEnterTimestampMonotonic --value dnsguard").stdout)
        - int(machine.run("systemctl show --property InactiveExitTimestampMonotonic --value dnsguard").stdout)
    ) / 1e6

    assert READY_TIMEOUT_S <= took_s < READY_TIMEOUT_S + 5
    assert "degraded" in machine.run("systemctl show --property StatusText dnsguard").stdout
    assert "dependent.service" in machine.failed_units()
    machine.run("ifup eth0")
    wait_for(lambda: is_guarded(machine), "trust in dnsmasq")
    assert ["127.0.0.1", UPSTREAM] == machine.nameservers()
    assert ANSWER == machine.run("getent ahostsv4 once.example.net").stdout.split()[0]


def test_network_that_comes_last_makes_a_host_that_resolves(boot: Boot) -> None:
    """Everything is up and waits; the dependent starts when the first lookup is answered."""
    machine = boot(NETWORK_LAST)
    machine.cut_power()
    machine.boot(wait=False)
    wait_for(
        lambda: "activating" in machine.run("systemctl is-active dnsguard", check=False).stdout, "dnsguard's start"
    )
    machine.run("ifup eth0")
    machine.wait_until_up()

    assert [] == machine.failed_units()
    assert "active" == machine.run("systemctl is-active dependent").stdout.strip()
    wait_for(lambda: is_guarded(machine), "trust in dnsmasq")


@pytest.mark.parametrize("switched_off", ["disabled", "masked"])
def test_boot_with_dnsguard_switched_off_is_debian_s_own(boot: Boot, switched_off: str) -> None:
    """The link is handed back before, and nobody takes it again."""
    machine = boot(GUARDED)
    machine.run(
        {"disabled": "systemctl disable --now dnsguard", "masked": "systemctl mask --now dnsguard"}[switched_off]
    )
    # Of a masked unit systemctl does not wait for what stops with it.
    wait_for(lambda: is_handed_back(machine), "hand-back")
    machine.reboot()
    wait_for(machine.resolves, "answer")

    assert [] == machine.failed_units()
    assert "../run/resolvconf/resolv.conf" == machine.run("readlink /etc/resolv.conf").stdout.strip()
    wait_for(lambda: ["127.0.0.1"] == machine.nameservers(), "registration of dnsmasq")
