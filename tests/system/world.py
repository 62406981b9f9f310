"""What surrounds a machine: its disk, the far end of its cable, and the upstream servers there.

Everything is in namespaces without a name, ends with the pipe that we hold (world.sh), and is seen by nobody
else; so any number of worlds can be there at once.
"""

import os
import shutil
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tests.sandbox.namespaces import Command, NotAllowedError, arguments
from tests.sandbox.processes import PATIENCE_S, Inside, child_of, child_of_pid, wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM, Upstreams

ROOM = Path(__file__).resolve().parent


class World(Upstreams):
    """A root's overlay, and a network of its own, where UPSTREAM and OTHER_UPSTREAM answer everything.

    Attributes:
        pid: the id of its first process.

    Raises:
        NotAllowedError: from start(), where namespaces are forbidden or the user is not root.
    """

    def __init__(self, root: Path, layers: Sequence[Path]) -> None:
        super().__init__()
        # Mounted upon in the world's own namespace only, so that all worlds share it.
        self._place = root.parent / "machine"
        self._layers = [str(layer) for layer in (*reversed(layers), root)]
        self._process: subprocess.Popen[str] | None = None
        self.pid = 0
        self._lessor: Inside | None = None
        self._boots = 0

    def start(self) -> None:
        """Make it; a tenth of a second."""
        be_allowed()
        self._process = subprocess.Popen(
            ["unshare", "--mount", "sh", str(ROOM / "world.sh"), str(self._place), *self._layers],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0,
        )  # fmt: skip
        wait_for_word("ready", self._process)
        self.pid = child_of_pid(child_of(self._process))
        for address in (UPSTREAM, OTHER_UPSTREAM):
            self.start_upstream(address)

    def close(self) -> None:
        """End everything in it, the machine too, and itself; may be called any number of times."""
        self.end_upstreams()
        if self._lessor is not None:
            self._lessor.end(signal.SIGKILL)
            self._lessor = None
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.close()
        process.wait(PATIENCE_S)
        process.stdout.close()

    # The machine --------------------------------------------------------------------------

    def switch_on(self) -> tuple[subprocess.Popen[str], int]:
        """Start the machine: the process that ends with it, and the id of its systemd."""
        self._boots += 1
        door = subprocess.Popen(
            [*self._door(), "sh", str(ROOM / "power.sh"), str(self._place), str(self._boots)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, process_group=0,
        )  # fmt: skip
        wait_for_word("on", door)
        return door, child_of_pid(child_of(door))

    def visitors(self) -> Path:
        """Where a process writes 0 to be counted among the machine's, as who enters it should be."""
        return self._seen(f"ours/boot-{self._boots}/door/cgroup.procs")

    def unplug(self) -> None:
        """Draw the machine's cable: its carrier is gone."""
        self.run(f"ip link set cable{self._boots} down")

    def plug_in(self) -> None:
        """Put it back."""
        cable = f"cable{self._boots}"
        self.run(f"ip link set {cable} up && ip route replace 192.0.2.0/24 dev {cable} src 192.0.2.1")

    def save(self, layer: Path) -> None:
        """Keep what the machine has written, for other worlds to stand upon; it must be off."""
        half = layer.with_suffix(".half")
        half.mkdir(parents=True)
        subprocess.run(["cp", "--archive", f"{self._seen('upper')}/.", str(half)], check=True)
        half.rename(layer)

    # The far end --------------------------------------------------------------------------

    def beyond(self, command: Command) -> Inside:
        """Start a process at the far end of the cable."""
        return Inside(self._popen(command))

    def give_address(self, address: str) -> None:
        """Give the far end an address more, on lo, so that it outlives the cable."""
        self.run(f"ip address add {address}/32 dev lo")

    def take_address(self, address: str) -> None:
        """Take it away again."""
        self.run(f"ip address del {address}/32 dev lo")

    # Leases -------------------------------------------------------------------------------

    def lease_out(self, nameserver: str) -> None:
        """Answer DHCP clients from now on: an address more, and this nameserver."""
        if self._lessor is not None:
            self._lessor.end()
        # It serves only where it has an address.
        self.run(f"ip address replace 192.0.2.3/24 dev cable{self._boots} noprefixroute")
        self._lessor = self.beyond(
            "exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root --port=0"
            f" --interface=cable{self._boots} --bind-interfaces --no-ping --dhcp-authoritative --leasefile-ro"
            f" --dhcp-range=192.0.2.20,192.0.2.20 --dhcp-option=option:dns-server,{nameserver}"
        )
        wait_for(lambda: self.run("ss --no-header --listening --udp --numeric sport = 67"), "lessor")

    # Doors --------------------------------------------------------------------------------

    def run(self, command: Command) -> str:
        """Run a command of this computer's at the far end of the cable to its end: its output.

        Raises:
            CalledProcessError: it failed.
        """
        done = subprocess.run(
            [*self._door(), *arguments(command)],
            check=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, process_group=0,
        )  # fmt: skip
        return done.stdout

    def _popen(self, command: Command) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self._door(), *arguments(command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True, process_group=0,
        )  # fmt: skip

    def _door(self) -> list[str]:
        return ["nsenter", "--target", str(self.pid), "--mount", "--net", "--pid"]

    def _seen(self, path: str) -> Path:
        """A file of the place, as seen from outside."""
        return Path(f"/proc/{self.pid}/root{self._place}") / path


def be_allowed() -> None:
    """Raise NotAllowedError unless a whole Debian can be booted here."""
    if os.geteuid():
        raise NotAllowedError("only root can boot a whole Debian")
    missing = [tool for tool in ("apt-get", "unshare", "nsenter", "ip", "ss", "dnsmasq") if shutil.which(tool) is None]
    if missing:
        raise NotAllowedError(f"a machine cannot be made without {', '.join(missing)}")
    namespaces = ["--mount-proc", "--net", "--pid", "--uts", "--ipc", "--cgroup", "--fork"]
    trial = subprocess.run(["unshare", *namespaces, "true"], capture_output=True, text=True, check=False)
    if trial.returncode:
        raise NotAllowedError(f"namespaces are not allowed here: {trial.stderr.strip()}")


def wait_for_word(word: str, process: subprocess.Popen[str]) -> None:
    """Read a process' output up to this line.

    Raises:
        RuntimeError: its output ended without it; the text is what it said instead.
    """
    assert process.stdout is not None
    said = []
    for line in process.stdout:
        if line == f"{word}\n":
            return
        said.append(line)
    raise RuntimeError(f"{process.args!r} said: " + "".join(said))
