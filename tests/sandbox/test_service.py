"""The daemon as systemd and an operator meet it: signals, sd_notify, the commands beside it."""

import contextlib
import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.sandbox.guard import NO_UNIT, SETTINGS_FILE, STATUS_FILE, Guard
from tests.sandbox.host import Host
from tests.sandbox.processes import wait_for
from tests.sandbox.upstreams import UPSTREAM

WITHOUT_STANDBY = NO_UNIT + '[guard]\nstandby = "no"\n'
NOTIFY_SOCKET = "/run/notify"


# Signals ------------------------------------------------------------------------------------------


def test_sighup_reads_the_settings_again(host: Host, guarded: Guard) -> None:
    """What libc reads follows at once."""
    guarded.configure(WITHOUT_STANDBY)
    guarded.reload()
    guarded.wait_for_code("settings-changed")

    wait_for(lambda: host.nameservers() == ["127.0.0.1"], "file without a standby line")
    assert "guarded" == guarded.phase()


BAD_SETTINGS = {
    "unknown-section": "[gard]",
    "unknown-key": "ris = 3",
    "wrong-type": "rise = true",
    "out-of-range": "rise = 0",
    "not-toml": "rise = ",
    "not-an-address": '[dnsmasq]\naddress = "localhost"',
    "not-a-path": '[paths]\nresolv_conf = "resolv.conf"',
    "not-a-choice": 'standby = "perhaps"',
}


def test_bad_settings_are_refused_and_the_old_ones_stay(host: Host, guarded: Guard) -> None:
    """The code says what is wrong, the text where, and nothing of the new file is in force."""
    for code, line in BAD_SETTINGS.items():
        guarded.configure(f"[guard]\nfall = 1\n{line}\n")
        guarded.reload()
        said = guarded.wait_for_code(code)
        assert "error" == said["level"]
        assert f"{SETTINGS_FILE}" in said["text"]
    host.run(f"rm {SETTINGS_FILE} && mkdir {SETTINGS_FILE}")
    guarded.reload()
    guarded.wait_for_code("unreadable-config")

    assert [] == guarded.said("settings-changed")
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    host.kill_dnsmasq()
    guarded.wait_for_phase("direct")


def test_settings_that_need_a_restart_say_so(guarded: Guard) -> None:
    guarded.configure(NO_UNIT + '[log]\nlevel = "debug"\n')
    guarded.reload()

    assert "restart" in guarded.wait_for_code("settings-need-restart")["text"]


@pytest.mark.parametrize("dnsmasq", ["trusted", "dead"])
def test_sigterm_leaves_a_file_that_works(host: Host, guarded: Guard, dnsmasq: str) -> None:
    """An upgrade restarts the guard: libc must not notice."""
    if dnsmasq == "dead":
        host.kill_dnsmasq()
        guarded.wait_for_phase("direct")
    before = host.resolv_conf()

    assert 0 == guarded.stop()
    assert before == host.resolv_conf()
    assert host.resolves()


@pytest.mark.parametrize("end", [Guard.stop, Guard.kill])
def test_next_guard_does_not_touch_what_the_one_before_had_proved(
    host: Host, guarded: Guard, end: Callable[[Guard], object]
) -> None:
    """An upgrade must not flip: the file is the same inode all the time, and dependents are let go by it."""
    file = host.path("/run/dnsguard/resolv.conf")
    before = file.stat().st_ino, file.read_bytes()
    end(guarded)
    guarded.start()
    guarded.wait_for_code("ready")

    assert "guarded" == guarded.phase()
    assert before == (file.stat().st_ino, file.read_bytes())
    assert [] == guarded.said("direct")


def test_next_guard_does_not_inherit_a_dnsmasq_that_hangs(host: Host, guarded: Guard) -> None:
    """One failure is enough: nobody asks the one whom the guard before had proved."""
    guarded.stop()
    host.hang_dnsmasq()
    guarded.start()
    guarded.wait_for_code("ready")

    assert ["direct", [UPSTREAM]] == [guarded.phase(), host.nameservers()]


def test_killed_guard_is_cleaned_up_after(host: Host, guarded: Guard) -> None:
    """`dnsguard detach` needs no daemon: dnsmasq was trusted, so what was there is put back."""
    guarded.kill()
    guarded.detach()

    assert "../run/resolvconf/resolv.conf" == host.run(["readlink", "/etc/resolv.conf"]).stdout.strip()
    assert host.resolves()


def test_detach_does_not_hand_back_a_dead_dnsmasq(host: Host, guarded: Guard) -> None:
    """resolvconf's file says 127.0.0.1 and nobody is there: the real upstreams are left instead."""
    host.kill_dnsmasq()
    guarded.wait_for_phase("direct")
    guarded.kill()
    guarded.detach()

    assert [UPSTREAM] == host.nameservers()
    assert host.resolves()


def test_guard_that_was_away_when_dnsmasq_died_finds_out(host: Host, guarded: Guard) -> None:
    """Its last file named dnsmasq; the next guard does not wait to be told."""
    guarded.kill()
    host.kill_dnsmasq()
    assert ["127.0.0.1", UPSTREAM] == host.nameservers()
    guarded.start()
    guarded.wait_for_phase("direct")

    assert [UPSTREAM] == host.nameservers()


# sd_notify ----------------------------------------------------------------------------------------


class Systemd:
    """What systemd would have heard: a datagram socket inside the host, read from outside."""

    def __init__(self, place: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(place))
        self._lines: list[str] = []

    def heard(self) -> list[str]:
        """All lines so far."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._lines += self._socket.recv(4096).decode().splitlines()
        return self._lines

    def wait_for(self, line: str, count: int = 1) -> None:
        """Return when it has heard this line `count` times."""
        wait_for(lambda: self.heard().count(line) >= count, f"{line} {count} times")

    def is_full(self) -> bool:
        """Whether it takes no more until somebody reads."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as another:
            try:
                another.sendto(b"X=1", self._socket.getsockname())
            except BlockingIOError:
                return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def systemd(host: Host) -> Iterator[Systemd]:
    listening = Systemd(host.path(NOTIFY_SOCKET))
    yield listening
    listening.close()


def notifying(host: Host, log: Path, settings: str, *environment: str) -> Guard:
    return Guard(host, log, settings, through=["env", f"NOTIFY_SOCKET={NOTIFY_SOCKET}", *environment])


IMPATIENT = NO_UNIT + '[log]\nlevel = "debug"\n[health]\nforward_timeout_s = 0.2\n[guard]\nask_retry_s = 0.05\n'


def test_ready_when_a_lookup_has_been_answered_and_not_before(host: Host, systemd: Systemd, tmp_path: Path) -> None:
    """Units ordered after us may look names up."""
    host.silence_upstream(UPSTREAM)
    guard = notifying(host, tmp_path / "guard.log", IMPATIENT)
    guard.start()
    wait_for(lambda: unanswered(guard) >= 2, "lookups without an answer")

    assert [UPSTREAM] == host.nameservers()
    assert "READY=1" not in systemd.heard()
    assert f"STATUS=direct: libc asks {UPSTREAM}" in " ".join(systemd.heard())
    host.start_upstream(UPSTREAM)
    systemd.wait_for("READY=1")
    guard.wait_for_code("ready")
    assert 1 == len(guard.said("ready"))


def unanswered(guard: Guard) -> int:
    return sum(record.get("event", {}).get("is") == "LookupFailed" for record in guard.records())


def test_ready_all_the_same_when_nobody_answers_for_long(host: Host, systemd: Systemd, tmp_path: Path) -> None:
    """A boot without network does not hang on us, and says so."""
    host.silence_upstream(UPSTREAM)
    guard = notifying(host, tmp_path / "guard.log", IMPATIENT + "ready_timeout_s = 0.5\n")
    guard.start()
    systemd.wait_for("READY=1")

    after = systemd.heard()[systemd.heard().index("READY=1") :]
    assert after[1].startswith("STATUS=degraded: no server has answered yet; direct: ")
    assert "warning" == guard.wait_for_code("ready-degraded")["level"]


def test_systemd_hears_of_every_turn(host: Host, systemd: Systemd, tmp_path: Path) -> None:
    """Phase and servers in words; pings that prove the loop; reload and stop announced."""
    host.start_dnsmasq()
    guard = notifying(host, tmp_path / "guard.log", NO_UNIT, "WATCHDOG_USEC=200000")
    guard.start()
    systemd.wait_for(f"STATUS=guarded: libc asks 127.0.0.1, {UPSTREAM}")
    systemd.wait_for("WATCHDOG=1", count=5)
    guard.reload()
    systemd.wait_for("READY=1", count=2)
    host.kill_dnsmasq()
    wait_for(lambda: f"STATUS=direct: libc asks {UPSTREAM}" in last_status(systemd), "direct again")
    guard.stop()

    heard = systemd.heard()
    assert heard.index("RELOADING=1") < len(heard) - heard[::-1].index("READY=1")
    assert "STOPPING=1" in heard[heard.index("RELOADING=1") :]
    assert [] == [line for line in heard[heard.index("STOPPING=1") :] if line.startswith(("READY", "WATCHDOG"))]


def last_status(systemd: Systemd) -> str:
    """What `systemctl status` would show now."""
    return [line for line in systemd.heard() if line.startswith("STATUS=")][-1]


def test_hung_loop_would_be_noticed(host: Host, systemd: Systemd, tmp_path: Path) -> None:
    """The pings come from the loop, not from a thread: a stopped daemon sends none."""
    guard = notifying(host, tmp_path / "guard.log", NO_UNIT, "WATCHDOG_USEC=50000")
    guard.start()
    systemd.wait_for("WATCHDOG=1", count=3)
    guard.send(signal.SIGSTOP)
    wait_for(guard.is_stopped, "stop")
    seen = len(systemd.heard())
    host.run("sleep 0.2")

    assert seen == len(systemd.heard())
    guard.send(signal.SIGCONT)
    wait_for(lambda: len(systemd.heard()) > seen, "next ping")
    assert 0 == guard.stop()


# The commands beside it ---------------------------------------------------------------------------


def test_status_tells_a_human_and_a_program(host: Host, guarded: Guard) -> None:
    human, program = guarded.asked("status"), guarded.asked("status", "--json")
    told = json.loads(program.stdout)
    shown = ("phase", "generation", "upstreams", "running")

    assert (0, 0, "", "") == (human.returncode, program.returncode, human.stderr, program.stderr)
    assert f"libc: guarded: libc asks 127.0.0.1, {UPSTREAM}\n" in human.stdout
    assert ["guarded", 1, [UPSTREAM], True] == [told[key] for key in shown]
    assert {"pid": host.dnsmasq_pid(), "holds": [UPSTREAM]}.items() <= told["dnsmasq"].items()


def test_status_of_a_guard_that_is_gone(guarded: Guard) -> None:
    """The last report is shown, for whoever looks for the cause, with systemctl's exit status."""
    guarded.kill()
    human, program = guarded.asked("status"), guarded.asked("status", "--json")

    assert (3, 3) == (human.returncode, program.returncode)
    assert "not running" in human.stderr
    assert json.loads(program.stdout)["running"] is False


def test_status_where_no_guard_ever_ran(host: Host, guard: Guard) -> None:
    assert not host.path(STATUS_FILE).exists()
    assert 3 == guard.asked("status").returncode


def test_configuration_is_checked_before_it_is_used(guard: Guard) -> None:
    """0 and one line for a good one; 1, the code, file, line and key for a bad one."""
    good = guard.asked("check-config", SETTINGS_FILE)
    guard.configure("[guard]\n\nrise = 'three'\n")
    bad = guard.asked("check-config", SETTINGS_FILE)

    assert (0, f"{SETTINGS_FILE}: good\n") == (good.returncode, good.stdout)
    assert 78 == bad.returncode
    assert "wrong-type" in bad.stderr
    assert f"{SETTINGS_FILE}:3: rise " in bad.stderr
    assert 78 == guard.asked("check-config", "/nowhere.toml").returncode
    assert 78 == guard.asked("run", "--config", "/nowhere.toml").returncode


# Readers that do not read -------------------------------------------------------------------------


FILL = "exec 3<>/run/stalled; dd if=/dev/zero of=/run/stalled bs=4096 oflag=nonblock; exec sleep 1000"


def test_full_pipe_on_stderr_stops_nothing(host: Host, tmp_path: Path) -> None:
    """Nobody reads what it says; it says less, and does the same."""
    host.run(["mkfifo", "/run/stalled"])
    filler = host.popen(FILL, errors=tmp_path / "filler")
    wait_for(lambda: "temporarily unavailable" in (tmp_path / "filler").read_text(), "full pipe")
    host.start_dnsmasq()
    settings = NO_UNIT + '[log]\nlevel = "debug"\n'
    guard = Guard(host, tmp_path / "log", settings, through=["sh", "-c", 'exec "$@" 2>/run/stalled', "sh"])
    guard.start()
    guard.wait_for_phase("guarded")
    host.kill_dnsmasq()
    guard.wait_for_phase("direct")

    assert [UPSTREAM] == host.nameservers()
    assert 0 == guard.stop()
    assert filler.door.poll() is None


def test_journald_and_systemd_that_do_not_read_stop_nothing(host: Host, systemd: Systemd, tmp_path: Path) -> None:
    """Both queues are full before long; death is still followed by a flip."""
    host.run(["mkdir", "-p", "/run/systemd/journal"])
    journald = Systemd(host.path("/run/systemd/journal/socket"))
    log = tmp_path / "guard.log"
    log.touch()
    journal_stream = f"JOURNAL_STREAM={log.stat().st_dev}:{log.stat().st_ino}"
    settings = NO_UNIT + '[log]\nlevel = "debug"\n'
    guard = notifying(host, log, settings, journal_stream, "WATCHDOG_USEC=2000")
    host.start_dnsmasq()
    guard.start()
    guard.wait_for_phase("guarded")
    wait_for(lambda: journald.is_full() and systemd.is_full(), "two queues without room")
    host.kill_dnsmasq()
    guard.wait_for_phase("direct")

    assert [UPSTREAM] == host.nameservers()
    assert "DNSGUARD_PHASE=starting" in journald.heard()
    assert "" == log.read_text()
    assert 0 == guard.stop()
    journald.close()


def test_wait_returns_when_dnsmasq_is_trusted(host: Host, guard: Guard) -> None:
    """For units that need dnsmasq itself: not before, and not for a daemon that is gone."""
    assert 1 == guard.asked("wait", "--for", "ready", "--timeout", "0").returncode
    guard.start()
    assert 0 == guard.asked("wait", "--for", "ready", "--timeout", "20").returncode
    early = guard.asked("wait", "--timeout", "0.1")
    assert (1, "dnsguard: not guarded after 0.1 s; `dnsguard status` says why\n") == (early.returncode, early.stderr)
    host.start_dnsmasq()

    assert 0 == guard.asked("wait", "--for", "guarded", "--timeout", "20").returncode
    assert "guarded" == guard.phase()
    guard.kill()
    assert 1 == guard.asked("wait", "--for", "guarded", "--timeout", "0").returncode


def test_status_is_written_anew_though_nothing_changes(guard: Guard) -> None:
    """The last probe and the counters are part of it."""
    guard.configure(NO_UNIT + "[guard]\nlook_s = 0.2\n")
    guard.start()
    guard.wait_for_phase("direct")
    looks = guard.status()["counters"]["looks"]

    wait_for(lambda: guard.status()["counters"]["looks"] > looks + 1, "newer counters")
