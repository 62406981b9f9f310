"""Something called dnsmasq that is none: `impostor.py MANNER`, run inside as a script.

It listens on 127.0.0.1 port 53, UDP and TCP, and writes dnsmasq's PID file. Manners: `noise` sends
bytes that are no DNS message, `mirror` sends each question back as it came, `flood` sends 50 answers
to other questions and then none, `loop` sends a name that is compressed into itself, `cut` says that
the answer is too long for UDP and then nothing over TCP, `wise` says on everything that all is well,
without telling anything, `liar` holds what it is asked to hold and forwards nothing: SERVFAIL.
"""

import os
import select
import socket
import struct
import sys
from pathlib import Path

HEADER = struct.Struct("!HHHHHH")
RESPONSE, RECURSION, CUT, SERVFAIL = 0x8400, 0x0180, 0x0200, 2
SERVERS_BIND = b"\7servers\4bind\0\0\x10\0\3"


def answers(question: bytes, manner: str, holds: str) -> list[bytes]:
    """What is sent back for one question."""
    number = HEADER.unpack_from(question)[0]
    asked = question[HEADER.size :]
    if manner == "noise":
        return [b"\xff" * 3, b"", os.urandom(512)]
    if manner == "mirror":
        return [question]
    if manner == "flood":
        return [HEADER.pack((number + step) % 65536, RESPONSE, 1, 0, 0, 0) + asked for step in range(1, 51)]
    if manner == "loop":
        return [HEADER.pack(number, RESPONSE, 1, 1, 0, 0) + b"\xc0\x0c\0\x10\0\3" * 2]
    flags = {"cut": RESPONSE | CUT, "liar": RESPONSE | RECURSION | SERVFAIL}.get(manner, RESPONSE | RECURSION)
    if manner == "liar" and asked.startswith(SERVERS_BIND):
        text = f"{holds}#53 0 0".encode()
        record = b"\xc0\x0c\0\x10\0\3\0\0\0\0" + struct.pack("!HB", len(text) + 1, len(text)) + text
        return [HEADER.pack(number, RESPONSE, 1, 1, 0, 0) + SERVERS_BIND + record]
    end = asked.index(b"\0") + 5
    return [HEADER.pack(number, flags, 1, 0, 0, 0) + asked[:end]]


def serve(manner: str, holds: str) -> None:
    """Answer for ever."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp, socket.socket() as tcp:
        tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        udp.bind(("127.0.0.1", 53))
        tcp.bind(("127.0.0.1", 53))
        tcp.listen()
        Path("/run/dnsmasq/dnsmasq.pid").write_text(f"{os.getpid()}\n")
        callers = []
        while True:
            for ready in select.select([udp, tcp], [], [])[0]:
                if ready is tcp:
                    callers.append(tcp.accept())
                    continue
                question, asker = udp.recvfrom(4096)
                for answer in answers(question, manner, holds):
                    udp.sendto(answer, asker)


if __name__ == "__main__":
    serve(*sys.argv[1:])
