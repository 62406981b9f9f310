"""What the bench measures, one round after the other.

Each measure is a generator of rounds; a round is what was measured in it, by the name of its figure. Both ends
of each are CLOCK_MONOTONIC, which is one clock for all namespaces.
"""

import contextlib
import os
import random
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator

from tests.sandbox.floor import PUBLISHED
from tests.sandbox.guard import SETTINGS_FILE
from tests.sandbox.host import DNSMASQ_PID_FILE
from tests.sandbox.namespaces import ENVIRONMENT, ROOM
from tests.sandbox.processes import PATIENCE_S, Inside
from tests.sandbox.stage import CALM_S, FLOORS_FOLDER, PYTHON, RECORDS, DebianGuard, Stage
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM
from tests.sandbox.usage import used_by

FLOOR = ROOM / "floor.py"

SETTLED_S = 3.0
"""After this a guard that has just begun to trust dnsmasq has come to rest."""

Round = dict[str, float]
"""Seconds by the name of the figure; other units where the figure says so."""


def deaths(stage: Stage, rounds: int) -> Iterator[Round]:
    """SIGKILL to dnsmasq, until libc is sent past it."""
    for _ in range(rounds):
        stage.await_guarded()
        told_s, published_s = _death(stage)
        yield {"death": published_s, "death kernel": told_s, "death own": published_s - told_s}
        stage.start_dnsmasq_again()


def floor_of_deaths(stage: Stage, rounds: int) -> Iterator[Round]:
    """The same, with the least program in the guard's place."""
    with _floor(stage, "death", DNSMASQ_PID_FILE, FLOORS_FOLDER) as next_round:
        for _ in range(rounds):
            next_round()
            # A dnsmasq that was never asked dies more slowly than one that was (measured; why is the kernel's secret).
            stage.host.resolves()
            time.sleep(CALM_S)
            told_s, published_s = _death(stage)
            yield {"death floor": published_s, "death own floor": published_s - told_s}
            stage.start_dnsmasq_again()


def _death(stage: Stage) -> tuple[float, float]:
    """Seconds until the kernel tells whoever holds a pidfd, and until libc is sent past dnsmasq."""
    pid = stage.dnsmasq()
    process = os.pidfd_open(pid)
    waiter = select.poll()
    waiter.register(process, select.POLLIN)
    stage.observer.forget()
    begin_s = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    waiter.poll(PATIENCE_S * 1000)
    told_s = time.monotonic()
    published_s = stage.published_s(UPSTREAM)
    os.close(process)
    return told_s - begin_s, published_s - begin_s


def changes(stage: Stage, rounds: int) -> Iterator[Round]:
    """A record is replaced, dnsmasq's upstream file too: until libc, dnsmasq, and libc again, have it."""
    for number in range(rounds):
        stage.await_guarded()
        begin_s, nameserver = _new_lease(stage, number)
        published_s = stage.published_s(nameserver)
        told_s = stage.opened_s()
        guarded_s = stage.published_s("127.0.0.1")
        yield {
            "change": published_s - begin_s,
            "change hangup": told_s - begin_s,
            "change guarded": guarded_s - begin_s,
        }


def floor_of_changes(stage: Stage, rounds: int) -> Iterator[Round]:
    """The same, with the least program in the guard's place."""
    with _floor(stage, "change", DNSMASQ_PID_FILE, FLOORS_FOLDER, RECORDS) as next_round:
        for number in range(rounds):
            next_round()
            begin_s, _ = _new_lease(stage, number)
            # What the least program writes is always the same.
            yield {
                "change floor": stage.published_s(UPSTREAM) - begin_s,
                "change hangup floor": stage.opened_s() - begin_s,
            }


def _new_lease(stage: Stage, number: int) -> tuple[float, str]:
    nameserver = (OTHER_UPSTREAM, UPSTREAM)[number % 2]
    stage.observer.forget()
    begin_s = time.monotonic()
    stage.write_lease(nameserver)
    return begin_s, nameserver


def hangs(stage: Stage, rounds: int) -> Iterator[Round]:
    """SIGSTOP to dnsmasq, at any moment between two probes, until libc is sent past it."""
    for _ in range(rounds):
        stage.await_guarded()
        time.sleep(random.random())
        pid = stage.dnsmasq()
        stage.observer.forget()
        begin_s = time.monotonic()
        os.kill(pid, signal.SIGSTOP)
        yield {"hang": stage.published_s(UPSTREAM) - begin_s}
        os.kill(pid, signal.SIGCONT)


def starts(stage: Stage, rounds: int) -> Iterator[Round]:
    """The start of a process, the door into the host included, until it publishes."""
    published = stage.folder / PUBLISHED
    for _ in range(rounds):
        published.unlink(missing_ok=True)
        begin_s, guard = _spawn(stage, "-m", "dnsguard", "run", "--config", SETTINGS_FILE)
        with _ended(guard):
            yield {"start": stage.published_s(UPSTREAM) - begin_s}


def floor_of_starts(stage: Stage, rounds: int) -> Iterator[Round]:
    """The same, with the least program in the guard's place."""
    for _ in range(rounds):
        begin_s, least = _spawn(stage, str(FLOOR), "start", FLOORS_FOLDER)
        yield {"start floor": stage.published_s(UPSTREAM) - begin_s}
        least.wait(PATIENCE_S)


def statuses(stage: Stage, rounds: int) -> Iterator[Round]:
    """`dnsguard status`, and beside it a Python that does nothing; both through the door."""
    for _ in range(rounds):
        took_s = []
        for words in (("-m", "dnsguard", "status"), ("-c", "pass")):
            begin_s, process = _spawn(stage, *words)
            if process.wait(PATIENCE_S):
                raise RuntimeError(f"{words} ended with {process.returncode}")
            took_s.append(time.monotonic() - begin_s)
        yield {"status": took_s[0], "status floor": took_s[1]}


def doctors(stage: Stage, rounds: int) -> Iterator[Round]:
    """The processor time of `dnsguard doctor`, what it forks and the way through the door included."""
    for _ in range(rounds):
        used_s = []
        for words in (("-m", "dnsguard", "doctor"), ("-c", "pass")):
            _, process = _spawn(stage, *words)
            _, status, usage = os.wait4(process.pid, 0)
            # It may have findings: the sandbox has no systemd.
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode not in (0, 1):
                raise RuntimeError(f"{words} ended with {process.returncode}")
            used_s.append(usage.ru_utime + usage.ru_stime)
        yield {"doctor": used_s[0], "doctor floor": used_s[1]}


def idle(stage: Stage, guard: DebianGuard, seconds: float) -> Iterator[Round]:
    """What the guard uses while nothing happens, and the least program that asks dnsmasq as often; one round."""
    least = stage.host.popen([PYTHON, str(FLOOR), "idle", "127.0.0.1"])
    time.sleep(SETTLED_S)
    pids = {"": guard.pid, " floor": least.pid}
    before = {name: used_by(pid) for name, pid in pids.items()}
    time.sleep(seconds)
    used: Round = {}
    for name, pid in pids.items():
        then, now = before[name], used_by(pid)
        took_s = now.at_s - then.at_s
        used[f"cpu{name}"] = (now.cpu_s - then.cpu_s) / took_s
        used[f"wakeups{name}"] = (now.wakeups - then.wakeups) / took_s
        used[f"rss{name}"] = now.rss_bytes
        used[f"pss{name}"] = now.pss_bytes
    yield used


@contextlib.contextmanager
def _floor(stage: Stage, *words: str) -> Iterator[Callable[[], None]]:
    """The least program; what is given returns when it waits for the next round."""
    process = subprocess.Popen(
        [*stage.host.door(), PYTHON, str(FLOOR), *words],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT, process_group=0,
    )  # fmt: skip
    begin, ready = process.stdin, process.stdout
    assert begin is not None
    assert ready is not None

    def next_round() -> None:
        begin.write("\n")
        begin.flush()
        if ready.readline() != "ready\n":
            raise RuntimeError(f"the floor's program ended: {words}")

    with process, _ended(process):
        yield next_round


@contextlib.contextmanager
def _ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """SIGTERM in the end, to the process behind the door."""
    try:
        yield
    finally:
        if process.poll() is None:
            Inside(process).end()


def _spawn(stage: Stage, *words: str) -> tuple[float, subprocess.Popen[str]]:
    """Start Python inside; when, and the process of the door."""
    command = [*stage.host.door(), PYTHON, *words]
    begin_s = time.monotonic()
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        text=True, env=ENVIRONMENT, process_group=0,
    )  # fmt: skip
    return begin_s, process
