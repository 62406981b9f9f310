"""What the operator can read afterwards: structlog's records, sent to journald or written to stderr.

Facts, tried on Debian 12 and 13 unless another source is named:
- journald takes datagrams of `NAME=value` lines; a value with a newline is NAME, newline, its length in 8 bytes
  (little endian), value, newline. What is larger than a socket buffer comes as a sealed memfd. Names other than
  [A-Z0-9_]{1,64} are silently dropped, and what is not UTF-8 is kept, but shown as "[13B blob data]".
  Source: systemd.io/JOURNAL_NATIVE_PROTOCOL.
- systemd.journal.sendv() waits for a journald that does not read, holding the GIL: after 12 records the process
  stands still. Polling a second socket first narrows that gap without closing it, and its path is fixed. So the
  datagram is sent here, by a socket that cannot block; it costs the same.
- A pipe that polls writable takes PIPE_BUF bytes at once (Linux's fs/pipe.c). O_NONBLOCK would be simpler, but the
  parent and its other children share it. Doubtful: one of them may fill the pipe in between; then we wait.
"""

import asyncio
import fcntl
import json
import logging
import os
import re
import select
import shlex
import socket
import struct
import sys
from collections import deque
from functools import cache
from io import FileIO
from pathlib import Path
from typing import Any, Literal, TextIO

# structlog would import these if they were there: 7 MiB and 50 ms for rich alone. None hides them from it alone.
_UNUSED = {"better_exceptions", "rich", "twisted"} - sys.modules.keys()
sys.modules.update(dict.fromkeys(_UNUSED))  # type: ignore[arg-type]
import structlog  # noqa: E402
from structlog.processors import TimeStamper, add_log_level, format_exc_info  # noqa: E402
from structlog.typing import EventDict, Processor  # noqa: E402

from dnsguard.core.message_id import message_id  # noqa: E402

for _name in _UNUSED:
    del sys.modules[_name]

MAX_WAITING = 1000
"""Records kept for a reader that is slow; what comes beyond is counted and dropped."""
RECORDS = frozenset({"event", "state", "actions"})
"""Fields that hold whole records; a terminal does not show them."""

# The standard library's numbers, which structlog filters by, and syslog(3)'s, which journalctl does.
_NUMBERS = {"critical": 50, "error": 40, "warning": 30, "info": 20, "debug": 10}
_PRIORITIES = {"critical": "2", "error": "3", "warning": "4", "info": "6", "debug": "7"}
_WELL_KNOWN = {"exception": "EXCEPTION_INFO", "logger": "LOGGER"}


class Log:
    """One stream of records; nothing it does waits for a reader, or raises because of one."""

    def __init__(self, outbox: "_Outbox", threshold: int, *renderers: Processor) -> None:
        self._outbox, self._threshold = outbox, threshold
        processors: list[Processor] = [outbox.admit, add_log_level, format_exc_info, *renderers]
        only_wanted = structlog.make_filtering_bound_logger(threshold)
        # Bound at once: structlog's lazy logger costs more on each record that is filtered out.
        self._logger = structlog.wrap_logger(outbox, processors, only_wanted).bind()
        self._bridge = _Bridge(self)
        self._root_level = logging.root.level
        logging.root.addHandler(self._bridge)
        logging.root.setLevel(threshold)

    def say(self, code: str, level: str, text: str, **fields: object) -> None:
        """Write one record.

        Level is debug, info, warning, error or critical; the code is stable and kebab-case, the text for a human.
        A field is whatever json.dumps() takes; None is left out, and exc_info means what it means to logging.
        """
        exc_info = fields.pop("exc_info", None)
        self._logger.log(_NUMBERS[level], text, code=code, fields=fields, exc_info=exc_info)

    def enabled(self, level: str) -> bool:
        """Whether a record of this level would be written; ask before making costly fields."""
        return _NUMBERS[level] >= self._threshold

    def close(self) -> None:
        """Write what can be written without waiting; what is said later is lost. Twice does no harm."""
        if self._bridge in logging.root.handlers:
            logging.root.removeHandler(self._bridge)
            logging.root.setLevel(self._root_level)
        self._outbox.close()


def configure(
    loop: asyncio.AbstractEventLoop | None,
    *,
    level: str = "info",
    stream: TextIO | None = sys.stderr,
    sink: Literal["auto", "journal", "json", "console"] = "auto",
    journal_socket: Path = Path("/run/systemd/journal/socket"),
) -> Log:
    """Open the log, and lead the standard library's records (asyncio, pyinotify) into it.

    Args:
        loop: empties the queue when a slow reader reads again; without one, the next record does.
        level: records below it are not written, and cost next to nothing.
        stream: a real file; its descriptor is duplicated. None, as sys.stderr may be: nobody reads.
        sink: auto means journald if systemd has connected the stream to it,
            readable lines if it is a terminal, and otherwise one JSON object a line.
        journal_socket: where journald listens.
    """
    threshold, file = _NUMBERS[level], _duplicate(stream)
    if sink == "auto":
        sink = "journal" if is_journal(file) else "console" if file.isatty() else "json"
    if sink == "journal":
        file.close()
        return Log(_JournalOutbox(loop, str(journal_socket)), threshold, _as_journal_fields)
    if sink == "console":
        return Log(_Outbox(loop, file), threshold, TimeStamper("%H:%M:%S", utc=False), _as_line)
    return Log(_Outbox(loop, file), threshold, TimeStamper("iso"), _as_json)


def is_journal(stream: TextIO | FileIO) -> bool:
    """Whether systemd has connected this stream to journald. Source: $JOURNAL_STREAM in systemd.exec(5)."""
    about = os.fstat(stream.fileno())
    return os.environ.get("JOURNAL_STREAM") == f"{about.st_dev}:{about.st_ino}"


class _Outbox:
    """Takes records in order, never waits, and counts what it cannot keep; for a pipe or a terminal."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, file: FileIO | socket.socket) -> None:
        self._loop, self._file = loop, file
        self._room = select.poll()
        self._room.register(file, select.POLLOUT)
        self._watching = self._closed = False
        self._waiting: deque[bytes] = deque()
        self._dropped = 0

    def admit(self, _logger: object, _method: str, event_dict: EventDict) -> EventDict:
        """Be structlog's first processor: no work is spent on a record that there is no room for."""
        self._drain()
        if len(self._waiting) >= MAX_WAITING:
            self._dropped += 1
            raise structlog.DropEvent
        if self._dropped:
            event_dict["fields"]["log_dropped"] = self._dropped
            self._dropped = 0
        return event_dict

    def msg(self, record: bytes) -> None:
        """Be structlog's logger: take what the last processor made."""
        self._waiting.append(record)
        self._drain()

    debug = info = warning = error = critical = msg

    def close(self) -> None:
        self._drain()
        self._watch(False)
        self._closed = True
        self._file.close()

    def _drain(self) -> None:
        while self._waiting and not self._closed:
            record = self._waiting.popleft()
            try:
                rest = record[self._push(record) :]
            except (BlockingIOError, FileNotFoundError, ConnectionRefusedError):
                # Full, or journald's socket is away for a moment.
                rest = record
            except OSError:
                self._dropped += 1
                continue
            if rest:
                self._waiting.appendleft(rest)
            if rest == record:
                self._watch(True)
                return
        self._watch(False)

    def _watch(self, wanted: bool) -> None:
        """Have the loop drain when there is room; a closed loop can do nothing more for us."""
        if self._loop and not self._loop.is_closed() and wanted != self._watching:
            self._watching = wanted
            if wanted:
                self._loop.add_writer(self._file, self._drain)
            else:
                self._loop.remove_writer(self._file)

    def _push(self, record: bytes) -> int:
        """Give the number of bytes that were taken; none, or BlockingIOError, if there is no room."""
        return os.write(self._file.fileno(), record[: select.PIPE_BUF]) if self._room.poll(0) else 0


class _JournalOutbox(_Outbox):
    """journald's socket; a record is a datagram, or a file if it is too large for one."""

    def __init__(self, loop: asyncio.AbstractEventLoop | None, path: str) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        # The kernel keeps a few of these bytes for itself.
        self._too_large = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) // 2
        super().__init__(loop, self._socket)

    def _push(self, record: bytes) -> int:
        # By name each time, not by connection: the socket may have been replaced.
        if len(record) < self._too_large:
            return self._socket.sendto(record, self._path)
        with FileIO(os.memfd_create("dnsguard-log", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w") as file:
            file.write(record)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SEAL
            fcntl.fcntl(file, fcntl.F_ADD_SEALS, seals)
            rights = (socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", file.fileno()))
            self._socket.sendmsg([], [rights], 0, self._path)
        return len(record)

    def _watch(self, wanted: bool) -> None:
        # Only of a connected socket does poll tell whether the other side's queue has room.
        super()._watch(wanted and self._socket.connect_ex(self._path) == 0)


class _Bridge(logging.Handler):
    """Leads the standard library's records into the log, under one code."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        try:
            text = record.getMessage()
        except (KeyError, TypeError, ValueError):
            # Somebody else's mistake in a format is no reason to lose what they wanted to say.
            text = f"{record.msg} {record.args!r}"
        level = next((name for name, number in _NUMBERS.items() if record.levelno >= number), "debug")
        self._log.say("library", level, text, logger=record.name, exc_info=record.exc_info)


def _as_journal_fields(_logger: object, _method: str, event_dict: EventDict) -> bytes:
    """Be the last processor for journald: its native protocol."""
    said = _said(event_dict)
    level, text = said.pop("level"), said.pop("text")
    message = f"{text}\n{said['exception']}" if "exception" in said else text
    fields = {"MESSAGE": message, "PRIORITY": _PRIORITIES[level], "SYSLOG_IDENTIFIER": "dnsguard"}
    fields["MESSAGE_ID"] = message_id(said["code"])
    fields |= {_field_name(key): _plain(value) for key, value in said.items()}
    return b"".join(_native(name.encode(), value) for name, value in fields.items())


def _native(name: bytes, value: str) -> bytes:
    # Escaped rather than passed on raw: what is not UTF-8 would be shown as a blob.
    data = value.encode("utf-8", "backslashreplace")
    return b"%s\n%s%s\n" % (name, struct.pack("<Q", len(data)), data) if b"\n" in data else b"%s=%s\n" % (name, data)


@cache
def _field_name(key: str) -> str:
    return _WELL_KNOWN.get(key) or ("DNSGUARD_" + re.sub("[^A-Z0-9_]", "_", key.upper()))[:64]


def _as_json(_logger: object, _method: str, event_dict: EventDict) -> bytes:
    """Be the last processor for a pipe or a file: one compact object on a line."""
    return f"{_plain({'timestamp': event_dict['timestamp']} | _said(event_dict))}\n".encode()


def _as_line(_logger: object, _method: str, event_dict: EventDict) -> bytes:
    """Be the last processor for a terminal: one readable line; if there are more, they are indented."""
    said = _said(event_dict)
    level, text = said.pop("level"), said.pop("text")
    first, _, others = f"{text}\n{said.pop('exception', '')}".partition("\n")
    short = " ".join(f"{key}={shlex.quote(_plain(value))}" for key, value in said.items() if key not in RECORDS)
    lines = [f"{event_dict['timestamp']} {level} {first}  {short}", *others.splitlines()]
    return ("\n    ".join(map(_printable, lines)) + "\n").encode()


def _said(event_dict: EventDict) -> dict[str, Any]:
    """Flatten what structlog carries: level, code, text, the fields that are there, exception."""
    text = "\n".join(map(_printable, event_dict["event"].splitlines()))
    said = {"level": event_dict["level"], "code": event_dict["code"], "text": text}
    said |= event_dict["fields"] | {"exception": event_dict.get("exception")}
    return {key: value for key, value in said.items() if value is not None}


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"), default=str)


def _printable(line: str) -> str:
    """Escape what could move a terminal's cursor, and what is not UTF-8."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)


def _duplicate(stream: TextIO | None) -> FileIO:
    """Open a file of our own: nobody can close it under us. If there is none, nobody reads us."""
    try:
        return FileIO(os.dup(stream.fileno()), "w") if stream else FileIO(os.devnull, "w")
    except (OSError, ValueError):
        return FileIO(os.devnull, "w")
