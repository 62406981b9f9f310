"""What systemd is told: READY, STATUS, WATCHDOG, RELOADING, STOPPING; it never waits and never raises.

Facts, each tried with python3-systemd 235 on Debian 12 and 13 unless another source is named:
- notify() sends a *blocking* datagram and holds the GIL meanwhile: a receiver that does not read
  freezes the whole process, all threads, as soon as its queue is full.
- A connected datagram socket is not writable while its peer's queue is full, whoever filled it
  (unix_dgram_poll() in Linux's net/unix/af_unix.c); so a second socket can be asked beforehand.
- notify() reads NOTIFY_SOCKET from the C environment at each call. Nobody there: it raises OSError;
  NUL or a surrogate in the text: ValueError.
- systemd passes over a message of more than 4096 bytes (NOTIFY_BUFFER_MAX in systemd 252).
- A receiver is a path, or an abstract name that is written with "@" for the leading NUL. systemd
  254 also knows vsock: addresses, for PID 1 of a virtual machine, which we are not.
Doubtful: another service may take the last place in the queue between the question and notify();
then this process waits until systemd reads again.
"""

import asyncio
import os
import re
import select
import socket
import time
from collections.abc import Mapping

from systemd import daemon

MAX_TEXT = 500
"""Characters of a status text; UTF-8 makes them 2000 bytes at most, well below systemd's limit."""


class Service:
    """What systemd knows of us; if none listens, nothing happens at all."""

    def __init__(self, loop: asyncio.AbstractEventLoop, environ: Mapping[str, str]) -> None:
        """Find out who listens; `environ` must be os.environ, for libsystemd reads it too."""
        self._loop = loop
        self._address = _address(environ.get("NOTIFY_SOCKET", ""))
        self._ping_every_s = _ping_every_s(environ)
        self._ping: asyncio.TimerHandle | None = None
        self._last_status: str | None = None
        # The latest message of each kind that did not go out yet, in order; so it cannot grow.
        self._unsent: dict[str, str] = {}
        self._waiting = False
        self._probe = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._room = select.poll()
        self._room.register(self._probe, select.POLLOUT)

    def ready(self, status: str) -> None:
        """Let dependents start; `status` is what `systemctl status` shows from now on."""
        self._send("READY=1" + self._with_status(status))

    def status(self, text: str) -> None:
        """Change the line that `systemctl status` shows; the same text again is not sent."""
        line = _one_line(text)
        if line != self._last_status:
            self._last_status = line
            self._send(f"STATUS={line}")

    def reloading(self) -> None:
        """Say that new settings are being read; `reloaded` must follow."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")

    def reloaded(self, status: str) -> None:
        """Say that the new settings are in force, or that the old ones remain."""
        self.ready(status)

    def stopping(self, status: str) -> None:
        """Say that this process is about to end by its own will."""
        self._send("STOPPING=1" + self._with_status(status))

    def extend_timeout(self, seconds: float) -> None:
        """Ask for this much time, from now, for the start or stop that is under way."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * 1_000_000)}")

    def start_watchdog(self) -> None:
        """Prove at half the time that systemd gives us that the loop still turns.

        Does nothing if systemd keeps no watchdog, or keeps it for another process.
        """
        if self._ping_every_s is None:
            return
        self._stop_watchdog()
        self._send("WATCHDOG=1")
        self._ping = self._loop.call_later(self._ping_every_s, self.start_watchdog)

    def close(self) -> None:
        """End the watchdog and forget what could not be sent; closing twice does no harm."""
        self._stop_watchdog()
        self._address = ""
        self._forget()
        self._probe.close()

    def _stop_watchdog(self) -> None:
        if self._ping is not None:
            self._ping.cancel()
            self._ping = None

    def _with_status(self, status: str) -> str:
        self._last_status = _one_line(status)
        return f"\nSTATUS={self._last_status}"

    def _send(self, message: str) -> None:
        """Send this after what waits; it replaces a waiting message of its own kind."""
        if not self._address:
            return
        kind = message.partition("=")[0]
        # Taken out first, so that it comes last: READY must stay behind RELOADING.
        self._unsent.pop(kind, None)
        self._unsent[kind] = message
        self._flush()

    def _flush(self) -> None:
        """Hand over what waits, as far as there is room for it now."""
        try:
            while self._unsent:
                # Each time anew: the socket may have been replaced since.
                self._probe.connect(self._address)
                if not self._room.poll(0):
                    self._wait_for_room()
                    return
                daemon.notify(self._unsent.pop(next(iter(self._unsent))))
        except OSError:
            # Nobody listens there (any more). Should somebody come, the next status is news.
            self._last_status = None
            self._forget()
        self._stop_waiting()

    def _forget(self) -> None:
        self._unsent.clear()
        self._stop_waiting()

    def _wait_for_room(self) -> None:
        # A closed loop has nobody to call us back; what waits goes out with the next message.
        if not self._waiting and not self._loop.is_closed():
            self._loop.add_writer(self._probe, self._flush)
            self._waiting = True

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._loop.remove_writer(self._probe)
            self._waiting = False


def _address(receiver: str) -> str:
    """NOTIFY_SOCKET as socket.connect() wants it; empty for what cannot be a Unix socket."""
    if receiver.startswith("@"):
        return "\0" + receiver[1:]
    return receiver if receiver.startswith("/") else ""


def _ping_every_s(environ: Mapping[str, str]) -> float | None:
    """Half of WATCHDOG_USEC in seconds; None if there is no watchdog, or it is not for this process.

    Source: sd_watchdog_enabled(3), which python3-systemd does not offer.
    """
    own_pid = str(os.getpid())
    given_us = re.fullmatch(r"[1-9][0-9]{,18}", environ.get("WATCHDOG_USEC", ""))
    if given_us is None or environ.get("WATCHDOG_PID", own_pid) != own_pid:
        return None
    return int(given_us[0]) / 2_000_000


def _one_line(text: str) -> str:
    """Make text a bounded line that no control character and no undecodable byte can break."""
    encodable = text[:MAX_TEXT].encode("utf-8", "backslashreplace").decode()
    return "".join(character if character.isprintable() else " " for character in encodable)[:MAX_TEXT]
