"""The process edge, against the real dnsmasq and against PID files that lie."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from dnsguard.core.actions import EndDnsmasq, Reload
from dnsguard.core.events import DnsmasqFound, DnsmasqGone, DnsmasqMissing, EndFailed, ReloadFailed, ReloadSent
from dnsguard.edge.dnsmasq import Dnsmasq
from tests.fakes import ROOT

UNIT = "dnsmasq.service"
IN_UNIT = f"0::/system.slice/{UNIT}\n"
PROGRAM = shutil.which("dnsmasq", path=f"/usr/sbin:/sbin:{os.environ['PATH']}")
DEADLINE_S = 20.0

needs_dnsmasq = pytest.mark.skipif(PROGRAM is None, reason="no dnsmasq here (Debian: dnsmasq-base)")


def until(condition: Callable[[], object], what: str) -> None:
    """Wait for something another process does; a test that hangs is told apart from a slow one."""
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline, f"still not: {what}"
        time.sleep(0.01)


class RealDnsmasq:
    """Debian's dnsmasq on a port of its own, with files of its own."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.pid_file = place / "dnsmasq.pid"
        self.log = place / "dnsmasq.log"
        self.port = 0
        self._processes: list[subprocess.Popen[bytes]] = []

    def start(self) -> int:
        """Start it in the foreground, as a child of ours; its PID."""
        process = subprocess.Popen([*self._command(), "--keep-in-foreground"])
        self._processes.append(process)
        until(lambda: self._claimed() == process.pid, "the PID file names the new dnsmasq")
        return process.pid

    def daemonise(self) -> int:
        """Start it as its unit does (Type=forking); its PID."""
        subprocess.run(self._command(), check=True)
        return self._claimed()

    def kill(self) -> None:
        self._processes[-1].kill()
        self._processes[-1].wait()

    def end(self) -> None:
        for process in self._processes:
            process.kill()
            process.wait()

    def times_reloaded(self) -> int:
        return self.log.read_text().count("read /etc/hosts")

    def _claimed(self) -> int:
        with suppress(OSError, ValueError):
            return int(self.pid_file.read_text())
        return 0

    def _command(self) -> list[str]:
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            self.port = asked.getsockname()[1]
        return [
            f"{PROGRAM}",
            "--conf-file=/dev/null",
            "--no-resolv",
            f"--port={self.port}",
            "--listen-address=127.0.0.1",
            "--bind-interfaces",
            "--user=root",
            f"--pid-file={self.pid_file}",
            f"--log-facility={self.log}",
        ]


@pytest.fixture
def dnsmasq(tmp_path: Path) -> Iterator[RealDnsmasq]:
    real = RealDnsmasq(tmp_path)
    yield real
    real.end()


@contextmanager
def running(*command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A child that is ended when the test is done with it, however that goes."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def stranger() -> Iterator[int]:
    """A living process that is no dnsmasq; or is one, if a fake /proc says so."""
    with running("sleep", "600") as process:
        name = Path(f"/proc/{process.pid}/comm")
        until(lambda: name.read_text() == "sleep\n", "the kernel shows the new name")
        yield process.pid


class World:
    """An edge, what it looks at, and what it told."""

    def __init__(self, place: Path, unit: str = UNIT) -> None:
        self.place = place
        self.pid_file = place / "dnsmasq.pid"
        self.proc = place / "proc"
        self.cgroup = place / "cgroup"
        self.unit = unit
        self.gone: list[DnsmasqGone] = []

    @contextmanager
    def edge(self, proc: Path | None = None) -> Iterator[Dnsmasq]:
        """An edge on a loop that does not run: what it tells, it tells from within find()."""
        with closing(asyncio.new_event_loop()) as loop:
            edge = Dnsmasq(loop, self.pid_file, self.unit, self.gone.append, proc or self.proc, self.cgroup)
            yield edge
            edge.close()

    def find(self, proc: Path | None = None) -> DnsmasqFound | DnsmasqMissing:
        with self.edge(proc) as edge:
            return edge.find()

    def claim(self, pid: object) -> None:
        self.pid_file.write_text(f"{pid}\n")

    def show(
        self,
        pid: int,
        comm: str = "dnsmasq",
        exe: str = "/usr/sbin/dnsmasq",
        cgroup: str = IN_UNIT,
        parent: int = 1,
        started: int = 100,
    ) -> None:
        """Let /proc say this of a process."""
        entry = self.proc / str(pid)
        entry.mkdir(parents=True, exist_ok=True)
        (entry / "comm").write_text(comm + "\n")
        (entry / "cgroup").write_text(cgroup)
        (entry / "stat").write_text(f"{pid} ({comm}) S {parent} {'0 ' * 17}{started} 0\n")
        (entry / "exe").unlink(missing_ok=True)
        (entry / "exe").symlink_to(exe)

    def list_unit(self, *pids: object, under: str = "system.slice") -> None:
        """Let the unit's cgroup list these processes."""
        place = self.cgroup / under / self.unit
        place.mkdir(parents=True, exist_ok=True)
        (place / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def reason(answer: object) -> str:
    assert isinstance(answer, DnsmasqMissing | ReloadFailed), answer
    return answer.reason


# --- the real one ----------------------------------------------------------------------------------


@needs_dnsmasq
def test_the_real_dnsmasq_is_found_by_its_pid_file(dnsmasq: RealDnsmasq) -> None:
    """comm, exe and stat of a real process are what the edge takes them for."""
    pid = dnsmasq.start()

    assert DnsmasqFound(pid) == World(dnsmasq.place, unit="").find(Path("/proc"))


@needs_dnsmasq
def test_a_daemonised_dnsmasq_is_found_and_its_death_is_heard(dnsmasq: RealDnsmasq) -> None:
    """As under systemd: not our child, so no SIGCHLD, and still its end comes through the pidfd."""
    pid = dnsmasq.daemonise()

    async def story() -> DnsmasqGone:
        gone: asyncio.Queue[DnsmasqGone] = asyncio.Queue()
        edge = Dnsmasq(asyncio.get_running_loop(), dnsmasq.pid_file, "", gone.put_nowait)
        try:
            assert DnsmasqFound(pid) == edge.find()
        finally:
            os.kill(pid, signal.SIGKILL)
        async with asyncio.timeout(DEADLINE_S):
            told = await gone.get()
        edge.close()
        assert gone.empty()
        return told

    assert DnsmasqGone(pid) == asyncio.run(story())


@needs_dnsmasq
def test_sighup_reaches_the_real_dnsmasq(dnsmasq: RealDnsmasq) -> None:
    """It reads its hosts file again, and says so in its log."""
    pid = dnsmasq.start()
    until(lambda: dnsmasq.times_reloaded() == 1, "dnsmasq has started")

    with World(dnsmasq.place, unit="").edge(Path("/proc")) as edge:
        edge.find()
        assert ReloadSent(4, pid) == edge.reload(Reload(4, pid))
        until(lambda: dnsmasq.times_reloaded() == 2, "dnsmasq has reloaded")
        assert DnsmasqFound(pid) == edge.find()


@needs_dnsmasq
def test_the_real_dnsmasq_is_ended_and_nobody_else(dnsmasq: RealDnsmasq) -> None:
    """Only the process that was found last; its end is heard as any other."""
    pid = dnsmasq.start()
    with World(dnsmasq.place, unit="").edge(Path("/proc")) as edge:
        edge.find()
        refused = edge.end(EndDnsmasq(4, os.getpid()))
        assert None is edge.end(EndDnsmasq(4, pid))
        until(lambda: isinstance(edge.find(), DnsmasqMissing), "dnsmasq has ended")

    assert EndFailed(4, os.getpid(), f"PID {os.getpid()} is not the dnsmasq that was found last") == refused


@needs_dnsmasq
def test_after_a_restart_the_new_process_is_found(dnsmasq: RealDnsmasq) -> None:
    """Death, a PID file that names the dead, and then the next one."""
    first = dnsmasq.start()
    world = World(dnsmasq.place, unit="")

    with world.edge(Path("/proc")) as edge:
        assert DnsmasqFound(first) == edge.find()
        dnsmasq.kill()
        assert f"{world.pid_file} names PID {first}, which is not running" == reason(edge.find())
        assert [DnsmasqGone(first)] == world.gone
        assert "is not the dnsmasq that was found last" in reason(edge.reload(Reload(1, first)))
        second = dnsmasq.start()
        assert DnsmasqFound(second) == edge.find()
    assert [DnsmasqGone(first)] == world.gone


@needs_dnsmasq
def test_a_child_for_a_tcp_client_is_not_dnsmasq(dnsmasq: RealDnsmasq) -> None:
    """It has the name, the program and the unit; but it dies with its client and ignores SIGHUP."""
    main = dnsmasq.start()
    world = World(dnsmasq.place, unit="")
    children = Path(f"/proc/{main}/task/{main}/children")
    if not children.exists():
        pytest.skip("this kernel does not list children")

    with socket.create_connection(("127.0.0.1", dnsmasq.port)):
        until(children.read_text, "dnsmasq has forked for the client")
        child = int(children.read_text())
        world.claim(child)
        answer = world.find(Path("/proc"))

    assert f"names PID {child}, which is only a child of dnsmasq, PID {main}" in reason(answer)


@needs_dnsmasq
def test_a_guard_without_rights_finds_it_and_says_why_it_may_not_signal(dnsmasq: RealDnsmasq) -> None:
    """The daemon's user may not read /proc/PID/exe; comm must do. Without CAP_KILL no SIGHUP."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    pid = dnsmasq.start()
    dnsmasq.place.chmod(0o755)
    script = """
import asyncio, os, sys
from pathlib import Path
from dnsguard.core.actions import Reload
from dnsguard.edge.dnsmasq import Dnsmasq
os.chdir(sys.argv[1])
os.setuid(65534)
loop = asyncio.new_event_loop()
edge = Dnsmasq(loop, Path("dnsmasq.pid"), "", print)
print(edge.find())
print(edge.reload(Reload(1, int(sys.argv[2]))).reason)
edge.close()
loop.close()
"""
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, dnsmasq.place, str(pid)],
        env={"PYTHONPATH": ROOT},
        check=True,
        capture_output=True,
        text=True,
    )

    found, refused = ran.stdout.splitlines()
    assert f"{DnsmasqFound(pid)}" == found
    assert refused.startswith(f"PID {pid} cannot be sent SIGHUP: Operation not permitted (EPERM)")
    assert "CAP_KILL" in refused


def test_a_script_that_is_called_dnsmasq_is_not_dnsmasq_to_a_guard_without_rights(tmp_path: Path) -> None:
    """resolvconf's hook update.d/dnsmasq runs in dnsmasq's own unit; its command line begins with the shell."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    hook = tmp_path / "dnsmasq"
    hook.write_text("#!/bin/sh\nread word\n")
    hook.chmod(0o755)
    tmp_path.chmod(0o755)
    script = """
import asyncio, os, sys
from pathlib import Path
from dnsguard.edge.dnsmasq import Dnsmasq
os.chdir(sys.argv[1])
os.setuid(65534)
loop = asyncio.new_event_loop()
print(Dnsmasq(loop, Path("dnsmasq.pid"), "", print).find())
loop.close()
"""
    with running(str(hook)) as process:
        (tmp_path / "dnsmasq.pid").write_text(f"{process.pid}\n")
        name = Path(f"/proc/{process.pid}/comm")
        until(lambda: name.read_text() == "dnsmasq\n", "the kernel shows the script's name")
        ran = subprocess.run(
            [sys.executable, "-W", "error", "-c", script, str(tmp_path)],
            env={"PYTHONPATH": ROOT}, check=True, capture_output=True, text=True,
        )  # fmt: skip

    assert "which calls itself dnsmasq but runs 'sh'" in ran.stdout


# --- PID files that lie ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (b"1\n", "names PID 1, which is not dnsmasq"),
        (b"0\n", "names PID 0, which is not dnsmasq"),
        pytest.param(b"%d\n" % os.getpid(), f"names PID {os.getpid()}, which is not dnsmasq", id="our own"),
        (b"4194305\n", "names PID 4194305, which is not dnsmasq"),
        (b"99999999999999999999999\n", "which is not dnsmasq"),
        (b"-1\n", r"holds no PID but '-1\n'"),
        (b"", "holds no PID but ''"),
        (b"\n", r"holds no PID but '\n'"),
        (b"12 34\n", r"holds no PID but '12 34\n'"),
        (b"1_2\n", r"holds no PID but '1_2\n'"),
        (b"\xb2\n", r"holds no PID but '\xb2\n'"),
        (b"\x00\x1b[2J\xff", r"holds no PID but '\x00\x1b[2J\xff'"),
        (b"7" * 2**20, "holds no PID but '7777"),
        (b" " * 2**20 + b"7", "holds no PID but '    "),
    ],
)
def test_a_pid_file_is_only_a_claim(world: World, claim: bytes, words: str) -> None:
    """The user dnsmasq can write there what he likes; the guard may signal anything but does not."""
    world.pid_file.write_bytes(claim)

    assert f"{world.pid_file} " in reason(world.find(Path("/proc")))
    assert words in reason(world.find(Path("/proc")))


def test_a_missing_pid_file_is_a_reason(world: World) -> None:
    """dnsmasq that was never started looks like this."""
    assert f"{world.pid_file} cannot be read: No such file or directory (ENOENT)" in reason(world.find())


def test_a_fifo_is_not_waited_for(world: World) -> None:
    """Reading it would stop the daemon until somebody writes."""
    os.mkfifo(world.pid_file)

    assert f"{world.pid_file} is not a regular file" in reason(world.find())


def test_a_directory_is_no_pid_file(world: World) -> None:
    """Opening it works, reading it does not."""
    world.pid_file.mkdir()

    assert f"{world.pid_file} is not a regular file" in reason(world.find())


def test_a_symlink_is_not_followed(world: World, stranger: int) -> None:
    """It could lead to any file that the guard may open, devices included."""
    (world.place / "elsewhere").write_text(f"{stranger}\n")
    world.pid_file.symlink_to("elsewhere")
    world.show(stranger)

    assert "cannot be read: Too many levels of symbolic links (ELOOP)" in reason(world.find())


def test_a_thread_is_no_process(world: World) -> None:
    """A number that names a thread cannot be held as a process, whatever /proc shows."""
    script = "import threading; threading.Thread(target=input).start(); input()"
    with running(sys.executable, "-c", script) as process:
        tasks = Path(f"/proc/{process.pid}/task")
        until(lambda: len(os.listdir(tasks)) > 1, "the thread has started")
        thread = max(map(int, os.listdir(tasks)))
        world.claim(thread)
        world.show(thread)
        answer = world.find()

    assert f"names PID {thread}, which cannot be watched: " in reason(answer)


# --- who it is -------------------------------------------------------------------------------------


def test_another_program_is_not_dnsmasq(world: World, stranger: int) -> None:
    """PIDs are used again: a stale PID file may name anybody."""
    world.claim(stranger)

    assert f"names PID {stranger}, which is not dnsmasq but 'sleep'" in reason(world.find(Path("/proc")))


def test_a_program_that_took_the_name_is_not_dnsmasq(tmp_path: Path) -> None:
    """prctl(PR_SET_NAME) gives any process the name; the program behind it tells."""
    script = "open('/proc/self/comm', 'w').write('dnsmasq'); print(flush=True); input()"
    with running(sys.executable, "-c", script) as process:
        assert process.stdout is not None
        process.stdout.readline()
        world = World(tmp_path, unit="")
        world.claim(process.pid)
        answer = world.find(Path("/proc"))
        world.unit = UNIT
        with_unit = world.find(Path("/proc"))

    assert "which calls itself dnsmasq but runs 'python" in reason(answer)
    assert "which calls itself dnsmasq but runs 'python" in reason(with_unit)


@pytest.mark.parametrize(
    "cgroup",
    [
        "0::/system.slice/libvirtd.service\n",
        "0::/system.slice/dnsmasq.service.d\n",
        "0::/system.slice/dnsmasq@two.service\n",
        "0::/user.slice/user-1000.slice/user@1000.service/app.slice/dnsmasq.service\n",
        "0::/\n",
        "",
        "rubbish\n",
    ],
)
def test_a_dnsmasq_of_another_unit_is_not_ours(world: World, stranger: int, cgroup: str) -> None:
    """libvirt, NetworkManager and LXD run dnsmasqs of their own; a user may name a unit of his so."""
    world.claim(stranger)
    world.show(stranger, cgroup=cgroup)

    assert f"names PID {stranger}, which does not belong to {UNIT}" in reason(world.find())


@pytest.mark.parametrize(
    "cgroup",
    [
        IN_UNIT,
        IN_UNIT.rstrip("\n") + "/dnsmasq\n",
        f"0::/custom.slice/{UNIT}\n",
        f"9:name=systemd:/system.slice/{UNIT}\n8:pids:/\n0::/\n",
        f"1:cpu,cpuacct:/\n0::/lxc/one/system.slice/{UNIT}\n",
    ],
)
def test_a_process_of_the_unit_is_ours_wherever_the_unit_is(world: World, stranger: int, cgroup: str) -> None:
    """A slice of the operator's choice, version 1 of cgroups, a container."""
    world.claim(stranger)
    world.show(stranger, cgroup=cgroup)

    assert DnsmasqFound(stranger) == world.find()


def test_without_a_unit_the_cgroup_does_not_matter(tmp_path: Path, stranger: int) -> None:
    """A dnsmasq that systemd did not start has no unit."""
    world = World(tmp_path, unit="")
    world.claim(stranger)
    world.show(stranger, cgroup="0::/\n")

    assert DnsmasqFound(stranger) == world.find()


def test_an_upgraded_dnsmasq_is_still_dnsmasq(world: World, stranger: int) -> None:
    """apt replaces the program under the running process."""
    world.claim(stranger)
    world.show(stranger, exe="/usr/sbin/dnsmasq (deleted)")

    assert DnsmasqFound(stranger) == world.find()


@pytest.mark.parametrize("name", ["comm", "exe", "cgroup"])
def test_a_process_that_cannot_be_looked_at_is_not_trusted(world: World, stranger: int, name: str) -> None:
    """It ended while one looked, or ProtectProc= hides it."""
    world.claim(stranger)
    world.show(stranger)
    (world.proc / str(stranger) / name).unlink()

    assert f"names PID {stranger}, which cannot be looked at: No such file" in reason(world.find())


@pytest.mark.parametrize("text", ["", "rubbish", "1 (dnsmasq) S", "1 (dnsmasq) S x"])
def test_an_unreadable_stat_makes_no_child(world: World, stranger: int, text: str) -> None:
    """Who the parent is matters only if it is dnsmasq."""
    world.claim(stranger)
    world.show(stranger)
    (world.proc / str(stranger) / "stat").write_text(text)

    assert DnsmasqFound(stranger) == world.find()


def test_a_name_with_brackets_does_not_hide_the_parent(world: World, stranger: int) -> None:
    """stat shows the name unescaped; what follows the last bracket counts."""
    world.claim(stranger)
    world.show(stranger)
    with running("sleep", "600") as parent:
        world.show(parent.pid)
        (world.proc / str(stranger) / "stat").write_text(f"7 (a) S 1 (b)) S {parent.pid} 0 0\n")
        answer = world.find()

    assert f"which is only a child of dnsmasq, PID {parent.pid}" in reason(answer)


def test_a_zombie_is_not_alive(world: World) -> None:
    """Its PID is still taken and /proc still shows its name, but nobody answers any more."""
    with running("true") as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        world.claim(process.pid)
        world.show(process.pid)
        answer = world.find()

    assert f"names PID {process.pid}, which has ended" in reason(answer)


# --- by the unit -----------------------------------------------------------------------------------


def test_a_spoilt_pid_file_does_not_hide_the_unit(world: World, stranger: int) -> None:
    """Who writes rubbish there makes the guard look elsewhere, no more."""
    world.claim("rubbish")
    world.show(stranger)
    world.list_unit(0, 1, stranger)

    assert DnsmasqFound(stranger) == world.find()


def test_the_units_other_processes_are_passed_over(world: World, stranger: int) -> None:
    """The start script, a child for a TCP client, and the one that runs the DHCP script."""
    with running("sleep", "600") as child, running("sleep", "600") as script:
        world.show(stranger)
        world.show(child.pid, parent=stranger, started=200)
        world.show(script.pid, comm="sh", exe="/usr/bin/dash", started=300)
        world.list_unit(script.pid, child.pid, stranger)
        answer = world.find()

    assert DnsmasqFound(stranger) == answer


def test_of_two_the_younger_is_taken(world: World, stranger: int) -> None:
    """While dnsmasq daemonises its parent waits beside it, and is gone a moment later."""
    with running("sleep", "600") as new:
        world.show(stranger, started=100)
        world.show(new.pid, started=101)
        world.list_unit(stranger, new.pid)
        answer = world.find()

    assert DnsmasqFound(new.pid) == answer


def test_a_unit_without_dnsmasq_is_a_reason(world: World) -> None:
    """Both places were looked at, and the operator is told of both."""
    world.claim(1)
    world.list_unit(os.getpid())

    words = f"{world.pid_file} names PID 1, which is not dnsmasq; {UNIT} has no process that is dnsmasq"
    assert words == reason(world.find())


def test_an_ended_process_of_the_unit_is_not_taken(world: World) -> None:
    """The list may be older than the death."""
    with running("true") as process:
        process.wait()
    world.show(process.pid)
    world.list_unit(process.pid)

    assert f"{UNIT} has no process that is dnsmasq" in reason(world.find())


@pytest.mark.parametrize("text", ["rubbish\n", "7 x\n", "caf\xe9\n"])
def test_a_list_that_makes_no_sense_is_an_empty_list(world: World, text: str) -> None:
    """Never seen from a kernel; never a reason to fall over."""
    world.list_unit(text.strip())

    assert f"{UNIT} has no process that is dnsmasq" in reason(world.find())


@pytest.mark.parametrize(
    ("unit", "under"),
    [
        ("dnsmasq@two.service", "system.slice/system-dnsmasq.slice"),
        ("my-dns@a.service", "system.slice/system-my\\x2ddns.slice"),
    ],
)
def test_an_instance_is_looked_for_in_its_templates_slice(tmp_path: Path, stranger: int, unit: str, under: str) -> None:
    """systemd gives the instances of a template a slice of their own."""
    world = World(tmp_path, unit)
    world.show(stranger, cgroup=f"0::/{under}/{unit}\n")
    world.list_unit(stranger, under=under)

    assert DnsmasqFound(stranger) == world.find()


# --- holding on ------------------------------------------------------------------------------------


def open_pidfds() -> int:
    links = (f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd"))
    return sum("pidfd" in os.readlink(link) for link in links if os.path.lexists(link))


def test_the_same_process_is_not_opened_again(world: World, stranger: int) -> None:
    """The daemon asks often; each answer is the same and costs no descriptor."""
    world.claim(stranger)
    world.show(stranger)

    with world.edge() as edge:
        before = open_pidfds()
        assert [DnsmasqFound(stranger)] * 3 == [edge.find() for _ in range(3)]
        assert before + 1 == open_pidfds()
        edge.close()
        assert before == open_pidfds()
    assert [] == world.gone


def test_refusals_cost_no_descriptor(world: World, stranger: int) -> None:
    """Once a second, for as long as there is no dnsmasq."""
    world.claim(stranger)
    world.show(stranger, comm="sleep")

    with world.edge() as edge:
        before = os.listdir("/proc/self/fd")
        for _ in range(5):
            edge.find()
        assert before == os.listdir("/proc/self/fd")


def test_a_new_process_replaces_the_old(world: World, stranger: int) -> None:
    """The old one is told of as gone, although it may still live: it is not the one any more."""
    with running("sleep", "600") as new, world.edge() as edge:
        world.claim(stranger)
        world.show(stranger)
        world.show(new.pid)
        before = open_pidfds()
        edge.find()
        world.claim(new.pid)

        assert DnsmasqFound(new.pid) == edge.find()
        assert [DnsmasqGone(stranger)] == world.gone
        assert before + 1 == open_pidfds()


def test_a_known_dnsmasq_outlives_its_pid_file(world: World, stranger: int) -> None:
    """Whoever removes or spoils the file cannot make the guard leave a dnsmasq that works."""
    world.claim(stranger)
    world.show(stranger)

    with world.edge() as edge:
        edge.find()
        world.pid_file.write_text("rubbish")
        assert DnsmasqFound(stranger) == edge.find()
        world.pid_file.unlink()
        assert DnsmasqFound(stranger) == edge.find()
    assert [] == world.gone


def test_a_process_that_became_another_program_is_given_up(world: World, stranger: int) -> None:
    """execve(2) ends no process, so the pidfd stays silent; the name tells."""
    world.claim(stranger)
    world.show(stranger)

    with world.edge() as edge:
        edge.find()
        world.show(stranger, comm="sh")

        assert f"PID {stranger}, which was dnsmasq, is not dnsmasq but 'sh'" in reason(edge.find())
        assert [DnsmasqGone(stranger)] == world.gone
        edge.find()
        assert [DnsmasqGone(stranger)] == world.gone


def test_a_death_is_told_once_whoever_sees_it_first(world: World) -> None:
    """find() may come before the loop hears of it; the loop then has nothing left to tell."""
    with running("sleep", "600") as process:
        world.claim(process.pid)
        world.show(process.pid)

        async def story() -> None:
            loop = asyncio.get_running_loop()
            edge = Dnsmasq(loop, world.pid_file, UNIT, world.gone.append, world.proc, world.cgroup)
            assert DnsmasqFound(process.pid) == edge.find()
            process.kill()
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
            assert isinstance(edge.find(), DnsmasqMissing)
            # Two turns of the loop: whatever is readable has been heard after that.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            edge.close()

        asyncio.run(story())

    assert [DnsmasqGone(process.pid)] == world.gone


def test_after_close_nothing_is_told(world: World) -> None:
    """The daemon is leaving; a death that comes now is nobody's business."""
    with running("sleep", "600") as process:
        world.claim(process.pid)
        world.show(process.pid)

        async def story() -> None:
            loop = asyncio.get_running_loop()
            edge = Dnsmasq(loop, world.pid_file, UNIT, world.gone.append, world.proc, world.cgroup)
            edge.find()
            edge.close()
            edge.close()
            process.kill()
            process.wait()
            await asyncio.sleep(0)
            await asyncio.sleep(0)

        asyncio.run(story())

    assert [] == world.gone


# --- reload ----------------------------------------------------------------------------------------


def hung_up(process: subprocess.Popen[bytes]) -> bool:
    """Whether SIGHUP was what ended it: `sleep` does not catch it."""
    return process.wait(10) == -signal.SIGHUP


def test_only_the_process_that_was_found_is_signalled(world: World, stranger: int) -> None:
    """A decision made for an older dnsmasq must not disturb the new one, or anybody else."""
    world.claim(stranger)
    world.show(stranger)

    with world.edge() as edge:
        early = edge.reload(Reload(5, stranger))
        edge.find()
        wrong = edge.reload(Reload(5, os.getpid()))

    assert ReloadFailed(5, stranger, f"PID {stranger} is not the dnsmasq that was found last") == early
    assert f"PID {os.getpid()} is not the dnsmasq that was found last" == reason(wrong)


def test_a_process_that_changed_its_name_is_not_signalled(world: World) -> None:
    """What is checked at find() is checked again before the signal."""
    with running("sleep", "600") as process, world.edge() as edge:
        world.claim(process.pid)
        world.show(process.pid)
        edge.find()
        world.show(process.pid, comm="sshd")
        refused = edge.reload(Reload(5, process.pid))
        world.show(process.pid)
        sent = edge.reload(Reload(6, process.pid))

        assert f"PID {process.pid} is not dnsmasq but 'sshd'" == reason(refused)
        assert ReloadSent(6, process.pid) == sent
        assert hung_up(process)


def test_a_reload_that_comes_after_the_end_says_so(world: World) -> None:
    """The pidfd knows, although /proc may by now show the next process of that number."""
    with running("sleep", "600") as process, world.edge() as edge:
        world.claim(process.pid)
        world.show(process.pid)
        edge.find()
        process.kill()
        process.wait()

        assert f"PID {process.pid} has ended" == reason(edge.reload(Reload(5, process.pid)))
