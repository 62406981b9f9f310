"""Links that come and go around a guard that trusts a real dnsmasq: seen at the upstream, and in its log.

No test here sets a clock or lets anything sleep, for there is one clock for all: tests/edge/test_moments.py.
"""

import re
import time

from dnsguard.core.policy import Policy
from tests.sandbox.flips import FlipWatch
from tests.sandbox.guard import Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import PATIENCE_S, wait_for
from tests.sandbox.upstreams import UPSTREAM

SEEN = "/run/upstream.log"
MUCH_CPU_S = 1.0
FLAPS = 200


def start_telling_upstream(host: Host) -> None:
    """In the place of the silent one: a server that writes down what it is asked."""
    host.stop_upstream(UPSTREAM)
    host.start_upstream(UPSTREAM, "--log-queries", f"--log-facility={SEEN}")


def questions(host: Host) -> int:
    """How many of the guard's own have reached the upstream."""
    return host.path(SEEN).read_text().count("query[SOA] . ")


def trusting(host: Host, guard: Guard) -> None:
    """A guard that has just come to trust dnsmasq: the next question that leaves the host is due in half a minute."""
    start_telling_upstream(host)
    host.start_dnsmasq()
    wait_for(host.path("/run/resolvconf/interface/lo.dnsmasq").exists, "registration")
    host.age_upstream_file()
    guard.start()
    guard.wait_for_phase("guarded")


def test_link_that_comes_and_goes_is_looked_at_at_once(host: Host, guard: Guard) -> None:
    """A question reaches the upstream long before one is due, and nothing is flipped for it."""
    trusting(host, guard)
    before, looks = questions(host), guard.status()["counters"]["looks"]
    with FlipWatch(host.path("/run/dnsguard")) as watch:
        began_s = time.monotonic()
        host.run_beyond("ip link set cable down && ip link set cable up")
        wait_for(lambda: questions(host) > before, "question at the upstream", PATIENCE_S)
        took_s = time.monotonic() - began_s
        said = guard.wait_for_code("looked-again")

    assert took_s < PATIENCE_S < Policy().forward_interval_s
    # The kernel tells of the link and of its addresses, in one breath or in several.
    assert re.fullmatch(r"(the link|an address of) eth0 has (come, or changed|gone); all is looked at.*", said["text"])
    assert ([], "guarded") == (watch.flips, guard.phase())
    wait_for(lambda: guard.status()["counters"]["looks"] > looks, "look at the files")


def test_storm_of_links_costs_one_question(host: Host, guard: Guard) -> None:
    """As on a host whose containers come and go; the kernel says several things of each."""
    trusting(host, guard)
    before, cpu_s = questions(host), guard.cpu_s()
    lines = ["link add storm type veth peer name calm", "link set calm up"]
    lines += [f"link set storm {way}" for _ in range(FLAPS) for way in ("up", "down")]
    lines += ["address add 198.51.100.9/24 dev storm", "link delete storm"]
    host.run(["ip", "-batch", "-"], given="\n".join(lines))
    wait_for(lambda: questions(host) > before, "question at the upstream")
    # What comes last is heard last.
    host.path("/run/resolvconf/interface/eth0.inet").write_text(f"nameserver {UPSTREAM}\nsearch lan\n")
    guard.wait_for_code("upstreams-restated")

    assert 1 == questions(host) - before
    assert 1 == len(guard.said("looked-again"))
    assert guard.cpu_s() - cpu_s < MUCH_CPU_S
