"""The guard in a private host, run as its unit would run it, less systemd."""

import json
import sys
import threading
import time
from pathlib import Path

from tests.sandbox.namespaces import PrivateRoot
from tests.sandbox.processes import Inside, wait_for

SETTINGS_FILE = "/etc/dnsguard/dnsguard.toml"
STATUS_FILE = "/run/dnsguard/status.json"

# There is no systemd in here that could say which unit a process belongs to.
NO_UNIT = '[dnsmasq]\nunit = ""\n'

LOOK_S = 0.01


class Guard:
    """`dnsguard run` in a host; a log of its own outside.

    Args:
        host: where it runs.
        log: a file outside for what it says.
        settings: the text of its dnsguard.toml.
    """

    def __init__(self, host: PrivateRoot, log: Path, settings: str = NO_UNIT) -> None:
        self.log = log
        self._host = host
        self._process: Inside | None = None
        host.run(["mkdir", "-p", "/etc/dnsguard", "/run/dnsguard", "/var/lib/dnsguard"])
        host.path(SETTINGS_FILE).write_text(settings)

    def start(self) -> None:
        """Attach, run, and wait until it says where it stands."""
        self._host.run(self._command("attach"))
        self._process = self._host.popen(self._command("run"), output=self.log, errors=self.log)
        wait_for(lambda: self.phase() or self._has_ended(), "status of the guard")

    def stop(self) -> int:
        """SIGTERM, as systemd would; its exit status."""
        assert self._process is not None
        return self._process.end()

    def detach(self) -> None:
        """Hand back, as ExecStopPost= would."""
        self._host.run(self._command("detach"))

    def phase(self) -> str:
        """Where it says that it stands; empty if it says nothing."""
        try:
            return str(json.loads(self._host.path(STATUS_FILE).read_text())["phase"])
        except (FileNotFoundError, ValueError):
            return ""

    def wait_for_phase(self, *phases: str) -> None:
        """Return when it stands at one of these.

        Raises:
            TimeoutError: it does not get there.
            RuntimeError: it has ended; the text is its log.
        """
        wait_for(lambda: self.phase() in phases or self._has_ended(), f"phase {' or '.join(phases)}")

    def _command(self, verb: str) -> list[str]:
        return [sys.executable, "-m", "dnsguard", verb, "--config", SETTINGS_FILE]

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
