"""A private host with two upstreams that have moods, and everything that may be done to it, written into a book."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path

from tests.sandbox.book import Book, Deed
from tests.sandbox.faults import SERVERS
from tests.sandbox.host import Host
from tests.sandbox.processes import PATIENCE_S, begin_or_close, wait_for
from tests.sandbox.upstreams import UPSTREAM

RECORD = "/run/resolvconf/interface/eth0.inet"
UPSTREAM_FILE = "/run/dnsmasq/resolv.conf"


class Arena(contextlib.ExitStack):
    """A host with a lease of UPSTREAM and a dnsmasq that runs; a context manager.

    Attributes:
        host: the host.
        book: what was true of its world, and when.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self._said = directory / "far-end"
        self.book = Book(SERVERS, (UPSTREAM,))

    def __enter__(self) -> "Arena":
        begin_or_close(self._begin, self.close)
        return self

    def _begin(self) -> None:
        self.host = self.enter_context(Host())
        self.host.stop_upstream(UPSTREAM)
        for address in SERVERS:
            self.host.give_address(address)
        script = Path(__file__).with_name("far_end.py")
        self._far_end = self.host.beyond(["/usr/bin/python3", str(script), *SERVERS], self._said)
        wait_for(self._said.read_text, "far end")
        self.host.start_dnsmasq()
        self.host.age_upstream_file()

    def do(self, *words: str) -> None:
        """Do what a line of faults.py says."""
        begin_s = time.monotonic()
        DEEDS[words[0]](self, *words[1:])
        self.book.deeds.append(Deed(begin_s, time.monotonic(), words))

    def heal(self) -> None:
        """Make the world as it was in the beginning."""
        for address in SERVERS:
            self.do("manner", address, "well")
        for line in ("plug-in", "wake", "start", f"lease {UPSTREAM}", "fill-upstream-file"):
            self.do(*line.split())

    # What is done ---------------------------------------------------------------------------

    def _manner(self, address: str, *words: str) -> None:
        line = " ".join((address, *words)) + "\n"
        before = self._said.stat().st_size
        with self.book.manners[address].changing(words[0]):
            assert self._far_end.door.stdin is not None
            self._far_end.door.stdin.write(line)
            self._far_end.door.stdin.flush()
            wait_for(lambda: self._said.stat().st_size >= before + len(line), f"far end that is {line}")

    def _unplug(self) -> None:
        with self.book.plugged.changing(False):
            self.host.run_beyond("ip link set cable down")

    def _plug_in(self) -> None:
        if self.book.plugged.held(time.monotonic(), time.monotonic()) == [True]:
            return
        with self.book.plugged.changing(True):
            self.host.run_beyond("ip link set cable up")
            wait_for(lambda: "LOWER_UP" in self.host.run("ip -oneline link show dev eth0").stdout, "carrier")
            # Who was asked for while it was out is asked for again once a second only.
            self.host.run("ip neigh flush dev eth0")
            self.host.run_beyond("ip neigh flush dev cable")

    def _lease(self, *nameservers: str) -> None:
        text = "".join(f"nameserver {address}\n" for address in nameservers)
        begin_s = time.monotonic()
        announcing = self.host.popen(["resolvconf", "-a", "eth0.inet"])
        assert announcing.door.stdin is not None
        announcing.door.stdin.write(text)
        announcing.door.stdin.close()
        # Then the hooks go on, for a second or more; the guard need not wait for them.
        wait_for(lambda: self._record() == text or announcing.door.poll() is not None, "record")
        self.book.lease.note(nameservers, begin_s, time.monotonic())
        wait_for(lambda: announcing.door.poll() is not None, "end of resolvconf", 3 * PATIENCE_S)

    def _record(self) -> str:
        with contextlib.suppress(FileNotFoundError):
            return self.host.path(RECORD).read_text()
        return ""

    def _release(self) -> None:
        self.host.run(["resolvconf", "-d", "eth0.inet"])

    def _start(self) -> None:
        if not self.host.is_dnsmasq_running():
            self.host.start_dnsmasq()

    def _stop(self) -> None:
        if self.host.is_dnsmasq_running():
            self.host.stop_dnsmasq()

    def _kill(self) -> None:
        if self.host.is_dnsmasq_running():
            self.host.kill_dnsmasq()

    def _kill_and_start(self) -> None:
        self._kill()
        self.host.start_dnsmasq()

    def _restart(self) -> None:
        self.host.restart_dnsmasq()

    def _restart_broken(self) -> None:
        self.host.configure_dnsmasq("no-such-option")
        self.host.restart_dnsmasq()
        self.host.configure_dnsmasq()

    def _if_running(self, act: Callable[[Host], object]) -> None:
        if self.host.is_dnsmasq_running():
            act(self.host)

    def _empty(self) -> None:
        self.host.path(UPSTREAM_FILE).write_text("")

    def _fill(self) -> None:
        self.host.age_upstream_file()
        self.host.run(["resolvconf", "-u"])

    def _spoil(self) -> None:
        self.host.run(": >/etc/resolv.conf")


DEEDS: dict[str, Callable[..., None]] = {
    "manner": Arena._manner,
    "unplug": Arena._unplug,
    "plug-in": Arena._plug_in,
    "lease": Arena._lease,
    "release": Arena._release,
    "start": Arena._start,
    "stop": Arena._stop,
    "kill": Arena._kill,
    "kill-and-start": Arena._kill_and_start,
    "restart": Arena._restart,
    "restart-broken": Arena._restart_broken,
    "reload": lambda arena: arena._if_running(Host.reload_dnsmasq),
    "hang": lambda arena: arena._if_running(Host.hang_dnsmasq),
    "wake": lambda arena: arena._if_running(Host.wake_dnsmasq),
    "empty-upstream-file": Arena._empty,
    "fill-upstream-file": Arena._fill,
    "spoil": Arena._spoil,
}
"""What each first word of a line means."""
