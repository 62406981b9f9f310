"""Other owners of the network's servers: dnsguard comes, reads what they say, and goes on reading it.

Each owner is Debian's real package. Each test begins before dnsguard is there, and ends after the owner has told of
another server and the host has been booted again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.conftest import Boot
from tests.system.kinds import KINDS, PLAIN, Kind, is_guarded
from tests.system.machine import Machine
from tests.system.overwriting import PER_OVERWRITING
from tests.system.package import package
from tests.system.traps import are_told, codes_of, lease, rests

AT_REST = 50
"""Lookups, half a second of them."""

NO_STUB = "/run/NetworkManager/no-stub-resolv.conf"
UPLINKS = "/run/systemd/resolve/resolv.conf"
NO_RESOLVCONF = "no resolvconf; before dnsguard resolv.conf was"
UNREGISTERED = "dnsmasq need not be registered to be used"
KEPT = "/var/lib/dnsguard/resolv.conf.kept"

BY_NETWORK_MANAGER = f"""[connection]
id=eth0
type=ethernet
interface-name=eth0
[ipv4]
method=manual
address1=192.0.2.2/24,192.0.2.1
dns={UPSTREAM};
"""
# Stands for systemd-networkd, which has no network namespace of its own to manage here.
TELLS_RESOLVED = f"""[Unit]
Requires=systemd-resolved.service
After=systemd-resolved.service network-online.target
Wants=network-online.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=resolvectl dns eth0 {UPSTREAM}
[Install]
WantedBy=multi-user.target
"""


def _network_manager(machine: Machine) -> None:
    machine.path("/etc/network/interfaces").write_text("auto lo\niface lo inet loopback\n")
    machine.install("network-manager")
    profile = machine.path("/etc/NetworkManager/system-connections/eth0.nmconnection")
    profile.write_text(BY_NETWORK_MANAGER)
    profile.chmod(0o600)
    # It makes one of its own.
    machine.run("rm /etc/resolv.conf")


def _resolved(machine: Machine) -> None:
    machine.install("systemd-resolved")
    machine.path("/etc/systemd/system/tells-resolved.service").write_text(TELLS_RESOLVED)
    machine.run("systemctl enable --quiet tells-resolved")


def _without_stub(machine: Machine) -> None:
    machine.run(f"ln -sf {UPLINKS} /etc/resolv.conf")


def _openresolv(machine: Machine) -> None:
    machine.run(f"echo '\tdns-nameservers {UPSTREAM}' >>/etc/network/interfaces")
    machine.install("openresolv")


KINDS |= {
    "NetworkManager": Kind(PLAIN, _network_manager),
    "systemd-resolved": Kind(PLAIN, _resolved),
    "systemd-resolved, no stub": Kind("systemd-resolved", _without_stub),
    "openresolv": Kind(PLAIN, _openresolv),
    "dhclient": Kind(PLAIN, lambda machine: machine.install("isc-dhcp-client")),
    "dhcpcd": Kind(PLAIN, lambda machine: machine.install("dhcpcd-base")),
}


def _lease_out(machine: Machine, server: str) -> None:
    machine.world.lease_out(server)
    # Each goes on in the background, and has files of its own.
    files = f"-pf /run/dhclient-{server}.pid -lf /run/dhclient-{server}.leases"
    machine.run(f"dhclient -1 {files} eth0 >/dev/null 2>&1")


def _run_hooks(machine: Machine, server: str) -> None:
    # What dhcpcd runs after a lease: it would set sysctls before, and they are the computer's below.
    machine.run(
        "interface=eth0 reason=BOUND protocol=dhcp if_up=true if_oneup=true ifwireless=0 interface_order=eth0"
        f" new_ip_address=192.0.2.2 new_domain_name_servers={server} /usr/lib/dhcpcd/dhcpcd-run-hooks"
    )


def _says(command: str) -> Callable[[Machine, str], object]:
    return lambda machine, server: machine.run(command.format(server))


@dataclass(frozen=True, slots=True)
class Owner:
    """Who tells a host of its servers.

    Attributes:
        kind: the machine that it owns.
        tell: makes it tell of this server.
        found: what dnsguard says of it at its first start.
        on_bookworm: the same there, where it differs: openresolv writes dnsmasq's file by default.
        keeps: whether it tells of what it told last, after another boot.
        begins: whether it must be made to tell of a server before dnsguard comes.
        most: lookups that may be lost because it writes resolv.conf itself: libc may look before that is undone.
    """

    kind: str
    tell: Callable[[Machine, str], object]
    found: str
    on_bookworm: str = ""
    keeps: bool = True
    begins: bool = False
    most: int = 0

    def __str__(self) -> str:
        return self.kind


OWNERS = (
    Owner(
        PLAIN,
        _says("echo nameserver {0} >/etc/resolv.conf"),
        f"{NO_RESOLVCONF} a plain file; servers are named by {KEPT} -> upstreams are taken from {KEPT}; {UNREGISTERED}",
        most=PER_OVERWRITING,
    ),
    Owner(
        "NetworkManager",
        _says("nmcli connection modify eth0 ipv4.dns {0} && nmcli device reapply eth0"),
        f"{NO_RESOLVCONF} a plain file; servers are named by {NO_STUB}, {KEPT}"
        f" -> upstreams are taken from {NO_STUB}; {UNREGISTERED}",
    ),
    Owner(
        "systemd-resolved",
        _says("resolvectl dns eth0 {0}"),
        "systemd-resolved as resolvconf; before dnsguard resolv.conf was a link to"
        f" ../run/systemd/resolve/stub-resolv.conf; servers are named by {UPLINKS}"
        f" -> upstreams are taken from {UPLINKS};"
        " a dnsmasq that comes is given no upstream, and is not used: set IGNORE_RESOLVCONF=yes, and resolv-file=",
        keeps=False,
    ),
    Owner(
        "systemd-resolved, no stub",
        _says("resolvectl dns eth0 {0}"),
        f"systemd-resolved as resolvconf; before dnsguard resolv.conf was a link to {UPLINKS};"
        f" servers are named by {UPLINKS} -> upstreams are taken from {UPLINKS};"
        " a dnsmasq that comes is given no upstream, and is not used: set IGNORE_RESOLVCONF=yes, and resolv-file=",
        keeps=False,
    ),
    Owner(
        "openresolv",
        _says(lease("{0}")),
        "openresolv; before dnsguard resolv.conf was a plain file;"
        f" servers are named by eth0.inet, {KEPT} -> upstreams are taken from resolvconf: eth0.inet;"
        " a dnsmasq that comes is given no upstream, and is not used: set dnsmasq_resolv in /etc/resolvconf.conf",
        most=PER_OVERWRITING,
        on_bookworm="openresolv; before dnsguard resolv.conf was a plain file;"
        f" servers are named by eth0.inet, /run/dnsmasq/resolv.conf, {KEPT}"
        " -> upstreams are taken from resolvconf: eth0.inet; dnsmasq is used while it is registered with resolvconf",
        keeps=False,
    ),
    Owner(
        "dhclient",
        _lease_out,
        f"{NO_RESOLVCONF} a plain file; servers are named by {KEPT} -> upstreams are taken from {KEPT}; {UNREGISTERED}",
        begins=True,
        most=PER_OVERWRITING,
    ),
    Owner(
        "dhcpcd",
        _run_hooks,
        f"{NO_RESOLVCONF} a plain file; servers are named by {KEPT} -> upstreams are taken from {KEPT}; {UNREGISTERED}",
        begins=True,
        most=PER_OVERWRITING,
    ),
)


def found(machine: Machine) -> str:
    """What dnsguard has said of the owner."""
    match = ["DNSGUARD_CODE=found", "--output=cat", "--boot", "--no-pager"]
    return machine.run(["journalctl", *match]).stdout.strip()


@pytest.mark.parametrize("owner", OWNERS, ids=str)
def test_host_of_another_owner_resolves_all_along(boot: Boot, suite: str, owner: Owner) -> None:
    """dnsguard comes, the owner tells of another server, the one before is gone; and again after a boot."""
    machine = boot(owner.kind)
    if owner.begins:
        owner.tell(machine, UPSTREAM)
    assert machine.resolves()
    machine.start_sampler()
    machine.install(package())
    wait_for(lambda: rests("direct", UPSTREAM)(machine), "upstream")
    owner.tell(machine, OTHER_UPSTREAM)
    wait_for(lambda: rests("direct", OTHER_UPSTREAM)(machine), "other upstream")
    machine.world.stop_upstream(UPSTREAM)
    machine.wait_for_lookups(AT_REST)
    seen = tally(machine.stop_sampler())

    assert ((suite == "bookworm" and owner.on_bookworm) or owner.found) == found(machine)
    assert seen.failed + seen.slow <= owner.most, seen
    machine.world.start_upstream(UPSTREAM)
    machine.reboot()
    expected = OTHER_UPSTREAM if owner.keeps else UPSTREAM
    wait_for(lambda: rests("direct", expected)(machine), "upstream after a boot")
    assert machine.resolves()
    assert [] == machine.failed_units()


def test_dnsmasq_beside_openresolv_is_used_if_it_is_given_a_list(boot: Boot, suite: str) -> None:
    """Without dnsguard Debian 13's openresolv gives it none, and resolv.conf says 127.0.0.1: no lookup is answered.

    openresolv writes that through our link, in place.
    """
    machine = boot("openresolv")
    machine.install(package())
    wait_for(lambda: rests("direct", UPSTREAM)(machine), "upstream")
    machine.start_sampler()
    machine.install("dnsmasq")
    if suite == "bookworm":
        wait_for(lambda: is_guarded(machine), "trust")
    else:
        wait_for(lambda: "lacks 192.0.2.53; holds nothing" in machine.run("dnsguard status").stdout, "verdict")
    machine.wait_for_lookups(AT_REST)
    seen = tally(machine.stop_sampler())

    assert seen.failed + seen.slow <= PER_OVERWRITING, seen
    assert rests(*(("guarded", "127.0.0.1") if suite == "bookworm" else ("direct",)), UPSTREAM)(machine)


def test_dnsmasq_beside_resolved_is_used_once_it_is_given_a_list(boot: Boot) -> None:
    """By the advice of the line at start; on a stock host it would read a file that nobody writes, and refuse."""
    machine = boot("systemd-resolved")
    machine.install(package())
    machine.path("/etc/dnsmasq.d").mkdir()
    machine.path("/etc/dnsmasq.d/beside.conf").write_text("bind-interfaces\nlisten-address=127.0.0.1\n")
    machine.start_sampler()
    machine.install("dnsmasq")
    wait_for(lambda: "lacks 192.0.2.53; holds nothing" in machine.run("dnsguard status").stdout, "verdict")
    machine.run(f"echo resolv-file={UPLINKS} >>/etc/dnsmasq.d/beside.conf")
    machine.run("echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq; systemctl restart dnsmasq")
    wait_for(lambda: rests("guarded", "127.0.0.1", UPSTREAM)(machine), "trust")
    machine.run(f"resolvectl dns eth0 {OTHER_UPSTREAM}")
    wait_for(lambda: rests("guarded", "127.0.0.1", OTHER_UPSTREAM)(machine), "trust again")
    machine.wait_for_lookups(AT_REST)
    seen = tally(machine.stop_sampler())

    assert (0, 0) == (seen.failed, seen.slow), seen


def test_resolved_that_begins_to_ask_dnsmasq_is_named_and_costs_no_lookup(boot: Boot) -> None:
    """dnsmasq asks 127.0.0.53 and nobody else; it is used while that asks the upstream."""
    machine = boot("systemd-resolved")
    machine.install(package())
    machine.path("/etc/dnsmasq.d").mkdir()
    lines = "no-resolv", "server=127.0.0.53", "bind-interfaces", "listen-address=127.0.0.1"
    machine.path("/etc/dnsmasq.d/stub.conf").write_text("".join(f"{line}\n" for line in lines))
    machine.start_sampler()
    machine.install("dnsmasq")
    wait_for(lambda: rests("guarded", "127.0.0.1", UPSTREAM)(machine), "trust")
    assert "loop" not in codes_of(machine)
    machine.run("resolvectl dns eth0 127.0.0.1")
    wait_for(lambda: rests("direct", UPSTREAM)(machine), "upstream")
    machine.wait_for_lookups(AT_REST)
    seen, told = tally(machine.stop_sampler()), machine.run("dnsguard status").stdout

    assert are_told(["guarded", "loop"], codes_of(machine))
    assert "server=127.0.0.53 (/etc/dnsmasq.d/stub.conf:2) leads to systemd-resolved, which asks dnsmasq again" in told
    assert (0, 0) == (seen.failed, seen.slow), seen

    machine.run(f"resolvectl dns eth0 {UPSTREAM}; systemctl restart dnsmasq")
    wait_for(lambda: rests("guarded", "127.0.0.1", UPSTREAM)(machine), "trust again")
