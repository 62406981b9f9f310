"""Which process is dnsmasq, by a /proc of the test's own; test_dnsmasq.py has the real ones."""

from pathlib import Path

import pytest

from dnsguard.edge.dnsmasq_process import MAX_PID, find_pid

UNIT = "dnsmasq.service"


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """A folder with `proc`, `cgroup` and no PID file."""
    (tmp_path / "cgroup/system.slice" / UNIT).mkdir(parents=True)
    (tmp_path / "proc").mkdir()
    return tmp_path


def run(host: Path, pid: int, name: str = "dnsmasq", unit: str = UNIT, started_at: int = 1, parent: int = 1) -> None:
    """A process begins."""
    place = host / "proc" / str(pid)
    place.mkdir()
    (place / "comm").write_text(f"{name}\n")
    (place / "exe").symlink_to(f"/usr/sbin/{name}")
    (place / "cgroup").write_text(f"0::/system.slice/{unit}\n")
    # Fields 3 to 22 of stat(5): the state, the parent, and at the end the start.
    (place / "stat").write_text(f"{pid} ({name}) S {parent} {'0 ' * 17}{started_at}\n")
    procs = host / "cgroup/system.slice" / unit / "cgroup.procs"
    procs.parent.mkdir(exist_ok=True)
    procs.write_text((procs.read_text() if procs.exists() else "") + f"{pid}\n")


def found(host: Path, unit: str = UNIT) -> tuple[int, str]:
    return find_pid(host / "pid", unit, host / "proc", host / "cgroup")


def test_pid_file_is_believed_if_the_process_is_dnsmasq(host: Path) -> None:
    """It belongs to the unit, bears the name and runs the program."""
    run(host, 7)
    (host / "pid").write_text("7\n")

    assert (7, "") == found(host)


def test_unit_is_asked_where_the_pid_file_lies_and_the_newest_of_two_is_meant(host: Path) -> None:
    """While dnsmasq daemonises there are two, and a PID file may name anybody."""
    run(host, 5, "sh", "other.service")
    run(host, 7, started_at=10)
    run(host, 6, started_at=20)
    (host / "pid").write_text("5\n")

    assert (6, "") == found(host)


@pytest.mark.parametrize(
    ("pid_file", "reason"),
    [
        (None, "cannot be read: No such file or directory"),
        ("rubbish", "holds no PID but 'rubbish'"),
        ("5", "names PID 5, which is not dnsmasq but 'sh'"),
        (str(MAX_PID + 1), "which is not dnsmasq"),
    ],
)
def test_where_there_is_none_the_reason_is_told(host: Path, pid_file: str | None, reason: str) -> None:
    """It is what an operator reads first; and it is never somebody else's process."""
    run(host, 5, "sh", "other.service")
    if pid_file is not None:
        (host / "pid").write_text(pid_file)
    pid, why = found(host)

    assert 0 == pid
    assert reason in why


def test_child_of_dnsmasq_is_not_meant(host: Path) -> None:
    """One for each TCP client, with the same name, program and unit."""
    run(host, 7)
    run(host, 8, parent=7, started_at=2)

    assert (7, "") == found(host)


def test_without_a_unit_the_pid_file_alone_counts(host: Path) -> None:
    """As in a sandbox without systemd."""
    run(host, 7)

    assert 0 == found(host, unit="")[0]
