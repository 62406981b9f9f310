"""The machines themselves: what they show is real, and they leave the computer below alone."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sandbox.lookups import tally
from tests.sandbox.namespaces import CHECKOUT
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import ANSWER, OTHER_UPSTREAM, UPSTREAM
from tests.system.conftest import Boot
from tests.system.kinds import DNSMASQ, PLAIN, RESOLVCONF, Shelf
from tests.system.machine import Machine

CAP_SYS_MODULE, CAP_SYS_TIME = 16, 25
VERSIONS = {"bookworm": "12", "trixie": "13"}


@pytest.mark.parametrize(("kind", "nameserver"), [(PLAIN, UPSTREAM), (RESOLVCONF, UPSTREAM), (DNSMASQ, "127.0.0.1")])
def test_machine_boots_without_a_failed_unit_and_resolves(boot: Boot, suite: str, kind: str, nameserver: str) -> None:
    """Debian as it is: what fails in a test shall be what the test did. The answer comes from beyond the cable."""
    machine = boot(kind)

    assert [] == machine.failed_units()
    assert "running" == machine.state()
    assert f'VERSION_ID="{VERSIONS[suite]}"' in machine.path("/etc/os-release").read_text()
    assert "systemd\n" == machine.run(["cat", "/proc/1/comm"]).stdout
    assert [nameserver] == machine.nameservers()
    assert ANSWER == machine.run("getent ahostsv4 once.example.net").stdout.split()[0]


def test_every_upstream_is_heard_until_it_is_not(plain: Machine) -> None:
    """Each of them answers, falls silent, answers again, misbehaves, and is gone."""
    for address in (UPSTREAM, OTHER_UPSTREAM):
        plain.run(f"echo 'nameserver {address}\noptions timeout:1 attempts:1' >/etc/resolv.conf")
        assert plain.resolves()
        plain.world.silence_upstream(address)
        assert not plain.resolves()
        plain.world.start_upstream(address)
        wait_for(plain.resolves, "answer from one that was silent")
        plain.world.start_misbehaving_upstream(address, "servfail")
        assert not plain.resolves()
        plain.world.stop_upstream(address)
        assert not plain.resolves()


def test_cable_can_be_drawn(plain: Machine) -> None:
    """Without a network there is no answer, and with it there is one again."""
    plain.run("echo 'options timeout:1 attempts:1' >>/etc/resolv.conf")
    plain.world.unplug()
    assert not plain.resolves()
    plain.world.plug_in()

    wait_for(plain.resolves, "answer over the cable")


def test_lease_reaches_libc(with_resolvconf: Machine) -> None:
    """The record of ifupdown is replaced, as by a DHCP client that renews."""
    with_resolvconf.new_lease(OTHER_UPSTREAM)

    assert [OTHER_UPSTREAM] == with_resolvconf.nameservers()


def test_debian_s_packages_and_a_file_install_in_one_run(plain: Machine, tmp_path: Path) -> None:
    """As `apt install ./dnsguard_1_all.deb dnsmasq resolvconf`, without the internet."""
    package = tmp_path / "ours_1_all.deb"
    control = tmp_path / "tree/DEBIAN/control"
    control.parent.mkdir(parents=True)
    control.write_text(
        "Package: ours\nVersion: 1\nArchitecture: all\nMaintainer: us <us@example.net>\nDescription: us\n"
    )
    subprocess.run(["dpkg-deb", "--build", str(tmp_path / "tree"), str(package)], check=True, stdout=subprocess.DEVNULL)
    plain.install(package, "dnsmasq", "resolvconf")

    installed = plain.run("dpkg-query --show --showformat '${Package} ${Status}\n' ours dnsmasq resolvconf").stdout
    assert [f"{name} install ok installed" for name in ("dnsmasq", "ours", "resolvconf")] == sorted(
        installed.splitlines()
    )


def test_sampler_sees_every_lookup(plain: Machine) -> None:
    """On a host that nothing happens to, none fails and none is slow; when DNS is gone, all fail."""
    plain.start_sampler()
    plain.wait_for_lookups(50)
    well = plain.stop_sampler()
    plain.run("echo 'nameserver 127.0.0.1' >/etc/resolv.conf")
    plain.start_sampler()
    plain.wait_for_lookups(50)
    lost = plain.stop_sampler()

    assert (0, 0) == (tally(well).failed, tally(well).slow)
    assert len(well) >= 50
    assert len(lost) == tally(lost).failed


def test_disk_outlives_a_reboot_and_run_does_not(plain: Machine) -> None:
    """And each boot has a journal of its own."""
    plain.run("echo kept >/etc/kept && echo lost >/run/lost && logger --id=$$ 'before the reboot'")
    plain.reboot()

    assert "kept\n" == plain.path("/etc/kept").read_text()
    assert not plain.path("/run/lost").exists()
    assert [] == plain.failed_units()
    assert "before the reboot" not in plain.journal()
    assert plain.resolves()


def test_power_cut_is_survived(with_dnsmasq: Machine) -> None:
    """SIGKILL to systemd, and on again."""
    with_dnsmasq.cut_power()
    with_dnsmasq.boot()

    assert [] == with_dnsmasq.failed_units()
    assert with_dnsmasq.resolves()


def test_command_that_fails_says_what_it_said(plain: Machine) -> None:
    """Nobody shall build upon a step that did not happen."""
    with pytest.raises(subprocess.CalledProcessError, match="sorry") as failure:
        plain.run("echo this; echo that >&2; : sorry; exit 3")

    assert (3, "this\n", "that\n") == (failure.value.returncode, failure.value.output, failure.value.stderr)
    assert ["this\n\nthat\n"] == failure.value.__notes__
    assert 3 == plain.run("exit 3", check=False).returncode


def test_visitors_are_the_machine_s_own(plain: Machine) -> None:
    """They see its processes only, are in its cgroup tree, and are none of a unit's."""
    names = plain.run("cat /proc/[0-9]*/comm").stdout.split()
    cgroups = plain.run(["cat", "/proc/self/cgroup"]).stdout.splitlines()

    assert "dnsmasq" not in names
    assert "0::/door" in cgroups


def test_machine_reaches_nothing_of_the_computer_below(plain: Machine) -> None:
    """No network but the cable, no sysctl, no device, no clock, no module."""
    far_end = {line.split("@")[0].split()[0] for line in plain.world.run("ip -brief link").splitlines()}
    near_end = set(os.listdir(plain.path("/sys/class/net")))
    bounds = re.search(r"^CapBnd:\s+(\w+)", plain.path("/proc/1/status").read_text(), re.MULTILINE)

    assert ({"lo", "cable1"}, {"lo", "eth0"}) == (far_end, near_end)
    assert 1 == plain.run("test -w /proc/sys/vm/swappiness", check=False).returncode
    assert [] == [device for device in plain.path("/dev").iterdir() if device.is_block_device()]
    assert bounds is not None
    assert 0 == int(bounds[1], 16) & (1 << CAP_SYS_TIME | 1 << CAP_SYS_MODULE)


def test_machines_do_not_know_each_other(boot: Boot) -> None:
    """Each has processes, a cgroup tree and a network of its own, so that several tests can run at once."""
    one, other = boot(PLAIN), boot(DNSMASQ)
    one.run("systemd-run --quiet --unit=dnsmasq.service sleep 1000")
    other.run("systemctl restart dnsmasq")
    one.run("systemctl stop dnsmasq")

    assert "active\n" == other.run("systemctl is-active dnsmasq").stdout
    assert one.resolves()
    assert other.resolves()


def test_close_leaves_nothing_behind(shelf: Shelf) -> None:
    """No process, no mount, no interface, no cgroup; and closing twice is no harm."""
    before = this_computer(shelf)
    with shelf.booted(DNSMASQ) as machine:
        machine.start_sampler()
        machine.popen("sleep 1000")
        traces = traces_of(machine)
        assert len(everything_in(traces)) > 5
    machine.close()

    assert before == this_computer(shelf)
    assert [] == everything_in(traces)


def test_machine_dies_with_its_maker(shelf: Shelf) -> None:
    """Killed by SIGKILL, the maker cannot clean up: all must be gone all the same."""
    before = this_computer(shelf)
    script = (
        "import sys\nfrom pathlib import Path\nfrom tests.system.machine import Machine\n"
        "from tests.system.test_machine import traces_of\n"
        "with Machine(Path(sys.argv[1])) as machine:\n"
        "    print(*traces_of(machine), flush=True)\n    sys.stdin.read()\n"
    )
    maker = subprocess.Popen(
        [sys.executable, "-c", script, str(shelf.root)],
        cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with maker:
        assert maker.stdout is not None
        traces = set(maker.stdout.readline().split())
        assert everything_in(traces)
        maker.kill()

    wait_for(lambda: not everything_in(traces), "end of the machine")
    assert before == this_computer(shelf)


def traces_of(machine: Machine) -> set[str]:
    """Its PID namespaces, as /proc shows them, and its cgroup tree: nobody else's."""
    cgroup = Path(f"/proc/{machine.pid}/cgroup").read_text().splitlines()[-1].split("/")[-3]
    assert cgroup.startswith("dnsguard-")
    return {os.readlink(f"/proc/{pid}/ns/pid") for pid in (machine.pid, machine.world.pid)} | {cgroup}


def everything_in(traces: set[str]) -> list[str]:
    """What is there of a machine: processes, and its cgroups."""
    # Unlike glob(), a walk does not mind folders that end under it.
    found = [folder for folder, _, _ in os.walk("/sys/fs/cgroup") if Path(folder).name in traces]
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(process / "ns/pid") in traces:
                found.append(process.name)
    return found


def this_computer(shelf: Shelf) -> tuple[object, ...]:
    """What a machine must not change; other roots may be made meanwhile, which are mounted for that."""
    etc, place = Path("/etc/resolv.conf"), str(shelf.root.parent)
    mounts = [line for line in Path("/proc/self/mounts").read_text().splitlines() if f" {place}/" in line]
    return etc.read_bytes(), os.lstat(etc).st_ino, mounts, Path("/proc/self/net/dev").read_text().count(":")
