"""What dpkg does to a host: interrupted, forbidden to start services, and after it has removed everything."""

import pytest

from tests.sandbox.lookups import tally
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.ending import LINK_OF_RESOLVCONF, is_handed_back, leave_dead_and_registered
from tests.system.faults import kill_dnsmasq
from tests.system.kinds import is_guarded
from tests.system.machine import Machine
from tests.system.package import newer_package, package

KILLED_AFTER_S = (0.02, 0.1, 0.2, 0.35, 0.5, 0.7, 0.9, 1.2)
"""From the first unpacked file to the end of the postinst, which takes a second and a half."""

LEFTOVERS = (
    "find / -xdev -path /srv -prune -o -path '/var/log/*' -prune -o -name '*dnsguard*' -print; getent passwd dnsguard"
)


@pytest.mark.parametrize("whole_group", [False, True], ids=["dpkg alone", "with its scripts"])
def test_dpkg_that_is_killed_leaves_a_host_that_resolves(with_dnsmasq: Machine, whole_group: bool) -> None:
    """At any moment of an installation and of an upgrade; `dpkg --configure -a` or another try completes it."""
    machine = with_dnsmasq
    debs = [machine.bring(package()), machine.bring(newer_package())]
    machine.start_sampler()
    machine.wait_for_lookups(20)
    for number, after_s in enumerate(KILLED_AFTER_S):
        for deb in debs:
            victim = '-"$dpkg"' if whole_group else '"$dpkg"'
            machine.run(
                f"setsid dpkg --install {deb} >/dev/null 2>&1 & dpkg=$!; sleep {after_s}; kill -KILL {victim}; wait",
                check=False,
            )
        wait_for(lambda: not machine.run("pgrep -x dpkg", check=False).stdout, "end of dpkg")
        if number % 2:
            machine.run("dpkg --configure -a", check=False)
    machine.run(f"dpkg --configure -a; dpkg --install {debs[1]}")
    wait_for(lambda: is_guarded(machine), "trust in dnsmasq")
    machine.wait_for_lookups(20)
    seen = tally(machine.stop_sampler())

    assert (0, 0) == (seen.failed, seen.slow), seen


def test_nothing_is_started_or_taken_where_that_is_forbidden(with_resolvconf: Machine) -> None:
    """policy-rc.d says so in chroots and images: nobody would keep the file up to date."""
    machine = with_resolvconf
    machine.run("printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d && chmod 755 /usr/sbin/policy-rc.d")
    machine.install(package())

    assert LINK_OF_RESOLVCONF == machine.run("readlink /etc/resolv.conf").stdout.strip()
    assert "inactive" == machine.run("systemctl is-active dnsguard", check=False).stdout.strip()
    assert machine.resolves()


def test_purge_leaves_nothing(guarded: Machine) -> None:
    """No file, no folder, no user, no link to nowhere; dnsmasq's unit is Debian's again."""
    assert guarded.run(LEFTOVERS, check=False).stdout
    guarded.run("apt-get -qq purge dnsguard && systemctl daemon-reload")

    assert "" == guarded.run(LEFTOVERS, check=False).stdout
    assert is_handed_back(guarded)
    assert "no" == guarded.run("systemctl show --property Restart --value dnsmasq").stdout.strip()
    assert [] == guarded.failed_units()


def test_removal_says_what_it_left(guarded: Machine) -> None:
    """Who removes it at three in the morning reads which file is there now, and why."""
    leave_dead_and_registered(guarded, ())
    said = guarded.run("apt-get --yes remove dnsguard").stdout

    assert "dnsguard: /etc/resolv.conf is a plain file with the last upstreams known" in said
    assert [UPSTREAM] == guarded.nameservers()


@pytest.mark.parametrize("ended", ["stopped", "killed"])
def test_dnsmasq_that_ends_is_deregistered_when_systemctl_returns(guarded: Machine, ended: str) -> None:
    """Debian 12 forgets that after a crash, and Debian 13 always: its own call is killed with the unit."""
    if ended == "stopped":
        guarded.run("systemctl stop dnsmasq")
    else:
        guarded.run(
            "mkdir -p /etc/systemd/system/dnsmasq.service.d && cd /etc/systemd/system/dnsmasq.service.d &&"
            " printf '[Service]\nRestart=no\n' >zz.conf && systemctl daemon-reload"
        )
        kill_dnsmasq(guarded)
        wait_for(lambda: guarded.run("systemctl is-active dnsmasq", check=False).stdout.strip() == "failed", "end")

    assert not guarded.path("/run/resolvconf/interface/lo.dnsmasq").exists()
    wait_for(lambda: [UPSTREAM] == guarded.nameservers(), "flip")


def test_hooks_for_copies_run_after_a_flip(guarded: Machine) -> None:
    """Postfix's chroot copy is the classic: resolvconf runs these only while the link is its own."""
    hook = guarded.path("/etc/resolvconf/update-libc.d/copies")
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ncp /etc/resolv.conf /var/tmp/copy.new && mv /var/tmp/copy.new /var/tmp/copy\n")
    hook.chmod(0o755)
    copy = guarded.path("/var/tmp/copy")
    guarded.run("systemctl stop dnsmasq")
    wait_for(lambda: copy.exists() and f"nameserver {UPSTREAM}\n" in copy.read_text(), "copy with the upstream")
    guarded.run("systemctl start dnsmasq")

    wait_for(lambda: "nameserver 127.0.0.1\n" in copy.read_text(), "copy with dnsmasq")


def test_killed_before_any_upstream_was_known(guarded: Machine) -> None:
    """Another one starts as blind as the first, and sees the lease that comes."""
    guarded.run("systemctl stop dnsmasq; resolvconf -d eth0.inet; rm /var/lib/dnsguard/upstreams.conf")
    guarded.run("systemctl restart --no-block dnsguard")
    wait_for(lambda: '"phase": "starting"' in guarded.run("dnsguard status --json", check=False).stdout, "start")
    guarded.run("systemctl kill --signal=KILL --kill-whom=main dnsguard")
    guarded.new_lease(UPSTREAM)

    wait_for(guarded.resolves, "answer")
