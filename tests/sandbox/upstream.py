"""An upstream server that misbehaves: `upstream.py ADDRESS MANNER`, run beyond the cable as a script.

Manners: `silent` takes questions and never answers; `servfail` and `refused` answer so; `not-ready` is
REFUSED with EDE 14, as a dnsmasq without upstreams; `rubbish` answers what is no DNS message;
`slow` answers properly after 0.8 s; `zone` does at once, but SERVFAIL in ZONE.
UDP only: nobody here asks for more than fits.
"""

import select
import socket
import sys
import time

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

DELAY_S = 0.8
ANSWER = "203.0.113.7"
ZONE = "intranet.example."

RCODES = {
    "servfail": dns.rcode.SERVFAIL,
    "refused": dns.rcode.REFUSED,
    "not-ready": dns.rcode.REFUSED,
    "slow": dns.rcode.NOERROR,
    "zone": dns.rcode.NOERROR,
}


def answer(wire: bytes, manner: str) -> bytes | None:
    """What is sent back for one question; None for nothing."""
    if manner == "silent":
        return None
    if manner == "rubbish":
        return b"this is no DNS message"
    query = dns.message.from_wire(wire)
    response = dns.message.make_response(query)
    response.flags |= dns.flags.RA
    response.set_rcode(RCODES[manner])
    if manner == "not-ready":
        response.use_edns(0, options=[dns.edns.EDEOption(dns.edns.EDECode.NOT_READY)])
    if manner == "zone" and query.question[0].name.to_text() == ZONE:
        response.set_rcode(dns.rcode.SERVFAIL)
    elif manner in ("slow", "zone") and query.question[0].rdtype == dns.rdatatype.A:
        response.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "A", ANSWER))
    return response.to_wire()


def serve(address: str, manner: str) -> None:
    """Answer for ever; several questions may be waiting for their time."""
    delay_s = DELAY_S if manner == "slow" else 0.0
    waiting: list[tuple[float, bytes, tuple[str, int]]] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as port:
        port.bind((address, 53))
        while True:
            patience_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            if select.select([port], [], [], patience_s)[0]:
                wire, asker = port.recvfrom(4096)
                response = answer(wire, manner)
                if response is not None:
                    waiting.append((time.monotonic() + delay_s, response, asker))
            while waiting and waiting[0][0] <= time.monotonic():
                _, response, asker = waiting.pop(0)
                port.sendto(response, asker)


if __name__ == "__main__":
    serve(*sys.argv[1:])
