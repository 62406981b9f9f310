"""Somebody else writes /etc/resolv.conf."""

from collections.abc import Sequence
from pathlib import Path

from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM
from tests.system.cases import Case
from tests.system.faults import says
from tests.system.kinds import DNSMASQ, GUARDED, is_guarded
from tests.system.machine import Machine

DEAD = "192.0.2.99"

# Debian's dhclient-script looks where the link leads, and replaces that. Source: isc-dhcp-client 4.4.3,
# make_resolv_conf().
LIKE_DHCLIENT = "file=$(readlink -f /etc/resolv.conf) && echo 'nameserver {0}' >$file.new && mv -f $file.new $file"
# As udhcpc and many a VPN's script.
IN_PLACE = "echo 'nameserver {0}' >/etc/resolv.conf"
REPLACED = "echo 'nameserver {0}' >/etc/resolv.conf.new && mv -f /etc/resolv.conf.new /etc/resolv.conf"

# What the goal allows, the lookups of 20 ms, is what a machine of its own reaches (`make table`); a busy one may not.
PER_OVERWRITING = 8


def war(machine: Machine, _ours: Sequence[Path]) -> None:
    """Somebody writes a server that works each time that it was undone, until dnsguard stands back."""
    writer = machine.popen(
        ["sh", "-c", f"while :; do {REPLACED.format(OTHER_UPSTREAM)}; sleep 0.3; done"],
    )
    try:
        wait_for(lambda: "; standing back" in machine.journal("dnsguard"), "peace", 30)
    finally:
        writer.end()


def is_at_peace(machine: Machine) -> bool:
    """Whether the other one has won, for now; or the link that was asked for last came after the war."""
    told = machine.run("dnsguard status", check=False).stdout
    return (machine.nameservers() == [OTHER_UPSTREAM] and "yielded" in told) or is_guarded(machine)


OVERWRITING = (
    Case("like dhclient, a server that works", GUARDED, says(LIKE_DHCLIENT.format(OTHER_UPSTREAM)), without=DNSMASQ),
    Case(
        "like dhclient, a dead server",
        GUARDED,
        says(LIKE_DHCLIENT.format(DEAD)),
        is_guarded,
        without=DNSMASQ,
        most=PER_OVERWRITING,
    ),
    Case("in place, a dead server", GUARDED, says(IN_PLACE.format(DEAD)), without=DNSMASQ, most=PER_OVERWRITING),
    Case("replaced, a dead server", GUARDED, says(REPLACED.format(DEAD)), without=DNSMASQ, most=PER_OVERWRITING),
    Case("removed", GUARDED, says("rm /etc/resolv.conf"), without=DNSMASQ, most=PER_OVERWRITING),
    Case("a war", GUARDED, war, is_at_peace),
)
