"""A real dnsmasq that dies every three seconds, and is started again at once, as by systemd's `Restart=`."""

import time
from pathlib import Path

from dnsguard.core.policy import Policy
from tests.sandbox.flips import Flip, FlipWatch
from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.lookups import end_sampler, start_sampler, tally
from tests.sandbox.processes import wait_for

LIFE_S = 3.0
DWELL_S = Policy().dwell_s
FALLS = Policy().falls


def flap(host: Host, guard: Guard, directory: Path, lives: int) -> list[Flip]:
    """Let dnsmasq die again and again; no lookup may be lost meanwhile. What the guard published."""
    host.bring_up_dnsmasq()
    guard.start()
    guard.wait_for_phase("guarded")
    with FlipWatch(host.path("/run/dnsguard")) as watch:
        sampler = start_sampler(host, directory / "lookups.jsonl")
        for _ in range(lives):
            host.kill_dnsmasq()
            host.start_dnsmasq()
            time.sleep(LIFE_S)
        seen = tally(end_sampler(sampler, directory / "lookups.jsonl"))

    assert seen.lookups > lives * LIFE_S * 50
    assert (0, 0) == (seen.failed, seen.slow), seen
    return watch.flips


def test_a_flapping_dnsmasq_costs_one_flip_a_dwell_at_most(host: Host, guard: Guard, tmp_path: Path) -> None:
    """And after the third no other, until it has lived through a longer trial."""
    guard.configure(NO_UNIT)
    flips = flap(host, guard, tmp_path, lives=10)
    left = [when_s for when_s, first in flips if first != "127.0.0.1"]
    returned = [when_s for when_s, first in flips if first == "127.0.0.1"]

    assert FALLS == len(left)
    assert all(back_s - gone_s >= DWELL_S for gone_s, back_s in zip(left, returned, strict=False))
    assert any("its trials take longer" in record["text"] for record in guard.said("dnsmasq-died"))
    wait_for(lambda: "its trial takes longer" in guard.status()["summary"], "the reason in the status")


def test_without_dwell_it_costs_one_flip_a_death(host: Host, guard: Guard, tmp_path: Path) -> None:
    """So that the test above can be told from one that sees nothing."""
    guard.configure(NO_UNIT + "[guard]\ndwell_s = 0\nfalls = 0\n")
    flips = flap(host, guard, tmp_path, lives=4)

    assert 4 == sum(first != "127.0.0.1" for _, first in flips)
