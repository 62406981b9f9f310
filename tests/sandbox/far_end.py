"""Upstream servers with moods: `far_end.py ADDRESS...`, run beyond the cable as a script.

Reads lines `ADDRESS MANNER [NUMBER...]` and repeats each when it holds. Manners: `well`; `slow SECONDS`
answers that much later; `silent` takes questions and never answers; `servfail` answers so; `lossy SHARE SEED`
loses that share of the questions. Ends when its input ends. UDP only; needs the standard library only.
"""

import contextlib
import heapq
import os
import random
import select
import socket
import struct
import sys
import time

HEADER = struct.Struct("!HHHHHH")
ANSWERED, SERVFAIL = 0x8180, 2
TYPE_A = b"\0\1\0\1"
ADDRESS_RECORD = b"\xc0\x0c" + TYPE_A + b"\0\0\0\0\0\4" + socket.inet_aton("203.0.113.7")

STDIN = 0

Waiting = tuple[float, int, socket.socket, bytes, tuple[str, int]]
"""When an answer is due, its number, from where, what, and to whom."""


class Server:
    """One address, and how it behaves."""

    def __init__(self, address: str) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind((address, 53))
        self.behave("well")

    def behave(self, manner: str, *numbers: str) -> None:
        """Behave like this from now on."""
        self._manner = manner
        self.delay_s = float(numbers[0]) if manner == "slow" else 0.0
        self._lost = float(numbers[0]) if manner == "lossy" else 0.0
        self._dice = random.Random(numbers[1] if manner == "lossy" else 0)

    def answer(self, question: bytes) -> bytes | None:
        """What is sent back; None for nothing."""
        if self._manner == "silent" or self._dice.random() < self._lost:
            return None
        return answered(question, SERVFAIL if self._manner == "servfail" else 0)


def answered(question: bytes, rcode: int) -> bytes:
    """The address for a name, no such record for all else; or this error."""
    asked = question[HEADER.size : question.index(b"\0", HEADER.size) + 5]
    records = ADDRESS_RECORD if asked.endswith(TYPE_A) and not rcode else b""
    number = HEADER.unpack_from(question)[0]
    return HEADER.pack(number, ANSWERED | rcode, 1, bool(records), 0, 0) + asked + records


class FarEnd:
    """The servers, and the answers that wait for their time."""

    def __init__(self, *addresses: str) -> None:
        self._servers = {address: Server(address) for address in addresses}
        self._by_descriptor = {server.socket.fileno(): server for server in self._servers.values()}
        self._waiting: list[Waiting] = []
        self._count = 0

    def serve(self) -> None:
        """Answer until the input ends."""
        print("ready", flush=True)
        while True:
            patience_s = max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else None
            ready, _, _ = select.select([STDIN, *self._by_descriptor], [], [], patience_s)
            if STDIN in ready and not self._is_told():
                return
            for descriptor in ready:
                if descriptor != STDIN:
                    self._take(self._by_descriptor[descriptor])
            self._send_what_is_due()

    def _is_told(self) -> bool:
        # Unbuffered, or select would not tell of a second line.
        lines = os.read(STDIN, 4096).decode().splitlines()
        for line in lines:
            address, *words = line.split()
            self._servers[address].behave(*words)
            print(line, flush=True)
        return bool(lines)

    def _take(self, server: Server) -> None:
        question, asker = server.socket.recvfrom(4096)
        answer = server.answer(question)
        if answer is not None:
            self._count += 1
            waiting = (time.monotonic() + server.delay_s, self._count, server.socket, answer, asker)
            heapq.heappush(self._waiting, waiting)

    def _send_what_is_due(self) -> None:
        while self._waiting and self._waiting[0][0] <= time.monotonic():
            _, _, port, answer, asker = heapq.heappop(self._waiting)
            # Without the cable there is no way back.
            with contextlib.suppress(OSError):
                port.sendto(answer, asker)


if __name__ == "__main__":
    FarEnd(*sys.argv[1:]).serve()
