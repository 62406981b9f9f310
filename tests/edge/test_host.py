"""The parts of a host, seen in folders of a test's own, and some of this machine's as it is."""

import os
import socket
import sys
from pathlib import Path

import pytest

from dnsguard.core.host import Listener, Space, Thing, Unit
from dnsguard.edge.host import dated, hosts_line, listeners, space_at, text_of, thing_at, unit
from tests.fakes import in_private_mounts


def test_plain_file_and_link_are_what_they_are(tmp_path: Path) -> None:
    """And both say what libc would read there."""
    (tmp_path / "file").write_text("nameserver 192.0.2.53\n")
    (tmp_path / "link").symlink_to("file")
    (tmp_path / "dangling").symlink_to("/nowhere")

    assert Thing("file", "", "nameserver 192.0.2.53\n") == thing_at(tmp_path / "file")
    assert Thing("link", "file", "nameserver 192.0.2.53\n") == thing_at(tmp_path / "link")
    assert Thing("link", "/nowhere") == thing_at(tmp_path / "dangling")
    assert Thing() == thing_at(tmp_path / "absent")


def test_fifo_is_not_waited_for(tmp_path: Path) -> None:
    """Whatever stands there, doctor answers."""
    os.mkfifo(tmp_path / "fifo")

    assert Thing("other") == thing_at(tmp_path / "fifo")


def test_mount_is_told_from_a_file(tmp_path: Path) -> None:
    """By the table of mounts."""
    (tmp_path / "file").write_text("")
    (tmp_path / "mounts").write_text(f"overlay / overlay rw 0 0\n/dev/sda {tmp_path}/file ext4 rw 0 0\n")

    assert "mount" == thing_at(tmp_path / "file", tmp_path / "mounts").kind


IMMUTABLE = """
import subprocess, sys
from pathlib import Path
from dnsguard.edge.host import thing_at
place = Path("/mnt")
subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
(place / "file").write_text("")
(place / "folder").mkdir()
(place / "folder/link").symlink_to("nowhere")
before = [thing_at(place / name).is_immutable for name in ("file", "folder/link", "folder/absent")]
changed = subprocess.run(["chattr", "+i", place / "file", place / "folder"], stderr=subprocess.DEVNULL)
after = [thing_at(place / name).is_immutable for name in ("file", "folder/link", "folder/absent")]
subprocess.run(["chattr", "-i", place / "file", place / "folder"], stderr=subprocess.DEVNULL)
print(before, after if changed.returncode == 0 else None)
"""


def test_immutable_file_and_directory_are_seen() -> None:
    """What stands in an immutable directory cannot be replaced either."""
    told = in_private_mounts(IMMUTABLE).strip()
    if told.endswith("None"):
        pytest.skip("this kernel's tmpfs has no such flag")

    assert f"{[False] * 3} {[True] * 3}" == told


FULL = """
import subprocess
from pathlib import Path
from dnsguard.edge.host import space_at
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", "/mnt"], check=True)
Path("/mnt/small").write_bytes(bytes(4096))
before = space_at(Path("/mnt/not/there"))
try:
    Path("/mnt/large").write_bytes(bytes(2**20))
except OSError:
    pass
print(before.path, before.size, before.free > 0, before.free_inodes > 0, repr(before.largest))
after = space_at(Path("/mnt"))
print(after.free, after.largest)
"""


def test_full_file_system_names_its_largest_file() -> None:
    """Found from any path in it, there or not; the walk is made only then."""
    before, after = in_private_mounts(FULL).splitlines()

    assert "/mnt 65536 True True ''" == before
    assert "0 /mnt/large (61440 bytes)" == after


def test_file_system_that_cannot_be_asked_is_unknown() -> None:
    """It has no size, so it is not called full."""
    assert Space("/", 0, 0, 0) != space_at(Path("/proc/self/nothing"))
    assert "/proc" == space_at(Path("/proc/self/nothing")).path


def lay(folder: Path, files: dict[str, str | None]) -> None:
    """Make files with these texts; None is a link to /dev/null."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(os.devnull) if text is None else path.write_text(text)


def unit_in(folder: Path, files: dict[str, str | None], name: str) -> Unit:
    """A unit of a host with these files; where it is masked is told without the folder."""
    lay(folder, files)
    seen = unit(name, [str(folder / directory) for directory in ("etc", "run", "lib")])
    return seen._replace(masked_at=seen.masked_at.removeprefix(f"{folder}/"))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, Unit()),
        ({"lib/a.service": "[Unit]"}, Unit(exists=True)),
        ({"lib/a.service": "[Unit]", "etc/multi-user.target.wants/a.service": "[Unit]"}, Unit(True, "", True)),
        ({"lib/a.service": "[Unit]", "etc/x.target.requires/a.service": "[Unit]"}, Unit(True, "", True)),
        ({"lib/a.service": "[Unit]", "etc/a.service": None}, Unit(True, "etc/a.service")),
        ({"lib/a.service": "[Unit]", "run/a.service": ""}, Unit(True, "run/a.service")),
        # An administrator's own unit counts before a mask that lies below it.
        ({"etc/a.service": "[Unit]", "run/a.service": None}, Unit(exists=True)),
        ({"etc/a.service": None}, Unit(False, "etc/a.service")),
    ],
)
def test_unit_is_known_by_its_files(tmp_path: Path, files: dict[str, str | None], expected: Unit) -> None:
    """By the first directory that has one."""
    assert expected == unit_in(tmp_path, files, "a.service")


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"lib/dnsmasq.service": "[Unit]"}, Unit()),
        ({"lib/dnsmasq@.service": "[Unit]"}, Unit(exists=True)),
        ({"lib/dnsmasq@.service": "[Unit]", "etc/a.target.wants/dnsmasq@a.b.service": "[Unit]"}, Unit(True, "", True)),
        ({"lib/dnsmasq@.service": "[Unit]", "etc/dnsmasq@a.b.service": None}, Unit(True, "etc/dnsmasq@a.b.service")),
        ({"lib/dnsmasq@.service": "[Unit]", "etc/dnsmasq@.service": None}, Unit(True, "etc/dnsmasq@.service")),
        # Its own file counts before the template, wherever they lie.
        ({"lib/dnsmasq@a.b.service": "[Unit]", "etc/dnsmasq@.service": None}, Unit(exists=True)),
    ],
)
def test_instance_is_known_by_its_template(tmp_path: Path, files: dict[str, str | None], expected: Unit) -> None:
    """Debian ships dnsmasq@.service, and no file of an instance's own."""
    assert expected == unit_in(tmp_path, files, "dnsmasq@a.b.service")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("passwd: files\nhosts:  files [NOTFOUND=return] dns # why\n", ("files", "[NOTFOUND=return]", "dns")),
        ("#hosts: files\n", None),
        ("hosts:\n", ()),
        ("", None),
    ],
)
def test_hosts_line(tmp_path: Path, text: str, expected: tuple[str, ...] | None) -> None:
    """What libc asks, in which order."""
    (tmp_path / "nsswitch.conf").write_text(text)

    assert expected == hosts_line(tmp_path / "nsswitch.conf")


def test_times_of_files_that_exist(tmp_path: Path) -> None:
    """Another has none."""
    path = tmp_path / "clock"
    path.write_text("")
    os.utime(path, (5.0, 6.0))

    assert ((str(path), 6.0),) == dated(path, tmp_path / "absent")


def test_listener_is_found_and_named() -> None:
    """Over UDP and, if it is to be named, over TCP; its process is this one."""
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", 0))
        udp_port, tcp_port = udp.getsockname()[1], tcp.getsockname()[1]
        name = Path("/proc/self/comm").read_text().strip()

        assert (Listener("127.0.0.1"),) == listeners(udp_port, name_them=False)
        assert () == listeners(tcp_port, name_them=False)
        for port in (udp_port, tcp_port):
            (listener,) = listeners(port, name_them=True)
            assert ("127.0.0.1", os.getpid(), name) == listener[:3]


def test_listener_of_ipv6_is_found() -> None:
    """Its address is written in four numbers."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as udp:
        try:
            udp.bind(("::1", 0))
        except OSError as refusal:
            pytest.skip(f"no IPv6 here: {refusal}")

        assert (Listener("::1"),) == listeners(udp.getsockname()[1], name_them=False)


def test_client_with_a_peer_is_no_listener() -> None:
    """It has a port of its own, and takes questions from nobody."""
    with socket.socket(type=socket.SOCK_DGRAM) as server, socket.socket(type=socket.SOCK_DGRAM) as client:
        server.bind(("127.0.0.1", 0))
        client.connect(server.getsockname())

        assert () == listeners(client.getsockname()[1], name_them=True)


def test_unit_of_a_listener_is_its_service(tmp_path: Path) -> None:
    """By the cgroup; whom one may not look at stays unnamed."""
    net, process = tmp_path / "self/net", tmp_path / "7"
    net.mkdir(parents=True)
    (process / "fd").mkdir(parents=True)
    number = int.from_bytes(bytes([127, 0, 0, 1]), sys.byteorder)
    row = "  1: {:08X}:0035 00000000:0000 07 0:0 0:0 0 {} 0 {} 2 0 0\n"
    (net / "udp").write_text("head\n" + row.format(number, 0, 111) + row.format(number, 0, 222))
    (process / "fd/3").symlink_to("socket:[111]")
    (process / "comm").write_text("unbound\n")
    (process / "cgroup").write_text("0::/system.slice/unbound.service\n")
    # It has forked: the child has the socket, too.
    (tmp_path / "10/fd").mkdir(parents=True)
    (tmp_path / "10/fd/3").symlink_to("socket:[111]")

    assert (Listener("127.0.0.1"), Listener("127.0.0.1", 7, "unbound", "unbound.service")) == listeners(
        53, name_them=True, proc=tmp_path
    )


def test_text_is_bounded_and_never_raises(tmp_path: Path) -> None:
    """A directory and a file that is not there have none."""
    (tmp_path / "long").write_bytes(b"\xff" * 2**17)

    assert 2**16 == len(text_of(tmp_path / "long") or "")
    assert None is text_of(tmp_path) is text_of(tmp_path / "absent")
