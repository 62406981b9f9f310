"""Asks root's helpers to put our link back, and resolvconf to write again; the daemon may do neither.

The request is a file: a .path unit looks whether it is there (PathExists=), so that none is lost. But systemd
takes 20-30 ms to start a service, and `dnsguard attach` another 150 (measured on Debian 12 and 13), in which lookups
may fail. So where the package's take-back waits on a FIFO, it is knocked at as well: it swings the link in about
5 ms, and attach, a little later, keeps what was there.
"""

import os
from contextlib import suppress
from pathlib import Path

from dnsguard.core.events import AttachAsked, AttachNotAsked, UpdateAsked, UpdateNotAsked

# Never through a link, and never waiting for somebody to open the other end.
_CAREFULLY = os.O_WRONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC


def ask(request: Path, door: Path) -> AttachAsked | AttachNotAsked:
    """Leave the request, and knock; a door that is not there, or that nobody waits at, is no failure."""
    refusal = _leave(request)
    if refusal:
        return AttachNotAsked(refusal)
    with suppress(OSError):
        _knock(door)
    return AttachAsked()


def ask_update(request: Path) -> UpdateAsked | UpdateNotAsked:
    """Leave the request to have dnsmasq's upstream file written again."""
    refusal = _leave(request)
    return UpdateNotAsked(refusal) if refusal else UpdateAsked()


def _leave(request: Path) -> str:
    """Make the file; why that could not be done, or nothing."""
    try:
        os.close(os.open(request, _CAREFULLY | os.O_CREAT, 0o644))
    except OSError as error:
        return f"{request}: {error.strerror}"
    return ""


def _knock(door: Path) -> None:
    descriptor = os.open(door, _CAREFULLY)
    try:
        os.write(descriptor, b"\n")
    finally:
        os.close(descriptor)
