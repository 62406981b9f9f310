"""Debian's own traps, with dnsguard there: what lookups they cost, and what is said of them."""

from dataclasses import replace

import pytest

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.cases import play
from tests.system.conftest import Boot
from tests.system.ending import names_real_upstreams, pid_of
from tests.system.kinds import KINDS, PLAIN, Kind, configure, is_guarded
from tests.system.machine import Machine
from tests.system.package import package
from tests.system.traps import (
    INSTANCE_ALONE,
    TRAPS,
    Trap,
    are_told,
    at_upstream,
    codes_of,
    other,
)

LINKED = "cared-for, upstreams behind a link"
"""No resolvconf; dnsmasq reads a file that is a link."""

OF_INSTANCE = '[dnsmasq]\nunit = "dnsmasq@two.service"\npid_file = "/run/dnsmasq/dnsmasq.two.pid"\n'
TCP_CLIENTS = (
    "import socket, time; held = [socket.create_connection(('127.0.0.1', 53)) for _ in range(15)]; time.sleep(1e9)"
)
DROP_INS = "/etc/systemd/system/dnsmasq.service.d"
UNTIL_DIRECT = 50
"""Lookups from when dnsguard has flipped on: half a second of them."""


def _link_upstreams(machine: Machine) -> None:
    for name, server in (("a", UPSTREAM), ("b", OTHER_UPSTREAM)):
        machine.run(f"mkdir -p /srv/{name} && echo nameserver {server} >/srv/{name}/upstreams")
    machine.run("ln -s /srv/a/upstreams /etc/upstreams; mkdir -p /etc/dnsmasq.d")
    machine.run("echo resolv-file=/etc/upstreams >/etc/dnsmasq.d/upstreams.conf")
    machine.install("dnsmasq")
    machine.install(package())
    configure(machine, '[paths]\nupstream_file = "/etc/upstreams"\n')


KINDS |= {LINKED: Kind(PLAIN, _link_upstreams, is_guarded)}


@pytest.mark.parametrize("trap", TRAPS, ids=str)
def test_trap_costs_no_lookup_and_is_told(boot: Boot, trap: Trap) -> None:
    """What stock hosts suffer stands in the table: `stock`."""
    machine = boot(trap.case.kind)
    before = len(codes_of(machine))

    def is_judged(machine: Machine) -> bool:
        return trap.case.ends(machine) and are_told(trap.codes, codes_of(machine)[before:])

    seen = tally(play(replace(trap.case, ends=is_judged), machine, [package()]))

    assert seen.lookups > 100
    assert seen.failed + seen.slow <= trap.case.most, seen
    assert is_judged(machine)


def test_symlinked_upstream_file_that_is_turned_is_noticed(boot: Boot) -> None:
    """A stock dnsmasq watches the old target's directory and goes on with servers that may be gone; HUP is no help."""
    machine = boot(LINKED)
    machine.start_sampler()
    machine.run("ln -sfn /srv/b/upstreams /etc/upstreams.new && mv -T /etc/upstreams.new /etc/upstreams")
    wait_for(lambda: other(machine), "the new upstream")
    machine.world.stop_upstream(UPSTREAM)
    wait_for(lambda: "reload-repeated" in codes_of(machine), "verdict")
    seen = tally(machine.stop_sampler())

    assert (0, 0) == (seen.failed, seen.slow), seen
    assert other(machine)


def test_exhausted_descriptors_cost_no_lookup(guarded: Machine, suite: str) -> None:
    """On a stock Debian 12 one TCP client takes the main process: no UDP, no reaction to SIGTERM while it stays.

    Debian 13's dnsmasq drops such a client.
    """
    machine = guarded
    # In the end there is room for a client, and not for the pipe to the child that would serve it.
    machine.run(
        f"mkdir -p {DROP_INS}; open=$(ls /proc/{pid_of(machine, 'dnsmasq')}/fd | wc -l);"
        f' printf "[Service]\\nLimitNOFILE=$((open + 10))\\n" >{DROP_INS}/few.conf;'
        " systemctl daemon-reload; systemctl restart dnsmasq"
    )
    wait_for(lambda: is_guarded(machine), "trust")
    before = len(codes_of(machine))
    machine.start_sampler()
    machine.popen(["/usr/bin/python3", "-c", TCP_CLIENTS])
    machine.wait_for_lookups(6 * UNTIL_DIRECT)
    if suite == "bookworm":
        wait_for(lambda: at_upstream(machine), "the upstream")
    seen, told = tally(machine.stop_sampler()), codes_of(machine)[before:]

    assert (0, 0) == (seen.failed, seen.slow), seen
    assert (suite == "bookworm") == ("dnsmasq-failed" in told), told


def test_named_instance_that_dnsguard_is_told_of_is_not_trusted_either(guarded: Machine) -> None:
    """Its list stays empty for ever on a stock host: resolvconf's hook wants lo.dnsmasq, not lo.dnsmasq.two."""
    guarded.start_sampler()
    guarded.run(INSTANCE_ALONE)
    configure(guarded, OF_INSTANCE)
    guarded.run("systemctl restart dnsguard")
    wait_for(lambda: are_told(["dnsmasq-found", "dnsmasq-doubted"], codes_of(guarded)), "verdict")
    guarded.wait_for_lookups(UNTIL_DIRECT)
    seen = tally(guarded.stop_sampler())

    assert (0, 0) == (seen.failed, seen.slow), seen
    assert at_upstream(guarded)
    assert "lacks 192.0.2.53; holds nothing" in guarded.run("dnsguard status").stdout


def test_what_is_purged_leaves_no_dead_server(guarded: Machine) -> None:
    """resolvconf's purge can leave a plain resolv.conf that says 127.0.0.1; here all three go, it first."""
    guarded.start_sampler()
    for package_name in ("resolvconf", "dnsmasq", "dnsguard"):
        guarded.run(f"apt-get -qq purge {package_name}")
    guarded.wait_for_lookups(UNTIL_DIRECT)
    seen = tally(guarded.stop_sampler())

    assert (0, 0) == (seen.failed, seen.slow), seen
    assert names_real_upstreams(guarded)
