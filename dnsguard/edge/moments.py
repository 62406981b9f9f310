"""Hears moments after which what is known of the world may be old: links, addresses, the clock, the host's sleep.

Nothing is polled: two descriptors become readable.

Facts of rtnetlink(7) and netlink(7), Linux 6.1:
- Whoever may open an AF_NETLINK socket may join these groups; only the kernel sends to them, with port id 0.
- An address is announced again whenever a router announces its prefix, a link with every scan of a wireless card. So
  what is announced is compared with what was announced before.
- An IPv6 address is of use when it is no longer tentative, and a link when it carries: both are announced.
- When the socket's buffer is full, recv says ENOBUFS once, and what was lost is lost.
- Routes have a group too. It is not joined: on a router they come by the thousand, and where a route makes a
  difference a link or an address has mostly come or gone, too.

Facts of timerfd_create(2), Linux 3.0, and fs/timerfd.c, Linux 6.1:
- An absolute timer of CLOCK_REALTIME with TFD_TIMER_CANCEL_ON_SET becomes readable when the distance from
  CLOCK_MONOTONIC changes by a leap; read then says ECANCELED, and the timer goes on waiting for the next leap.
- timekeeping_resume() calls timerfd_resume(): CLOCK_REALTIME has gone on during a sleep and CLOCK_MONOTONIC has not,
  so that is such a leap too. CLOCK_BOOTTIME has gone on as well: that tells the two apart. Source: clock_gettime(2).
- Slewing, which is what NTP does all day, is no leap.

asyncio's timers are of CLOCK_MONOTONIC: after a sleep they are late by as long as it was. systemd's watchdog is of the
same clock (WatchdogSec=, src/core/service.c), so that a host which sleeps does not kill us for it.
"""

import asyncio
import ctypes
import errno
import os
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from dnsguard.core.events import MomentPassed
from dnsguard.core.vocabulary import Moment

# Groups of <linux/rtnetlink.h>: links, IPv4 addresses, IPv6 addresses.
_GROUPS = 0x1 | 0x10 | 0x100
_NEW_LINK, _DELETED_LINK, _NEW_ADDRESS, _DELETED_ADDRESS = 16, 17, 20, 21
# struct nlmsghdr: length, type, flags, sequence, port id.
_HEADER = struct.Struct("=IHHII")
# struct ifinfomsg: family, type, index, flags, change mask. struct ifaddrmsg: family, prefix, flags, scope, index.
_LINK, _ADDRESS = struct.Struct("=BxHiII"), struct.Struct("=BBBBI")
# struct rtattr: length and type, padded to four bytes; an address of a point-to-point link is IFA_LOCAL.
_ATTRIBUTE = struct.Struct("=HH")
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
# IFF_UP, IFF_RUNNING, IFF_LOWER_UP of <linux/if.h>; IFA_F_TENTATIVE of <linux/if_addr.h>.
_CARRIES, _TENTATIVE = 0x1 | 0x40 | 0x10000, 0x40
_MESSAGE_BYTES = 65536
# Read at one go; then the loop has its turn.
SLICE_MESSAGES = 64

# Of <sys/timerfd.h>: TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET; TFD_NONBLOCK and TFD_CLOEXEC are those of open().
_ON_SET = 1 | 2
# Reading three clocks takes microseconds, and who sleeps does so for longer than this.
_SLEPT_S = 0.01


@dataclass(frozen=True, slots=True)
class Clocks:
    """What the clocks say at one moment, in seconds: the time of day; since boot, without sleep and with it."""

    realtime_s: float
    monotonic_s: float
    boottime_s: float


def read_clocks() -> Clocks:
    """What they say now."""
    return Clocks(time.time(), time.monotonic(), time.clock_gettime(time.CLOCK_BOOTTIME))


class Moments:
    """Calls `on_moment` soon after such a moment; a hint, not a fact.

    What cannot be heard `on_trouble` is told of, once, in words. The caller must end it with close().

    Args:
        open_clock: gives a descriptor that becomes readable when the clock leaps, and whose read says ECANCELED then.
        read: reads that descriptor.
        clocks: what the clocks say.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_moment: Callable[[MomentPassed], None],
        on_trouble: Callable[[str], None],
        *,
        open_clock: Callable[[], int] | None = None,
        read: Callable[[int, int], bytes] = os.read,
        clocks: Callable[[], Clocks] = read_clocks,
    ) -> None:
        self._loop = loop
        self._on_moment = on_moment
        self._on_trouble = on_trouble
        self._open_clock = open_clock or open_timer
        self._read = read
        self._clocks = clocks
        self._then = clocks()
        self._timer: int | None = None
        self._links: socket.socket | None = None
        self._known: dict[tuple[int, bytes], int] = {}

    def start(self) -> None:
        """Listen from now on; what was learned before this may be old, so learn it after."""
        try:
            self._timer = self._open_clock()
            self._loop.add_reader(self._timer, self._hear_clock, self._timer)
        except OSError as error:
            self._on_trouble(f"that the clock is set, or this host has slept, cannot be heard: {error}")
        try:
            self._links = _open_links()
            self._loop.add_reader(self._links, self._hear_links, self._links)
        except OSError as error:
            self._on_trouble(f"links and addresses cannot be heard: {error}")

    def close(self) -> None:
        """Hear nothing more, and give everything back; once or often."""
        if self._timer is not None:
            self._loop.remove_reader(self._timer)
            os.close(self._timer)
        if self._links is not None:
            self._loop.remove_reader(self._links)
            self._links.close()
        self._timer = self._links = None

    def _hear_clock(self, timer: int) -> None:
        try:
            self._read(timer, 8)
        except OSError as error:
            if error.errno == errno.ECANCELED:
                self._on_moment(self._leap())

    def _leap(self) -> MomentPassed:
        then, self._then = self._then, self._clocks()
        slept_s = (self._then.boottime_s - then.boottime_s) - (self._then.monotonic_s - then.monotonic_s)
        if slept_s > _SLEPT_S:
            return MomentPassed(Moment.RESUME, f"this host has slept for {slept_s:.0f} s")
        set_s = (self._then.realtime_s - then.realtime_s) - (self._then.boottime_s - then.boottime_s)
        return MomentPassed(Moment.CLOCK, f"the clock was set by {set_s:+.3f} s")

    def _hear_links(self, links: socket.socket) -> None:
        """Judge what has queued up, or a slice of it; any number of news is one hint."""
        news = ""
        for _ in range(SLICE_MESSAGES):
            try:
                message, (port, _groups) = links.recvfrom(_MESSAGE_BYTES)
            except BlockingIOError:
                break
            except OSError as error:
                # ENOBUFS: what was lost may have been anything.
                self._known.clear()
                news = news or f"there was more than could be heard: {error.strerror}"
                continue
            for part in _split(message) if port == 0 else ():
                told = self._news(*part)
                news = news or told
        if news:
            self._on_moment(MomentPassed(Moment.NETWORK, news))

    def _news(self, kind: int, body: bytes) -> str:
        """What one message says, in words; empty if that was known."""
        if kind in (_NEW_LINK, _DELETED_LINK):
            _family, _type, index, flags, _mask = _LINK.unpack_from(body)
            key, value, what = (index, b""), flags & _CARRIES, "the link"
        elif kind in (_NEW_ADDRESS, _DELETED_ADDRESS):
            _family, _prefix, flags, _scope, index = _ADDRESS.unpack_from(body)
            key, value, what = (index, _address_in(body)), flags & _TENTATIVE, "an address of"
        else:
            return ""
        gone = kind in (_DELETED_LINK, _DELETED_ADDRESS)
        before = self._known.pop(key, None)
        if not gone:
            self._known[key] = value
        if value == before and not gone:
            return ""
        return f"{what} {_name_of(index)} has {'gone' if gone else 'come, or changed'}"


def open_timer() -> int:
    """A descriptor that becomes readable when the clock leaps; OSError if there is none to be had."""
    # Python has these calls from 3.13 on.
    libc = ctypes.CDLL(None, use_errno=True)
    timer: int = libc.timerfd_create(time.CLOCK_REALTIME, os.O_NONBLOCK | os.O_CLOEXEC)
    # struct itimerspec: no interval, and so late that it never comes.
    never = struct.pack("@4l", 0, 0, sys.maxsize, 0)
    if timer < 0 or libc.timerfd_settime(timer, _ON_SET, never, None) < 0:
        number = ctypes.get_errno()
        if timer >= 0:
            os.close(timer)
        raise OSError(number, os.strerror(number))
    return timer


def _open_links() -> socket.socket:
    kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    links = socket.socket(socket.AF_NETLINK, kind, socket.NETLINK_ROUTE)
    try:
        links.bind((0, _GROUPS))
    except OSError:
        links.close()
        raise
    return links


def _split(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The type and the body of each part; what is cut off is left out."""
    at = 0
    while at + _HEADER.size <= len(message):
        length, kind, *_ = _HEADER.unpack_from(message, at)
        if not _HEADER.size <= length <= len(message) - at:
            return
        yield kind, message[at + _HEADER.size : at + length]
        at += _padded(length)


def _address_in(body: bytes) -> bytes:
    """Which address it is about; empty if it does not say."""
    found: dict[int, bytes] = {}
    at = _ADDRESS.size
    while at + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, at)
        if length < _ATTRIBUTE.size:
            break
        found[kind] = body[at + _ATTRIBUTE.size : at + length]
        at += _padded(length)
    return found.get(_IFA_LOCAL, found.get(_IFA_ADDRESS, b""))


def _padded(length: int) -> int:
    return (length + 3) & ~3


def _name_of(index: int) -> str:
    with suppress(OSError):
        return socket.if_indextoname(index)
    return f"number {index}"
