"""Whatever stands in the files or comes from the network: libc keeps the last good list, and the log says why."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from tests.sandbox.guard import Guard
from tests.sandbox.host import DNSMASQ_PID_FILE, Host
from tests.sandbox.namespaces import ROOM
from tests.sandbox.processes import Inside, wait_for
from tests.sandbox.upstreams import OTHER_UPSTREAM, UPSTREAM

UPSTREAM_FILE = "/run/dnsmasq/resolv.conf"
RECORD = "/run/resolvconf/interface/eth0.inet"
STRANGER = "192.0.2.66"
"""Nobody listens there: it must never be published."""

MEBIBYTE = 1 << 20

GOOD = ([UPSTREAM], ["127.0.0.1", UPSTREAM])
"""What libc may be given while this upstream is the last good list."""


def remove(path: Path) -> None:
    """Whatever it is."""
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink()


def mend(path: Path) -> None:
    """Put the good file there, as resolvconf would."""
    remove(path)
    fresh = path.with_name(f"{path.name}_new.1")
    fresh.write_text(f"nameserver {UPSTREAM}\n")
    fresh.rename(path)


def with_bytes(content: bytes) -> Callable[[Path], None]:
    """Write them in place, as a program does that was killed meanwhile."""

    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


def make_directory(path: Path) -> None:
    remove(path)
    path.mkdir()


def make_fifo(path: Path) -> None:
    remove(path)
    os.mkfifo(path)


def link_to_itself(path: Path) -> None:
    remove(path)
    path.symlink_to(path.name)


DAMAGES = {
    "truncated": with_bytes(b"nameserver 192.0.2."),
    "binary": with_bytes(b"\x7fELF\0\0\nnameserver 192.0.2.66\n" + bytes(range(256)) * 16),
    "not UTF-8": with_bytes(b"nameserver \xff\xfe\n"),
    "zeroed by a power cut": with_bytes(bytes(4096)),
    "1 MiB": with_bytes(f"nameserver {STRANGER}\n".encode() + b"#" * MEBIBYTE),
    "directory": make_directory,
    "FIFO": make_fifo,
    "link to itself": link_to_itself,
}
"""Each is complained of by name."""

NAMELESS = {
    "truncated before the address": with_bytes(b"names"),
    "empty": with_bytes(b""),
    "only loopback": with_bytes(b"nameserver 127.0.0.1\nnameserver ::1\n"),
    "only our own address": with_bytes(b"nameserver 192.0.2.2\n"),
}
"""Nothing is wrong with these, except that they name no server."""


def new_line(guard: Guard, before: int, sign: str) -> str:
    """The first record from number `before` on that holds this sign."""

    def found() -> list[str]:
        return [record["text"] for record in guard.records()[before:] if sign in record["text"]]

    wait_for(found, f"{sign!r} in the log")
    return found()[0]


def test_damaged_upstream_file_changes_nothing_for_libc(host: Host, guarded: Guard) -> None:
    """dnsmasq may lose its upstreams with it; the host does not, and its journal says why."""
    path = host.path(UPSTREAM_FILE)
    for name, damage in (DAMAGES | NAMELESS).items():
        before = len(guarded.records())
        damage(path)
        # Seen in the file, or a moment sooner by asking dnsmasq.
        new_line(guarded, before, UPSTREAM_FILE if name in DAMAGES else f"libc asks {UPSTREAM} now")
        assert host.nameservers() in GOOD, name
        mend(path)
        wait_for(lambda: not guarded.status()["complaints"], "end of complaints")
        guarded.wait_for_phase("guarded")

    assert 1 == guarded.status()["generation"]


def test_damaged_record_changes_nothing_for_libc(host: Host, guarded: Guard) -> None:
    """What dnsmasq was given is the next source, and names the same server."""
    path = host.path(RECORD)
    for name, damage in (DAMAGES | NAMELESS).items():
        before = len(guarded.records())
        damage(path)
        new_line(guarded, before, f"the same servers, now from {UPSTREAM_FILE}")
        if name in DAMAGES and name not in NO_RECORD_AT_ALL:
            new_line(guarded, before, "eth0.inet: ")
        assert host.nameservers() in GOOD, name
        mend(path)
        wait_for(lambda: "eth0" in guarded.status()["source"], "the record as a source")

    assert 1 == guarded.status()["generation"]


NO_RECORD_AT_ALL = {"directory", "FIFO"}
"""resolvconf itself passes these over in silence."""


def test_no_source_at_all_leaves_the_last_good_list(host: Host, guarded: Guard) -> None:
    """The record and dnsmasq's file are damaged at once: there is nothing left to read."""
    for inside in (RECORD, UPSTREAM_FILE):
        host.path(inside).write_text("nameserver")
    wait_for(lambda: guarded.status()["complaints"], "complaint")
    new_line(guarded, 0, "no source names a usable upstream")

    assert host.nameservers() in GOOD
    assert host.resolves()


def test_resolv_conf_with_only_loopback_is_no_source(host: Host, guard: Guard) -> None:
    """A plain file, and nothing else on the host: no upstream is known, and that is said."""
    host.run("resolvconf -d eth0.inet; rm /etc/resolv.conf /run/dnsmasq/resolv.conf")
    host.run("printf 'nameserver 127.0.0.1\\nnameserver ::1\\n' >/etc/resolv.conf")
    guard.start()
    said = guard.wait_for_code("sources-damaged")

    assert "no upstream is known yet; no source names a usable upstream" == said["text"]
    assert "starting" == guard.phase()
    assert ["127.0.0.1", "::1"] == host.nameservers()
    host.new_lease(OTHER_UPSTREAM)
    guard.wait_for_phase("direct")
    assert [OTHER_UPSTREAM] == host.nameservers()


def test_resolv_conf_overwritten_with_loopback_keeps_the_last_good_list(host: Host, guarded: Guard) -> None:
    """It is quoted, asked back, and never believed."""
    host.run("printf 'nameserver 127.0.0.1\\n' >/etc/resolv.conf.new; mv /etc/resolv.conf.new /etc/resolv.conf")
    assert "nameserver 127.0.0.1" in guarded.wait_for_code("trampled")["text"]
    guarded.attach()
    wait_for(lambda: guarded.status()["attached"], "peace")

    assert host.nameservers() in GOOD
    assert 1 == guarded.status()["generation"]


def claim(host: Host, text: str) -> None:
    """Write dnsmasq's PID file as whoever owns its directory may."""
    fresh = host.path(f"{DNSMASQ_PID_FILE}.new")
    fresh.write_text(text)
    fresh.rename(host.path(DNSMASQ_PID_FILE))


def test_hostile_pid_file_names_nobody(host: Host, guard: Guard) -> None:
    """Whoever owns /run/dnsmasq may write what he likes into it; nobody is signalled for it."""
    bystander = host.popen(["sleep", "1000"])
    inside = int(host.run("cat /proc/[0-9]*/stat | sed -n 's/^\\([0-9]*\\) (sleep) .*/\\1/p'").stdout)
    claims = {
        "1\n": "names PID 1, which is not dnsmasq",
        "0\n": "names PID 0, which is not dnsmasq",
        "-1\n": r"holds no PID but '-1\n'",
        "": "holds no PID but ''",
        "9" * 20: f"names PID {'9' * 20}, which is not dnsmasq",
        "1" * MEBIBYTE: "holds no PID but '1111",
        f"{inside}\n": f"names PID {inside}, which is not dnsmasq but 'sleep'",
    }
    guard.start()
    guard.wait_for_phase("direct")
    for text, reason in claims.items():
        claim(host, text)
        wait_for(partial(is_missing, guard, reason), reason)
    host.start_upstream(OTHER_UPSTREAM)
    host.new_lease(OTHER_UPSTREAM)
    wait_for(lambda: host.nameservers() == [OTHER_UPSTREAM], "new lease in the file")

    assert bystander.door.poll() is None
    assert [] == guard.said("reload-sent")


def is_missing(guard: Guard, reason: str) -> bool:
    return reason in guard.status()["dnsmasq"]["missing"]


def test_spoilt_pid_file_does_not_part_us_from_a_dnsmasq_that_was_found(host: Host, guarded: Guard) -> None:
    """Its end is still heard, and the host goes on."""
    pid = host.dnsmasq_pid()
    claim(host, "1\n")
    host.new_lease(OTHER_UPSTREAM)
    host.start_upstream(OTHER_UPSTREAM)
    guarded.wait_for_code("reload-sent")
    guarded.wait_for_phase("guarded")
    host.run(f"kill -KILL {pid}")
    guarded.wait_for_code("dnsmasq-died")

    assert [OTHER_UPSTREAM] == host.nameservers()


IMPOSTORS = {
    "noise": "rubbish",
    "mirror": "rubbish",
    "flood": "rubbish",
    "loop": "rubbish",
    "cut": "silent",
    "wise": "rubbish",
    "liar": "servfail",
}
"""Manner, and what the guard says of it."""


@pytest.mark.parametrize("manner", IMPOSTORS)
def test_dnsmasq_that_answers_rubbish_is_never_named(host: Host, guard: Guard, manner: str) -> None:
    """A program of that name with that PID file may say what it likes."""
    start_impostor(host, manner)
    guard.start()
    guard.wait_for_code("dnsmasq-found")
    said = guard.wait_for_code("dnsmasq-doubted")
    wait_for(lambda: guard.status()["counters"].get("probe_failures", 0) >= 3, "more failures")

    assert f"({IMPOSTORS[manner]}: " in said["text"]
    assert "guarded" not in {record["phase"] for record in guard.records() if "phase" in record}
    assert [UPSTREAM] == host.nameservers()


def test_rubbish_in_the_place_of_a_trusted_dnsmasq(host: Host, guarded: Guard) -> None:
    """dnsmasq is killed, and what comes back in its name is none."""
    host.kill_dnsmasq()
    start_impostor(host, "noise")
    wait_for(lambda: len(guarded.said("dnsmasq-found")) > 1, "second dnsmasq")
    wait_for(lambda: "rubbish" in guarded.wait_for_code("dnsmasq-doubted")["text"], "rubbish")

    assert [UPSTREAM] == host.nameservers()


def start_impostor(host: Host, manner: str) -> Inside:
    """A copy of Python under dnsmasq's name; the kernel shows it so, in comm and in exe."""
    host.run("cp $(readlink -f /usr/bin/python3) /tmp/dnsmasq")
    command = ["env", "PYTHONHOME=/usr", "/tmp/dnsmasq", str(ROOM / "impostor.py"), manner, UPSTREAM]
    impostor = host.popen(command)
    wait_for(host.path(DNSMASQ_PID_FILE).exists, "impostor")
    host.run("resolvconf -a lo.dnsmasq", given="nameserver 127.0.0.1\n")
    return impostor
