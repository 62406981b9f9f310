"""The guard in a private host, run as its unit would run it, less systemd."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.sandbox.namespaces import PrivateRoot
from tests.sandbox.processes import Inside, wait_for

SETTINGS_FILE = "/etc/dnsguard/dnsguard.toml"
STATUS_FILE = "/run/dnsguard/status.json"

# There is no systemd in here that could say which unit a process belongs to.
NO_UNIT = '[dnsmasq]\nunit = ""\n'
# Where many things go wrong in a row, and each is to begin with a dnsmasq that is trusted: no long wait for that.
FORGIVING = NO_UNIT + "[guard]\ndwell_s = 0.5\nfalls = 0\n"

LOOK_S = 0.01


class Guard:
    """`dnsguard run` in a host; a log of its own outside.

    Args:
        host: where it runs.
        log: a file outside for what it says.
        settings: the text of its dnsguard.toml.
        through: words before the command of the daemon, as `env NAME=VALUE` or `prlimit`.
    """

    def __init__(self, host: PrivateRoot, log: Path, settings: str = FORGIVING, through: Sequence[str] = ()) -> None:
        self.log = log
        self._host = host
        self._through = list(through)
        self._process: Inside | None = None
        host.run(["mkdir", "-p", "/etc/dnsguard", "/run/dnsguard", "/var/lib/dnsguard"])
        host.path(SETTINGS_FILE).write_text(settings)

    def start(self) -> None:
        """Attach, run, and wait until it says where it stands."""
        self.attach()
        command = [*self._through, *self._command("run")]
        self._process = self._host.popen(command, output=self.log.with_suffix(".out"), errors=self.log)
        wait_for(lambda: self.phase() or self._has_ended(), "status of the guard")

    def stop(self) -> int:
        """SIGTERM, as systemd would; its exit status."""
        return self._running().end()

    def kill(self) -> None:
        """SIGKILL: it cannot say goodbye."""
        self._running().end(signal.SIGKILL)

    def reload(self) -> None:
        """SIGHUP, as `systemctl reload` would."""
        self.send(signal.SIGHUP)

    def send(self, number: signal.Signals) -> None:
        """Any signal."""
        self._running().send(number)

    def is_stopped(self) -> bool:
        """Whether SIGSTOP has reached it."""
        return "\nState:\tT" in Path(f"/proc/{self._running().pid}/status").read_text()

    def configure(self, settings: str) -> None:
        """Replace its dnsguard.toml, which it reads when it starts and on SIGHUP."""
        self._host.path(SETTINGS_FILE).write_text(settings)

    def attach(self) -> None:
        """Make /etc/resolv.conf its link, as ExecStartPre= or the .path unit would."""
        self._host.run(self._command("attach"))

    def detach(self) -> None:
        """Hand back, as ExecStopPost= would."""
        self._host.run(self._command("detach"))

    def phase(self) -> str:
        """Where it says that it stands; empty if it says nothing."""
        return str(self.status().get("phase", ""))

    def status(self) -> dict[str, Any]:
        """Its status.json; empty if there is none."""
        try:
            told: dict[str, Any] = json.loads(self._host.path(STATUS_FILE).read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return told

    def asked(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run another `dnsguard` to its end: `asked("status", "--json")`."""
        return self._host.run([sys.executable, "-m", "dnsguard", *words], check=False)

    def cpu_s(self) -> float:
        """The processor time that the daemon has used so far, in seconds."""
        stat = Path(f"/proc/{self._running().pid}/stat").read_text().rpartition(")")[2].split()
        # utime and stime are the 14th and 15th field, and the name was the second. Source: proc(5).
        return (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")

    def records(self) -> list[dict[str, Any]]:
        """What it has logged so far; a traceback is passed over."""
        whole, _, _ = self.log.read_text().rpartition("\n")
        return [json.loads(line) for line in whole.splitlines() if line.startswith("{")]

    def said(self, code: str) -> list[dict[str, Any]]:
        """The records with this code."""
        return [record for record in self.records() if record["code"] == code]

    def wait_for_code(self, code: str, count: int = 1) -> dict[str, Any]:
        """Return the record with this code as soon as there are `count` of them; the last one.

        Raises:
            TimeoutError: it does not say it.
            RuntimeError: it has ended; the text is its log.
        """
        wait_for(lambda: len(self.said(code)) >= count or self._has_ended(), f"{code} in the log")
        return self.said(code)[-1]

    def wait_for_phase(self, *phases: str) -> None:
        """Return when it stands at one of these.

        Raises:
            TimeoutError: it does not get there.
            RuntimeError: it has ended; the text is its log.
        """
        wait_for(lambda: self.phase() in phases or self._has_ended(), f"phase {' or '.join(phases)}")

    def _command(self, verb: str) -> list[str]:
        return [sys.executable, "-m", "dnsguard", verb, "--config", SETTINGS_FILE]

    def _running(self) -> Inside:
        assert self._process is not None
        return self._process

    def _has_ended(self) -> bool:
        if self._process is not None and self._process.door.poll() is not None:
            raise RuntimeError(f"the guard ended:\n{self.log.read_text()}")
        return False


class PhaseWatch:
    """Notes when the guard says that it has moved; a context manager.

    Attributes:
        moves: (seconds, monotonic; the phase from then on), in order.
    """

    def __init__(self, guard: Guard) -> None:
        self.moves: list[tuple[float, str]] = []
        self._guard = guard
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch)

    def __enter__(self) -> "PhaseWatch":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.wait(LOOK_S):
            phase = self._guard.phase()
            if phase and (not self.moves or self.moves[-1][1] != phase):
                self.moves.append((time.monotonic(), phase))
