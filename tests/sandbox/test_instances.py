"""Two real dnsmasq on one host, started by Debian's own script: the other is a stranger."""

import pytest

from tests.sandbox.guard import Guard, PhaseWatch
from tests.sandbox.host import SYSTEMD_HELPER, Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

FIRST = ("bind-interfaces", "listen-address=127.0.0.1")
TWO_LOG = "/run/two.log"
# As docs/loops.md has it: an instance that registers with resolvconf would cut dnsmasq's list.
TWO = (
    'DNSMASQ_EXCEPT="lo"\\n'
    f'DNSMASQ_OPTS="--bind-interfaces --listen-address=127.0.0.2 --log-queries --log-facility={TWO_LOG}"\\n'
)
ASK_TWO = (
    "import socket, struct; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(5);"
    " s.sendto(b'\\0\\1\\1\\0\\0\\1' + bytes(6) + b'\\3one\\7example\\0\\0\\1\\0\\1', ('127.0.0.2', 53));"
    " print(s.recv(512)[3] & 15)"
)


@pytest.fixture
def two(host: Host, guard: Guard) -> int:
    """The PID of a second instance, beside a dnsmasq that is trusted."""
    # The user of the first one, if the sandbox has named it.
    user = "grep ^DNSMASQ_USER /etc/default/dnsmasq >>/etc/default/dnsmasq.two || :"
    host.run(f"printf '{TWO}' >/etc/default/dnsmasq.two; {user}")
    for verb in ("exec", "start-resolvconf"):
        host.run([SYSTEMD_HELPER, verb, "two"])
    host.bring_up_dnsmasq(*FIRST)
    guard.start()
    guard.wait_for_phase("guarded")
    return int(host.path("/run/dnsmasq/dnsmasq.two.pid").read_text())


def log_of_two(host: Host) -> str:
    return host.path(TWO_LOG).read_text()


def test_another_instance_is_neither_asked_nor_signalled_nor_published(host: Host, guard: Guard, two: int) -> None:
    """It works, and nothing of ours comes to it."""
    host.start_upstream(OTHER_UPSTREAM)
    host.new_lease(OTHER_UPSTREAM)
    guard.wait_for_code("reload-sent")
    guard.wait_for_code("guarded", 2)
    before = log_of_two(host)
    answered = host.run(["/usr/bin/python3", "-c", ASK_TWO]).stdout

    assert host.dnsmasq_pid() == guard.status()["dnsmasq"]["pid"] != two
    assert ["127.0.0.1", OTHER_UPSTREAM] == host.nameservers()
    # dnsmasq logs each question, and at SIGHUP that it has read /etc/hosts again.
    assert "query[" not in before
    assert 1 == before.count("read /etc/hosts")
    assert "0\n" == answered
    assert "query[A] one.example" in log_of_two(host)


def test_its_death_moves_nothing(host: Host, guard: Guard, two: int) -> None:
    """Nor does its coming back."""
    with PhaseWatch(guard) as watch:
        host.run(f"kill -KILL {two}")
        wait_for(lambda: not host.path(f"/proc/{two}").exists(), "death")
        host.run([SYSTEMD_HELPER, "exec", "two"])
        host.run("sleep 1")

    assert ["guarded"] == [phase for _, phase in watch.moves]
    assert [] == guard.said("dnsmasq-died")
    assert host.resolves()


def test_while_it_lives_the_death_of_dnsmasq_is_heard(host: Host, guard: Guard, two: int) -> None:
    """And the other is not taken in its place, though its PID file is beside that of the dead one."""
    host.kill_dnsmasq()
    guard.wait_for_code("dnsmasq-died")
    guard.wait_for_code("dnsmasq-missing")
    guard.wait_for_phase("direct")

    assert host.path(f"/proc/{two}").exists()
    assert [UPSTREAM] == host.nameservers()
    assert guard.status()["dnsmasq"]["pid"] is None
