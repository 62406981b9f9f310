"""Which addresses are this host's own; asked of the kernel with a socket that sends nothing.

What Linux does (6.1, tried in a network namespace):
- Connecting a UDP socket looks up a route and chooses a source address; no packet leaves.
- IPv6 chooses the destination itself as the source if it is ours. IPv4 does not always: the second
  address of one subnet is reached *from the first*, and 127.0.0.53 from 127.0.0.1.
- bind() to a foreign address passes where ip_nonlocal_bind is set. An IPv4 socket bound like that
  cannot be connected, because the source must be ours then; an IPv6 socket can.
"""

import socket
from ipaddress import ip_address

from dnsguard.core.resolvconf import canonical


def is_own_address(address: str) -> bool:
    """Whether this address (IPv6 perhaps with a %scope) is configured on this host; False if it is none.

    The host's part of a `local` route and all of 127/8 are its own; multicast groups, 0.0.0.0 and :: are not.
    """
    host, _, scope = (canonical(address) or "0.0.0.0").partition("%")
    if ip_address(host).is_multicast:
        return False
    try:
        if ":" not in host:
            return _connects(socket.AF_INET, (host, 53), source=(host, 0))
        is_index = not scope or (scope.isdecimal() and len(scope) < 10)
        scope_id = int(scope or 0) if is_index else socket.if_nametoindex(scope)
        return _connects(socket.AF_INET6, (host, 53, 0, scope_id), source=None)
    except OSError:
        return False


def _connects(family: int, place: tuple[str, int] | tuple[str, int, int, int], source: tuple[str, int] | None) -> bool:
    """Whether a socket connected to this place has it as its own address; raises OSError if it cannot."""
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        if source is not None:
            sock.bind(source)
        sock.connect(place)
        return bool(sock.getsockname()[0].partition("%")[0] == place[0])
