"""Prints a line for each question that leaves the host, run inside as a script: seconds (monotonic), and to whom.

Counted are UDP packets to port 53 that go out by INTERFACE, so also those which are sent again.
"""

import socket
import time

INTERFACE = "eth0"
# The kernel shows what goes out to those alone who ask for everything. Source: packet(7).
ETH_P_ALL = 0x0003
IPV4 = b"\x08\x00"
PORT = 53
ETHERNET_BYTES = 14


def asked(frame: bytes) -> str:
    """Whom this frame asks something; empty if it does not."""
    if frame[ETHERNET_BYTES - 2 : ETHERNET_BYTES] != IPV4:
        return ""
    packet = frame[ETHERNET_BYTES:]
    header_bytes = (packet[0] & 15) * 4
    to_port = int.from_bytes(packet[header_bytes + 2 : header_bytes + 4], "big")
    return socket.inet_ntoa(packet[16:20]) if packet[9] == socket.IPPROTO_UDP and to_port == PORT else ""


def main() -> None:
    """Watch until killed."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as wire:
        wire.bind((INTERFACE, ETH_P_ALL))
        print("watching", flush=True)
        while True:
            frame, (_, _, kind, *_) = wire.recvfrom(65536)
            if kind == socket.PACKET_OUTGOING and (whom := asked(frame)):
                print(time.monotonic(), whom, flush=True)


if __name__ == "__main__":
    main()
