"""What reaches journald, a pipe or a terminal; from real sockets, pipes, and a real journald."""

import asyncio
import fcntl
import io
import json
import logging
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from dnsguard.core.message_id import message_id
from dnsguard.edge.journal import MAX_WAITING, Log, configure
from tests.fakes import CountingSelector, DatagramReceiver

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture
def journald(tmp_path: Path) -> Iterator[DatagramReceiver]:
    """A journald that listens, and reads when the test says so."""
    with DatagramReceiver(tmp_path / "socket") as receiver:
        yield receiver


@pytest.fixture
def log(tmp_path: Path, loop: asyncio.AbstractEventLoop) -> Iterator[Log]:
    """A log whose journald may or may not listen."""
    log = configure(loop, sink="journal", journal_socket=tmp_path / "socket")
    yield log
    log.close()


class Pipe:
    """What a daemon has for stderr when nobody is systemd: a pipe, and the reader's end of it."""

    def __init__(self) -> None:
        self.read_end, write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.stream = os.fdopen(write_end, "w")

    def read(self) -> bytes:
        """Everything that is in the pipe now."""
        taken = b""
        while True:
            try:
                chunk = os.read(self.read_end, 1 << 16)
            except BlockingIOError:
                return taken
            if not chunk:
                return taken
            taken += chunk

    def close(self) -> None:
        os.close(self.read_end)
        self.stream.close()


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    pipe.close()


def parse(datagram: bytes) -> dict[str, str]:
    """Read journald's native protocol, both forms; what is not UTF-8 is an error."""
    fields: dict[str, str] = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        name, plain, value = line.partition(b"=")
        if not plain:
            size = struct.unpack_from("<Q", rest)[0]
            value, rest = rest[8 : 8 + size], rest[8 + size :]
            assert b"\n" == rest[:1]
            rest = rest[1:]
        fields[name.decode()] = value.decode()
        datagram = rest
    return fields


def the_one(journald: DatagramReceiver) -> dict[str, str]:
    """The fields of the only record there is."""
    [datagram] = journald.read()
    return parse(datagram)


def hear(loop: asyncio.AbstractEventLoop, journald: DatagramReceiver, last: str) -> list[dict[str, str]]:
    """Read, with the loop turning, until a record with this message has come."""
    sign = f"MESSAGE={last}\n".encode()
    received = loop.run_until_complete(journald.read_until(lambda received: sign in received[-1]))
    return [parse(datagram) for datagram in received]


def test_a_record_is_made_of_fields_that_journalctl_can_search(log: Log, journald: DatagramReceiver) -> None:
    """Upper case and prefixed; a value is text as it is, or compact JSON; None is not there."""
    log.say(
        "phase-changed",
        "warning",
        "dnsmasq has died: direct",
        phase="direct",
        generation=7,
        ready=True,
        took_ms=0.25,
        nameservers=("192.0.2.53", "2001:db8::53"),
        event={"pid": 4711, "name": None},
        reason="",
        nothing=None,
    )

    expected = {
        "MESSAGE": "dnsmasq has died: direct",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "dnsguard",
        "MESSAGE_ID": message_id("phase-changed"),
        "DNSGUARD_CODE": "phase-changed",
        "DNSGUARD_PHASE": "direct",
        "DNSGUARD_GENERATION": "7",
        "DNSGUARD_READY": "true",
        "DNSGUARD_TOOK_MS": "0.25",
        "DNSGUARD_NAMESERVERS": '["192.0.2.53","2001:db8::53"]',
        "DNSGUARD_EVENT": '{"pid":4711,"name":null}',
        "DNSGUARD_REASON": "",
    }
    assert expected == the_one(journald)


@pytest.mark.parametrize(
    ("level", "priority"), [("debug", "7"), ("info", "6"), ("warning", "4"), ("error", "3"), ("critical", "2")]
)
def test_each_level_has_the_priority_that_syslog_gives_it(
    journald: DatagramReceiver, tmp_path: Path, level: str, priority: str
) -> None:
    """`journalctl -p warning` must show what an operator should see."""
    log = configure(None, level="debug", sink="journal", journal_socket=tmp_path / "socket")
    log.say("code", level, "text")
    log.close()

    assert priority == the_one(journald)["PRIORITY"]


def test_a_level_below_the_threshold_is_not_written(log: Log, journald: DatagramReceiver) -> None:
    """enabled() says so beforehand; fields are not even looked at."""
    log.say("code", "debug", "text", field=object())

    assert [] == journald.read()
    assert [False, True, True] == [log.enabled(level) for level in ("debug", "info", "critical")]


def test_an_unknown_level_is_our_own_mistake(log: Log) -> None:
    """Neither say() nor configure() guesses."""
    with pytest.raises(KeyError):
        log.say("code", "loud", "text")
    with pytest.raises(KeyError):
        configure(None, level="loud", sink="journal")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("100 % of {it}", "100 % of {it}"),
        ("Zürich", "Zürich"),
        ("two\nlines", "two\nlines"),
        ("a\x1b[2Jb\0c\x85d\u2028e", "a\\x1b[2Jb\\x00c\nd\ne"),
        ("undecodable \udcff, lone \ud800", "undecodable \\udcff, lone \\ud800"),
        ("", ""),
    ],
)
def test_a_message_is_text_that_a_terminal_survives(
    log: Log, journald: DatagramReceiver, text: str, shown: str
) -> None:
    """It may quote a file name or a hostile server; journalctl shows anything else as a blob."""
    log.say("code", "info", text)

    assert shown == the_one(journald)["MESSAGE"]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("nameserver 192.0.2.53\nsearch example.org\n", "nameserver 192.0.2.53\nsearch example.org\n"),
        ("\n", "\n"),
        ("a=b\0c\x1b", "a=b\0c\x1b"),
        ("/etc/\udcff\ud800", "/etc/\\udcff\\ud800"),
        (Path("/etc"), '"/etc"'),
        (["\udcff"], '["\\udcff"]'),
    ],
)
def test_a_field_keeps_its_value(log: Log, journald: DatagramReceiver, value: object, kept: str) -> None:
    """Newlines and NUL are no matter; only what is not UTF-8 is escaped."""
    log.say("code", "info", "text", value=value, after="it")

    fields = the_one(journald)
    assert kept == fields["DNSGUARD_VALUE"]
    assert "it" == fields["DNSGUARD_AFTER"]


def test_a_field_name_is_one_that_journald_keeps(log: Log, journald: DatagramReceiver) -> None:
    """journald silently drops a name with other characters, or a longer one."""
    log.say("code", "info", "text", **{"a-b.ü": 1, "x" * 100: 2})

    assert {"DNSGUARD_A_B__", "DNSGUARD_" + 55 * "X"} < the_one(journald).keys()


def test_an_exception_is_seen_and_can_be_searched(log: Log, journald: DatagramReceiver) -> None:
    """journalctl shows only MESSAGE, so the traceback is there too."""
    try:
        raise ValueError("our own mistake")
    except ValueError:
        log.say("code", "error", "text", exc_info=True)

    fields = the_one(journald)
    assert f"text\n{fields['EXCEPTION_INFO']}" == fields["MESSAGE"]
    assert fields["EXCEPTION_INFO"].startswith("Traceback (most recent call last):")
    assert fields["EXCEPTION_INFO"].endswith("ValueError: our own mistake")


def test_a_record_larger_than_a_datagram_comes_as_a_sealed_file(log: Log, journald: DatagramReceiver) -> None:
    """journald takes a file only if nobody can change it any more."""
    value = "x" * 1_000_000
    log.say("code", "info", "text", value=value)

    assert [b""] == journald.read()
    [file] = journald.files
    seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
    assert seals == fcntl.fcntl(file, fcntl.F_GET_SEALS)
    assert value == parse(os.pread(file, 2_000_000, 0))["DNSGUARD_VALUE"]


def test_a_journald_that_does_not_read_stops_nothing(
    log: Log, journald: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """Its queue and ours fill up; the rest is counted, and the count comes where the gap is."""
    said = 3 * MAX_WAITING
    for number in range(said):
        log.say("code", "info", f"record {number}", number=number)
    in_queue = len(journald.read())

    kept = in_queue + MAX_WAITING
    heard = hear(loop, journald, f"record {kept - 1}")
    assert [f"record {number}" for number in range(kept)] == [fields["MESSAGE"] for fields in heard]

    log.say("code", "info", "after the gap")
    log.say("code", "info", "as ever")
    after, ever = (parse(datagram) for datagram in journald.read()[-2:])
    assert ("after the gap", str(said - kept)) == (after["MESSAGE"], after["DNSGUARD_LOG_DROPPED"])
    assert ("as ever", None) == (ever["MESSAGE"], ever.get("DNSGUARD_LOG_DROPPED"))


def test_a_large_record_waits_in_its_place(
    log: Log, journald: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """A file too needs room in the queue; nothing overtakes it."""
    for _ in range(100):
        log.say("code", "info", "small")
    log.say("code", "info", "large", value="x" * 1_000_000)
    log.say("code", "info", "last")

    loop.run_until_complete(journald.read_until(lambda received: b"MESSAGE=last\n" in received[-1]))
    # Where the test waits for the loop it reads without descriptors; the place is what counts.
    assert b"" == journald.received[-2]


def test_without_a_loop_the_next_record_takes_the_others_along(journald: DatagramReceiver, tmp_path: Path) -> None:
    """The command line has a log before it has a loop."""
    log = configure(None, sink="journal", journal_socket=tmp_path / "socket")
    for number in range(100):
        log.say("code", "info", f"record {number}")
    in_queue = len(journald.read())
    log.say("code", "info", "record 100")
    more = len(journald.read())
    log.close()

    assert 2 * in_queue == more < 100
    assert [f"record {number}" for number in range(more)] == [
        parse(datagram)["MESSAGE"] for datagram in journald.received[:more]
    ]


def test_records_wait_while_journald_is_away(log: Log, tmp_path: Path) -> None:
    """Before it has started, and while it is restarted: the next record takes them along."""
    log.say("code", "info", "one")
    with DatagramReceiver(tmp_path / "socket") as journald:
        log.say("code", "info", "two")
        assert ["one", "two"] == [parse(datagram)["MESSAGE"] for datagram in journald.read()]
    log.say("code", "info", "three: refused")
    (tmp_path / "socket").unlink()
    log.say("code", "info", "four: no such file")
    with DatagramReceiver(tmp_path / "socket") as successor:
        log.say("code", "info", "five")
        assert ["three: refused", "four: no such file", "five"] == [
            parse(datagram)["MESSAGE"] for datagram in successor.read()
        ]


async def turns(count: int) -> None:
    """Let the loop look at its files this often."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_the_loop_sleeps_while_journald_does_not_read_or_is_gone(tmp_path: Path) -> None:
    """A dead socket is writable for ever: the loop must let go of it; the next journald gets the rest."""
    selector = CountingSelector()
    loop = asyncio.SelectorEventLoop(selector)
    log = configure(loop, sink="journal", journal_socket=tmp_path / "socket")
    with DatagramReceiver(tmp_path / "socket"):
        for number in range(100):
            log.say("code", "info", f"record {number}")
        loop.run_until_complete(turns(10))
        assert 0 == selector.woken
    loop.run_until_complete(turns(10))
    assert 1 == selector.woken

    (tmp_path / "socket").unlink()
    with DatagramReceiver(tmp_path / "socket") as successor:
        log.say("code", "info", "last")
        heard = hear(loop, successor, "last")
    assert [f"record {number}" for number in range(101 - len(heard), 100)] == [each["MESSAGE"] for each in heard[:-1]]
    assert 0 < len(heard) < 101
    log.close()
    loop.close()


def test_a_record_that_cannot_be_sent_at_all_is_counted(log: Log, tmp_path: Path) -> None:
    """Somebody else's socket lies there: lost is lost, and said as soon as there is a journald."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wrong:
        wrong.bind(str(tmp_path / "socket"))
        log.say("code", "info", "lost")
        (tmp_path / "socket").unlink()
    with DatagramReceiver(tmp_path / "socket") as journald:
        log.say("code", "info", "text")
        assert "1" == the_one(journald)["DNSGUARD_LOG_DROPPED"]


def test_last_words_do_no_harm_after_the_loop_has_ended(
    log: Log, journald: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """A full queue and a closed loop: nobody can be asked to call back, and nobody is."""
    loop.close()
    for number in range(100):
        log.say("code", "info", f"record {number}")
    journald.read()
    log.close()

    assert 0 < len(journald.read()) < 100


def test_close_writes_what_it_can_and_ends_the_log(
    log: Log, journald: DatagramReceiver, loop: asyncio.AbstractEventLoop
) -> None:
    """Nothing is waited for; what is said later is lost, and closing twice does no harm."""
    for number in range(100):
        log.say("code", "info", f"record {number}")
    in_queue = len(journald.read())
    log.close()
    log.close()
    log.say("code", "info", "late")
    logging.getLogger("asyncio").error("late")
    loop.run_until_complete(asyncio.sleep(0))

    assert 2 * in_queue == len(journald.read())


def test_records_of_the_standard_library_come_too(log: Log, journald: DatagramReceiver) -> None:
    """asyncio reports a task that failed through logging; its exception must not be lost."""
    assert log.enabled("error")
    try:
        raise OSError(5, "broken")
    except OSError:
        logging.getLogger("asyncio").exception("Task %s failed", "probe")

    fields = the_one(journald)
    assert "Task probe failed\nTraceback" == fields["MESSAGE"][:27]
    assert "OSError: [Errno 5] broken" == fields["EXCEPTION_INFO"].splitlines()[-1]
    assert ("asyncio", "library", "3") == (fields["LOGGER"], fields["DNSGUARD_CODE"], fields["PRIORITY"])


def bridge() -> logging.Handler:
    """The handler that the log has put among pytest's own, which may raise."""
    [ours] = [handler for handler in logging.root.handlers if type(handler).__module__ == "dnsguard.edge.journal"]
    return ours


@pytest.mark.parametrize(
    ("number", "priority"), [(5, "7"), (10, "7"), (20, "6"), (25, "6"), (30, "4"), (40, "3"), (50, "2"), (99, "2")]
)
def test_a_foreign_level_becomes_the_next_lower_of_ours(
    journald: DatagramReceiver, tmp_path: Path, number: int, priority: str
) -> None:
    """Libraries may invent levels of their own."""
    log = configure(None, level="debug", sink="journal", journal_socket=tmp_path / "socket")
    record = logging.makeLogRecord({"levelno": number, "msg": "text"})
    bridge().handle(record)
    log.close()

    assert priority == the_one(journald)["PRIORITY"]


def test_a_library_that_formats_wrongly_is_heard_all_the_same(log: Log, journald: DatagramReceiver) -> None:
    """logging would print to stderr, or raise; what was meant is in the pieces."""
    assert log.enabled("error")
    record = logging.makeLogRecord({"levelno": 40, "msg": "%d of %d", "args": ("one",), "exc_info": (None, None, None)})
    bridge().handle(record)

    assert "%d of %d ('one',)" == the_one(journald)["MESSAGE"].splitlines()[0]


def test_the_standard_library_logs_as_before_when_the_log_is_closed(tmp_path: Path) -> None:
    """Level and handlers of the root logger are put back."""
    before = logging.root.level, list(logging.root.handlers)
    log = configure(None, level="debug", sink="journal", journal_socket=tmp_path / "socket")
    assert logging.DEBUG == logging.root.level
    assert len(before[1]) + 1 == len(logging.root.handlers)
    log.close()

    assert before == (logging.root.level, logging.root.handlers)


def json_lines(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def test_a_pipe_gets_one_json_object_a_line(loop: asyncio.AbstractEventLoop, pipe: Pipe) -> None:
    """For whoever collects stderr: four keys first, then the fields as they are."""
    log = configure(loop, stream=pipe.stream, sink="json")
    log.say("code", "info", "two\nlines \udcff", generation=7, servers=("a", "b"), nothing=None, path="\udcff")
    try:
        raise ValueError("our own mistake")
    except ValueError:
        log.say("code", "error", "text", exc_info=True)
    log.close()

    data = pipe.read()
    assert b"\n" == data[-1:]
    one, two = json_lines(data)
    said_at = datetime.fromisoformat(one.pop("timestamp"))
    assert "UTC" == said_at.tzname()
    expected = {
        "level": "info",
        "code": "code",
        "text": "two\nlines \\udcff",
        "generation": 7,
        "servers": ["a", "b"],
        "path": "\udcff",
    }
    assert expected == one
    assert list(expected) == list(one)
    assert "ValueError: our own mistake" == two["exception"].splitlines()[-1]


def console(pipe: Pipe, text: str, **fields: object) -> list[str]:
    """The lines that a terminal would show, without the time."""
    log = configure(None, stream=pipe.stream, sink="console")
    log.say("code", "warning", text, **fields)
    log.close()
    time, _, rest = pipe.read().decode().partition(" ")
    assert re.fullmatch(r"\d\d:\d\d:\d\d", time)
    assert rest.endswith("\n")
    return rest[:-1].split("\n")


def test_a_terminal_gets_one_readable_line(pipe: Pipe) -> None:
    """Short fields only: event, state and actions are for programs."""
    shown = console(
        pipe,
        "dnsmasq has died: direct",
        generation=7,
        detail="no answer",
        address="fe80::1%eth0",
        nothing=None,
        empty="",
        event="{}",
        state={"a": 1},
        actions=("b",),
    )

    assert [
        "warning dnsmasq has died: direct  code=code generation=7 detail='no answer' address=fe80::1%eth0 empty=''"
    ] == shown


def test_no_text_can_forge_a_line_on_a_terminal(pipe: Pipe) -> None:
    """What follows is indented, and what moves the cursor is escaped, in fields too."""
    shown = console(pipe, "one\n12:00:00 info\x1b[2J fine", field="a\nb\x1b\x9b\udcff")

    assert [
        r"warning one  code=code field='a\nb\x1b\x9b\udcff'",
        r"    12:00:00 info\x1b[2J fine",
    ] == shown


def test_a_terminal_shows_tracebacks_indented(pipe: Pipe) -> None:
    """A traceback belongs to the line above it."""
    try:
        raise ValueError("our own mistake")
    except ValueError:
        shown = console(pipe, "text", exc_info=True)

    assert "warning text  code=code" == shown[0]
    assert "    Traceback (most recent call last):" == shown[1]
    assert "    ValueError: our own mistake" == shown[-1]


def test_a_pipe_that_nobody_reads_stops_nothing(loop: asyncio.AbstractEventLoop, pipe: Pipe) -> None:
    """Its reader finds whole lines in order, and the number of those that are missing.

    Lines are longer than what a pipe takes at once, so that one is cut when the pipe is full.
    """
    log = configure(loop, stream=pipe.stream, sink="json")
    said = 3 * MAX_WAITING
    for number in range(said):
        log.say("code", "info", "text", number=number, padding="x" * 5000)

    async def everything() -> bytes:
        chunks = [pipe.read()]
        log.say("code", "info", "after the gap")
        async with asyncio.timeout(30):
            while b"after the gap" not in b"".join(chunks[-2:]):
                await asyncio.sleep(0)
                chunks.append(pipe.read())
        return b"".join(chunks)

    *heard, after = json_lines(loop.run_until_complete(everything()))
    log.close()
    assert list(range(len(heard))) == [record["number"] for record in heard]
    assert ("after the gap", said - len(heard)) == (after["text"], after["log_dropped"])


def test_a_stream_without_a_reader_does_no_harm(loop: asyncio.AbstractEventLoop) -> None:
    """EPIPE, a full disk: the daemon has better things to do."""
    read_end, write_end = os.pipe()
    os.close(read_end)
    for file in (write_end, os.open("/dev/full", os.O_WRONLY)):
        with open(file, "w") as stream:
            log = configure(loop, stream=stream, sink="json")
            log.say("code", "info", "text")
            log.say("code", "info", "text")
            log.close()


def test_a_stream_that_is_no_file_is_nobody(loop: asyncio.AbstractEventLoop) -> None:
    """sys.stderr is None if descriptor 2 was closed at the start; it may have been closed since."""
    closed = io.TextIOWrapper(io.BytesIO())
    closed.close()
    for stream in (None, io.StringIO(), closed):
        log = configure(loop, stream=stream)
        log.say("code", "info", "text")
        log.close()


def test_a_descriptor_that_is_closed_and_reused_is_not_written_to(pipe: Pipe, tmp_path: Path) -> None:
    """Somebody closes stderr, the next file opened gets its number: records must not end up there."""
    log = configure(None, stream=pipe.stream, sink="json")
    number = pipe.stream.fileno()
    with open(tmp_path / "precious", "wb") as precious:
        kept = os.dup(number)
        os.dup2(precious.fileno(), number)
        log.say("code", "info", "text")
        os.dup2(kept, number)
        os.close(kept)
    log.close()

    assert b"" == (tmp_path / "precious").read_bytes()
    assert "text" == json_lines(pipe.read())[0]["text"]


def test_the_journal_is_chosen_if_systemd_has_connected_the_stream_to_it(
    journald: DatagramReceiver, pipe: Pipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """JOURNAL_STREAM names the device and inode of what systemd has opened."""
    about = os.fstat(pipe.stream.fileno())
    monkeypatch.setenv("JOURNAL_STREAM", f"{about.st_dev}:{about.st_ino}")
    log = configure(None, stream=pipe.stream, journal_socket=tmp_path / "socket")
    log.say("code", "info", "text")
    log.close()

    assert "text" == the_one(journald)["MESSAGE"]
    assert b"" == pipe.read()


@pytest.mark.parametrize("claim", [None, "", "1:2", "rubbish"])
def test_a_pipe_of_somebody_else_gets_json(pipe: Pipe, monkeypatch: pytest.MonkeyPatch, claim: str | None) -> None:
    """JOURNAL_STREAM is inherited by what the operator starts from a service, and redirects."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    if claim is not None:
        monkeypatch.setenv("JOURNAL_STREAM", claim)
    log = configure(None, stream=pipe.stream)
    log.say("code", "info", "text")
    log.close()

    assert "text" == json_lines(pipe.read())[0]["text"]


def test_a_terminal_is_recognised(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody watches."""
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    controller, terminal = os.openpty()
    with open(terminal, "w") as stream:
        log = configure(None, stream=stream)
        log.say("code", "info", "text")
        log.close()
        shown = os.read(controller, 4096)
    os.close(controller)

    assert b" info text  code=code\r\n" == shown[8:]


def test_rich_is_not_loaded_and_not_forbidden_to_others() -> None:
    """structlog takes 7 MiB more on a host that happens to have python3-rich."""
    script = "import sys, dnsguard.edge.journal; print('rich' in sys.modules, 'rich.console' in sys.modules)"
    command = [sys.executable, "-W", "error", "-c", script]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)

    assert "False False\n" == ran.stdout


JOURNALD = Path("/lib/systemd/systemd-journald")

REAL_WORLD = """
set -eu
mount -t tmpfs none /run
mount -t tmpfs none /var/log
mkdir -p /run/systemd/journal /run/log/journal
"$1" >/dev/null 2>&1 &
until [ -S /run/systemd/journal/socket ]; do sleep 0.02; done
"$2" -W error -c "$3"
journalctl --sync >/dev/null 2>&1 || true
until journalctl -o json --all -q SYSLOG_IDENTIFIER=dnsguard >/run/read && grep -q '"last"' /run/read; do
    sleep 0.02
done
cat /run/read
"""

REAL_RECORDS = """
from dnsguard.edge.journal import configure
log = configure(None, sink="journal")
log.say("phase-changed", "warning", "dnsmasq has died", phase="direct", generation=7, conf="a\\nb", path="\\udcff")
log.say("large", "info", "large", value="x" * 1_000_000)
log.say("last", "info", "last")
log.close()
"""


def test_a_real_journald_keeps_every_field() -> None:
    """The protocol as systemd reads it, not as we do; the large record too."""
    if not JOURNALD.exists() or shutil.which("journalctl") is None:
        pytest.skip("systemd-journald is not installed")
    private = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--net"]
    if subprocess.run([*private, "true"], capture_output=True).returncode != 0:
        pytest.skip("no mount and PID namespace without root here")
    command = [*private, "sh", "-c", REAL_WORLD, "sh", str(JOURNALD), sys.executable, REAL_RECORDS]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)

    first, large, last = (json.loads(line) for line in ran.stdout.splitlines())
    expected = {
        "MESSAGE": "dnsmasq has died",
        "PRIORITY": "4",
        "MESSAGE_ID": message_id("phase-changed"),
        "DNSGUARD_CODE": "phase-changed",
        "DNSGUARD_PHASE": "direct",
        "DNSGUARD_GENERATION": "7",
        "DNSGUARD_CONF": "a\nb",
        "DNSGUARD_PATH": "\\udcff",
    }
    assert expected == {key: first.get(key) for key in expected}
    assert 1_000_000 == len(large["DNSGUARD_VALUE"])
    assert "last" == last["MESSAGE"]
