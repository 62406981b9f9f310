"""dnsguard.onlooker: whether the daemon that wrote a report is there."""

import os

import pytest

from dnsguard.onlooker import is_running
from tests.fakes import ROOT, in_private_mounts, process_called


def test_daemon_that_runs_is_seen() -> None:
    """By its number and by its name."""
    with process_called("/usr/bin/dnsguard", "run") as pid:
        assert is_running({"pid": pid})
    assert not is_running({"pid": pid})


def test_another_process_with_its_number_is_not_it() -> None:
    """A report outlives its daemon, and the boot."""
    with process_called("something-else") as pid:
        assert not is_running({"pid": pid})


@pytest.mark.parametrize("pid", ["", "1", None, 0, -1, 1.0, True, [1]])
def test_report_without_a_number_is_nobodys(pid: object) -> None:
    """A file may say anything."""
    assert not is_running({"pid": pid})
    assert not is_running({})


HIDDEN = f"""
import os, subprocess, sys
sys.path.insert(0, {ROOT!r})
from dnsguard.onlooker import is_running
from tests.fakes import process_called
with process_called("dnsguard") as pid:
    subprocess.run(["mount", "-t", "proc", "-o", "hidepid=2", "none", "/proc"], check=True)
    os.setgroups([])
    os.setegid(65534)
    os.seteuid(65534)
    print(os.path.exists(f"/proc/{{pid}}"), is_running({{"pid": pid}}), is_running({{"pid": 4194303}}))
    os.seteuid(0)
    os.setegid(0)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_daemon_is_seen_where_processes_are_hidden() -> None:
    """hidepid=2: a signal that is not sent says what /proc does not."""
    assert "False True False" == in_private_mounts(HIDDEN).strip()
