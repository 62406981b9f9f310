"""Servers at the far end of a host's cable, to be silenced and lost."""

import signal
import socket
import sys
from abc import ABC, abstractmethod
from pathlib import Path

from tests.sandbox.namespaces import Command
from tests.sandbox.processes import Inside, wait_for

UPSTREAM = "192.0.2.53"
OTHER_UPSTREAM = "192.0.2.54"

ANSWER = "203.0.113.7"
"""What every upstream says that every name is."""

# A dnsmasq that knows no upstream refuses what it has no answer to, with EDE 14. So it is told that
# everything is local, and what `. SOA` is: no names, and five numbers.
ROOT_SOA = "0000" + "00000001" + "00000e10" + "00000384" + "00093a80" + "00000e10"

MISBEHAVING = Path(__file__).with_name("upstream.py")


class Upstreams(ABC):
    """The base of what has a far end."""

    def __init__(self) -> None:
        self._upstreams: dict[str, Inside] = {}

    @abstractmethod
    def beyond(self, command: Command) -> Inside:
        """Start a process at the far end."""

    @abstractmethod
    def give_address(self, address: str) -> None:
        """Give the far end an address more."""

    @abstractmethod
    def take_address(self, address: str) -> None:
        """Take it away again."""

    def start_upstream(self, address: str, *options: str) -> None:
        """Put a server that answers everything at this address, or let a silent one speak again.

        It is a dnsmasq; `options` are more of its own.
        """
        if address in self._upstreams:
            self._upstreams[address].send(signal.SIGCONT)
            return
        self.put_upstream(
            address,
            f"exec dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --user=root"
            f" --no-resolv --no-hosts --bind-interfaces --listen-address={address}"
            f" --address=/#/{ANSWER} --local=/#/ --dns-rr=.,6,{ROOT_SOA} {' '.join(options)}",
        )

    def start_misbehaving_upstream(self, address: str, manner: str) -> None:
        """Put a server with one of upstream.py's manners at this address, in place of what is there."""
        if address in self._upstreams:
            self.stop_upstream(address)
        self.put_upstream(address, [sys.executable, str(MISBEHAVING), address, manner])

    def put_upstream(self, address: str, command: Command) -> None:
        """Put a server of your own at this address: a command that listens on its port 53."""
        self.give_address(address)
        server = self.beyond(command)
        self._upstreams[address] = server
        wait_for(lambda: _is_listening(server, address), f"server at {address}")

    def silence_upstream(self, address: str) -> None:
        """Make the server take questions and never answer, as one in a network that was left behind."""
        self._upstreams[address].send(signal.SIGSTOP)

    def stop_upstream(self, address: str) -> None:
        """Take server and address away: who asks hears nothing, or after a while "no route to host"."""
        self._upstreams.pop(address).end(signal.SIGKILL)
        self.take_address(address)

    def end_upstreams(self) -> None:
        """End all servers; may be called any number of times."""
        upstreams, self._upstreams = self._upstreams, {}
        for upstream in upstreams.values():
            upstream.end(signal.SIGKILL)


def _is_listening(server: Inside, address: str) -> bool:
    """Whether somebody in this server's network has bound port 53 of this IPv4 address, for UDP."""
    if server.door.poll() is not None:
        raise RuntimeError(f"{server.door.args!r} ended with {server.door.returncode}")
    # The kernel prints the address as one number of this machine's byte order.
    number = int.from_bytes(socket.inet_aton(address), sys.byteorder)
    return f" {number:08X}:0035 " in Path(f"/proc/{server.pid}/net/udp").read_text()
