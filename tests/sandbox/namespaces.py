"""A private root, network and process table, and the processes in them.

Nothing of this machine is touched. What the packages would bring is unpacked once below the user's
cache directory (fetch.sh); the root is put together on a tmpfs (root.sh). Works for root, and for
anybody where user namespaces are allowed.

Fact: when the first process of a PID namespace ends, the kernel ends all others in it; ours ends by
itself when we are gone, because it reads a pipe that we hold. Every process of ours is in a process
group of its own, so that Ctrl-C reaches us alone, and we end the others in order.
"""

import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from tests.sandbox.processes import PATIENCE_S, Inside, begin_or_close, child_of, child_of_pid

CHECKOUT = Path(__file__).resolve().parents[2]
ROOM = Path(__file__).resolve().parent

ENVIRONMENT = {
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONPATH": str(CHECKOUT),
}

Command = str | Sequence[str]
"""An argument list, or a line of shell."""


class NotAllowedError(Exception):
    """There can be no private host on this machine; the text says why."""


class PrivateRoot:
    """Two network namespaces, a root and a process table of their own; a context manager.

    `run` and `popen` act inside; `beyond` acts in the other network namespace, which sees the same
    files at the same places.

    Raises:
        NotAllowedError: from start(), where namespaces are forbidden.
    """

    def __init__(self) -> None:
        self._mountpoint = Path()
        self._world: subprocess.Popen[str] | None = None
        self._world_pid = 0
        self._init_pid = 0
        self._processes: list[Inside] = []

    def __enter__(self) -> Self:
        begin_or_close(self.start, self.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Make it; half a second, and once longer to fetch what this machine lacks."""
        unpacked = fetch()
        _be_allowed()
        # Mounted upon in our own namespace only, so that all roots share it.
        self._mountpoint = unpacked.with_name("root")
        self._mountpoint.mkdir(exist_ok=True)
        script = ["sh", str(ROOM / "root.sh"), str(self._mountpoint), str(unpacked), *_needed_directories()]
        self._world = subprocess.Popen(
            [*_unshare(), *script],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, env=ENVIRONMENT, process_group=0,
        )  # fmt: skip
        _wait_until_ready(self._world)
        self._world_pid = child_of(self._world)
        self._init_pid = child_of_pid(child_of_pid(self._world_pid))

    def close(self) -> None:
        """End everything in it, and itself; may be called any number of times."""
        for process in self._processes:
            process.end(signal.SIGKILL)
        self._processes.clear()
        if self._world is not None:
            _hang_up(self._world)
            self._world = None

    def path(self, inside: str) -> Path:
        """Where a file of the root is seen from outside; its absolute links lead astray there."""
        return Path(f"/proc/{self._init_pid}/root{inside}")

    def run(self, command: Command, check: bool = True, given: str = "") -> subprocess.CompletedProcess[str]:
        """Run a command inside to its end, and to the end of all that holds its output; `given` is its input.

        Raises:
            CalledProcessError: it failed, and `check` is true.
        """
        door = subprocess.run(
            [*self.door(), *arguments(command)],
            input=given, capture_output=True, text=True, timeout=60, env=ENVIRONMENT, process_group=0,
        )  # fmt: skip
        if check and door.returncode:
            error = subprocess.CalledProcessError(door.returncode, str(command), door.stdout, door.stderr)
            error.add_note(door.stderr)
            raise error
        return door

    def popen(self, command: Command, output: Path | None = None, errors: Path | None = None) -> Inside:
        """Start a process inside, which ends with the root at the latest; its stdin is ours to close.

        Args:
            command: what to run.
            output: a file outside for its stdout; nothing is kept without it.
            errors: the same for its stderr.
        """
        return self._open([*self.door(), *arguments(command)], output, errors)

    def beyond(self, command: Command, output: Path | None = None) -> Inside:
        """Start a process in the other network namespace, at the far end of the cable; `output` as for popen()."""
        return self._open([*self._far_door(), *arguments(command)], output, None)

    def run_beyond(self, command: Command) -> None:
        """Run a command in the other network namespace to its end."""
        subprocess.run(
            [*self._far_door(), *arguments(command)],
            check=True, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60, env=ENVIRONMENT,
        )  # fmt: skip

    def plug_in(self, inside: str, beyond: str) -> None:
        """Lay a cable between the two network namespaces: `eth0` inside, `cable` at the far end.

        Both arguments are addresses with a prefix length.
        """
        # Without the PID namespace, so that `netns` understands the id that we know.
        far = [*_enter(self._world_pid, "--mount", "--net"), "chroot", str(self._mountpoint)]
        add = f"ip link add cable type veth peer name eth0 netns {self._init_pid}"
        lines = f"{add} && ip addr add {beyond} dev cable && ip link set cable up"
        subprocess.run([*far, *arguments(lines)], check=True, env=ENVIRONMENT, stdin=subprocess.DEVNULL)
        self.run(f"ip addr add {inside} dev eth0 && ip link set eth0 up")

    def door(self) -> list[str]:
        """The command that leads inside; an argument list follows it."""
        return _enter(self._init_pid, "--mount", "--net", "--pid", "--uts")

    def _far_door(self) -> list[str]:
        return [*_enter(self._world_pid, "--mount", "--net", "--pid"), "chroot", str(self._mountpoint)]

    def _open(self, command: list[str], output: Path | None, errors: Path | None) -> Inside:
        with _to(output) as out, _to(errors) as err:
            door = subprocess.Popen(
                command,
                stdin=subprocess.PIPE, stdout=out, stderr=err, text=True, env=ENVIRONMENT, process_group=0,
            )  # fmt: skip
        process = Inside(door)
        self._processes.append(process)
        return process


def fetch() -> Path:
    """The unpacked packages; they are fetched if they are not there yet. Remove them to have newer ones.

    Raises:
        NotAllowedError: this is no Debian.
        CalledProcessError: fetch.sh failed; it has said why.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    release = platform.freedesktop_os_release()
    name = f"{release['ID']}-{release.get('VERSION_ID', 'rolling')}-{platform.machine()}"
    unpacked = cache / "dnsguard" / name
    missing = [tool for tool in ("apt-get", "dpkg", "unshare", "nsenter") if shutil.which(tool) is None]
    if missing:
        raise NotAllowedError(f"this needs a Debian with {', '.join(missing)}")
    if not unpacked.is_dir():
        subprocess.run(["sh", str(ROOM / "fetch.sh"), str(unpacked)], check=True)
    return unpacked


def arguments(command: Command) -> list[str]:
    """An argument list for a command of either kind."""
    return ["sh", "-c", command] if isinstance(command, str) else list(command)


# What no namespace keeps apart, as the clock: root inside must not be able to change it for the machine.
_WITHOUT = ["setpriv", "--bounding-set=-sys_time,-sys_module,-sys_rawio,-sys_boot"]


def _unshare() -> list[str]:
    start = [*_WITHOUT, "unshare"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user"]
    return [*start, "--mount", "--net", "--pid", "--fork", "--kill-child"]


def _enter(pid: int, *namespaces: str) -> list[str]:
    start = [*_WITHOUT, "nsenter"] if os.geteuid() == 0 else ["nsenter", "--user", "--preserve-credentials"]
    return [*start, "--target", str(pid), *namespaces]


def _be_allowed() -> None:
    """Raise NotAllowedError unless namespaces can be made here, a fresh /proc included."""
    trial = subprocess.run([*_unshare(), "--mount-proc", "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        raise NotAllowedError(f"namespaces are not allowed here: {trial.stderr.strip()}")


def _needed_directories() -> list[str]:
    """What must be seen inside too: this checkout, and the Python that runs us."""
    wanted = dict.fromkeys((str(CHECKOUT), sys.prefix, sys.base_prefix))
    return [directory for directory in wanted if not f"{directory}/".startswith("/usr/")]


def _wait_until_ready(world: subprocess.Popen[str]) -> None:
    assert world.stdout is not None
    said = []
    for line in world.stdout:
        if line == "ready\n":
            return
        said.append(line)
    raise RuntimeError("root.sh: " + "".join(said))


def _hang_up(world: subprocess.Popen[str]) -> None:
    assert world.stdin is not None
    assert world.stdout is not None
    world.stdin.close()
    try:
        world.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        world.kill()
        world.wait(PATIENCE_S)
    world.stdout.close()


def _to(file: Path | None) -> IO[str]:
    return Path(os.devnull if file is None else file).open("w")
