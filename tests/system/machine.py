"""A whole Debian, booted: systemd is its first process, and its upstream servers stand on another host.

A scenario in ten lines (conftest.py has the fixtures; each test has a machine of its own and runs on both suites):

    def test_death_of_dnsmasq_costs_nothing(with_dnsmasq: Machine, package: Path) -> None:
        # First the docstring: what is claimed, and why.
        machine = with_dnsmasq  # or `plain`, or `with_resolvconf`; `boot(KIND)` for one of your own (kinds.py)
        machine.install(package)  # .deb files of ours and names of Debian's, all in one run of apt-get
        machine.start_sampler()
        machine.run("systemctl kill --signal=KILL dnsmasq")
        machine.wait_for_lookups(100)
        lookups = machine.stop_sampler()

        assert (0, 0) == (tally(lookups).failed, tally(lookups).slow)

`machine.world` has what is not the machine: upstreams to silence, to stop and to replace, and the cable. If the test
fails, the machine's journal stands in its report. To try something by hand: `python -m tests.system.machine trixie`.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.sandbox.lookups import Lookup, end_sampler, read
from tests.sandbox.namespaces import CHECKOUT, Command, arguments
from tests.sandbox.processes import Inside, begin_or_close, wait_for
from tests.system.world import ROOM, World, be_allowed

SAMPLER = CHECKOUT / "tests/sandbox/sampler.py"

BOOT_S = 90.0
"""How long systemd may take to be up on a busy computer; it takes two seconds."""

INSTALL_S = 300.0
"""The same for a run of apt-get."""

ENVIRONMENT = {
    "DEBIAN_FRONTEND": "noninteractive",
    "HOME": "/root",
    "LANG": "C.UTF-8",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "TERM": "dumb",
}


class Machine:
    """One Debian with its world; a context manager that boots it, and leaves nothing behind.

    Attributes:
        world: its disk, its cable, and the upstream servers.
        pid: the id of its systemd outside, while it is on.
    """

    def __init__(self, root: Path, layers: Sequence[Path] = ()) -> None:
        self.world = World(root, layers)
        self._outside = tempfile.TemporaryDirectory(prefix="dnsguard-")
        self._door: subprocess.Popen[str] | None = None
        self.pid = 0
        self._processes: list[Inside] = []
        self._sampler: Inside | None = None
        self._record = Path(self._outside.name) / "lookups"

    def __enter__(self) -> Self:
        begin_or_close(self.start, self.close)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def start(self) -> None:
        """Make its world, and boot it."""
        self.world.start()
        self.boot()

    def close(self) -> None:
        """End everything in it, and all that was made for it; may be called any number of times."""
        try:
            self.cut_power()
        finally:
            self.world.close()
            self._outside.cleanup()

    # Power ----------------------------------------------------------------------------------

    def boot(self, wait: bool = True) -> None:
        """Switch it on; it is up when this returns, unless `wait` is false. Units may have failed: failed_units()."""
        self._door, self.pid = self.world.switch_on()
        if wait:
            self.wait_until_up()

    def wait_until_up(self, patience_s: float = BOOT_S) -> None:
        """Wait until systemd has nothing left to start.

        Raises:
            TimeoutError: it still has; the text says what.
        """
        try:
            wait_for(lambda: self.state() in ("running", "degraded"), "end of the boot", patience_s)
        except TimeoutError as late:
            jobs = self.run("systemctl list-jobs; systemctl --failed --plain --no-legend", check=False)
            raise TimeoutError(f"{late}: {self.state()}\n{jobs.stdout}{jobs.stderr}") from late

    def state(self) -> str:
        """What systemd says of itself, once it is up or after five seconds: "running", "degraded", "starting"."""
        return self.run("timeout 5 systemctl is-system-running --wait", check=False).stdout.strip()

    def failed_units(self) -> list[str]:
        """The units that make it "degraded"."""
        lines = self.run("systemctl list-units --failed --plain --no-legend").stdout.splitlines()
        return [line.split()[0] for line in lines]

    def cut_power(self) -> None:
        """End it at once, by SIGKILL to its systemd; what it has written stays. A sampler in it ends too."""
        if self._door is not None and self._door.poll() is None:
            os.kill(self.pid, signal.SIGKILL)
        self._wait_until_off()

    def reboot(self, wait: bool = True) -> None:
        """`systemctl reboot`, and up again, as boot() says; /run is empty then. A sampler in it ends too."""
        self.run("systemctl reboot", check=False)
        self._wait_until_off()
        self.boot(wait)

    def _wait_until_off(self) -> None:
        if self._door is None:
            return
        assert self._door.stdout is not None
        self._door.wait(BOOT_S)
        self._door.stdout.close()
        self._door = None
        self._sampler = None
        for process in self._processes:
            process.end()
        self._processes.clear()

    def save(self, layer: Path) -> None:
        """Cut its power, and keep its disk as a layer for other machines."""
        self.cut_power()
        self.world.save(layer)

    # Acting in it ---------------------------------------------------------------------------

    def path(self, inside: str) -> Path:
        """Where a file of it is seen from outside; its absolute links lead astray there."""
        return Path(f"/proc/{self.pid}/root{inside}")

    def run(
        self, command: Command, check: bool = True, given: str = "", patience_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it to its end, and to the end of all that holds its output; `given` is its input.

        Raises:
            CalledProcessError: it failed, and `check` is true; both of its streams are in the note.
            TimeoutExpired: it took too long, and goes on.
        """
        door = subprocess.Popen(
            [*self._entrance(), *arguments(command)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, errors="replace", env=ENVIRONMENT, process_group=0,
        )  # fmt: skip
        with door:
            try:
                output, errors = door.communicate(given, patience_s)
            except subprocess.TimeoutExpired as late:
                door.kill()
                late.add_note(f"{late.output!r} {late.stderr!r}")
                raise
        if check and door.returncode:
            failure = subprocess.CalledProcessError(door.returncode, str(command), output, errors)
            failure.add_note(f"{output}\n{errors}")
            raise failure
        return subprocess.CompletedProcess(command, door.returncode, output, errors)

    def popen(self, command: Command, output: Path | None = None) -> Inside:
        """Start a process in it, which ends with it at the latest; a file outside takes its output and errors."""
        with Path(os.devnull if output is None else output).open("w") as out:
            door = subprocess.Popen(
                [*self._entrance(), *arguments(command)],
                stdin=subprocess.PIPE, stdout=out, stderr=out, text=True, env=ENVIRONMENT, process_group=0,
            )  # fmt: skip
        process = Inside(door)
        self._processes.append(process)
        return process

    def journal(self, unit: str = "") -> str:
        """What the journal has of this boot, or of one unit in it; with times of the clock that lookups have."""
        of_unit = [f"--unit={unit}"] if unit else []
        return self.run(["journalctl", "--boot", "--no-pager", "--output=short-monotonic", *of_unit]).stdout

    def _entrance(self) -> list[str]:
        visitors = str(self.world.visitors())
        namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--cgroup"]
        enter = ["nsenter", "--target", str(self.pid), *namespaces]
        return ["sh", "-c", 'echo 0 >"$0" && exec "$@"', visitors, *enter]

    # Packages -------------------------------------------------------------------------------

    def install(self, *wanted: str | Path, recommends: bool = False) -> None:
        """Install packages in one run of apt-get: Debian's by name, ours by the path of their .deb outside.

        What they recommend comes along only if `recommends` says so: a case names what comes, and when.

        For dpkg in an order of your own, Debian's .deb files are in /srv/debs inside, and bring() puts ours there too.
        """
        names = [self.bring(each) if isinstance(each, Path) else each for each in wanted]
        options = [f"--option=APT::Install-Recommends={recommends}", "--option=Dpkg::Options::=--force-confold"]
        self.run(["apt-get", "--yes", "--quiet", *options, "install", *names], patience_s=INSTALL_S)

    def bring(self, file: Path) -> str:
        """Copy a file into it: where it is there."""
        folder = self.path("/srv/brought")
        folder.mkdir(exist_ok=True)
        shutil.copy(file, folder)
        return f"/srv/brought/{file.name}"

    # What libc sees -------------------------------------------------------------------------

    def nameservers(self) -> list[str]:
        """The servers that libc would ask now, in order."""
        lines = [line.split() for line in self.run(["cat", "/etc/resolv.conf"]).stdout.splitlines()]
        return [words[1] for words in lines if words[:1] == ["nameserver"]]

    def resolves(self) -> bool:
        """Whether one lookup by libc succeeds now; may take as long as libc does."""
        return self.run("getent ahosts once.example.net", check=False).returncode == 0

    def new_lease(self, *nameservers: str) -> None:
        """Announce a lease with these servers to resolvconf, as a DHCP client does."""
        record = "".join(f"nameserver {address}\n" for address in nameservers)
        self.run(["resolvconf", "-a", "eth0.inet"], given=record)

    def start_sampler(self) -> None:
        """Look a name up every 10 ms from now on; returns when the first lookup has ended, one way or the other."""
        if self._sampler is not None:
            raise RuntimeError("a sampler is running already")
        sampler = self.popen(["/usr/bin/python3", self.bring(SAMPLER)], self._record)
        self._sampler = sampler
        wait_for(lambda: self._record.stat().st_size or sampler.door.poll() is not None, "lookup")

    def lookups(self) -> list[Lookup]:
        """Those that have ended since start_sampler(), in the order of their ends."""
        return read(self._record)

    def wait_for_lookups(self, count: int, patience_s: float = 30.0) -> None:
        """Wait until so many lookups have ended that began after this call."""
        now_s = time.monotonic()
        wait_for(lambda: sum(each.start_s > now_s for each in self.lookups()) >= count, "lookups", patience_s)

    def stop_sampler(self) -> list[Lookup]:
        """Start no more lookups, wait for those under way, and give all since start_sampler().

        Raises:
            RuntimeError: the sampler itself failed; the text is its own.
        """
        sampler, self._sampler = self._sampler, None
        if sampler is None:
            raise RuntimeError("no sampler is running")
        return end_sampler(sampler, self._record)


def root_of(suite: str) -> Path:
    """The root of a suite ("bookworm", "trixie"); made first if it is not there.

    Raises:
        NotAllowedError: no Debian can be booted here.
        CalledProcessError: root.sh failed; it has said why.
    """
    be_allowed()
    made = subprocess.run(["sh", str(ROOM / "root.sh"), suite], check=True, stdout=subprocess.PIPE, text=True)
    return Path(made.stdout.strip())


if __name__ == "__main__":
    with Machine(root_of(sys.argv[1])) as by_hand:
        print(f"nsenter --target {by_hand.pid} --all bash; Ctrl-D here ends the machine", flush=True)
        sys.stdin.read()
