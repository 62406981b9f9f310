"""dnsguard.edge.addresses, on this host's loopback and in network namespaces that have more."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsguard.edge.addresses import is_own_address

ROOT = str(Path(__file__).resolve().parents[2])

WORLD = """
set -e
ip link set lo up
ip link add eth0 type veth peer name eth1
ip link set eth0 up
ip link set eth1 up
ip addr add 192.0.2.5/24 dev eth0
ip addr add 192.0.2.6/24 dev eth0
ip addr add 2001:db8::5/64 dev eth0 nodad
ip addr add 2001:db8::6/64 dev eth0 nodad
ip addr add fe80::5/64 dev eth0 nodad
ip addr add fe80::6/64 dev eth1 nodad
ip route add default via 192.0.2.1
ip -6 route add default via 2001:db8::1
ip route add local 198.51.100.0/24 dev lo
echo $1 >/proc/sys/net/ipv4/ip_nonlocal_bind
echo $1 >/proc/sys/net/ipv6/ip_nonlocal_bind
"""

ASK = """
import sys
from dnsguard.edge.addresses import is_own_address
print(*[address for address in sys.argv[1:] if is_own_address(address)])
"""

OWN = ["127.0.0.1", "::1", "192.0.2.5", "192.0.2.6", "::ffff:192.0.2.6", "198.51.100.77"]
OWN += ["2001:db8::5", "2001:DB8:0::6", "fe80::5%eth0", "fe80::6%eth1"]
FOREIGN = ["192.0.2.1", "192.0.2.7", "203.0.113.1", "2001:db8::1", "2001:db8::7", "2001:db8:ffff::1"]
FOREIGN += ["fe80::5%eth1", "fe80::6%eth0", "fe80::5%eth9", "fe80::5%7777", "224.0.0.251", "ff02::fb%eth0"]
FOREIGN += ["192.0.2.255", "255.255.255.255", "0.0.0.0", "::", "", "localhost", "192.0.2.5#53"]


def in_private_network(nonlocal_bind: int) -> list[str]:
    """What is_own_address() takes for its own in a world where every answer is known."""
    private = ["unshare", "--net", "--map-root-user", "sh", "-c", WORLD + 'shift\nexec "$@"', "sh", str(nonlocal_bind)]
    probe = subprocess.run([*private, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        pytest.skip(f"no network namespace here: {probe.stderr.strip()}")
    command = [*private, sys.executable, "-W", "error", "-c", ASK, *OWN, *FOREIGN]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, env={"PYTHONPATH": ROOT})
    return ran.stdout.split()


@pytest.mark.parametrize("nonlocal_bind", [0, 1])
def test_exactly_the_configured_addresses_are_our_own(nonlocal_bind: int) -> None:
    """The second address of a subnet too, and also where ip_nonlocal_bind lets anything be bound."""
    assert OWN == in_private_network(nonlocal_bind)


def test_loopback_is_our_own_here() -> None:
    own = ["127.0.0.1", "127.0.0.53", "::1"] if socket.has_dualstack_ipv6() else ["127.0.0.1", "127.0.0.53"]

    assert own == [address for address in own if is_own_address(address)]


@pytest.mark.parametrize("address", ["", "0.0.0.0", "::", "224.0.0.251", "example.com", "fe80::1%nosuchif0"])
def test_what_is_no_address_of_a_host_is_not_ours(address: str) -> None:
    assert not is_own_address(address)


def test_a_scope_may_be_a_number() -> None:
    """glibc reads both; the loopback interface has no link-local address, so this one is foreign."""
    assert not is_own_address(f"fe80::1%{socket.if_nametoindex('lo')}")


@given(st.text(max_size=60) | st.text(max_size=30).map("fe80::1%{}".format))
def test_any_text_is_answered(text: str) -> None:
    assert is_own_address(text) in (True, False)
