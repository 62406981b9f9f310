"""Which networks the host is in: the kernel's own files, and files that lie."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dnsguard.edge.networks import networks
from tests.fakes import ROOT

WORLD = """
ip link add eth7 type veth peer name eth8
ip link set eth8 up
ip address add 198.51.100.2/24 dev eth7
ip link set eth7 up
ip route add default via 198.51.100.1
ip neigh replace 198.51.100.1 lladdr 02:00:00:00:00:07 dev eth7
ip -6 route add default via fe80::1 dev eth7
"""
ROUTE = """Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010200C0\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0
tun0\t00000000\t00000000\t0001\t0\t0\t0\t00000000\t0\t0\t0
"""
ARP = """IP address       HW type     Flags       HW address            Mask     Device
192.0.2.1        0x1         0x2         02:00:00:00:00:01     *        eth0
192.0.2.9        0x1         0x0         00:00:00:00:00:00     *        eth0
"""
IPV6 = (
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001"
    " 00000400 00000001 00000000 00450003     eth0\n"
    "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000"
    " ffffffff 00000001 00000000 00200200       lo\n"
)


def net(place: Path, **files: str) -> Path:
    """A folder as the kernel shows it."""
    for name, text in files.items():
        (place / name).write_text(text)
    return place


def test_routers_are_named_with_what_is_known_of_them(tmp_path: Path) -> None:
    """Sorted, IPv4 and IPv6; routes without a router say nothing of the network."""
    place = net(tmp_path, route=ROUTE, arp=ARP, ipv6_route=IPV6)

    assert ("eth0 192.0.2.1 02:00:00:00:00:01", "eth0 fe80::1 ?") == networks(place)
    assert ("eth0 192.0.2.1 ?",) == networks(
        net(tmp_path, arp=ARP.replace("02:00:00:00:00:01", "00:00:00:00:00:00"), ipv6_route="")
    )


@pytest.mark.parametrize("text", ["", "Iface\n", "Iface\neth0 0 0\n\n"])
def test_nothing_is_known_without_a_default_route(tmp_path: Path, text: str) -> None:
    assert () == networks(net(tmp_path, route=text))
    assert () == networks(tmp_path / "missing")


def test_the_kernel_s_own_files_are_read() -> None:
    """A private network with one router, by IPv4 and by IPv6."""
    private = ["unshare", "--net", "--mount-proc", "--pid", "--fork", "--map-root-user"]
    probe = subprocess.run([*private, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no network namespace here: {probe.stderr.strip()}")
    script = (
        f"{WORLD}exec {sys.executable} -W error -c 'from dnsguard.edge.networks import networks; print(networks())'"
    )
    ran = subprocess.run(
        [*private, "sh", "-euc", script],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": ROOT},
    )

    assert "('eth7 198.51.100.1 02:00:00:00:00:07', 'eth7 fe80::1 ?')\n" == ran.stdout
