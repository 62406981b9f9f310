"""What goes wrong with dnsmasq, and with what it is given."""

import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.system.cases import Act, Case
from tests.system.kinds import ALONE, DNSMASQ, GUARDED, POLLS, POLLS_GUARDED, is_guarded
from tests.system.machine import Machine

# What a death may cost where libc is told of dnsmasq alone: what its socket had taken in.
PER_DEATH = 2
# And a new lease anywhere: one that dnsmasq had taken in when its server was taken from it, which dnsmasq forgets; the
# standby that libc goes on to is the server that has gone.
PER_LEASE = 1
# And a hang: what began before the flip, which comes within 1.6 s, and two that had begun before the hang.
PER_HANG = 162

TAKES_PORT = "import socket, time; s = socket.socket(type=2); s.bind(('127.0.0.1', 53)); time.sleep(1e9)"


def says(command: str) -> Act:
    """An administrator types this; what fails, fails."""

    def act(machine: Machine, _ours: Sequence[Path]) -> None:
        machine.run(command, check=False)

    return act


def names(*servers: str) -> Callable[[Machine], bool]:
    """Whether libc is told of these, now."""
    return lambda machine: machine.nameservers() == list(servers)


def kill_dnsmasq(machine: Machine, _ours: Sequence[Path] = ()) -> None:
    """It crashes. Not the whole unit, of which systemd 257 would kill its own ExecStopPost=, too (seen)."""
    machine.run("systemctl kill --signal=KILL --kill-whom=main dnsmasq")


def hang_dnsmasq(machine: Machine, _ours: Sequence[Path] = ()) -> None:
    """It takes questions and never answers again."""
    machine.run("systemctl kill --signal=STOP dnsmasq")


def hang_for_a_while(machine: Machine, _ours: Sequence[Path]) -> None:
    """It hangs for three seconds."""
    hang_dnsmasq(machine)
    time.sleep(3)
    machine.run("systemctl kill --signal=CONT dnsmasq")


def take_port(machine: Machine, _ours: Sequence[Path]) -> None:
    """It is stopped, and somebody who never answers takes its port before it is started again."""
    machine.run("systemctl stop dnsmasq")
    machine.popen(["/usr/bin/python3", "-c", TAKES_PORT])
    wait_for(lambda: machine.run("ss --no-header -lun src 127.0.0.1:53").stdout, "stranger on port 53")
    machine.run("systemctl start dnsmasq", check=False)


def renumber(machine: Machine, _ours: Sequence[Path]) -> None:
    """A new lease; half a second after it was announced, the old server is gone.

    In a network that was left behind it is gone before anybody can know, and everybody waits.
    """
    machine.new_lease(OTHER_UPSTREAM)
    time.sleep(0.5)
    machine.world.stop_upstream(UPSTREAM)


BREAK = "echo no-such-option >/etc/dnsmasq.d/broken.conf; systemctl restart dnsmasq"
EMPTY = ": >/run/dnsmasq/resolv.conf"
RESTART_THRICE = "for _ in 1 2 3; do systemctl restart dnsmasq; done"

direct = names(UPSTREAM)

FAULTS = (
    Case("dnsmasq is killed", GUARDED, kill_dnsmasq, without=DNSMASQ),
    Case("dnsmasq is stopped", GUARDED, says("systemctl stop dnsmasq"), direct, without=DNSMASQ),
    Case("dnsmasq is restarted", GUARDED, says("systemctl restart dnsmasq"), without=DNSMASQ),
    Case("dnsmasq is restarted thrice", GUARDED, says(RESTART_THRICE), without=DNSMASQ),
    Case("dnsmasq is restarted, its configuration is broken", GUARDED, says(BREAK), direct, without=DNSMASQ),
    Case("dnsmasq hangs for ever", GUARDED, hang_dnsmasq, direct, without=DNSMASQ),
    Case("dnsmasq hangs for three seconds", GUARDED, hang_for_a_while, without=DNSMASQ),
    Case("a stranger takes dnsmasq's port", GUARDED, take_port, direct, without=DNSMASQ),
    Case("dnsmasq is removed", GUARDED, says("apt-get -qq remove dnsmasq"), direct, without=DNSMASQ),
    Case("dnsmasq's upstream file is emptied", GUARDED, says(EMPTY), direct, without=DNSMASQ),
    Case("a new lease", GUARDED, renumber, without=DNSMASQ, most=PER_LEASE),
    Case("a new lease, no-poll", POLLS_GUARDED, renumber, without=POLLS, most=PER_LEASE),
    Case("dnsmasq is killed, no standby", ALONE, kill_dnsmasq, most=PER_DEATH),
    Case("dnsmasq hangs for ever, no standby", ALONE, hang_dnsmasq, direct, most=PER_HANG),
    Case("dnsmasq is stopped, no standby", ALONE, says("systemctl stop dnsmasq"), direct, most=PER_DEATH),
    Case("dnsmasq is restarted, no standby", ALONE, says("systemctl restart dnsmasq"), is_guarded, most=PER_DEATH),
)
