"""A dnsmasq that says nothing for seconds while it reads a huge hosts file again, as it does at each SIGHUP."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.flips import FlipWatch
from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.lookups import end_sampler, start_sampler, tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

HOSTS = "/etc/hosts.huge"
LINES = 150_000
"""About two seconds of a processor of 2024, to dnsmasq 2.90; more than the guard's patience with silence."""
READING_S = 120.0
"""Where five others have the processors, too."""

EVERY_S = 0.05
MOST_SLOW = {"a new lease": 2, "systemctl reload": round(1.6 / EVERY_S)}
"""Lookups that wait where dnsmasq stands alone: those that it had taken in, and all until its silence is found."""


def start(host: Host, guard: Guard, standby: str) -> None:
    """A guard that trusts a dnsmasq with a huge hosts file; `dwell_s` is the default."""
    text = "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255} h{n}.hosts.example\n" for n in range(LINES))
    host.path(HOSTS).write_text(text)
    host.configure_dnsmasq(f"addn-hosts={HOSTS}", "log-facility=/var/log/dnsmasq.log")
    host.start_upstream(OTHER_UPSTREAM)
    host.start_dnsmasq()
    host.age_upstream_file()
    guard.configure(f'{NO_UNIT}[guard]\nstandby = "{standby}"\n')
    guard.start()
    wait_for(lambda: guard.phase() == "guarded", "trust", READING_S)


def times_read(host: Host) -> int:
    """How often dnsmasq has read the file to its end."""
    return host.path("/var/log/dnsmasq.log").read_text().count(f"read {HOSTS} ")


def lease(host: Host) -> None:
    host.new_lease(OTHER_UPSTREAM)


ACTS = {"a new lease": (lease, OTHER_UPSTREAM), "systemctl reload": (Host.reload_dnsmasq, UPSTREAM)}


@pytest.mark.parametrize("standby", ["yes", "no"])
@pytest.mark.parametrize("name", ACTS)
def test_host_leaves_once_and_comes_back_once(
    host: Host, guard: Guard, tmp_path: Path, name: str, standby: str
) -> None:
    """No flutter: it is on the upstreams while dnsmasq reads, and comes back when that is over and proved."""
    act: Callable[[Host], None]
    act, upstream = ACTS[name]
    start(host, guard, standby)
    read = times_read(host)
    with FlipWatch(host.path("/run/dnsguard")) as watch:
        sampler = start_sampler(host, tmp_path / "lookups.jsonl", EVERY_S)
        act(host)
        wait_for(lambda: times_read(host) > read, "end of the reading", READING_S)
        wait_for(lambda: watch.first == "127.0.0.1" and watch.flips, "return", READING_S)
        seen = tally(end_sampler(sampler, tmp_path / "lookups.jsonl"))

    assert [upstream, "127.0.0.1"] == [first for _, first in watch.flips]
    assert read + 1 == times_read(host)
    assert seen.failed == 0
    assert seen.slow <= (0 if standby == "yes" else MOST_SLOW[name]), seen
    assert len(guard.said("reload-sent")) == (name == "a new lease")
    assert [] == guard.said("reload-repeated") + guard.said("update-asked") + guard.said("dnsmasq-ended")
