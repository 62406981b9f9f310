"""A dnsmasq that says nothing for seconds while it reads a huge hosts file again, as it does at each SIGHUP."""

import fcntl
import os
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.sandbox.flips import FlipWatch
from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.lookups import end_sampler, start_sampler, tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

HOSTS = "/etc/hosts.huge"
READING_S = 120.0
"""Where five others have the processors, too."""

EVERY_S = 0.05
MOST_SLOW = {"a new lease": 2, "systemctl reload": round(1.6 / EVERY_S)}
"""Lookups that wait where dnsmasq stands alone: those that it had taken in, and all until its silence is found."""


class HugeHosts:
    """A pipe in the place of a file with a million lines: dnsmasq reads it for as long as we like, on any machine."""

    def __init__(self, path: Path) -> None:
        os.mkfifo(path)
        self._path = path

    @contextmanager
    def being_read(self) -> Iterator[None]:
        """Whoever begins to read it meanwhile does not come to its end before this one ends."""
        pipe = os.open(self._path, os.O_RDWR)
        try:
            os.write(pipe, b"10.0.0.1 h1.hosts.example\n")
            yield
            wait_for(lambda: not _unread(pipe), "reader", READING_S)
        finally:
            os.close(pipe)


def _unread(pipe: int) -> int:
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


def start(host: Host, guard: Guard, standby: str) -> HugeHosts:
    """A guard that trusts a dnsmasq with a huge hosts file; `dwell_s` is the default."""
    huge = HugeHosts(host.path(HOSTS))
    host.configure_dnsmasq(f"addn-hosts={HOSTS}", "log-facility=/var/log/dnsmasq.log")
    host.start_upstream(OTHER_UPSTREAM)
    with huge.being_read():
        host.start_dnsmasq()
    host.age_upstream_file()
    guard.configure(f'{NO_UNIT}[guard]\nstandby = "{standby}"\n')
    guard.start()
    wait_for(lambda: guard.phase() == "guarded", "trust", READING_S)
    return huge


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
    huge = start(host, guard, standby)
    read = times_read(host)
    with FlipWatch(host.path("/run/dnsguard")) as watch:
        sampler = start_sampler(host, tmp_path / "lookups.jsonl", EVERY_S)
        with huge.being_read():
            act(host)
            wait_for(lambda: watch.flips and guard.said("dnsmasq-doubted"), "doubt", READING_S)
        wait_for(lambda: times_read(host) > read, "end of the reading", READING_S)
        wait_for(lambda: watch.first == "127.0.0.1" and watch.flips, "return", READING_S)
        seen = tally(end_sampler(sampler, tmp_path / "lookups.jsonl"))

    assert [upstream, "127.0.0.1"] == [first for _, first in watch.flips]
    assert read + 1 == times_read(host)
    assert seen.failed == 0
    assert seen.slow <= (0 if standby == "yes" else MOST_SLOW[name]), seen
    assert len(guard.said("reload-sent")) == (name == "a new lease")
    assert [] == guard.said("reload-repeated") + guard.said("update-asked") + guard.said("dnsmasq-ended")
