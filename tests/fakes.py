"""Small honest fakes, shared by the tests."""

import asyncio
import contextlib
import os
import select
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import TracebackType

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest

ROOT = str(Path(__file__).resolve().parents[1])


@contextlib.contextmanager
def process_called(*words: str) -> Iterator[int]:
    """A process that does nothing, with these words on its command line: its id."""
    # It says a word first: at the very beginning the kernel does not know its command line yet.
    waiting = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", *words]
    with subprocess.Popen(waiting, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            yield process.pid
        finally:
            process.kill()


def in_private_mounts(script: str, *arguments: object) -> str:
    """Run a Python script as root of a mount namespace of its own; what it printed.

    For worlds that no directory of ours can be: full, read-only, a mount point. Nothing it mounts
    is seen outside, and all of it is gone with the process. Skips the test where that is refused.
    """
    private = ["unshare", "--mount", "--propagation", "private"]
    if os.geteuid() != 0:
        private.append("--map-root-user")
    probe = subprocess.run([*private, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True)
    if probe.returncode != 0:
        pytest.skip(f"no mount namespace here: {probe.stderr.strip()}")
    command = [*private, sys.executable, "-W", "error", "-c", script, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": ROOT})
    assert (0, "") == (ran.returncode, ran.stderr)
    return ran.stdout


class CountingSelector(selectors.DefaultSelector):
    """The real thing; it also counts how often a file has woken the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.woken = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Wait as ever."""
        ready = super().select(timeout)
        self.woken += len(ready)
        return ready


class DatagramReceiver:
    """A Unix datagram socket as systemd and journald have one; it reads only when it is asked to.

    `address` is a path, or an abstract name that starts with NUL. `files` holds the descriptors
    that came along; they are closed with the rest.
    """

    def __init__(self, address: Path | str) -> None:
        self.received: list[bytes] = []
        self.files: list[int] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(address))

    def __enter__(self) -> "DatagramReceiver":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in self.files:
            os.close(file)
        self._socket.close()

    def read(self) -> list[bytes]:
        """Take in what lies there now; everything received so far is returned."""
        while True:
            try:
                datagram, files, _flags, _sender = socket.recv_fds(self._socket, 1 << 20, 4)
            except BlockingIOError:
                return self.received
            self.received.append(datagram)
            self.files += files

    async def read_until(self, condition: Callable[[list[bytes]], bool]) -> list[bytes]:
        """Read as datagrams come until all of them together fulfil the condition."""
        async with asyncio.timeout(10):
            while not condition(self.read()):
                self.received.append(await asyncio.get_running_loop().sock_recv(self._socket, 1 << 20))
        return self.received


class TinyNameserver:
    """A nameserver on loopback, over UDP and TCP, that says exactly what a test wants it to say.

    `say` gets each query, and whether it came over TCP, and returns the messages to send, in order:
    none is silence (over TCP, a closed connection). It runs in the server's own thread and may wait for
    something, but for nothing that happens only after the server's end: `ending` is set then.
    """

    def __init__(
        self,
        say: Callable[[dns.message.Message, bool], Iterable[bytes]],
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.asked: list[dns.message.Message] = []
        self.ending = threading.Event()
        self.address = address
        self._say = say
        self._tcp, self._udp, self.port = _same_port(address, port)
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> "TinyNameserver":
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.ending.set()
        self._udp.sendto(b"", self._udp.getsockname())
        self._thread.join()
        self._udp.close()
        self._tcp.close()

    def _serve(self) -> None:
        while not self.ending.is_set():
            readable, _, _ = select.select([self._udp, self._tcp], [], [])
            # A peer that has gone away in the middle of an answer is no news.
            with contextlib.suppress(ConnectionError):
                if self._udp in readable:
                    self._answer_datagram(*self._udp.recvfrom(65535))
                if self._tcp in readable:
                    self._answer_connection(self._tcp.accept()[0])

    def _answer_datagram(self, wire: bytes, peer: tuple[str, int]) -> None:
        if wire:
            self.asked.append(dns.message.from_wire(wire))
            for message in self._say(self.asked[-1], False):
                self._udp.sendto(message, peer)

    def _answer_connection(self, connection: socket.socket) -> None:
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            length = int.from_bytes(connection.recv(2, socket.MSG_WAITALL), "big")
            self.asked.append(dns.message.from_wire(connection.recv(length, socket.MSG_WAITALL)))
            for message in self._say(self.asked[-1], True):
                # One byte at a time: a reader that counts on whole reads is found out.
                for byte in len(message).to_bytes(2, "big") + message:
                    connection.send(bytes([byte]))


def _same_port(address: str, port: int) -> tuple[socket.socket, socket.socket, int]:
    """A TCP and a UDP socket with one port number: this one, or with 0 one that is free in both worlds."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    while True:
        tcp = socket.create_server((address, port), family=family)
        udp = socket.socket(family, socket.SOCK_DGRAM)
        try:
            udp.bind(tcp.getsockname())
        except OSError:
            tcp.close()
            udp.close()
            if port:
                raise
        else:
            return tcp, udp, tcp.getsockname()[1]


def reply_to(query: dns.message.Message, rcode: int = 0, *, ede: int | None = None, cut: bool = False) -> bytes:
    """The bytes of an empty answer; `ede` is sent only where EDNS was asked for, `cut` sets TC."""
    reply = dns.message.make_response(query)
    reply.set_rcode(dns.rcode.Rcode(rcode))
    if ede is not None and query.edns >= 0:
        reply.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode(ede), "said so")])
    if cut:
        reply.flags |= dns.flags.TC
    return reply.to_wire()


def servers_bind(query: dns.message.Message, *strings: str, empty: bool = False) -> bytes:
    """The bytes of an answer to servers.bind, as dnsmasq gives it: one TXT record.

    `empty` makes it the one that dnsmasq sends without upstreams, with no rdata at all: dnspython
    cannot write that, so it is put together here.
    """
    reply = dns.message.make_response(query)
    reply.use_edns(False)
    if strings:
        text = " ".join(f'"{string}"' for string in strings)
        reply.answer.append(dns.rrset.from_text(query.question[0].name, 0, "CH", "TXT", text))
    wire = bytearray(reply.to_wire())
    if empty:
        wire[7] = 1
        wire += b"\xc0\x0c\x00\x10\x00\x03\x00\x00\x00\x00\x00\x00"
    return bytes(wire)


@contextlib.contextmanager
def unprivileged() -> Iterator[Path]:
    """A directory that a user without privileges owns, and that user's rights."""
    directory = Path(tempfile.mkdtemp())
    as_root = os.geteuid() == 0
    if as_root:
        os.chown(directory, 65534, 65534)
        os.setegid(65534)
        os.seteuid(65534)
    try:
        yield directory
    finally:
        if as_root:
            os.seteuid(0)
            os.setegid(0)
        shutil.rmtree(directory)
