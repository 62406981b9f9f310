"""DNS questions to dnsmasq and to the published servers: the sockets, and in which order they are asked.

While dnsmasq's upstreams are silent, so is it; the same question again, from the same socket and with the
same id, makes it try them all (2.85 to 2.93, read in its source and tried).
A *connected* UDP socket lets only its peer in, and hears of a closed port (ICMP) at once. When the
whole daemon was held up, a timeout strikes although the answer lies in the socket.
"""

import asyncio
import errno
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from dns.message import Message

from dnsguard.core.actions import AskPublished, AskUpstreams, Probe
from dnsguard.core.events import Compared, LookupAnswered, LookupFailed, ProbeFailed, ProbePassed
from dnsguard.core.evidence import Evidence, Trouble, is_dnsmasqs, weigh
from dnsguard.core.resolvconf import MAX_NAMESERVERS
from dnsguard.core.vocabulary import Verdict
from dnsguard.edge.prober_messages import (
    MAX_DATAGRAM_BYTES,
    ROOT_SOA,
    Query,
    Question,
    ask,
    ask_held,
    canonical,
    is_cut_short,
    judge,
    lack,
    parse_question,
    read,
    read_held,
)

__all__ = ["ROOT_SOA", "Prober", "Question", "parse_question"]

FORWARD_SENDS = 3
"""Times that a forwarded question is sent before it counts as unanswered, evenly spread."""
LIFE_S = 0.5
"""While upstreams are waited for, dnsmasq is asked this often whether it still lives: a hang must not hide there."""
MAX_UPSTREAMS = 8
"""That many are asked directly, at most."""
STAGGER_S = 0.3
"""How long a published server may be silent before the next is asked as well."""

_Server = tuple[str, int]
_Asking = asyncio.Task[Trouble | None]
_Timed = asyncio.Task[tuple[Trouble | None, float]]
_Key = TypeVar("_Key")


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

        What it fails at, or is silent about for timeout_s, `asked.upstreams` are asked too, all at the same time. What
        it must know by itself it is asked alone: no upstream is waited for then. Takes at most timeout_s, and twice
        timeout_s and forward_timeout_s more if `asked.forward`; a dnsmasq that hangs while it forwards is found within
        LIFE_S and timeout_s. Ports are not compared: a `nameserver` line has none, and a server that dnsmasq.conf
        moves to another port is the same.
        """
        began_s = _now_s()
        held = await self._ask_held()
        if isinstance(held, Trouble):
            return ProbeFailed(asked.generation, asked.pid, held.verdict, None, held.detail)
        found = lack(asked.demanded, held) or (await self._ask_through(asked, held) if asked.forward else None)
        if isinstance(found, Trouble):
            return ProbeFailed(asked.generation, asked.pid, found.verdict, held, found.detail)
        if found is None:
            return ProbePassed(asked.generation, asked.pid, asked.forward, held, (_now_s() - began_s) * 1000)
        # It holds upstreams, so one of *them* said that it knows none: dnsmasq passes EDE on.
        passed_on = found.trouble.verdict is Verdict.NO_UPSTREAM
        verdict = Verdict.REFUSED if passed_on else found.trouble.verdict
        who = (found.fault, found.answered, found.unanswered)
        return ProbeFailed(asked.generation, asked.pid, verdict, held, found.trouble.detail, *who)

    async def ask_published(self, asked: AskPublished) -> LookupAnswered | LookupFailed:
        """Ask the servers that libc would, in order, for the first question; the first answer wins.

        The next is asked when one has failed, or has been silent for STAGGER_S. Takes at most
        forward_timeout_s, and a STAGGER_S for each server but the first.
        """
        waiting = list(asked.nameservers[:MAX_NAMESERVERS])
        asking: dict[_Timed, str] = {}
        failures: list[str] = []
        try:
            while waiting or asking:
                if waiting:
                    nameserver = waiting.pop(0)
                    asking[asyncio.create_task(self._look_up(nameserver))] = nameserver
                patience_s = STAGGER_S if waiting else None
                await asyncio.wait(asking, timeout=patience_s, return_when=asyncio.FIRST_COMPLETED)
                for task in [task for task in asking if task.done()]:
                    nameserver, (trouble, took_ms) = asking.pop(task), task.result()
                    if not trouble:
                        return LookupAnswered(asked.kind, asked.generation, nameserver, took_ms)
                    failures.append(trouble.detail)
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        return LookupFailed(asked.kind, asked.generation, "; ".join(failures) or "no server is published")

    async def compare(self, asked: AskUpstreams) -> Compared:
        """Ask each of the upstreams the first question, all at the same time. Takes at most forward_timeout_s."""
        nameservers = asked.nameservers[:MAX_UPSTREAMS]
        said = zip(nameservers, await asyncio.gather(*map(self._look_up, nameservers)), strict=True)
        took_ms = {each: took_ms for each, (trouble, took_ms) in said if not trouble}
        unanswered = tuple(each for each in nameservers if each not in took_ms)
        return Compared(asked.generation, tuple(took_ms), unanswered, tuple(took_ms.values()))

    async def _ask_through(self, asked: Probe, held: tuple[str, ...] | None) -> Evidence | Trouble | None:
        """Ask all questions that dnsmasq must forward, and its upstreams what it fails at.

        None if dnsmasq has answered all; a Trouble if it hangs meanwhile, or knows no upstream.
        """
        questions = tuple(dict.fromkeys(self.questions or (ROOT_SOA,)))
        place = (self.address, self.port)
        through = {each: asyncio.create_task(self._forward(place, each, True)) for each in questions}
        directly: dict[tuple[str, Question], _Asking] = {}
        try:
            await asyncio.wait(through.values(), timeout=self.timeout_s)
            while not _is_settled(through, directly):
                knows_none = [each for each in _done(through).values() if each and each.verdict is Verdict.NO_UPSTREAM]
                if knows_none and not (held and asked.demanded):
                    return knows_none[0]
                if not directly:
                    for question in [each for each, task in through.items() if not task.done() or task.result()]:
                        for upstream in asked.upstreams[:MAX_UPSTREAMS]:
                            way = self._forward((upstream, self.upstream_port), question, True)
                            directly[upstream, question] = asyncio.create_task(way)
                if isinstance(alive := await self._ask_held(), Trouble):
                    return alive
                waiting = [task for task in (*through.values(), *directly.values()) if not task.done()]
                if not waiting:
                    break
                await asyncio.wait(waiting, timeout=LIFE_S, return_when=asyncio.FIRST_COMPLETED)
            answers = _done(through)
            return weigh(answers, _done(directly)) if any(answers.values()) else None
        finally:
            for task in (*through.values(), *directly.values()):
                task.cancel()
            await asyncio.gather(*through.values(), *directly.values(), return_exceptions=True)

    async def _ask_held(self) -> tuple[str, ...] | Trouble | None:
        query = ask_held()
        reply = await _exchange((self.address, self.port), query, _now_s() + self.timeout_s)
        return reply if isinstance(reply, Trouble) else read_held(reply)

    async def _look_up(self, nameserver: str) -> tuple[Trouble | None, float]:
        """Ask what shows that this server works; what is wrong with that, and how long it took in milliseconds."""
        began_s = _now_s()
        port = self.port if canonical(nameserver) == canonical(self.address) else self.upstream_port
        # Any answer will do: an upstream need not know the operator's own zones for this host to resolve.
        trouble = await self._forward((nameserver, port), (self.questions or (ROOT_SOA,))[0], prove=False)
        return trouble, (_now_s() - began_s) * 1000

    async def _forward(self, server: _Server, question: Question, prove: bool) -> Trouble | None:
        """Ask as libc does, without EDNS; ask again with it only to learn why there was a refusal."""
        deadline_s = _now_s() + self.forward_timeout_s
        trouble = await _ask(server, question, prove, False, deadline_s)
        if trouble is None or trouble.verdict is not Verdict.REFUSED:
            return trouble
        why = await _ask(server, question, prove, True, deadline_s)
        return why if why is None or why.verdict in (Verdict.REFUSED, Verdict.NO_UPSTREAM) else trouble


def _done(tasks: dict[_Key, _Asking]) -> dict[_Key, Trouble | None]:
    return {key: task.result() for key, task in tasks.items() if task.done()}


def _is_settled(through: dict[Question, _Asking], directly: dict[tuple[str, Question], _Asking]) -> bool:
    """Whether nothing that is still under way could change the verdict."""
    if not all(task.done() for task in through.values()):
        return False
    failing = {question: trouble for question, trouble in _done(through).items() if trouble}
    return not failing or is_dnsmasqs(_done(directly), failing)


async def _ask(server: _Server, question: Question, prove: bool, use_edns: bool, deadline_s: float) -> Trouble | None:
    query = ask(question, use_edns)
    reply = await _exchange(server, query, deadline_s, FORWARD_SENDS)
    return reply if isinstance(reply, Trouble) else judge(reply, _about(query, server), question if prove else None)


async def _exchange(server: _Server, query: Query, deadline_s: float, sends: int = 1) -> Message | Trouble:
    """The answer, or why there is none; no later than `deadline_s` of the loop's clock."""
    silence = Verdict.SILENT if query.is_local else Verdict.UNFORWARDED
    way = ""
    try:
        reply, strays = await _over_udp(server, query, deadline_s, sends)
        if reply is not None and is_cut_short(reply):
            way = ", cut short over UDP, over TCP"
            reply, strays = await _over_tcp(server, query, deadline_s)
    except ConnectionRefusedError:
        return Trouble(Verdict.CLOSED, f"{_about(query, server)}{way}: nobody listens")
    except OSError as error:
        return Trouble(Verdict.UNREACHABLE, f"{_about(query, server)}{way}: {error.strerror or error}")
    if reply is None and strays:
        words = f"no answer, but {strays} messages that are none"
        return Trouble(Verdict.RUBBISH, f"{_about(query, server)}{way}: {words}")
    return reply or Trouble(silence, f"{_about(query, server)}{way}: no answer in time")


async def _over_udp(server: _Server, query: Query, deadline_s: float, sends: int) -> tuple[Message | None, int]:
    """The first answer, and how many other messages were dropped."""
    family, place = _place(*server)
    every_s, strays = (deadline_s - _now_s()) / sends, 0
    with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock:
        sock.connect(place)
        for left in reversed(range(sends)):
            until_s = deadline_s - left * every_s
            sock.send(query.wire)
            late = False
            while not late:
                late = _now_s() >= until_s
                try:
                    if reply := read(sock.recv(MAX_DATAGRAM_BYTES), query):
                        return reply, strays
                    strays += 1
                    await asyncio.sleep(0)  # A flood must not keep the daemon from its other work.
                except BlockingIOError:
                    await _readable(sock, until_s)
    return None, strays


async def _readable(sock: socket.socket, until_s: float) -> None:
    # By hand: asyncio.timeout_at() and an Event would cost more than the question and its answer. By number: the
    # selector writes the socket out in full, for an error that nobody sees.
    loop, descriptor = asyncio.get_running_loop(), sock.fileno()
    ready: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not ready.done():
            ready.set_result(None)

    loop.add_reader(descriptor, wake)
    late = loop.call_at(until_s, wake)
    try:
        await ready
    finally:
        late.cancel()
        loop.remove_reader(descriptor)


async def _over_tcp(server: _Server, query: Query, deadline_s: float) -> tuple[Message | None, int]:
    family, place = _place(*server)
    loop, wire, received = asyncio.get_running_loop(), query.wire, bytearray()
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
        reply = read(bytes(received[2:]), query)
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


def _about(query: Query, server: _Server) -> str:
    return f"{query.words} from {server[0]}#{server[1]}"
