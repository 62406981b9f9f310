"""What the bench measures, one round after the other, on a private host that is seen from outside.

Each measure is a generator of rounds; a round is what was measured in it, by the name of its figure. A file
counts as published when inotify tells of the rename, so the watcher's own waking is part of every figure,
and of the floor's. Both ends of each are CLOCK_MONOTONIC, which is one clock for all namespaces.
"""

import contextlib
import os
import random
import resource
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

from tests.sandbox.floor import PUBLISHED
from tests.sandbox.guard import SETTINGS_FILE, Guard
from tests.sandbox.host import DNSMASQ_PID_FILE, OTHER_UPSTREAM, SYSTEMD_HELPER, UPSTREAM, Host
from tests.sandbox.namespaces import CHECKOUT, ENVIRONMENT
from tests.sandbox.observer import MOVED_TO, OPENED, Observer
from tests.sandbox.processes import PATIENCE_S, Inside, wait_for
from tests.sandbox.usage import used_by

PYTHON = "/usr/bin/python3"
"""What runs the daemon on a Debian host."""

GUARDS_FOLDER = "/run/dnsguard"
FLOORS_FOLDER = "/run/floor"
RECORDS = "/run/resolvconf/interface"
UPSTREAM_FILE = "/run/dnsmasq/resolv.conf"

# dnsmasq opens its hosts files when it starts and when SIGHUP reaches it, and nobody else opens this one.
HOSTS_FILE = "/run/hosts-of-dnsmasq"

CALM_S = 0.1
"""Longer than the guard's debounce: a round begins when it has nothing left to do for the last one."""

Round = dict[str, float]
Measure = Callable[[int], Iterator[Round]]


class DebianGuard(Guard):
    """The guard under the Python, and with the compiled modules, that a package would give it."""

    def _command(self, verb: str) -> list[str]:
        return [PYTHON, "-m", "dnsguard", verb, "--config", SETTINGS_FILE]


class Stage(contextlib.ExitStack):
    """A host with dnsmasq running and one observer; a context manager.

    Attributes:
        folder: where the file is published, seen from outside.
    """

    def __init__(self, folder: str) -> None:
        super().__init__()
        self._where = folder

    def __enter__(self) -> Self:
        try:
            self._set()
        except BaseException:
            self.close()
            raise
        return self

    def _set(self) -> None:
        self.host = self.enter_context(Host())
        self.host.start_upstream(OTHER_UPSTREAM)
        self.host.path(HOSTS_FILE).touch()
        self.host.configure_dnsmasq(f"addn-hosts={HOSTS_FILE}")
        self.host.start_dnsmasq()
        self.folder = self.host.path(self._where)
        self.folder.mkdir(exist_ok=True)
        self.observer = self.enter_context(Observer())
        self.observer.watch(self.folder, MOVED_TO)
        self.observer.watch(self.host.path(HOSTS_FILE), OPENED)

    def guarded(self, directory: Path) -> DebianGuard:
        """Start the guard and wait until it trusts dnsmasq; its log goes to `directory`."""
        guard = DebianGuard(self.host, directory / f"guard-{id(self)}.log")
        guard.start()
        self.callback(guard.stop)
        self.await_guarded()
        return guard

    def await_guarded(self) -> None:
        """Return when libc is sent to dnsmasq, and all is quiet."""
        wait_for(lambda: self.first_nameserver() == "127.0.0.1", "trust in dnsmasq")
        time.sleep(CALM_S)

    def first_nameserver(self) -> str:
        """The first server in the published file; empty if there is none."""
        with contextlib.suppress(FileNotFoundError):
            lines = (self.folder / PUBLISHED).read_text().splitlines()
            return next((line.split()[1] for line in lines if line.startswith("nameserver ")), "")
        return ""

    def published_s(self, nameserver: str) -> float:
        """When (monotonic) a file that begins with this server was put in place."""
        for now_s, mask, name in self.observer.sightings(PATIENCE_S):
            if mask & MOVED_TO and name == PUBLISHED and self.first_nameserver() == nameserver:
                return now_s
        raise AssertionError  # sightings() ends by TimeoutError only

    def opened_s(self) -> float:
        """When dnsmasq opened its hosts file."""
        return next(now_s for now_s, mask, _ in self.observer.sightings(PATIENCE_S) if mask & OPENED)

    def dnsmasq(self) -> int:
        """The id, out here, of the dnsmasq in there."""
        inside, root = self.host.dnsmasq_pid(), os.stat(self.host.path("/"))
        for status in Path("/proc").glob("[0-9]*/status"):
            with contextlib.suppress(OSError):
                if f"\t{inside}\n" in status.read_text().partition("NSpid:")[2].partition("NStgid")[0] + "\n":
                    if os.path.samestat(root, os.stat(status.parent / "root")):
                        return int(status.parent.name)
        raise RuntimeError(f"dnsmasq (PID {inside} inside) is not running")
