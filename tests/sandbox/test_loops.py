"""The real dnsmasq in loops: found, named, and libc never made to wait in one."""

import pytest

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import ADDRESS, Host
from tests.sandbox.processes import Inside
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

PLACE = "/etc/dnsmasq.d/sandbox.conf"
UPLINKS = "/run/systemd/resolve/resolv.conf"
A_TRIAL = "sleep 1"
"""Longer than three passes take, 0.2 s apart: who was going to be trusted would have been."""
LONGER = "sleep 4"
"""As above, where the first question needs its second attempt."""
WITHOUT_STANDBY = NO_UNIT + '[guard]\nstandby = "no"\n'


def forwarder(address: str, port: int, server: str) -> str:
    """A dnsmasq that stands for another resolver of this host."""
    return (
        "exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --no-resolv --no-hosts"
        f" --cache-size=0 --bind-interfaces --listen-address={address} --port={port} --server={server}"
    )


def resolver(host: Host, address: str, server: str, port: int = 53) -> Inside:
    """Run another resolver at this address of the host until it listens there."""
    process = host.popen(forwarder(address, port, server))
    hexed = "".join(f"{int(number):02X}" for number in reversed(address.split(".")))
    host.run(f"while ! grep -q ' {hexed}:{port:04X} ' /proc/net/udp; do :; done")
    return process


def say_whom_resolved_asks(host: Host, server: str) -> None:
    host.run(f"mkdir -p /run/systemd/resolve; echo nameserver {server} >{UPLINKS}.new; mv {UPLINKS}.new {UPLINKS}")


@pytest.mark.parametrize(
    "line", ["server=127.0.0.1", f"server={ADDRESS}", "server=127.0.0.53", "server=127.0.0.2#53", "server=0.0.0.0"]
)
def test_a_dnsmasq_that_asks_only_itself_is_never_given_to_libc(host: Host, guard: Guard, line: str) -> None:
    """It refuses, or waits for its own answer; the line is named, with the mend."""
    host.bring_up_dnsmasq("no-resolv", line)
    guard.start()
    said = guard.wait_for_code("loop")
    host.run(A_TRIAL)

    assert "warning" == said["level"]
    assert f"{line} ({PLACE}:2) leads back to dnsmasq itself: remove that line" in said["text"]
    assert ("direct", [UPSTREAM]) == (guard.phase(), host.nameservers())
    assert [] == guard.said("on-trial")
    assert f"loop: {line} ({PLACE}:2)" in guard.asked("status").stdout
    assert host.resolves()


def test_beside_others_a_loop_is_named_and_what_dnsmasq_answers_counts(host: Host, guard: Guard) -> None:
    """Its first question goes to all its servers, and the upstream answers."""
    host.bring_up_dnsmasq("server=127.0.0.53")
    guard.start()
    guard.wait_for_phase("guarded")

    assert "asks itself, and others too" in guard.said("loop")[0]["text"]
    assert host.resolves()


def test_beside_others_a_loop_that_comes_first_is_not_trusted(host: Host, guard: Guard) -> None:
    """strict-order: each lookup would wait until libc asks again; a trial, which asks again too, would be passed."""
    host.bring_up_dnsmasq("server=127.0.0.53", "strict-order")
    guard.start()
    said = guard.wait_for_code("loop")
    host.run(LONGER)

    assert "before it asks anybody else (strict-order)" in said["text"]
    assert ("direct", [UPSTREAM], []) == (guard.phase(), host.nameservers(), guard.said("on-trial"))


def test_another_resolver_of_this_host_is_no_loop(host: Host, guard: Guard) -> None:
    """unbound, stubby or dnscrypt-proxy at a port of its own, and dnsmasq before it."""
    resolver(host, "127.0.0.1", UPSTREAM, port=5335)
    host.bring_up_dnsmasq("no-resolv", "server=127.0.0.1#5335")
    guard.start()
    guard.wait_for_phase("guarded")

    assert [] == guard.said("loop")
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    assert host.resolves()


def test_systemd_resolved_is_a_loop_while_it_asks_dnsmasq(host: Host, guard: Guard) -> None:
    """Another dnsmasq stands for its stub; whom it asks is read from where the real one says it."""
    stub = resolver(host, "127.0.0.53", "127.0.0.1")
    say_whom_resolved_asks(host, "127.0.0.1")
    host.bring_up_dnsmasq("no-resolv", "bind-interfaces", "listen-address=127.0.0.1", "server=127.0.0.53")
    guard.start()
    said = guard.wait_for_code("loop")["text"]
    host.run(A_TRIAL)

    assert f"server=127.0.0.53 ({PLACE}:4) leads to systemd-resolved, which asks dnsmasq again" in said
    assert "set DNS= in /etc/systemd/resolved.conf" in said
    assert ("direct", [UPSTREAM], []) == (guard.phase(), host.nameservers(), guard.said("on-trial"))

    # Mended: it asks the upstream.
    stub.end()
    resolver(host, "127.0.0.53", UPSTREAM)
    say_whom_resolved_asks(host, UPSTREAM)
    guard.wait_for_phase("guarded")
    assert host.resolves()

    # And the circle closes again under a dnsmasq that is trusted: libc need not wait until that is felt.
    say_whom_resolved_asks(host, "127.0.0.1")
    guard.wait_for_code("loop", 2)
    guard.wait_for_phase("direct")
    assert ("direct", [UPSTREAM]) == (guard.phase(), host.nameservers())
    assert [] == guard.said("dnsmasq-doubted")


def test_a_lease_that_names_this_host_is_named_and_never_published(host: Host, guard: Guard) -> None:
    """dnsmasq drops what it is given then, and says only that it has read the file."""
    host.new_lease(ADDRESS, UPSTREAM)
    host.bring_up_dnsmasq()
    guard.start()
    guard.wait_for_phase("guarded")

    own = f"{ADDRESS} is this host itself, and is never published as an upstream"
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    assert [f"eth0.inet: {own}", f"/run/dnsmasq/resolv.conf: {own}"] == guard.status()["complaints"]
    assert 1 == sum(own in record["text"] for record in guard.records())


def test_a_resolved_that_asks_this_host_is_nobodys_upstream(host: Host, guard: Guard) -> None:
    """Nobody else names one: what it says is passed over, and said."""
    host.run("resolvconf -d eth0.inet; rm -f /etc/resolv.conf; : >/etc/resolv.conf")
    say_whom_resolved_asks(host, "127.0.0.1")
    guard.start()
    said = guard.wait_for_code("sources-damaged")

    assert f"{UPLINKS} names this host alone: 127.0.0.1" in said["text"]
    assert ("starting", []) == (guard.phase(), guard.status()["upstreams"])
    say_whom_resolved_asks(host, UPSTREAM)
    guard.wait_for_phase("direct")
    assert [UPSTREAM] == host.nameservers()


@pytest.mark.parametrize(
    ("settings", "servers"), [(WITHOUT_STANDBY, [UPSTREAM]), (NO_UNIT, [UPSTREAM, OTHER_UPSTREAM])]
)
def test_who_reads_what_is_published_is_barred_before_that_costs_a_lookup(
    host: Host, guard: Guard, settings: str, servers: list[str]
) -> None:
    """IGNORE_RESOLVCONF=yes: its upstreams would be gone as soon as libc was told of it."""
    host.new_lease(*servers)
    host.run("echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq")
    guard.configure(settings)
    guard.attach()
    host.bring_up_dnsmasq()
    guard.start()
    said = guard.wait_for_code("dnsmasq-circular")
    host.run(A_TRIAL)

    assert "it takes its upstreams from /etc/resolv.conf" in said["text"]
    assert ("direct", servers) == (guard.phase(), host.nameservers())
    assert [] == guard.said("guarded") == guard.said("on-trial")


def test_with_a_lone_upstream_as_the_standby_it_is_left_all_that_it_needs(host: Host, guard: Guard) -> None:
    """The same dnsmasq, and so on each host without a resolvconf."""
    host.run("echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq")
    guard.attach()
    host.bring_up_dnsmasq()
    guard.start()
    guard.wait_for_phase("guarded")
    host.run(A_TRIAL)

    assert ("guarded", ["127.0.0.1", UPSTREAM]) == (guard.phase(), host.nameservers())
    assert "it reads what is published (/etc/resolv.conf)" in guard.said("standby")[0]["text"]


def test_who_reads_it_unseen_is_learned_by_trial(host: Host, guard: Guard) -> None:
    """Through a bind mount no path shows it: that is what circle.py is there for."""
    guard.configure(WITHOUT_STANDBY)
    guard.attach()
    host.run(
        "mkdir /etc/mirror && mount --bind /run/dnsguard /etc/mirror; echo IGNORE_RESOLVCONF=yes >>/etc/default/dnsmasq"
    )
    host.bring_up_dnsmasq("resolv-file=/etc/mirror/resolv.conf")
    guard.start()
    guard.wait_for_code("dnsmasq-circular")
    guard.wait_for_phase("direct")

    assert ("direct", [UPSTREAM]) == (guard.phase(), host.nameservers())
    assert 1 == len(guard.said("guarded"))
    assert "it reads /etc/mirror/resolv.conf, and not [paths] upstream_file" in guard.said("standby")[0]["text"]


@pytest.mark.parametrize(("line", "code"), [("dns-loop-detect", "fault-unknown"), ("domain-needed", "network-down")])
def test_an_upstream_that_asks_this_host_again_is_not_trusted_with_dnsmasq_before_it(
    host: Host, guard: Guard, line: str, code: str
) -> None:
    """With dns-loop-detect dnsmasq drops it and refuses, though it goes on naming it; without, both wait for the other.

    The upstream itself is no better: nobody is to be blamed, and nothing to be gained.
    """
    host.put_upstream(OTHER_UPSTREAM, forwarder(OTHER_UPSTREAM, 53, ADDRESS))
    host.new_lease(OTHER_UPSTREAM)
    host.age_upstream_file()
    host.bring_up_dnsmasq(line)
    guard.start()
    said = guard.wait_for_code(code)["text"]

    assert "from 127.0.0.1#53: " in said
    assert f"from {OTHER_UPSTREAM}#53: " in said
    assert [OTHER_UPSTREAM] == host.nameservers() == guard.status()["dnsmasq"]["holds"]
    assert [] == guard.said("guarded")


def test_beside_a_good_upstream_one_that_asks_back_is_dropped_by_loop_detection(host: Host, guard: Guard) -> None:
    """What dnsmasq names is then more than what it asks; it is trusted, for it answers."""
    host.put_upstream(OTHER_UPSTREAM, forwarder(OTHER_UPSTREAM, 53, ADDRESS))
    host.new_lease(OTHER_UPSTREAM, UPSTREAM)
    host.age_upstream_file()
    host.bring_up_dnsmasq("dns-loop-detect")
    guard.start()
    guard.wait_for_phase("guarded")

    assert "127.0.0.1" == host.nameservers()[0]
    assert host.resolves()
    assert {UPSTREAM, OTHER_UPSTREAM} == set(guard.status()["dnsmasq"]["holds"])
    assert "dns-loop-detect" in guard.said("standby")[0]["text"]
