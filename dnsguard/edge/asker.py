"""Asks servers one question each, all at once, with the standard library alone: for `dnsguard doctor` and `wait`.

The daemon's prober is better at it, and costs 90 ms of processor time to import; a person at a prompt asks twice:
whether a server answers at all, and which servers dnsmasq holds.

Facts the code below rests on (RFC 1035, 4.1; each met in a test):
- A message is a header of 12 octets (id, flags, four counts), the question as it was asked, then records. A record
  is a name, type, class, TTL, length and data; a name ends in a zero octet, or in a pointer of two (0xC0 and above).
- A connected UDP socket lets only its peer in, and hears of a closed port at once.
- dnsmasq answers `servers.bind CH TXT` by itself, with one record of one text for each server; a record without any
  text if it has none; NOTIMP under `no-ident`.
"""

import os
import select
import socket
import struct
import time
from collections.abc import Iterable
from contextlib import suppress

from dnsguard.core.host import Answer

ROOT_SOA = b"\0" + struct.pack("!2H", 6, 1)
"""`. SOA`: every real resolver answers it, from its cache mostly."""
SERVERS_BIND = b"\7servers\4bind\0" + struct.pack("!2H", 16, 3)
"""`servers.bind CH TXT`: which servers dnsmasq holds; nothing leaves the host."""

RESEND_S = (0.4, 0.8)
"""When a question is sent again; the last answer may come until `timeout_s`."""
# With it dnsmasq may answer more than 512 octets, which are 25 servers or so. libc does not ask an upstream with it.
_EDNS = b"\0" + struct.pack("!2HLH", 41, 4096, 0, 0)
_TXT = 16
_IS_ANSWER, _CUT_SHORT = 0x8000, 0x0200
_RCODES = {0: "", 2: "servfail", 3: "", 4: "notimp", 5: "refused"}

Question = tuple[str, int, bytes]
"""A server's address (with its %scope), its port, and ROOT_SOA or SERVERS_BIND."""


def ask(questions: Iterable[Question], timeout_s: float) -> dict[Question, Answer]:
    """The answers; takes `timeout_s` if a server is silent, and no longer than the slowest otherwise.

    A trouble is "silent", "closed" (nobody listens), "servfail", "refused", "notimp", "rcode N",
    "cut short", or what the kernel said.
    """
    answers: dict[Question, Answer] = {}
    waiting: dict[int, tuple[Question, socket.socket, bytes]] = {}
    for question in dict.fromkeys(questions):
        try:
            sock = _connected(*question[:2])
        except OSError as error:
            answers[question] = Answer(_in_words(error))
            continue
        waiting[sock.fileno()] = question, sock, _query(question[2])
    began_s = time.monotonic()
    for until_s in (*(each for each in RESEND_S if each < timeout_s), timeout_s):
        for _, sock, query in waiting.values():
            with suppress(OSError):  # What is wrong is heard of when the answer is read.
                sock.send(query)
        _hear(waiting, answers, began_s + until_s)
    for question, sock, _ in waiting.values():
        sock.close()
        answers[question] = Answer("silent")
    return answers


def _hear(
    waiting: dict[int, tuple[Question, socket.socket, bytes]], answers: dict[Question, Answer], until_s: float
) -> None:
    """Take in the answers that come until then, or until none is waited for."""
    poll = select.poll()
    for descriptor in waiting:
        poll.register(descriptor, select.POLLIN)
    while waiting and (left_s := until_s - time.monotonic()) > 0:
        for descriptor, _ in poll.poll(left_s * 1000 + 1):
            question, sock, query = waiting[descriptor]
            try:
                answer = read(sock.recv(65535), query)
            except OSError as error:
                answer = Answer(_in_words(error))
            if answer is not None:
                answers[question] = answer
                poll.unregister(descriptor)
                sock.close()
                del waiting[descriptor]


def read(message: bytes, query: bytes) -> Answer | None:
    """What a message answers to the query; None if it is no answer to it."""
    asked = query[12:].removesuffix(_EDNS)
    end = 12 + len(asked)
    if len(message) < end or message[:2] != query[:2] or message[12:end].lower() != asked.lower():
        return None
    flags, _, count = struct.unpack_from("!3H", message, 2)
    if not flags & _IS_ANSWER:
        return None
    if flags & _CUT_SHORT and asked == SERVERS_BIND:
        return Answer("cut short")
    code = flags & 0xF
    try:
        texts = _texts(message, end, count)
    except (struct.error, IndexError):
        return None
    return Answer(_RCODES.get(code, f"rcode {code}"), texts)


def _texts(message: bytes, at: int, count: int) -> tuple[str, ...]:
    """The texts of the TXT records among the answers."""
    texts: list[str] = []
    for _ in range(count):
        while 0 < message[at] < 0xC0:
            at += message[at] + 1
        at += 2 if message[at] else 1
        kind, length = struct.unpack_from("!H6xH", message, at)
        at += 10
        data, at = message[at : at + length], at + length
        while kind == _TXT and data:
            texts.append(data[1 : data[0] + 1].decode("ascii", "replace"))
            data = data[data[0] + 1 :]
    return tuple(texts)


def _query(asked: bytes) -> bytes:
    more = _EDNS if asked == SERVERS_BIND else b""
    return os.urandom(2) + struct.pack("!5H", 0x0100, 1, 0, 0, bool(more)) + asked + more


def _connected(address: str, port: int) -> socket.socket:
    host, _, scope = address.partition("%")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    socket.inet_pton(family, host)  # connect() would look a name up, with the very servers that are in doubt.
    place: tuple[str, int] | tuple[str, int, int, int] = (host, port)
    if family == socket.AF_INET6:
        place = (host, port, 0, int(scope) if scope.isdecimal() else socket.if_nametoindex(scope) if scope else 0)
    sock = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    try:
        sock.connect(place)
    except OSError:
        sock.close()
        raise
    return sock


def _in_words(error: OSError) -> str:
    return "closed" if isinstance(error, ConnectionRefusedError) else error.strerror or str(error)
