"""Twin of dnsguard/edge/dnsmasq_conf.py: real files of every kind, and a real process."""

import os
import socket
import subprocess
import sys
from pathlib import Path

from dnsguard.core.actions import ReadNature
from dnsguard.core.dnsmasq_conf import NOT_REGULAR, Page
from dnsguard.core.events import NatureRead
from dnsguard.core.nature import Nature
from dnsguard.edge.dnsmasq_conf import MAX_NAMES, MAX_TOTAL_BYTES, Disk, Surroundings, read_nature
from tests.fakes import unprivileged

PID = 4711
AROUND = Surroundings()


def read(proc: Path, *words: str) -> Nature:
    """The nature of a process that was started with these words."""
    folder = proc / str(PID)
    folder.mkdir(exist_ok=True)
    (folder / "cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in ("/usr/sbin/dnsmasq", *words)))
    return read_nature(ReadNature(PID), AROUND, proc).nature


def test_a_process_is_read_with_the_files_that_it_names(tmp_path: Path) -> None:
    """A name need not be UTF-8."""
    folder = tmp_path / "conf.d"
    folder.mkdir()
    (folder / "b").write_text("port=5353\n")
    (folder / "a.dpkg-old").write_text("dnssec\n")
    odd = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff"))
    odd.write_text("no-resolv\n")
    nature = read(tmp_path, "-k", "-7", f"{folder},.dpkg-old", f"--conf-file={odd}")

    assert Nature(port=5353, no_resolv=True) == nature


def test_a_real_process_shows_its_command_line(tmp_path: Path) -> None:
    """Whoever it belongs to."""
    conf = tmp_path / "conf"
    conf.write_text("dnssec\n")
    command = [sys.executable, "-c", "import sys; print(flush=True); sys.stdin.read()", f"--conf-file={conf}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        read_so = read_nature(ReadNature(process.pid), AROUND)
        process.communicate()

    assert NatureRead(process.pid, read_so.nature) == read_so
    assert read_so.nature.validates


def test_a_process_that_is_gone_is_in_doubt(tmp_path: Path) -> None:
    """The answer comes all the same: no judgement waits for ever."""
    gone = read_nature(ReadNature(PID), AROUND, tmp_path)

    assert NatureRead(PID, Nature(unread=("its command line cannot be read: No such file or directory",))) == gone


def test_a_file_that_may_not_be_read_is_named() -> None:
    """dnsmasq reads it as root."""
    with unprivileged() as root:
        secret, closed = root / "secret", root / "closed"
        secret.write_text("dnssec\n")
        secret.chmod(0)
        closed.mkdir(0)

        denied = "it cannot be read: Permission denied"
        assert (f"{secret}: {denied}", f"{closed}: {denied}") == read(
            root, "-7", "", "-C", str(root / "none"), "-C", str(secret), "-7", str(closed)
        ).unread[:2]


def test_what_is_no_regular_file_is_not_even_opened(tmp_path: Path) -> None:
    """Opening a FIFO would wake its writer, or wait for one."""
    fifo, place = tmp_path / "fifo", tmp_path / "socket"
    os.mkfifo(fifo)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(place))
        for path in (fifo, place, tmp_path, Path("/dev/zero")):
            assert NOT_REGULAR == Disk().page(str(path)).trouble

    # Where pytest's folders have long names the end is cut off, as in a log.
    (unread,) = read(tmp_path, "-C", str(fifo)).unread
    assert unread.startswith(f"{fifo}: {NOT_REGULAR[:10]}")


def test_what_is_missing_or_cannot_be_a_path_is_no_trouble_of_ours(tmp_path: Path) -> None:
    """Nor is a link that leads to itself."""
    loop = tmp_path / "loop"
    loop.symlink_to(loop)

    assert Page() == Disk().page(str(tmp_path / "nowhere"))
    assert "symbolic links" in Disk().page(str(loop)).trouble
    assert "null" in Disk().page("/a\0b").trouble
    assert "null" in Disk().names("/a\0b").trouble
    assert "No such file" in Disk().names(str(tmp_path / "nowhere")).trouble


def test_a_file_has_its_identity_by_whatever_name(tmp_path: Path) -> None:
    """dnsmasq reads each once; a binary one is none."""
    (tmp_path / "one").write_text("port=5353\n")
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    (tmp_path / "torn").write_bytes(b"dns\0sec")
    disk = Disk()

    assert disk.page(str(tmp_path / "one")) == disk.page(str(tmp_path / "two"))
    assert "NUL" in disk.page(str(tmp_path / "torn")).trouble


def test_all_files_together_are_bounded(tmp_path: Path) -> None:
    """A list of blocked names may be huge; the daemon has other work."""
    half = tmp_path / "half"
    half.write_bytes(b"#" * (MAX_TOTAL_BYTES // 2 + 1))
    disk = Disk()

    assert "" == disk.page(str(half)).trouble
    assert "more than" in disk.page(str(half)).trouble
    crowd = tmp_path / "crowd"
    crowd.mkdir()
    for number in range(MAX_NAMES + 1):
        (crowd / str(number)).touch()
    assert "more than" in disk.names(str(crowd)).trouble
    (crowd / "0").unlink()
    assert MAX_NAMES == len(disk.names(str(crowd)).names)


def reads(tmp_path: Path, *words: str) -> tuple[str, str]:
    """What it is seen to read in the place of its upstream file: what we publish, or what is not known."""
    around = Surroundings("192.0.2.2".__eq__, tmp_path / "published", tmp_path / "resolv.conf", tmp_path / "upstreams")
    for name, content in (("4711/cmdline", ("dnsmasq", f"-C{tmp_path}/conf", *words)), ("conf", ())):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"".join(os.fsencode(word) + b"\0" for word in content))
    nature = read_nature(ReadNature(PID), around, tmp_path).nature
    return nature.mirror, nature.stray


def test_who_reads_what_we_publish_is_seen(tmp_path: Path) -> None:
    """By its own name, by that of our link, attached or not, and by a link to it."""
    published, link, further = tmp_path / "published", tmp_path / "resolv.conf", tmp_path / "further"
    further.symlink_to(published)
    for path in (published, link, further):
        assert (str(path), "") == reads(tmp_path, f"-r{path}")
    link.symlink_to(published)

    assert (str(link), "") == reads(tmp_path, f"-r{tmp_path}/upstreams", f"--resolv-file={link}")
    assert ("", "") == reads(tmp_path, f"-r{link}", "-R")


def test_of_one_in_doubt_nothing_is_said(tmp_path: Path) -> None:
    """A file that could not be read may name another one; it would be barred for nothing."""
    assert ("", "") == reads(tmp_path, f"-r{tmp_path}/published", "--conf-script=/bin/true")


def test_who_reads_another_file_than_the_one_that_is_looked_at_is_seen(tmp_path: Path) -> None:
    """A link to the right one is the right one, and it may be one of several."""
    (tmp_path / "link").symlink_to(tmp_path / "upstreams")

    assert ("", "/elsewhere") == reads(tmp_path, "-r/elsewhere")
    assert ("", "") == reads(tmp_path, f"-r{tmp_path}/link") == reads(tmp_path, "-r/elsewhere", f"-r{tmp_path}/link")


def test_this_hosts_addresses_are_known_to_be_its_own(tmp_path: Path) -> None:
    """A list of blocked names has thousands of servers at one address: it is asked for once."""
    asked: list[str] = []

    def is_own(address: str) -> bool:
        asked.append(address)
        return address == "192.0.2.2"

    (tmp_path / "4711").mkdir()
    words = ("dnsmasq", "-C/", *("-S192.0.2.2", "-S/ads/192.0.2.9") * 9)
    (tmp_path / "4711/cmdline").write_bytes(b"".join(os.fsencode(word) + b"\0" for word in words))
    nature = read_nature(ReadNature(PID), Surroundings(is_own), tmp_path).nature

    assert {"192.0.2.2"} == {server.address for server in nature.servers}
    assert ["192.0.2.2", "192.0.2.9"] == asked
