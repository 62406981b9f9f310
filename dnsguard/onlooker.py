"""What the daemon reports, seen from outside: reads status.json and shows it. Imports next to nothing."""

import json
import math
import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

WATCH_EVERY_S = 1.0
"""A report is shown again this often: ages grow though nothing happens."""


def watch(path: Path, *, as_json: bool) -> bool:
    """Print the report again and again, until Ctrl-C or the end of its daemon; whether that runs."""
    try:
        while True:
            if sys.stdout.isatty() and not as_json:
                # Home, and clear what is below: nothing flickers.
                print("\x1b[H\x1b[J", end="")
            if not show(path, as_json=as_json):
                return False
            sys.stdout.flush()
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return True


def show(path: Path, *, as_json: bool) -> bool:
    """Print the report once; whether its daemon runs."""
    from dnsguard.core.screen import screen

    told = last_report(path)
    if told is None:
        print(f"dnsguard: no daemon has written {path}; start one: systemctl start dnsguard", file=sys.stderr)
        return False
    running = is_running(told)
    if as_json:
        print(json.dumps({**told, "running": running}, indent=1))
    else:
        print(screen(told, _age, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ), end="")
    if not running:
        print("dnsguard: the daemon that wrote this is not running any more", file=sys.stderr)
    return running


def _age(written: str) -> str:
    """How long ago that was, in words; what is not a time is given back as it is."""
    try:
        seconds = time.time() - datetime.fromisoformat(written).timestamp()
    except ValueError:
        return written
    if seconds < 0:
        # The clock was set back since.
        return f"{-seconds:.0f} s in the future"
    for most_s, unit_s, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h"), (math.inf, 86_400, "days")):
        if seconds < most_s:
            return f"{seconds / unit_s:.0f} {unit}"
    raise AssertionError  # infinity is more than any age


def is_running(told: dict[str, Any]) -> bool:
    """Whether the daemon that wrote a report is there; the report may be older than this boot."""
    pid = told.get("pid")
    if type(pid) is not int or pid < 1:
        return False
    try:
        # Not only a process with that number: another may have it by now.
        return b"dnsguard" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return _is_hidden(pid)


def _is_hidden(pid: int) -> bool:
    """Whether it is there though /proc does not show it to this user (hidepid)."""
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except OSError:
        return False
    return True


def last_report(path: Path) -> dict[str, Any] | None:
    """The daemon's last report; None if there is none that can be read."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
