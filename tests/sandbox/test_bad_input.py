"""Whatever stands in the files or comes from the network: libc keeps the last good list, and the log says why."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.sandbox.guard import Guard
from tests.sandbox.host import DNSMASQ_PID_FILE, OTHER_UPSTREAM, UPSTREAM, Host
from tests.sandbox.processes import wait_for

UPSTREAM_FILE = "/run/dnsmasq/resolv.conf"
RECORD = "/run/resolvconf/interface/eth0.inet"
STRANGER = "192.0.2.66"
"""Nobody listens there: it must never be published."""

MEBIBYTE = 1 << 20

Damage = Callable[[Path], object]


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_fifo(host: Host, inside: str) -> None:
    host.run(f"rm {inside} && mkfifo {inside}")


DAMAGES: dict[str, Damage] = {
    "truncated": lambda path: path.write_text("nameserver 192.0.2."),
    "truncated earlier": lambda path: path.write_text("names"),
    "binary": lambda path: path.write_bytes(b"\x7fELF\0\0nameserver 192.0.2.66\n" + bytes(range(256)) * 16),
    "not UTF-8": lambda path: path.write_bytes(b"nameserver \xff\xfe\n"),
    "zeroed by a power cut": lambda path: path.write_bytes(bytes(4096)),
    "1 MiB": lambda path: path.write_text(f"nameserver {STRANGER}\n" + "#" * MEBIBYTE),
    "1 MiB in lines": lambda path: path.write_text(f"nameserver {STRANGER}\n" * (MEBIBYTE // 23)),
    "a directory": make_directory,
    "a link to itself": lambda path: (path.unlink(), path.symlink_to(path.name)),
}



def mend(path: Path) -> None:
    """Put the good file back, as resolvconf would, whatever stands there."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    fresh = path.with_name(f"{path.name}_new.1")
    fresh.write_text(f"nameserver {UPSTREAM}\n")
    fresh.rename(path)


def test_x(host, guarded):
    import time, json
    for place in (UPSTREAM_FILE, RECORD):
        for name, damage in DAMAGES.items():
            before = len(guarded.records())
            path = host.path(place)
            damage(path)
            time.sleep(1)
            print(place, name, guarded.phase(), guarded.status()["generation"], guarded.status()["source"], host.nameservers())
            for r in guarded.records()[before:]: print("     ", r["level"], r["code"], r["text"])
            before = len(guarded.records())
            mend(path)
            time.sleep(1)
            print("   mended", guarded.phase())
            for r in guarded.records()[before:]: print("     ", r["level"], r["code"], r["text"])
