"""DNS questions to dnsmasq and to the published servers; the only place that imports dnspython.

What dnsmasq does (2.85 to 2.93, read in its source and tried):
- It answers `servers.bind CH TXT` by itself: one string for each server that it holds, "ADDRESS#PORT
  QUERIES FAILED"; for none, *empty* rdata, an error to dnspython since 2.7. With `no-ident`, NOTIMP.
- Knowing no upstream, it answers REFUSED at once, with EDE 14 (Not Ready) if it was asked with EDNS.
- While its upstreams are silent, so is it; the same question again, from the same socket and with
  the same id, makes it try them all.
A *connected* UDP socket lets only its peer in, and hears of a closed port (ICMP) at once. When the
whole daemon was held up, a timeout strikes although the answer lies in the socket.
"""

import asyncio
import errno
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from dns import edns, flags, rcode, rdataclass, rdatatype
from dns.exception import DNSException
from dns.message import Message, from_wire, make_query
from dns.name import from_text
from dns.rdtypes.ANY.TXT import TXT

from dnsguard.core.actions import AskPublished, Probe
from dnsguard.core.errors import SettingsError
from dnsguard.core.events import LookupAnswered, LookupFailed, ProbeFailed, ProbePassed
from dnsguard.core.resolvconf import MAX_NAMESERVERS, canonical
from dnsguard.core.vocabulary import Verdict

MAX_DATAGRAM_BYTES = 4096
"""What is announced to dnsmasq, which sends 1232 or 4096 at most; what is longer comes over TCP."""
MAX_STRINGS = 4096
"""Strings of one answer that are looked at: about as many servers as 64 KiB over TCP can list."""
FORWARD_SENDS = 3
"""Times that a forwarded question is sent before it counts as unanswered, evenly spread."""
STAGGER_S = 0.3
"""How long a published server may be silent before the next is asked as well."""

_EMPTY_TEXT = (b"\0\x10\0\x03", b"\0\0")
_Server = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Question:
    """What is forwarded, of class IN; parse_question() makes one that can be asked."""

    name: str
    type: str


ROOT_SOA = Question(".", "SOA")
"""Every resolver can answer it, and dnsmasq does not cache it."""


@dataclass(frozen=True, slots=True)
class _Trouble:
    verdict: Verdict
    detail: str


def parse_question(text: str) -> Question:
    """Read "NAME TYPE", as in `. SOA` or `intranet.example A`.

    Raises:
        SettingsError: code "bad-question".
    """
    try:
        name, rdtype = text.split()
        absolute, wanted = from_text(name), rdatatype.from_text(rdtype)
        if rdatatype.is_metatype(wanted) or wanted == rdatatype.NONE:
            raise ValueError
    except (ValueError, DNSException):
        words = f'{ascii(text)[:80]} cannot be asked; write a name and a type, as in "intranet.example A"'
        raise SettingsError("bad-question", words) from None
    return Question(absolute.to_text(omit_final_dot=True), rdatatype.to_text(wanted))


@dataclass(frozen=True, slots=True)
class Prober:
    """Asks dnsmasq whether it can be trusted, and the published servers whether this host resolves.

    `address` and `port` are dnsmasq's; without `questions`, `. SOA` is asked. Nothing is kept between two
    questions: any number may be under way, each with a socket of its own, closed if it is cancelled.
    """

    address: str
    port: int
    questions: tuple[Question, ...] = (ROOT_SOA,)
    timeout_s: float = 0.25
    forward_timeout_s: float = 2.0
    upstream_port: int = 53

    async def probe(self, asked: Probe) -> ProbePassed | ProbeFailed:
        """Ask dnsmasq what it holds and, if `asked.forward`, all questions that it must forward.

        Takes at most timeout_s, and forward_timeout_s more if `asked.forward`. Ports are not compared:
        a `nameserver` line has none, and a server that dnsmasq.conf moves to another port is the same.
        """
        began_s = _now_s()
        held = await self._ask_held()
        if isinstance(held, _Trouble):
            return ProbeFailed(asked.generation, asked.pid, held.verdict, None, held.detail)
        trouble = _lack(asked.demanded, held)
        if trouble is None and asked.forward:
            asking = [self._forward((self.address, self.port), each) for each in self.questions or (ROOT_SOA,)]
            trouble = next((each for each in await asyncio.gather(*asking) if each), None)
        if trouble is not None:
            # If it holds upstreams, then one of *them* said that it knows none: dnsmasq passes EDE on.
            passed_on = trouble.verdict is Verdict.NO_UPSTREAM and held and asked.demanded
            verdict = Verdict.REFUSED if passed_on else trouble.verdict
            return ProbeFailed(asked.generation, asked.pid, verdict, held, trouble.detail)
        return ProbePassed(asked.generation, asked.pid, asked.forward, held, (_now_s() - began_s) * 1000)

    async def ask_published(self, asked: AskPublished) -> LookupAnswered | LookupFailed:
        """Ask the servers that libc would, in order, for the first question; the first answer wins.

        The next is asked when one has failed, or has been silent for STAGGER_S. Takes at most
        forward_timeout_s, and a STAGGER_S for each server but the first.
        """
        waiting = list(asked.nameservers[:MAX_NAMESERVERS])
        asking: dict[asyncio.Task[_Trouble | None], str] = {}
        failures: list[str] = []
        try:
            while waiting or asking:
                if waiting:
                    nameserver = waiting.pop(0)
                    asking[asyncio.create_task(self._lookup(nameserver))] = nameserver
                patience_s = STAGGER_S if waiting else None
                await asyncio.wait(asking, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in asking if task.done()]:
                    nameserver, trouble = asking.pop(task), task.result()
                    if not trouble:
                        return LookupAnswered(asked.kind, asked.generation, nameserver)
                    failures.append(trouble.detail)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return LookupFailed(asked.kind, asked.generation, "; ".join(failures) or "no server is published")

    async def _ask_held(self) -> tuple[str, ...] | _Trouble | None:
        query = make_query("servers.bind", "TXT", "CH", use_edns=True, payload=MAX_DATAGRAM_BYTES)
        reply = await _exchange((self.address, self.port), query, _now_s() + self.timeout_s)
        return reply if isinstance(reply, _Trouble) else _read_held(reply)

    async def _lookup(self, nameserver: str) -> _Trouble | None:
        port = self.port if canonical(nameserver) == canonical(self.address) else self.upstream_port
        return await self._forward((nameserver, port), (self.questions or (ROOT_SOA,))[0])

    async def _forward(self, server: _Server, question: Question) -> _Trouble | None:
        """Ask as libc does, without EDNS; ask again with it only to learn why there was a refusal."""
        deadline_s = _now_s() + self.forward_timeout_s
        trouble = await _ask(server, question, False, deadline_s)
        if trouble is None or trouble.verdict is not Verdict.REFUSED:
            return trouble
        why = await _ask(server, question, True, deadline_s)
        return why if why is None or why.verdict in (Verdict.REFUSED, Verdict.NO_UPSTREAM) else trouble


async def _ask(server: _Server, question: Question, use_edns: bool, deadline_s: float) -> _Trouble | None:
    query = make_query(question.name, question.type, use_edns=use_edns)
    reply = await _exchange(server, query, deadline_s, FORWARD_SENDS)
    return reply if isinstance(reply, _Trouble) else _judge(reply, _about(query, server))


async def _exchange(server: _Server, query: Message, deadline_s: float, sends: int = 1) -> Message | _Trouble:
    """The answer, or why there is none; no later than `deadline_s` of the loop's clock."""
    silence = Verdict.SILENT if query.question[0].rdclass == rdataclass.CH else Verdict.UNFORWARDED
    about = _about(query, server)
    try:
        reply, strays = await _over_udp(server, query, deadline_s, sends)
        if reply is not None and reply.flags & flags.TC:
            about += ", cut short over UDP, over TCP"
            reply, strays = await _over_tcp(server, query, deadline_s)
    except ConnectionRefusedError:
        return _Trouble(Verdict.CLOSED, f"{about}: nobody listens")
    except OSError as error:
        return _Trouble(Verdict.UNREACHABLE, f"{about}: {error.strerror or error}")
    if reply is None and strays:
        return _Trouble(Verdict.RUBBISH, f"{about}: no answer, but {strays} messages that are none")
    return reply or _Trouble(silence, f"{about}: no answer in time")


async def _over_udp(server: _Server, query: Message, deadline_s: float, sends: int) -> tuple[Message | None, int]:
    """The first answer, and how many other messages were dropped."""
    family, place = _place(*server)
    every_s, strays = (deadline_s - _now_s()) / sends, 0
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect(place)
        for left in reversed(range(sends)):
            until_s = deadline_s - left * every_s
            sock.send(query.to_wire())
            late = False
            while not late:
                late = _now_s() >= until_s
                try:
                    if reply := _read(sock.recv(MAX_DATAGRAM_BYTES), query):
                        return reply, strays
                    strays += 1
                    await asyncio.sleep(0)  # A flood must not keep the daemon from its other work.
                except BlockingIOError:
                    await _readable(sock, until_s)
    return None, strays


async def _readable(sock: socket.socket, until_s: float) -> None:
    loop, ready = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(sock, ready.set)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout_at(until_s):
                await ready.wait()
    finally:
        loop.remove_reader(sock)


async def _over_tcp(server: _Server, query: Message, deadline_s: float) -> tuple[Message | None, int]:
    family, place = _place(*server)
    loop, wire, received = asyncio.get_running_loop(), query.to_wire(), bytearray()
    # Not CLOSED, even if refused: somebody answered over UDP a moment ago.
    nonblocking = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    with suppress(TimeoutError, ConnectionError), nonblocking as sock:
        async with asyncio.timeout_at(deadline_s):
            await loop.sock_connect(sock, place)
            await loop.sock_sendall(sock, len(wire).to_bytes(2, "big") + wire)
            while len(received) < 2 or len(received) < 2 + int.from_bytes(received[:2], "big"):
                if not (part := await loop.sock_recv(sock, MAX_DATAGRAM_BYTES)):
                    return None, 0
                received += part
        reply = _read(bytes(received[2:]), query)
        return reply, int(reply is None)
    return None, 0


def _place(address: str, port: int) -> tuple[socket.AddressFamily, tuple[Any, ...]]:
    """What a socket connects to, never a name to look up. Raises OSError if there is no such place."""
    host, _, scope = (canonical(address) or "").partition("%")
    if not host:
        raise OSError(errno.EINVAL, "not an address")
    if ":" not in host:
        return socket.AF_INET, (host, port)
    is_index = not scope or (scope.isdecimal() and len(scope) < 10)
    return socket.AF_INET6, (host, port, 0, int(scope or 0) if is_index else socket.if_nametoindex(scope))


def _now_s() -> float:
    return asyncio.get_running_loop().time()


def _about(query: Message, server: _Server) -> str:
    return f"{query.question[0].to_text()} from {server[0]}#{server[1]}"


def _read(wire: bytes, query: Message) -> Message | None:
    """The message if it is whole and answers `query`, or was cut short on purpose (TC); else None."""
    try:
        reply = from_wire(wire, continue_on_error=True)
    except (DNSException, ValueError):  # ValueError: an unknown opcode, to dnspython 2.3
        return None
    # Before its rdata a record has its type, class, TTL and length: 2, 2, 4 and 2 bytes.
    heads = [(wire[at - 10 : at - 6], wire[at - 2 : at]) for at in (error.offset for error in reply.errors)]
    is_usable = reply.flags & flags.TC or all(head == _EMPTY_TEXT for head in heads)
    return reply if is_usable and query.is_response(reply) else None


def _read_held(reply: Message) -> tuple[str, ...] | _Trouble | None:
    """The addresses in an answer to servers.bind, each once; None after NOTIMP: blinded."""
    code = reply.rcode()
    if code == rcode.NOTIMP:
        return None
    texts = [record for rrset in reply.answer for record in rrset if isinstance(record, TXT)]
    strings = [string for text in texts for string in text.strings][:MAX_STRINGS]
    shown = (string.partition(b"#")[0].decode("ascii", "replace") for string in strings)
    held = tuple(dict.fromkeys(filter(None, map(canonical, shown))))
    # The only error that _read() lets pass is the empty rdata of a dnsmasq that holds nothing.
    if code == rcode.NOERROR and (held or (not strings and (texts or reply.errors))):
        return held
    return _Trouble(Verdict.RUBBISH, f"servers.bind. CH TXT: {rcode.to_text(code)} without a list of servers")


def _lack(demanded: tuple[str, ...], held: tuple[str, ...] | None) -> _Trouble | None:
    """What is demanded and not held; a blinded dnsmasq (None) has the benefit of the doubt."""
    lacking = [address for address in demanded if held is not None and canonical(address) not in held]
    words = f"lacks {', '.join(lacking[:9])}; holds {', '.join((held or ('nothing',))[:9])}"
    return _Trouble(Verdict.LACKING, words) if lacking else None


def _judge(reply: Message, about: str) -> _Trouble | None:
    """What is wrong with the answer to a forwarded question; a negative answer is an answer."""
    code = reply.rcode()
    if code in (rcode.NOERROR, rcode.NXDOMAIN):
        return None
    errors = [option for option in reply.options if isinstance(option, edns.EDEOption)][:3]
    words = "".join(f", EDE {int(error.code)} {ascii(error.text or '')[:80]}" for error in errors)
    verdict = {rcode.REFUSED: Verdict.REFUSED, rcode.SERVFAIL: Verdict.SERVFAIL}.get(code, Verdict.RUBBISH)
    if verdict is Verdict.REFUSED and edns.EDECode.NOT_READY in [error.code for error in errors]:
        verdict = Verdict.NO_UPSTREAM
    return _Trouble(verdict, f"{about}: {rcode.to_text(code)}{words}")
