"""Prometheus' own checker, from Debian's package."""

import os
import platform
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.house.tree import ROOT

ROOM = Path(__file__).resolve().parent
DASHBOARD = ROOT / "docs/fleet/dashboard.json"
ALERTS = ROOT / "docs/fleet/alerts.yml"


def promtool() -> str:
    """Where it lies: this machine's own, or one that is fetched and kept; skips the test where there is none."""
    path, why_not = _found()
    return path or pytest.skip(f"promtool: {why_not}")


@cache
def _found() -> tuple[str, str]:
    """The path, or "" and the reason; fetching is tried once."""
    if installed := shutil.which("promtool"):
        return installed, ""
    if shutil.which("apt-get") is None:
        return "", "it is not there, and this is no Debian to fetch it from"
    cached = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dnsguard"
    store = cached / f"promtool-{platform.freedesktop_os_release().get('VERSION_ID', 'rolling')}-{platform.machine()}"
    if not store.is_dir():
        fetched = subprocess.run(
            ["sh", str(ROOM / "fetch.sh"), str(store)], capture_output=True, text=True, check=False
        )
        if fetched.returncode:
            return "", fetched.stderr.strip()
    return str(store / "promtool"), ""


def check(*words: str | Path, given: str = "") -> tuple[int, str]:
    """Run it: exit status, and all that it said."""
    command = [promtool(), *map(str, words)]
    ran = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
    return ran.returncode, ran.stdout + ran.stderr
