"""Whose fault is it? A real dnsmasq between the guard and upstreams that misbehave."""

import time

from tests.sandbox.guard import Guard, PhaseWatch
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

ROUTED = "192.0.2.66"
"""Where dnsmasq is told to ask for the zone."""
ZONE = "intranet.example"

# So that what takes minutes takes seconds.
QUICK = """
[dnsmasq]
unit = ""
[guard]
forward_interval_s = 1.0
network_retry_s = 0.5
[health]
forward_timeout_s = 1.0
"""
WITH_ZONE = f'{QUICK}questions = [". SOA", "{ZONE} A = 203.0.113.7"]\n'

HELD_S = 5.0
HANG_S = 1.5
SLACK_S = 0.3
"""For this machine, which is busy with other tests."""


def start(host: Host, guard: Guard, settings: str, *dnsmasq: str) -> None:
    """A dnsmasq of this configuration, and a guard that trusts it."""
    guard.configure(settings)
    host.bring_up_dnsmasq(*dnsmasq)
    guard.start()
    guard.wait_for_phase("guarded")


def test_dnsmasq_alone_fails(host: Host, guard: Guard) -> None:
    """Its route for the zone leads to a server that fails, and the upstreams know better: libc is given them."""
    host.put_upstream(ROUTED, _answering(ROUTED))
    start(host, guard, WITH_ZONE, f"server=/{ZONE}/{ROUTED}")
    host.start_misbehaving_upstream(ROUTED, "servfail")
    said = guard.wait_for_code("dnsmasq-failed")

    assert "dnsmasq is at fault (servfail: " in said["text"]
    assert f"{UPSTREAM} answers" in said["text"]
    wait_for(lambda: host.nameservers() == [UPSTREAM], "the upstreams in the file")


def test_nothing_is_flipped_while_the_network_is_down(host: Host, guard: Guard) -> None:
    """One line when it begins, one when it ends; dnsmasq keeps its cache and libc its file."""
    start(host, guard, QUICK)
    before = host.resolv_conf()
    with PhaseWatch(guard) as watch:
        host.silence_upstream(UPSTREAM)
        guard.wait_for_code("network-down")
        time.sleep(HELD_S)
        status = guard.status()
        host.start_upstream(UPSTREAM)
        guard.wait_for_code("fault-over")

    assert ("network", "guarded") == (status["fault"], status["phase"])
    assert status["summary"].startswith("guarded (the network is down): libc asks 127.0.0.1")
    assert ["guarded"] == [phase for _, phase in watch.moves]
    assert (before, 1, []) == (host.resolv_conf(), len(guard.said("network-down")), guard.said("reload-sent"))
    assert guard.status()["fault"] is None


def test_a_hang_is_left_as_soon_as_ever_while_the_network_is_down(host: Host, guard: Guard) -> None:
    """What dnsmasq must know by itself is waited for by nobody, though no upstream answers."""
    start(host, guard, QUICK)
    host.silence_upstream(UPSTREAM)
    guard.wait_for_code("network-down")
    host.hang_dnsmasq()
    began_s = time.monotonic()
    wait_for(lambda: host.path("/run/dnsguard/resolv.conf").read_text().count("127.0.0.1") == 0, "the upstreams")
    took_s = time.monotonic() - began_s
    host.wake_dnsmasq()

    assert took_s <= HANG_S + SLACK_S
    assert "(silent: " in guard.said("dnsmasq-failed")[-1]["text"]


def test_a_trial_waits_for_the_network(host: Host, guard: Guard) -> None:
    """dnsmasq comes while nothing answers: no flutter, and it is trusted when the network is there."""
    host.silence_upstream(UPSTREAM)
    guard.configure(QUICK)
    guard.start()
    host.start_dnsmasq()
    host.age_upstream_file()
    with PhaseWatch(guard) as watch:
        guard.wait_for_code("network-down")
        time.sleep(HELD_S / 2)
        host.start_upstream(UPSTREAM)
        wait_for(lambda: watch.moves[-1][1] == "guarded", "trust")

    assert ["proving", "guarded"] == [phase for _, phase in watch.moves][-2:]
    assert 1 == [phase for _, phase in watch.moves].count("proving")


def test_a_zone_that_is_down_is_named_and_held(host: Host, guard: Guard) -> None:
    """The upstreams fail it as well, and the rest of the world resolves."""
    start(host, guard, WITH_ZONE)
    host.start_misbehaving_upstream(UPSTREAM, "zone")
    said = guard.wait_for_code("zone-down")

    assert f"{ZONE} A" in said["text"]
    assert ("zone", "guarded") == (guard.status()["fault"], guard.phase())
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    assert [] == guard.said("dnsmasq-failed")
    assert host.resolves()


def test_a_zone_that_is_down_may_flip(host: Host, guard: Guard) -> None:
    """As configured."""
    flipping = WITH_ZONE.replace("[guard]\n", '[guard]\nzone_down = "flip"\n')
    start(host, guard, flipping)
    host.start_misbehaving_upstream(UPSTREAM, "zone")
    guard.wait_for_code("dnsmasq-failed")
    wait_for(lambda: host.nameservers() == [UPSTREAM], "the upstreams in the file")


def test_an_upstream_that_is_dead_is_named_last_until_it_answers(host: Host, guard: Guard) -> None:
    """libc would wait five seconds for it at each lookup; no new generation comes of it."""
    host.start_upstream(OTHER_UPSTREAM)
    host.silence_upstream(UPSTREAM)
    host.new_lease(UPSTREAM, OTHER_UPSTREAM)
    guard.configure(QUICK)
    guard.start()
    wait_for(lambda: host.nameservers() == [OTHER_UPSTREAM, UPSTREAM], "the dead one last")
    assert [UPSTREAM] == guard.status()["spared"]
    host.start_upstream(UPSTREAM)
    wait_for(lambda: host.nameservers() == [UPSTREAM, OTHER_UPSTREAM], "both in their places")

    assert 1 == guard.status()["generation"]
    assert ["warning", "info"] == [record["level"] for record in guard.said("order-changed")]


def test_a_dead_upstream_is_not_the_standby_and_disturbs_nobody(host: Host, guard: Guard) -> None:
    """dnsmasq gets no SIGHUP for an order that it never sees."""
    host.start_upstream(OTHER_UPSTREAM)
    host.silence_upstream(UPSTREAM)
    host.new_lease(UPSTREAM, OTHER_UPSTREAM)
    start(host, guard, QUICK)

    wait_for(lambda: host.nameservers() == ["127.0.0.1", OTHER_UPSTREAM], "the living one as standby")
    assert [] == guard.said("reload-sent")


def _answering(address: str) -> str:
    """A server that says what every upstream says."""
    return (
        f"exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts"
        f" --bind-interfaces --listen-address={address} --address=/#/203.0.113.7"
    )
