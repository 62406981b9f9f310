"""The laboratory itself: what it shows is real, and it leaves this machine alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.host import Host
from tests.sandbox.lookups import end_sampler, start_sampler, tally
from tests.sandbox.namespaces import CHECKOUT, NotAllowedError
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import ANSWER, OTHER_UPSTREAM, UPSTREAM

CAP_SYS_TIME = 25
"""Its bit in a set of capabilities. Source: <linux/capability.h>."""


def nameservers(host: Host) -> list[str]:
    lines = [line.split() for line in host.resolv_conf().splitlines()]
    return [words[1] for words in lines if words[:1] == ["nameserver"]]


def wait_until_registered(host: Host) -> None:
    """On Debian 13 the start script does not wait for this itself."""
    wait_for(lambda: nameservers(host) == ["127.0.0.1"], "registration")


def test_libc_resolves_through_the_lease(host: Host) -> None:
    """A host as it starts: resolvconf's scripts have turned the lease into what libc reads."""
    found = host.run("getent ahostsv4 once.example.net").stdout.split()

    assert [UPSTREAM] == nameservers(host)
    assert ANSWER == found[0]


def test_started_dnsmasq_registers_and_answers(host: Host) -> None:
    """Debian's own start script: libc is told of 127.0.0.1 alone, and dnsmasq of the lease."""
    assert host.start_dnsmasq()
    wait_until_registered(host)

    assert f"nameserver {UPSTREAM}\n" == host.path("/run/dnsmasq/resolv.conf").read_text()
    assert host.resolves()


def test_dnsmasq_with_a_broken_configuration_does_not_start(host: Host) -> None:
    """ExecStartPre refuses, and nothing is registered."""
    host.configure_dnsmasq("no-such-option")

    assert not host.start_dnsmasq()
    assert [UPSTREAM] == nameservers(host)


def test_killed_dnsmasq_takes_dns_away(host: Host, tmp_path: Path) -> None:
    """The hole that the guard is for: a stock host loses every lookup until somebody acts."""
    host.start_dnsmasq()
    wait_until_registered(host)
    record = tmp_path / "lookups"
    sampler = start_sampler(host, record)
    host.kill_dnsmasq()
    dead = record.stat().st_size
    wait_for(lambda: record.read_bytes()[dead:].count(b"\n") > 20, "lookups after the death")
    lookups = end_sampler(sampler, record)

    assert not host.is_dnsmasq_running()
    assert ["127.0.0.1"] == nameservers(host)
    assert tally(lookups).failed >= 20
    assert "Temporary failure in name resolution" == lookups[-1].error


def test_dnsmasq_without_polling_never_sees_what_its_registration_brought(host: Host) -> None:
    """The first story: registered, asked, and knowing no upstream until a SIGHUP."""
    host.configure_dnsmasq("no-poll")
    host.start_dnsmasq()
    wait_until_registered(host)

    assert not host.resolves()
    host.reload_dnsmasq()
    wait_for(host.resolves, "answer after SIGHUP")


def test_stop_deregisters_or_is_killed_while_it_tries(host: Host) -> None:
    """Debian 12 deregisters first; Debian 13's deregistration is killed in the background."""
    host.start_dnsmasq()
    wait_until_registered(host)
    host.age_upstream_file()
    host.stop_dnsmasq()

    deregisters = (
        "resolvconf -d lo.${NAME}${INSTANCE:+.${INSTANCE}} &"
        not in host.run(["cat", "/usr/share/dnsmasq/init-system-common"]).stdout
    )
    assert not host.is_dnsmasq_running()
    assert [UPSTREAM if deregisters else "127.0.0.1"] == nameservers(host)


def test_restart_gives_a_new_process(host: Host) -> None:
    """As `systemctl restart`, running or not."""
    host.restart_dnsmasq()
    first = host.dnsmasq_pid()
    host.age_upstream_file()
    host.restart_dnsmasq()

    assert first != host.dnsmasq_pid()
    assert host.resolves()


def test_hung_dnsmasq_wakes_again(host: Host) -> None:
    """SIGSTOP and SIGCONT, as the kernel shows them."""
    host.start_dnsmasq()
    host.hang_dnsmasq()
    wait_for(host.is_dnsmasq_hung, "hang")
    host.wake_dnsmasq()
    wait_for(lambda: not host.is_dnsmasq_hung(), "waking")

    assert host.resolves()


def test_restart_ends_a_hang(host: Host) -> None:
    """systemd sends SIGCONT after SIGTERM; so must we, or a stop would wait for ever."""
    host.start_dnsmasq()
    wait_until_registered(host)
    host.age_upstream_file()
    host.hang_dnsmasq()
    host.restart_dnsmasq()

    assert not host.is_dnsmasq_hung()
    assert host.resolves()


def test_new_lease_reaches_libc(host: Host) -> None:
    """And a server that was taken away is gone: only the new one answers."""
    host.start_upstream(OTHER_UPSTREAM)
    host.stop_upstream(UPSTREAM)
    host.new_lease(OTHER_UPSTREAM)

    assert [OTHER_UPSTREAM] == nameservers(host)
    assert host.resolves()


def test_silenced_upstream_speaks_again(host: Host) -> None:
    """A lookup that waits in its socket is answered when it wakes."""
    host.silence_upstream(UPSTREAM)
    lookup = host.popen("getent ahosts once.example.net")
    host.start_upstream(UPSTREAM)

    wait_for(lambda: lookup.door.poll() is not None, "end of the lookup")
    assert 0 == lookup.door.returncode


@pytest.mark.parametrize("manner", ["servfail", "refused", "not-ready"])
def test_misbehaving_upstream_fails_a_lookup(host: Host, manner: str) -> None:
    """libc gives up on these; what the guard makes of them is told elsewhere."""
    host.start_misbehaving_upstream(OTHER_UPSTREAM, manner)
    host.new_lease(OTHER_UPSTREAM)

    assert not host.resolves()


def test_slow_upstream_is_slow_and_right(host: Host) -> None:
    """An answer that comes late is an answer."""
    host.start_misbehaving_upstream(OTHER_UPSTREAM, "slow")
    host.new_lease(OTHER_UPSTREAM)

    assert host.resolves()


def test_host_sees_its_own_processes_only(host: Host) -> None:
    """The upstreams are dnsmasq too, and must not be taken for the host's."""
    names = host.run("cat /proc/[0-9]*/comm").stdout.split()

    assert "dnsmasq" not in names


def test_orphans_are_reaped(host: Host) -> None:
    """A dead dnsmasq must be gone, not a zombie that still has its id."""
    host.start_dnsmasq()
    host.kill_dnsmasq()

    # Some may end while they are listed. On Debian 13 resolvconf is still at work, and a shell of its
    # takes a moment to reap what it started.
    wait_for(lambda: "Z (zombie)" not in host.run("cat /proc/[0-9]*/status", check=False).stdout, "end of all zombies")


def test_command_that_fails_says_so(host: Host) -> None:
    """Nobody shall build upon a step that did not happen."""
    with pytest.raises(subprocess.CalledProcessError, match="false"):
        host.run("false")
    assert 1 == host.run("false", check=False).returncode


def test_stubborn_process_is_ended_all_the_same(host: Host) -> None:
    """SIGTERM ignored and stopped on top: `end` still ends."""
    process = host.popen("trap '' TERM; while :; do sleep 0.1; done")
    process.send(signal.SIGSTOP)

    assert 0 != process.end(signal.SIGKILL)


def test_close_leaves_nothing_behind() -> None:
    """No process, no mount, no interface; and closing twice is no harm."""
    before = this_machine()
    host = Host()
    try:
        host.start()
        host.start_dnsmasq()
        host.popen("sleep 1000")
        inside = everything_in(host)
        assert inside
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))
    finally:
        host.close()
        host.close()

    assert before == this_machine()
    assert [] == [pid for pid in inside if Path(f"/proc/{pid}").exists()]


def test_host_dies_with_its_maker() -> None:
    """Killed by SIGKILL, the maker cannot clean up: its processes must end all the same."""
    script = (
        "import sys\nfrom tests.sandbox.host import Host\nwith Host() as host:\n"
        "    host.start_dnsmasq()\n    print(host.path('/'), flush=True)\n    sys.stdin.read()\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    with maker:
        assert maker.stdout is not None
        root = maker.stdout.readline().strip()
        maker.kill()
    if not root:
        pytest.skip("no host could be made")

    wait_for(lambda: not Path(root).exists(), "end of the host")


def this_machine() -> tuple[object, ...]:
    """What a sandbox must not change."""
    etc = Path("/etc/resolv.conf")
    return (
        etc.read_bytes(),
        os.lstat(etc).st_ino,
        Path("/proc/self/mounts").read_text(),
        Path("/proc/self/net/dev").read_text().count(":"),
    )


def everything_in(host: Host) -> list[str]:
    """The ids, outside, of all processes whose root is the host's."""
    root = os.stat(host.path("/"))
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if os.path.samestat(root, os.stat(process / "root")):
                found.append(process.name)
        except OSError:
            continue
    return found


@pytest.mark.skipif(os.geteuid() != 0, reason="a user namespace gives no such right")
def test_root_inside_cannot_change_the_clock_of_this_machine(host: Host) -> None:
    """No namespace keeps the clock apart, so the right to set it is taken away."""
    bounds = host.run("sed -n 's/^CapBnd:\\t//p' /proc/self/status").stdout

    assert 0 == int(bounds, 16) & 1 << CAP_SYS_TIME
