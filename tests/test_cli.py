"""dnsguard.cli: what must not end in a traceback, whatever the output and the user."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from dnsguard.cli import EXIT_INTERRUPTED, main
from tests.fakes import ROOT, process_called
from tests.sandbox.processes import wait_for

DNSGUARD = [sys.executable, "-m", "dnsguard"]
ENVIRONMENT = {**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": ""}


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration whose report is in the folder."""
    file = tmp_path / "dnsguard.toml"
    file.write_text(f'[paths]\nstatus = "{tmp_path}/status.json"\n')
    return file


def shell(command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What a shell makes of it; `dnsguard` in it is ours."""
    words = f'dnsguard() {{ {sys.executable} -m dnsguard "$@"; }}\n{command}'
    environment = {**ENVIRONMENT, **environment}
    return subprocess.run(["bash", "-c", words], capture_output=True, text=True, env=environment, timeout=60)


def test_nobody_reads_the_output(config: Path) -> None:
    """`dnsguard status | head -1`."""
    (config.parent / "status.json").write_text(json.dumps({"pid": 1}))
    ran = shell(f"dnsguard check-config {config} | true; echo ${{PIPESTATUS[0]}}")

    assert ("0\n", "") == (ran.stdout, ran.stderr)


def test_output_that_is_full_is_said(config: Path) -> None:
    """With a code."""
    ran = shell(f"dnsguard check-config {config} >/dev/full")

    assert 1 == ran.returncode
    assert ran.stderr.startswith("dnsguard: not-printed: what was asked for cannot be written: No space left")
    assert 1 == len(ran.stderr.splitlines())


def test_output_that_is_closed_is_no_trouble(config: Path) -> None:
    """As under some supervisors."""
    with process_called("dnsguard") as pid:
        (config.parent / "status.json").write_text(json.dumps({"pid": pid}))
        ran = shell(f"dnsguard status --json --config {config} >&-")

    assert (0, "") == (ran.returncode, ran.stderr)


def test_letters_that_the_terminal_lacks_are_written_otherwise(tmp_path: Path) -> None:
    """A name of a file may be any bytes, and a locale may know few letters."""
    file = tmp_path / "naïve-✓.toml"
    file.touch()
    ran = shell(f"dnsguard check-config {file}", PYTHONIOENCODING="ascii")

    assert 0 == ran.returncode, ran.stderr
    assert "na\\xefve-\\u2713.toml: good" in ran.stdout


def test_waiting_can_be_interrupted(config: Path) -> None:
    """By Ctrl-C, as anything that may last for ever."""
    command = [*DNSGUARD, "wait", "--config", str(config)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT) as waiting:
        try:
            wait_for(lambda: is_asleep(waiting.pid), "wait")
            waiting.send_signal(signal.SIGINT)
            _, said = waiting.communicate(timeout=60)
        finally:
            waiting.kill()

    assert (EXIT_INTERRUPTED, "") == (waiting.returncode, said)


def is_asleep(pid: int) -> bool:
    """Whether it sleeps in time.sleep(), and is past the start of Python."""
    return "nanosleep" in Path(f"/proc/{pid}/wchan").read_text()


def test_a_time_that_is_no_number_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """It would never be over."""
    with pytest.raises(SystemExit) as refused:
        main(["wait", "--timeout", "nan"])

    assert 2 == refused.value.code
    assert "nan" in capsys.readouterr().err


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_a_daemon_without_rights_says_so() -> None:
    """As attach does."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "dnsguard.toml"
        file.write_text(f'[paths]\npublished = "{folder}/run/resolv.conf"\n')
        nobody = "setpriv --reuid=65534 --regid=65534 --clear-groups"
        ran = shell(f"{nobody} {sys.executable} -m dnsguard run --config {file}")

    assert 1 == ran.returncode
    assert f"dnsguard: not-permitted: {folder}/run cannot be made: run it as root" in ran.stderr
