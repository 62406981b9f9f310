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


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_upstream_file_changes_nothing_for_libc(host: Host, guarded: Guard, damage: Damage) -> None:
    """dnsmasq may lose its upstreams with it; the host does not."""
    damage(host.path(UPSTREAM_FILE))
    said = guarded.wait_for_code("sources-damaged")

    assert UPSTREAM_FILE in said["text"]
    assert "warning" == said["level"]
    assert good(host)
    assert 1 == guarded.status()["generation"]


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_damaged_record_changes_nothing_for_libc(host: Host, guarded: Guard, damage: Damage) -> None:
    damage(host.path(RECORD))
    wait_for(lambda: guarded.status()["source"] == UPSTREAM_FILE or guarded.said("sources-damaged"), "second look")

    assert good(host)
    assert 1 == guarded.status()["generation"]
