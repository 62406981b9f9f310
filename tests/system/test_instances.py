"""A second dnsmasq with Debian's real dnsmasq@.service."""

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM
from tests.system.ending import pid_of
from tests.system.kinds import is_guarded
from tests.system.machine import Machine
from tests.system.traps import codes_of, configure_dnsmasq, lease, rests

AT_REST = 50
"""Lookups, half a second of them."""

OF_TWO = 'DNSMASQ_EXCEPT="lo"\nDNSMASQ_OPTS="--bind-interfaces --listen-address=127.0.0.2"\n'


def hosts_read_by_two(machine: Machine) -> int:
    """How often the instance has read /etc/hosts: once at its start, and at each SIGHUP."""
    said = machine.run(["journalctl", "--no-pager", "--output=cat", "--boot", "--unit=dnsmasq@two"]).stdout
    return said.count("read /etc/hosts")


def test_instance_that_is_not_registered_and_dnsmasq_live_side_by_side(guarded: Machine) -> None:
    """As docs/loops.md lays it out: the instance is not signalled, its death moves nothing, its PID is not taken."""
    guarded.run(configure_dnsmasq("bind-interfaces", "listen-address=127.0.0.1"))
    guarded.path("/etc/default/dnsmasq.two").write_text(OF_TWO)
    wait_for(lambda: is_guarded(guarded), "trust")
    guarded.start_sampler()
    guarded.run("systemctl start dnsmasq@two")
    guarded.run(lease(OTHER_UPSTREAM))
    wait_for(lambda: rests("guarded", "127.0.0.1", OTHER_UPSTREAM)(guarded), "trust with the new lease")
    before = len(codes_of(guarded))
    read = hosts_read_by_two(guarded)
    guarded.run("systemctl kill --signal=KILL dnsmasq@two")
    wait_for(lambda: pid_of(guarded, "dnsmasq@two") == "0", "death of the instance")
    guarded.run("systemctl reset-failed dnsmasq@two; systemctl start dnsmasq@two")
    guarded.wait_for_lookups(AT_REST)

    assert 1 == read
    assert [] == codes_of(guarded)[before:]

    # A PID file is a claim: this one names the instance.
    guarded.run("cp /run/dnsmasq/dnsmasq.two.pid /run/dnsmasq/dnsmasq.pid; systemctl restart dnsguard")
    wait_for(lambda: is_guarded(guarded), "trust again")
    seen = tally(guarded.stop_sampler())

    assert f"PID {pid_of(guarded, 'dnsmasq')}\n" in guarded.run("dnsguard status").stdout
    assert (0, 0) == (seen.failed, seen.slow), seen
