"""The door: arguments in, exit code out.

`status` must start in a moment, so nothing that pulls in asyncio or the DNS stack is imported
before the command is known.
"""

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnsguard import __version__
from dnsguard.core.errors import DnsguardError, SettingsError

if TYPE_CHECKING:
    from dnsguard.core.settings import Settings

DEFAULT_CONFIG = Path("/etc/dnsguard/dnsguard.toml")

# systemctl's own: the program is not running. Source: LSB, "Init Script Actions".
EXIT_NOT_RUNNING = 3
# EX_CONFIG of <sysexits.h>: starting it again will not help.
EXIT_BAD_SETTINGS = 78
# `dnsguard wait` looks this often.
WAIT_EVERY_S = 0.1
# `dnsguard status --watch` shows it again this often: ages grow though nothing happens.
WATCH_EVERY_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 if refused, 2 for wrong words, 3 if no daemon runs, 78 for bad settings."""
    given = command_line().parse_args(arguments)
    try:
        code: int = given.command(given)
    except DnsguardError as error:
        _complain(error)
        return EXIT_BAD_SETTINGS if isinstance(error, SettingsError) else 1
    except BrokenPipeError:
        # `dnsguard status | head -1`: nobody is left to tell. Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return code


def _complain(error: DnsguardError) -> None:
    """Say what was refused; in a unit as an error with its code, for a line on stderr would have neither there."""
    # $JOURNAL_STREAM is inherited by shells whose stderr is something else; only then is the edge asked, which is slow.
    if "JOURNAL_STREAM" in os.environ and sys.stderr:
        from dnsguard.edge.journal import configure, is_journal

        if is_journal(sys.stderr):
            log = configure(None)
            log.say(error.code, "error", error.text)
            log.close()
            return
    print(f"dnsguard: {error}", file=sys.stderr)


def command_line() -> argparse.ArgumentParser:
    """What may be typed; the manual page is compared with it, and the completions are made from it."""
    parser = argparse.ArgumentParser(
        prog="dnsguard",
        description="Keeps /etc/resolv.conf pointing at DNS servers that work, whatever the local dnsmasq does.",
    )
    parser.add_argument("--version", action="version", version=f"dnsguard {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Any, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words)
        made.set_defaults(command=does)
        return made

    for name, does, words in (
        ("run", _run, "guard this host until SIGTERM; SIGHUP reads the configuration again"),
        ("attach", _attach, "make /etc/resolv.conf a link to the file that dnsguard writes"),
        ("detach", _detach, "put back what /etc/resolv.conf was, if that works now"),
    ):
        made = command(name, does, words)
        made.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
    status = command("status", _status, "show the phase, the servers and the last probes")
    status.add_argument("--json", action="store_true", help="for programs: status.json as it is")
    status.add_argument("--watch", action="store_true", help="show it again whenever it changes, until Ctrl-C")
    status.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
    wait = command("wait", _wait, "return when the daemon is in a phase, or says that this host resolves")
    wait.add_argument("--for", dest="state", choices=("ready", "direct", "guarded"), default="guarded")
    wait.add_argument(
        "--timeout", type=float, default=math.inf, metavar="SECONDS", help="then exit with 1; default: none"
    )
    wait.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
    history = command("history", _history, "show the phases over time, and how long names did not resolve")
    history.add_argument(
        "--per", choices=("minute", "hour", "day"), default="hour", help="what a row is; default: hour"
    )
    history.add_argument("--since", default="", metavar="WHEN", help="90m, 12h, 30d, or a date and time")
    history.add_argument("--file", type=Path, metavar="FILE", help="output of journalctl -o json; - for standard input")
    history.add_argument("--json", action="store_true", help="for programs")
    replay = command("replay", _replay, "decide again what a log has recorded, and explain each decision")
    replay.add_argument("file", type=Path, help="output of journalctl -o json --all; - for standard input")
    check = command("check-config", _check, "say whether a configuration file is good")
    check.add_argument("file", type=Path, nargs="?", default=DEFAULT_CONFIG)
    return parser


def _load(path: Path) -> "Settings":
    """Read the configuration; the default file may be missing, one that was named may not.

    Raises:
        SettingsError: code "unreadable-config", and those of settings.parse.
    """
    from dnsguard.core import settings

    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        if path == DEFAULT_CONFIG:
            return settings.Settings()
        raise SettingsError("unreadable-config", f"{path} does not exist") from error
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError("unreadable-config", f"{path}: {error}") from error
    return settings.parse(text, str(path))


def _check(given: argparse.Namespace) -> int:
    from dnsguard.wiring import prober_for

    settings = _load(given.file)
    prober_for(settings)
    print(f"{given.file}: good")
    return 0


def _run(given: argparse.Namespace) -> int:
    import asyncio

    from dnsguard.daemon import serve

    settings = _load(given.config)
    asyncio.run(serve(settings, lambda: _load(given.config)))
    return 0


def _attach(given: argparse.Namespace) -> int:
    from dnsguard.core import resolvconf
    from dnsguard.core.upstreams import first_file
    from dnsguard.core.vocabulary import Kind
    from dnsguard.core.words import header
    from dnsguard.edge import link, publisher
    from dnsguard.edge.addresses import is_own_address
    from dnsguard.wiring import link_paths, read_everything, source_paths

    settings = _load(given.config)
    first = first_file(read_everything(source_paths(settings)), is_own_address)
    text = resolvconf.render(first, header(Kind.DIRECT, 0))
    print(link.attach(link_paths(settings), text, publisher.replace_file))
    return 0


def _detach(given: argparse.Namespace) -> int:
    from dnsguard.core.report import last_phase, upstreams_text
    from dnsguard.edge import link, publisher, rights
    from dnsguard.wiring import link_paths, loopback_works

    settings = _load(given.config)
    told = _told(Path(settings.paths.status)) or {}
    answers = loopback_works(settings, last_phase(told))

    def works(address: str) -> bool:
        return rights.ask_as_owner(Path(settings.paths.status).parent, lambda: answers(address))

    print(link.detach(link_paths(settings), works, upstreams_text(told), publisher.replace_file))
    return 0


def _status(given: argparse.Namespace) -> int:
    path = Path(_load(given.config).paths.status)
    if not given.watch:
        return _show(path, given.json)
    try:
        while True:
            if sys.stdout.isatty() and not given.json:
                # Home, and clear what is below: nothing flickers.
                print("\x1b[H\x1b[J", end="")
            code = _show(path, given.json)
            sys.stdout.flush()
            if code:
                return code
            time.sleep(WATCH_EVERY_S)
    except KeyboardInterrupt:
        return 0


def _show(path: Path, as_json: bool) -> int:
    from dnsguard.core.screen import screen

    told = _told(path)
    if told is None:
        print(f"dnsguard: no daemon has written {path}; start one: systemctl start dnsguard", file=sys.stderr)
        return EXIT_NOT_RUNNING
    running = _is_running(told)
    if as_json:
        print(json.dumps({**told, "running": running}, indent=1))
    else:
        print(screen(told, _age, colour=sys.stdout.isatty() and "NO_COLOR" not in os.environ), end="")
    if not running:
        print("dnsguard: the daemon that wrote this is not running any more", file=sys.stderr)
        return EXIT_NOT_RUNNING
    return 0


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


def _wait(given: argparse.Namespace) -> int:
    path = Path(_load(given.config).paths.status)
    deadline_s = time.monotonic() + given.timeout
    while True:
        told = _told(path) or {}
        reached = told.get("ready") if given.state == "ready" else told.get("phase") == given.state
        if reached and _is_running(told):
            return 0
        if time.monotonic() >= deadline_s:
            print(f"dnsguard: not {given.state} after {given.timeout:g} s; `dnsguard status` says why", file=sys.stderr)
            return 1
        time.sleep(WAIT_EVERY_S)


def _history(given: argparse.Namespace) -> int:
    from dnsguard.past import history

    return history(given.per, given.since, given.file, as_json=given.json)


def _replay(given: argparse.Namespace) -> int:
    from dnsguard.past import replay

    return replay(given.file)


def _is_running(told: dict[str, Any]) -> bool:
    """Whether the daemon that wrote a report is there."""
    return Path(f"/proc/{told.get('pid')}").exists()


def _told(path: Path) -> dict[str, Any] | None:
    """The daemon's last report; None if there is none that can be read."""
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) else None
