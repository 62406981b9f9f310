"""What happens to dnsguard itself: it dies, is stopped, upgraded and removed, while dnsmasq is well, hung or dead."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM
from tests.system.cases import Act, Case
from tests.system.faults import PER_DEATH, direct, hang_dnsmasq, kill_dnsmasq, names, says
from tests.system.kinds import ALONE, GUARDED, configure, is_guarded
from tests.system.machine import Machine
from tests.system.overwriting import war
from tests.system.package import newer_package

# Where libc is told of dnsmasq alone, both are dead, and systemd needs up to a second to have dnsguard back.
PER_SECOND = 100

PUBLISHED = "/run/dnsguard/resolv.conf"
LINK_OF_RESOLVCONF = "../run/resolvconf/resolv.conf"


def phase_is(phase: str) -> Callable[[Machine], bool]:
    """Whether the daemon runs and stands there."""
    return lambda machine: (
        f'"phase": "{phase}"' in machine.run("dnsguard status --json", check=False).stdout
        and machine.run("systemctl is-active dnsguard", check=False).returncode == 0
    )


def pid_of(machine: Machine, unit: str = "dnsguard") -> str:
    """The id of a unit's main process inside; "0" if there is none."""
    return machine.run(f"systemctl show --property=MainPID --value {unit}").stdout.strip()


def kill_dnsguard(machine: Machine, _ours: Sequence[Path] = ()) -> None:
    """SIGKILL; returns when another one has come to rest where it was."""
    killed = pid_of(machine)
    machine.run("systemctl kill --signal=KILL --kill-whom=main dnsguard")
    wait_for(lambda: pid_of(machine) not in ("0", killed), "another dnsguard")


def kill_in_direct(machine: Machine, ours: Sequence[Path]) -> None:
    """dnsmasq is stopped, then dnsguard dies."""
    machine.run("systemctl stop dnsmasq")
    wait_for(lambda: phase_is("direct")(machine), "direct")
    kill_dnsguard(machine, ours)


def kill_in_proving(machine: Machine, ours: Sequence[Path]) -> None:
    """A trial that takes long, and dnsguard dies in it."""
    configure(machine, "[guard]\nrise = 100\n")
    machine.run("systemctl reload dnsguard && systemctl restart dnsmasq")
    wait_for(lambda: phase_is("proving")(machine), "trial")
    kill_dnsguard(machine, ours)


def kill_in_yielded(machine: Machine, ours: Sequence[Path]) -> None:
    """dnsguard stands back, and dies there."""
    war(machine, ours)
    kill_dnsguard(machine, ours)


def then(*acts: Act, pause_s: float = 0.0) -> Act:
    """One after the other, with a pause between."""

    def act(machine: Machine, ours: Sequence[Path]) -> None:
        for number, each in enumerate(acts):
            time.sleep(pause_s if number else 0.0)
            each(machine, ours)

    return act


def kill_both(machine: Machine, _ours: Sequence[Path]) -> None:
    """dnsguard first, dnsmasq 50 ms later."""
    kill = "systemctl kill --signal=KILL --kill-whom=main"
    machine.run(f"{kill} dnsguard; sleep 0.05; {kill} dnsmasq")


def leave_dead_and_registered(machine: Machine, _ours: Sequence[Path]) -> None:
    """dnsmasq dies where an administrator has masked our drop-in: resolvconf goes on naming it."""
    machine.run(
        "mkdir -p /etc/systemd/system/dnsmasq.service.d &&"
        " ln -s /dev/null /etc/systemd/system/dnsmasq.service.d/dnsguard.conf && systemctl daemon-reload"
    )
    kill_dnsmasq(machine)


def upgrade(machine: Machine, _ours: Sequence[Path]) -> None:
    """A newer package comes."""
    before = pid_of(machine)
    machine.install(newer_package())
    assert before != pid_of(machine)


def is_handed_back(machine: Machine) -> bool:
    """Whether /etc/resolv.conf is resolvconf's link again, and leads to dnsmasq."""
    link = machine.run("readlink /etc/resolv.conf", check=False).stdout.strip()
    return link == LINK_OF_RESOLVCONF and machine.nameservers() == ["127.0.0.1"]


def names_real_upstreams(machine: Machine) -> bool:
    """Whether it is a plain file, and the dead dnsmasq is not in it."""
    is_plain = machine.run("test -f /etc/resolv.conf -a ! -L /etc/resolv.conf", check=False).returncode == 0
    return is_plain and machine.nameservers() == [UPSTREAM]


def is_left_alone(machine: Machine) -> bool:
    """Whether dnsguard is gone, and resolvconf's link leads to the upstream."""
    link = machine.run("readlink /etc/resolv.conf", check=False).stdout.strip()
    return link == LINK_OF_RESOLVCONF and machine.nameservers() == [UPSTREAM]


STOP = says("systemctl stop dnsguard")
REMOVE = says("apt-get -qq remove dnsguard")
PURGE = says("apt-get -qq purge dnsguard")
FULL = (
    "mount -o remount,size=$(($(df --output=used -k /run | tail -n 1) + 64))k /run;"
    " head -c 1M /dev/zero >/run/filler; systemctl kill --signal=KILL --kill-whom=main dnsmasq"
)
EMPTIED = "rm /run/filler; mount -o remount,size=64M /run"

ENDING = (
    Case("dnsguard is killed, guarded", GUARDED, kill_dnsguard),
    Case("dnsguard is killed, direct", GUARDED, kill_in_direct, direct),
    Case("dnsguard is killed, proving", GUARDED, kill_in_proving, phase_is("proving")),
    Case("dnsguard is killed, yielded", GUARDED, kill_in_yielded, is_guarded),
    Case("dnsguard is killed, and dnsmasq 2 s later", GUARDED, then(kill_dnsguard, kill_dnsmasq, pause_s=2)),
    Case("both are killed within 100 ms", GUARDED, kill_both),
    Case("both are killed within 100 ms, no standby", ALONE, kill_both, most=PER_SECOND),
    Case("dnsguard is restarted thrice", GUARDED, says("for _ in 1 2 3; do systemctl restart dnsguard; done")),
    Case(
        "dnsguard is restarted, dnsmasq hangs", GUARDED, then(hang_dnsmasq, says("systemctl restart dnsguard")), direct
    ),
    Case("dnsguard is upgraded", GUARDED, upgrade),
    Case("dnsguard is upgraded, no standby", ALONE, upgrade),
    Case("dnsguard is upgraded, dnsmasq hangs", GUARDED, then(hang_dnsmasq, upgrade), direct),
    Case("dnsguard is stopped", GUARDED, STOP, is_handed_back),
    Case("dnsguard is stopped, dnsmasq hangs", GUARDED, then(hang_dnsmasq, STOP), names_real_upstreams),
    Case("dnsguard is removed", GUARDED, REMOVE, is_handed_back),
    Case("dnsguard is removed, dnsmasq hangs", GUARDED, then(hang_dnsmasq, REMOVE), names_real_upstreams),
    Case(
        "dnsguard is removed, dnsmasq is dead", GUARDED, then(leave_dead_and_registered, REMOVE), names_real_upstreams
    ),
    Case("dnsguard is purged", GUARDED, PURGE, is_handed_back),
    Case("dnsguard is purged, dnsmasq is stopped", GUARDED, then(says("systemctl stop dnsmasq"), PURGE), is_left_alone),
    Case(
        "the journal stops, then dnsmasq dies",
        GUARDED,
        then(says("systemctl kill --signal=STOP systemd-journald"), kill_dnsmasq, pause_s=1),
    ),
    Case("/run is full, then dnsmasq dies", GUARDED, then(says(FULL), says(EMPTIED), pause_s=2)),
    Case("/run is full, then dnsmasq dies, no standby", ALONE, says(FULL), names(UPSTREAM), most=PER_DEATH),
)
