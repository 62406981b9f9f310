"""What happens to the files around the guard: storms, deafness, and other programs that write resolv.conf."""

from pathlib import Path

import pytest

from tests.sandbox.guard import NO_UNIT, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

REQUEST = "/run/dnsguard/attach-wanted"
DNSMASQ_LOG = "/var/log/dnsmasq.log"

# Storms -------------------------------------------------------------------------------------------

STORM = """
import itertools, os, sys
record, given, before, after = sys.argv[1:]
lists = [f"nameserver {address}\\n" for address in (before, after)]
for number in range(5000):
    for name in (record, given):
        # Half-way the lease is another one; before and after, all that is written is what was there.
        with open(f"{name}_new.{number % 7}", "w") as file:
            file.write(lists[number >= 2500])
        os.rename(file.name, name)
"""
"""Creates, writes, closes and renames: 10 000 new files, each some five events."""

MUCH_CPU_S = 1.0


def test_storm_of_events_costs_one_sighup_for_each_new_list(host: Host, guard: Guard) -> None:
    """dnsmasq's own log counts the signals: on each it reads /etc/hosts again."""
    host.configure_dnsmasq(f"log-facility={DNSMASQ_LOG}", "log-queries")
    host.start_upstream(OTHER_UPSTREAM)
    host.start_dnsmasq()
    host.age_upstream_file()
    guard.start()
    guard.wait_for_phase("guarded")
    assert 0 == sighups(host)
    before_s = guard.cpu_s()
    record, given = "/run/resolvconf/interface/eth0.inet", "/run/dnsmasq/resolv.conf"
    host.run(["python3", "-c", STORM, record, given, UPSTREAM, OTHER_UPSTREAM])
    wait_for(lambda: guard.status()["upstreams"] == [OTHER_UPSTREAM], "new list")
    guard.wait_for_phase("guarded")

    assert guard.cpu_s() - before_s < MUCH_CPU_S
    assert ["127.0.0.1", OTHER_UPSTREAM] == host.nameservers()
    assert 2 == guard.status()["generation"]
    assert 1 == sighups(host)


def test_storm_that_changes_nothing_costs_no_sighup(host: Host, guarded: Guard) -> None:
    """The same list in 10 000 new files is the same list."""
    before_s = guarded.cpu_s()
    record, given = "/run/resolvconf/interface/eth0.inet", "/run/dnsmasq/resolv.conf"
    host.run(["python3", "-c", STORM, record, given, UPSTREAM, UPSTREAM])
    # What comes last is heard last.
    host.path(record).write_text(f"nameserver {UPSTREAM}\nsearch lan\n")
    guarded.wait_for_code("upstreams-restated")

    assert guarded.cpu_s() - before_s < MUCH_CPU_S
    assert (1, "guarded") == (guarded.status()["generation"], guarded.phase())
    assert [] == guarded.said("reload-sent")


def sighups(host: Host) -> int:
    """How many dnsmasq has had: it reads /etc/hosts when it starts, and on each."""
    return host.path(DNSMASQ_LOG).read_text().count(" read /etc/hosts ") - 1


# Deafness -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("limit", "left"), [("max_inotify_instances", 0), ("max_inotify_watches", 3)])
def test_guard_without_inotify_looks_by_itself(host: Host, tmp_path: Path, limit: str, left: int) -> None:
    """Somebody else has used all of it up: said once, and a new lease is followed all the same."""
    # A limit of its own: the machine's is not touched.
    fewer = f'echo {left} >/proc/sys/user/{limit} && exec "$@"'
    own_limits = ["unshare", "--user", "--map-root-user", "sh", "-c", fewer, "sh"]
    host.start_dnsmasq()
    host.start_upstream(OTHER_UPSTREAM)
    host.age_upstream_file()
    guard = Guard(host, tmp_path / "guard.log", NO_UNIT, through=own_limits)
    guard.start()
    guard.wait_for_phase("guarded")
    for address in (OTHER_UPSTREAM, UPSTREAM):
        host.new_lease(address)
        host.age_upstream_file()
        wait_for(lambda address=address: guard.status()["upstreams"] == [address], "new lease")  # type: ignore[misc]
        guard.wait_for_phase("guarded")

    assert 1 == len(guard.said("inotify-exhausted"))
    assert "warning" == guard.said("inotify-exhausted")[0]["level"]
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()


# Whose resolv.conf it is --------------------------------------------------------------------------


def trample(host: Host, address: str, comment: str = "") -> None:
    """As a DHCP client without hooks: a new file in the place of the link."""
    new = "/etc/resolv.conf.dhclient-new.1"
    host.run(f"printf '{comment}domain lan\\nnameserver {address}\\n' >{new} && mv -f {new} /etc/resolv.conf")


def test_overwritten_resolv_conf_is_quoted_asked_back_and_comes_back(host: Host, guarded: Guard) -> None:
    """The newcomer is heard in full, once; the request is what the .path unit waits for."""
    trample(host, OTHER_UPSTREAM, comment="# by dhclient\\n")
    said = guarded.wait_for_code("trampled")
    wait_for(host.path(REQUEST).exists, "request")

    assert f"'# by dhclient\\ndomain lan\\nnameserver {OTHER_UPSTREAM}\\n'" in said["text"]
    guarded.attach()
    wait_for(lambda: guarded.status()["attached"], "peace")
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    assert 1 == len(guarded.said("trampled"))
    # A look while attach was at work may have left one more request; then nothing is asked for any more.
    guarded.attach()
    assert not host.path(REQUEST).exists()


def test_what_a_newcomer_says_is_a_source_where_there_is_no_other(host: Host, guard: Guard) -> None:
    """A host whose DHCP client knows no resolvconf: what it wrote is all there is."""
    host.start_upstream(OTHER_UPSTREAM)
    guard.start()
    guard.wait_for_phase("direct")
    host.run("resolvconf -d eth0.inet; rm /run/dnsmasq/resolv.conf")
    trample(host, OTHER_UPSTREAM)
    wait_for(lambda: guard.status()["upstreams"] == [OTHER_UPSTREAM], "newcomer's server")
    guard.attach()
    wait_for(lambda: guard.status()["attached"], "peace")

    wait_for(lambda: host.nameservers() == [OTHER_UPSTREAM], "newcomer's server in our file")
    assert "search lan\n" in host.resolv_conf()
    assert host.resolves()
    # The plain file was kept by attach, so the next guard knows it too.
    assert 0 == guard.stop()
    guard.start()
    wait_for(lambda: guard.status()["upstreams"] == [OTHER_UPSTREAM], "newcomer's server again")


@pytest.mark.parametrize("act", ["echo nameserver 127.0.0.1 >/etc/resolv.conf", "rm /run/dnsguard/resolv.conf"])
def test_file_that_was_spoilt_through_the_link_is_put_right(host: Host, guard: Guard, act: str) -> None:
    """`echo >/etc/resolv.conf` and Debian's dhclient-script follow the link; so may an rm."""
    guard.start()
    guard.wait_for_phase("direct")
    before = host.path("/run/dnsguard/resolv.conf").read_text()
    host.run(act)

    wait_for(lambda: published(host) == before, "the file as it was")
    assert "warning" == guard.wait_for_code("trampled")["level"]
    assert "direct" == guard.phase()


def test_lease_that_was_written_through_the_link_is_kept_as_a_source(host: Host, guard: Guard) -> None:
    """Debian's dhclient-script without resolvconf: it renames onto what /etc/resolv.conf leads to."""
    host.start_upstream(OTHER_UPSTREAM)
    guard.start()
    guard.wait_for_phase("direct")
    host.run("resolvconf -d eth0.inet; rm /run/dnsmasq/resolv.conf")
    new = "/run/dnsguard/resolv.conf.dhclient-new.1"
    host.run(f"echo nameserver {OTHER_UPSTREAM} >{new} && mv -f {new} $(readlink -f /etc/resolv.conf)")

    wait_for(lambda: host.nameservers() == [OTHER_UPSTREAM], "newcomer's server in our file")
    wait_for(lambda: published(host).startswith("# Written by dnsguard"), "our own file")
    # It outlives the guard.
    assert 0 == guard.stop()
    guard.start()
    wait_for(lambda: guard.status()["upstreams"] == [OTHER_UPSTREAM], "newcomer's server again")


def published(host: Host) -> str:
    """Empty if there is no such file."""
    file = host.path("/run/dnsguard/resolv.conf")
    return file.read_text() if file.exists() else ""


def test_war_of_nine_rounds_is_given_up_and_taken_up_later(host: Host, guard: Guard) -> None:
    """Two programs that undo each other for ever help nobody; the other's file is left in peace."""
    guard.configure(NO_UNIT + "[guard]\nyield_s = 1.0\n")
    guard.start()
    guard.wait_for_phase("direct")
    rounds = 0
    while guard.phase() != "yielded":
        rounds += 1
        wait_for(lambda: guard.status()["attached"], "peace")
        trample(host, OTHER_UPSTREAM)
        wait_for(lambda: host.path(REQUEST).exists() or guard.phase() == "yielded", "request")
        if guard.phase() != "yielded":
            guard.attach()

    assert 9 == rounds
    assert "error" == guard.wait_for_code("yielded")["level"]
    assert [OTHER_UPSTREAM] == host.nameservers()
    assert not host.path(REQUEST).exists()
    wait_for(host.path(REQUEST).exists, "request after a while")
    guard.attach()
    wait_for(lambda: guard.status()["attached"] and guard.phase() == "direct", "peace")
    assert [UPSTREAM] == host.nameservers()
