"""Changes of its upstreams that a real dnsmasq does not notice by itself; tests/system/traps.py has more of them.

libc is given the new servers at once, and dnsmasq again only when it holds them.
"""

from collections.abc import Callable
from pathlib import Path

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.lookups import Tally, end_sampler, start_sampler, tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

EVERY_S = 0.05
PATIENCE_S = 30.0
"""resolvconf sleeps for a second at each, and this machine may be busy."""


def start(host: Host, guard: Guard, *dnsmasq: str) -> None:
    """A guard that trusts a dnsmasq of this configuration, with two upstreams that answer."""
    host.configure_dnsmasq(*dnsmasq)
    host.start_upstream(OTHER_UPSTREAM)
    host.start_dnsmasq()
    wait_for(host.path("/run/resolvconf/interface/lo.dnsmasq").exists, "registration")
    host.age_upstream_file()
    guard.configure(NO_UNIT)
    guard.start()
    guard.wait_for_phase("guarded")


def lookups_during(host: Host, directory: Path, act: Callable[[], None]) -> Tally:
    """What becomes of lookups while it is done."""
    sampler = start_sampler(host, directory / "lookups.jsonl", EVERY_S)
    try:
        act()
    finally:
        seen = end_sampler(sampler, directory / "lookups.jsonl")
    return tally(seen)


def is_trusted_with(host: Host, guard: Guard, address: str) -> bool:
    """Whether libc is sent to a dnsmasq that holds this server alone."""
    return host.nameservers() == ["127.0.0.1", address] and guard.status()["dnsmasq"]["holds"] == [address]


def test_leases_that_follow_one_another_reach_a_dnsmasq_that_does_not_poll(
    host: Host, guard: Guard, tmp_path: Path
) -> None:
    """With `no-poll` it reads its file at SIGHUP alone, and resolvconf's hook sleeps before it writes that again."""
    start(host, guard, "no-poll")

    def act() -> None:
        host.new_lease(OTHER_UPSTREAM)
        host.new_lease(UPSTREAM)
        host.new_lease(OTHER_UPSTREAM)
        wait_for(lambda: is_trusted_with(host, guard, OTHER_UPSTREAM), "trust with the last list", PATIENCE_S)

    seen = lookups_during(host, tmp_path, act)

    assert (0, 0) == (seen.failed, seen.slow), seen
    assert [] == guard.said("dnsmasq-ended")
