"""What systemd would hear, from a real socket in its place."""

import asyncio
import faulthandler
import os
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dnsguard.edge.service import MAX_TEXT, Service
from tests.fakes import CountingSelector, DatagramReceiver


@pytest.fixture
def systemd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DatagramReceiver]:
    """A systemd that listens, and reads when the test says so."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    with DatagramReceiver(tmp_path / "notify") as receiver:
        yield receiver


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def service(systemd: DatagramReceiver, loop: asyncio.AbstractEventLoop) -> Iterator[Service]:
    """A service whose systemd listens."""
    assert [] == systemd.received
    service = Service(loop, os.environ)
    yield service
    service.close()


@pytest.fixture
def no_hang(capfd: pytest.CaptureFixture[str]) -> Iterator[None]:
    """End the test run with a traceback if notify() blocks: it holds the GIL, nothing else could."""
    with capfd.disabled():
        stderr = os.dup(2)
    faulthandler.dump_traceback_later(60, exit=True, file=stderr)
    yield
    faulthandler.cancel_dump_traceback_later()
    os.close(stderr)


def hear(loop: asyncio.AbstractEventLoop, systemd: DatagramReceiver, last: bytes) -> list[bytes]:
    """Read, with the loop turning, until this message has come."""
    return loop.run_until_complete(systemd.read_until(lambda received: last in received))


def test_the_life_of_a_service_is_told_in_order(service: Service, systemd: DatagramReceiver) -> None:
    """Each call is one message, in systemd's own words."""
    service.extend_timeout(1.5)
    service.ready("direct: 192.0.2.53")
    service.status("guarded")
    service.stopping("stopping")

    expected = [
        b"EXTEND_TIMEOUT_USEC=1500000",
        b"READY=1\nSTATUS=direct: 192.0.2.53",
        b"STATUS=guarded",
        b"STOPPING=1\nSTATUS=stopping",
    ]
    assert expected == systemd.read()


def test_a_reload_carries_the_time_that_systemd_asks_for(service: Service, systemd: DatagramReceiver) -> None:
    """Type=notify-reload compares MONOTONIC_USEC with the moment of its signal, in microseconds."""
    before_us = now_us()
    service.reloading()
    service.reloaded("guarded")
    after_us = now_us()

    reloading, reloaded = systemd.read()
    said, _, at_us = reloading.partition(b"\nMONOTONIC_USEC=")
    assert b"RELOADING=1" == said
    assert before_us <= int(at_us) <= after_us
    assert b"READY=1\nSTATUS=guarded" == reloaded


def now_us() -> int:
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000


def test_only_a_new_status_is_sent(service: Service, systemd: DatagramReceiver) -> None:
    """The daemon may say its status after each event; systemd hears of changes."""
    service.ready("direct")
    service.status("direct")
    service.status("guarded")
    service.status("guarded")
    service.status("direct")

    assert [b"READY=1\nSTATUS=direct", b"STATUS=guarded", b"STATUS=direct"] == systemd.read()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one\nREADY=1\0\x1b[2Jtwo", "one READY=1  [2Jtwo"),
        ("a file named \udcff", "a file named \\udcff"),
        ("\ud800", "\\ud800"),
        ("Zürich", "Zürich"),
        ("\u2028", " "),
        ("é" * (MAX_TEXT + 1), "é" * MAX_TEXT),
        ("\udcff" * MAX_TEXT, ("\\udcff" * MAX_TEXT)[:MAX_TEXT]),
        ("", ""),
    ],
)
def test_no_text_can_break_a_message(service: Service, systemd: DatagramReceiver, text: str, line: str) -> None:
    """A file name or a server's words may be anything; systemd gets one bounded line of UTF-8."""
    service.status(text)

    assert [f"STATUS={line}".encode()] == systemd.read()


def test_an_abstract_socket_hears_too(loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A container's systemd may listen on a name that no file system knows."""
    name = f"dnsguard-test-{secrets.token_hex(8)}"
    monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
    with DatagramReceiver(f"\0{name}") as systemd:
        service = Service(loop, os.environ)
        service.ready("direct")
        service.close()

        assert [b"READY=1\nSTATUS=direct"] == systemd.read()


def say_everything(service: Service) -> None:
    service.start_watchdog()
    service.ready("direct")
    service.status("guarded")
    service.reloading()
    service.reloaded("guarded")
    service.extend_timeout(1)
    service.stopping("bye")
    service.close()


@pytest.mark.parametrize(
    "value", [None, "", "/", "@", "relative", "vsock:2:1", "/nowhere/to/be/found", "/" + 200 * "x", "/a\0b"]
)
def test_without_a_systemd_nothing_happens(
    loop: asyncio.AbstractEventLoop, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    """On a terminal, in a container, or with rubbish in NOTIFY_SOCKET the daemon just works."""
    environ = {"WATCHDOG_USEC": "3000000"}
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        environ["NOTIFY_SOCKET"] = value
        if "\0" not in value:
            monkeypatch.setenv("NOTIFY_SOCKET", value)

    say_everything(Service(loop, environ))


def test_a_stream_socket_in_the_place_of_systemd_does_no_harm(
    loop: asyncio.AbstractEventLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A receiver of the wrong kind is nobody."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wrong:
        wrong.bind(str(tmp_path / "notify"))
        wrong.listen()

        say_everything(Service(loop, os.environ))


def test_a_status_that_nobody_heard_is_news_again(service: Service, systemd: DatagramReceiver, tmp_path: Path) -> None:
    """systemd vanished for a moment: the same status is sent again, not taken for known."""
    (tmp_path / "notify").rename(tmp_path / "elsewhere")
    service.status("guarded")
    (tmp_path / "elsewhere").rename(tmp_path / "notify")
    service.status("guarded")

    assert [b"STATUS=guarded"] == systemd.read()


@pytest.mark.usefixtures("no_hang")
def test_a_systemd_that_does_not_read_stops_nothing_and_hears_the_rest_later(
    service: Service, systemd: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """Its queue is full: every call returns at once, and what matters arrives when it reads again."""
    for number in range(1000):
        service.status(f"status {number}")
    service.reloading()
    service.ready("direct")
    service.status("old news")
    service.status("guarded")

    heard = hear(loop, systemd, b"STATUS=guarded")
    assert [b"RELOADING=1", b"READY=1\nSTATUS=direct", b"STATUS=guarded"] == [
        message.partition(b"\nMONOTONIC")[0] for message in heard[-3:]
    ]
    statuses = [int(message.split()[-1]) for message in heard[:-3]]
    assert list(range(len(statuses))) == statuses, "the queue's share came first, in order"

    service.status("still here")
    assert b"STATUS=still here" == systemd.read()[-1]


@pytest.mark.usefixtures("no_hang")
def test_the_last_of_two_ready_words_stays_behind_reloading(
    service: Service, systemd: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """READY before and after RELOADING, both waiting: only the later one counts, and it is last."""
    for number in range(1000):
        service.extend_timeout(number)
    service.ready("direct")
    service.reloading()
    service.reloaded("guarded")

    heard = hear(loop, systemd, b"READY=1\nSTATUS=guarded")
    assert [b"EXTEND_TIMEOUT_USEC=999000000", b"RELOADING=1", b"READY=1"] == [
        message.splitlines()[0] for message in heard[-3:]
    ]
    assert b"READY=1\nSTATUS=direct" not in heard


@pytest.mark.usefixtures("no_hang")
def test_what_waits_is_sent_to_a_new_socket_in_the_same_place(
    loop: asyncio.AbstractEventLoop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd was replaced while its queue was full: the successor hears what was left."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    service = Service(loop, os.environ)
    with DatagramReceiver(tmp_path / "notify"):
        for number in range(1000):
            service.status(f"status {number}")
        (tmp_path / "notify").unlink()
    with DatagramReceiver(tmp_path / "notify") as successor:
        assert [b"STATUS=status 999"] == hear(loop, successor, b"STATUS=status 999")
    service.close()


async def turns(count: int) -> None:
    """Let the loop look at its files this often."""
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.usefixtures("no_hang")
def test_the_loop_sleeps_while_systemd_does_not_read_or_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dead receiver is writable for ever: what waits is forgotten, the loop must not turn on it."""
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    selector = CountingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    service = Service(loop, os.environ)
    with DatagramReceiver(tmp_path / "notify"):
        for number in range(1000):
            service.status(f"status {number}")
        loop.run_until_complete(turns(10))
        assert 0 == selector.woken
    loop.run_until_complete(turns(10))
    assert 1 == selector.woken

    (tmp_path / "notify").unlink()
    with DatagramReceiver(tmp_path / "notify") as successor:
        service.ready("direct")
        assert [b"READY=1\nSTATUS=direct"] == successor.read()
    service.close()
    loop.close()


@pytest.mark.usefixtures("no_hang")
def test_a_full_queue_does_no_harm_after_the_loop_has_ended(
    loop: asyncio.AbstractEventLoop, service: Service, systemd: DatagramReceiver
) -> None:
    """The last words of a daemon come when its loop is closed already."""
    loop.close()
    for number in range(1000):
        service.status(f"status {number}")
    systemd.read()
    service.stopping("bye")

    assert [b"STATUS=status 999", b"STOPPING=1\nSTATUS=bye"] == systemd.read()[-2:]


@pytest.mark.usefixtures("no_hang")
def test_a_closed_service_is_silent(
    loop: asyncio.AbstractEventLoop, service: Service, systemd: DatagramReceiver
) -> None:
    """Nothing follows close(), neither from the loop nor from a late caller; twice is once."""
    for number in range(1000):
        service.status(f"status {number}")
    service.close()
    service.close()
    taken = len(systemd.read())
    service.status("late")
    loop.run_until_complete(asyncio.sleep(0))

    assert taken == len(systemd.read())


def test_the_watchdog_is_fed_as_long_as_the_loop_turns(
    loop: asyncio.AbstractEventLoop, systemd: DatagramReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first ping at once, then again and again; none after close()."""
    monkeypatch.setenv("WATCHDOG_USEC", "2000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    service = Service(loop, os.environ)
    service.start_watchdog()
    assert [b"WATCHDOG=1"] == systemd.read()

    loop.run_until_complete(systemd.read_until(lambda received: len(received) >= 4))
    service.close()
    taken = len(systemd.read())
    assert {b"WATCHDOG=1"} == set(systemd.received)

    # Ten periods of the watchdog; the loop has had every occasion to ping.
    loop.run_until_complete(asyncio.sleep(0.02))
    assert taken == len(systemd.read())


class Recorder(asyncio.SelectorEventLoop):
    """A real loop that remembers its timers."""

    def __init__(self) -> None:
        super().__init__()
        self.timers: list[asyncio.TimerHandle] = []

    def call_later(self, *arguments: Any, **keywords: Any) -> asyncio.TimerHandle:  # type: ignore[override]
        self.timers.append(super().call_later(*arguments, **keywords))
        return self.timers[-1]


def test_starting_the_watchdog_twice_is_starting_it_once(
    systemd: DatagramReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second start replaces the first timer instead of adding one that close() would not find."""
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    loop = Recorder()
    service = Service(loop, os.environ)
    service.start_watchdog()
    service.start_watchdog()
    assert [True, False] == [timer.cancelled() for timer in loop.timers]
    service.close()
    assert [True, True] == [timer.cancelled() for timer in loop.timers]
    loop.close()

    assert [b"WATCHDOG=1"] * 2 == systemd.read()


@pytest.mark.usefixtures("no_hang")
def test_pings_do_not_pile_up(
    loop: asyncio.AbstractEventLoop, systemd: DatagramReceiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """systemd reads after a long pause: one waiting ping says as much as a hundred."""
    monkeypatch.setenv("WATCHDOG_USEC", "3600000000")
    service = Service(loop, os.environ)
    for _ in range(1000):
        service.start_watchdog()
    service.status("guarded")
    in_queue = len(systemd.read())

    heard = hear(loop, systemd, b"STATUS=guarded")
    assert [b"WATCHDOG=1", b"STATUS=guarded"] == heard[in_queue:]
    service.close()


@pytest.mark.parametrize(
    ("usec", "pid"),
    [
        (None, None),
        ("", None),
        ("0", None),
        ("-5", None),
        ("many", None),
        ("٣", None),
        ("9" * 5000, None),
        ("2000", "1"),
        ("2000", ""),
        ("2000", "rubbish"),
    ],
)
def test_no_watchdog_is_fed_that_does_not_look_at_this_process(
    loop: asyncio.AbstractEventLoop, systemd: DatagramReceiver, usec: str | None, pid: str | None
) -> None:
    """WATCHDOG_USEC may be absent, nonsense, or inherited from a parent that is watched itself."""
    environ = {"WATCHDOG_USEC": usec, "WATCHDOG_PID": pid, "NOTIFY_SOCKET": os.environ["NOTIFY_SOCKET"]}
    service = Service(loop, {name: value for name, value in environ.items() if value is not None})
    service.start_watchdog()
    service.close()

    assert [] == systemd.read()
