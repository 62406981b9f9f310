"""What is built is what we mean to ship: clean, the same every time, and on a host no more exposed than it must be.

The package's own tests in packaging/debian/tests are run here on booted machines. As Debian does it, each on a virtual
machine of its own:

    make deb && cp -r packaging/debian .
    autopkgtest --no-built-binaries dist/dnsguard_*_all.deb ./ -- qemu IMAGE
"""

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.sandbox.namespaces import CHECKOUT, NotAllowedError
from tests.system.kinds import GUARDED, Shelf
from tests.system.machine import Machine
from tests.system.package import package
from tests.system.world import be_allowed

PACKAGING = CHECKOUT / "packaging"
ITS_TESTS = PACKAGING / "debian/tests"
DECLARED = re.findall(r"^Tests: (\S+)$", (ITS_TESTS / "control").read_text(), re.MULTILINE)

MOST_EXPOSED = 1.8
"""What systemd-analyze may count at most, from 0 to 10; why each part of it stays is said in dnsguard.service."""

CAP_KILL = 1 << 5
"""Source: capabilities(7), linux/capability.h."""

NOT_CONFINED = {"dnsguard-hooks.service", "dnsguard-update.service"}
"""Other packages' hooks, written for root."""


@pytest.fixture
def built() -> Path:
    """The package; skipped where none can be built."""
    try:
        be_allowed()
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))
    return package()


@pytest.fixture(scope="module")
def at_rest(shelf: Shelf) -> Iterator[Machine]:
    """A guarded machine that is looked at, and not touched."""
    with shelf.booted(GUARDED) as machine:
        yield machine


@dataclass(frozen=True, slots=True)
class Process:
    """A process of dnsguard's, as the kernel has it.

    Attributes:
        unit: the service that it belongs to.
        user: its effective user id.
        capabilities: what it may use, and what it may ever get: effective, permitted, inheritable, bounding, ambient.
        has_network: whether it sees the machine's network.
    """

    unit: str
    user: int
    capabilities: tuple[int, ...]
    has_network: bool


def test_lintian_and_the_other_linters_find_nothing(built: Path) -> None:
    """At their most pedantic; what they said stands in the report."""
    looked = subprocess.run([PACKAGING / "lint.sh", built], capture_output=True, text=True, check=False)

    assert 0 == looked.returncode, looked.stdout + looked.stderr


def test_another_path_zone_and_umask_build_the_same_bytes(built: Path) -> None:
    """Whoever doubts the package can build it, and compare."""
    again = subprocess.run([PACKAGING / "reproducible.sh", built.parent], capture_output=True, text=True, check=False)

    assert 0 == again.returncode, again.stdout + again.stderr


def test_what_runs_on_a_host_is_hardly_exposed(at_rest: Machine) -> None:
    """Counted by each suite's own systemd, which knows the unit as it is loaded, drop-ins and all."""
    exposed = {unit: exposure(at_rest, unit) for unit in services(at_rest) - NOT_CONFINED}

    assert "dnsguard.service" in exposed
    assert {} == {unit: count for unit, count in exposed.items() if count > MOST_EXPOSED}


def test_systemd_finds_nothing_wrong_with_the_units(at_rest: Machine) -> None:
    """Each suite's own: a setting that is too new for it would be a warning. No page of the manual is looked for."""
    names = " ".join(sorted(units(at_rest)))
    verified = at_rest.run(f"systemd-analyze verify --man=no {names}", check=False)

    assert (0, "", "") == (verified.returncode, verified.stdout, verified.stderr)
    assert [] == at_rest.failed_units()


def test_what_asks_the_network_is_not_root(at_rest: Machine) -> None:
    """The daemon parses answers from strangers; the only thing of root's that stays has no network, nor capability."""
    daemon = int(at_rest.run("id -u dnsguard").stdout)

    assert {
        Process("dnsguard.service", daemon, (CAP_KILL,) * 5, has_network=True),
        Process("dnsguard-take-back.service", 0, (0,) * 5, has_network=False),
    } == processes(at_rest)


def test_what_root_does_for_a_moment_reaches_no_network(at_rest: Machine) -> None:
    """attach is root's, and asks the kernel with sockets which addresses are this host's: no packet leaves them."""
    for unit in services(at_rest) - NOT_CONFINED:
        told = properties(at_rest, unit, "User", "PrivateNetwork", "IPAddressDeny")
        is_cut_off = "yes" == told["PrivateNetwork"] or {"0.0.0.0/0", "::/0"} == set(told["IPAddressDeny"].split())

        assert "dnsguard" == told["User"] or is_cut_off, unit


def test_no_file_of_the_package_is_changed_by_running_it(at_rest: Machine) -> None:
    """dpkg would name each that is not as it was shipped, and ask about it at the next upgrade."""
    assert "" == at_rest.run("dpkg --verify dnsguard").stdout


def test_every_autopkgtest_is_declared() -> None:
    """One that is not would never be run by Debian."""
    assert sorted(DECLARED) == sorted(file.name for file in ITS_TESTS.iterdir() if file.name != "control")


@pytest.mark.parametrize("name", DECLARED)
def test_autopkgtest_passes(guarded: Machine, name: str) -> None:
    """Debian runs them wherever dnsmasq, Python or systemd is about to change."""
    script = guarded.bring(ITS_TESTS / name)
    guarded.run("mkdir /tmp/autopkgtest")
    guarded.run(f"AUTOPKGTEST_TMP=/tmp/autopkgtest {script}", patience_s=120.0)


def units(machine: Machine) -> set[str]:
    """The units of the package, by name."""
    files = machine.run("dpkg --listfiles dnsguard").stdout
    return set(re.findall(r"^/usr/lib/systemd/system/(dnsguard[^/]*)$", files, re.MULTILINE))


def services(machine: Machine) -> set[str]:
    """Those of them that run something."""
    return {unit for unit in units(machine) if unit.endswith(".service")}


def exposure(machine: Machine, unit: str) -> float:
    """How exposed the unit is, as it is loaded there."""
    told = machine.run(f"systemd-analyze security --no-pager {unit}").stdout
    (count,) = re.findall(r"Overall exposure level for \S+ ([0-9.]+) ", told)
    return float(count)


def properties(machine: Machine, unit: str, *names: str) -> dict[str, str]:
    """What systemd has loaded for a unit."""
    told = machine.run(f"systemctl show --property={','.join(names)} {unit}").stdout
    return dict(line.split("=", 1) for line in told.splitlines())


def processes(machine: Machine) -> set[Process]:
    """Everything that runs in the services of dnsguard."""
    groups = machine.path("/sys/fs/cgroup/system.slice").glob("dnsguard*/**/cgroup.procs")
    # A reader outside is told the ids that hold outside.
    return {_process(group.parent.name, pid, machine.pid) for group in groups for pid in group.read_text().split()}


def _process(unit: str, pid: str, systemd: int) -> Process:
    lines = [line.split() for line in Path(f"/proc/{pid}/status").read_text().splitlines()]
    fields = {words[0].rstrip(":"): words[1:] for words in lines}
    capabilities = [int(fields[name][0], 16) for name in ("CapEff", "CapPrm", "CapInh", "CapBnd", "CapAmb")]
    has_network = os.readlink(f"/proc/{pid}/ns/net") == os.readlink(f"/proc/{systemd}/ns/net")
    return Process(unit, int(fields["Uid"][1]), tuple(capabilities), has_network)
