"""The door: arguments in, exit code out.

`status` must start in a moment, so nothing that pulls in asyncio or the DNS stack is imported
before the command is known.
"""

import argparse
import io
import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnsguard import __version__
from dnsguard.core.errors import DnsguardError, SettingsError
from dnsguard.onlooker import is_running, last_report, show, watch

if TYPE_CHECKING:
    from dnsguard.core.settings import Settings

DEFAULT_CONFIG = Path("/etc/dnsguard/dnsguard.toml")

# systemctl's own: the program is not running. Source: LSB, "Init Script Actions".
EXIT_NOT_RUNNING = 3
# `dnsguard doctor` has found something.
EXIT_FINDINGS = 1
# EX_CONFIG of <sysexits.h>: starting it again will not help.
EXIT_BAD_SETTINGS = 78
# Ctrl-C, as a shell has it.
EXIT_INTERRUPTED = 130
# `dnsguard wait` looks this often at the daemon's report, and asks the servers themselves this often.
WAIT_EVERY_S = 0.1
WAIT_ASK_EVERY_S = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns 0, 1 if refused, 2 for wrong words, 3 if no daemon runs, 78 for bad settings."""
    given = command_line().parse_args(arguments)
    _make_printable()
    code = 0
    try:
        code = given.command(given)
        _flush()
    except DnsguardError as error:
        _complain(error)
        return EXIT_BAD_SETTINGS if isinstance(error, SettingsError) else 1
    except BrokenPipeError:
        # `dnsguard status | head -1`: nobody is left to tell.
        _drop_output()
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return code


def _make_printable() -> None:
    """Let nothing that must be said fail for its letters, or for an output that the caller has closed."""
    if sys.stdout is None:
        sys.stdout = io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _flush() -> None:
    """Here, and not when Python has ended and can only complain.

    Raises:
        DnsguardError: code "not-printed".
    """
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _drop_output()
        raise DnsguardError("not-printed", f"what was asked for cannot be written: {error.strerror}") from error


def _drop_output() -> None:
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
        formatter_class=_in_eighty_columns,
    )
    parser.add_argument("--version", action="version", version=f"dnsguard {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, does: Any, words: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=words, description=words, formatter_class=_in_eighty_columns)
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
    wait = command("wait", _wait, "return when this host resolves, or when the daemon is in a phase")
    wait.add_argument("--for", dest="state", choices=("resolving", "ready", "direct", "guarded"), default="guarded")
    wait.add_argument(
        "--timeout", type=_seconds, default=math.inf, metavar="SECONDS", help="then exit with 1; default: none"
    )
    wait.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
    doctor = command("doctor", _doctor, "look at all that lookups depend on; say what is wrong, and what mends it")
    doctor.add_argument("--json", action="store_true", help="for programs: findings with stable codes")
    doctor.add_argument("--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE")
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


def _seconds(text: str) -> float:
    seconds = float(text)
    if math.isnan(seconds):
        # It is over neither sooner nor later than now.
        raise ValueError
    return seconds


def _in_eighty_columns(prog: str) -> argparse.HelpFormatter:
    # argparse would import shutil and all compressors to learn how wide the terminal is, at each start: 4 ms.
    return argparse.HelpFormatter(prog, width=80)


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
    from dnsguard.core.banner import header
    from dnsguard.core.upstreams import first_file
    from dnsguard.core.vocabulary import Kind
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
    told = last_report(Path(settings.paths.status)) or {}
    answers = loopback_works(settings, last_phase(told))

    def works(address: str) -> bool:
        return rights.ask_as_owner(Path(settings.paths.status).parent, lambda: answers(address))

    print(link.detach(link_paths(settings), works, upstreams_text(told), publisher.replace_file))
    return 0


def _status(given: argparse.Namespace) -> int:
    path = Path(_load(given.config).paths.status)
    is_there = (watch if given.watch else show)(path, as_json=given.json)
    return 0 if is_there else EXIT_NOT_RUNNING


def _doctor(given: argparse.Namespace) -> int:
    from dnsguard.core.doctor import examine
    from dnsguard.core.findings import in_words, report
    from dnsguard.core.settings import Settings
    from dnsguard.doctor import look_around
    from dnsguard.wiring import with_good_questions

    settings, error = Settings(), None
    try:
        settings = with_good_questions(_load(given.config))
    except SettingsError as bad:
        error = bad
    looks = examine(look_around(settings, given.config, error, last_report(Path(settings.paths.status))))
    print(json.dumps(report(looks), indent=1) + "\n" if given.json else in_words(looks), end="")
    return EXIT_FINDINGS if any(look.findings for look in looks) else 0


def _wait(given: argparse.Namespace) -> int:
    settings, state = _load(given.config), given.state
    reached = _reached(state, settings)
    every_s = WAIT_ASK_EVERY_S if state == "resolving" else WAIT_EVERY_S
    deadline_s = time.monotonic() + given.timeout
    while not reached():
        left_s = deadline_s - time.monotonic()
        if left_s <= 0:
            advice = "`dnsguard doctor` says what is wrong" if state == "resolving" else "`dnsguard status` says why"
            print(f"dnsguard: not {state} after {given.timeout:g} s; {advice}", file=sys.stderr)
            return 1
        time.sleep(min(every_s, left_s))
    return 0


def _reached(state: str, settings: "Settings") -> Callable[[], bool]:
    """What says whether the state is reached; "resolving" is a question about this host, and needs no daemon."""
    if state == "resolving":
        from dnsguard.doctor import is_resolving

        return lambda: is_resolving(settings)
    return lambda: _in_state(Path(settings.paths.status), state)


def _in_state(path: Path, state: str) -> bool:
    """Whether a daemon runs and its report says so."""
    told = last_report(path) or {}
    reached = told.get("ready") if state == "ready" else told.get("phase") == state
    return bool(reached) and is_running(told)


def _history(given: argparse.Namespace) -> int:
    from dnsguard.past import history

    return history(given.per, given.since, given.file, as_json=given.json)


def _replay(given: argparse.Namespace) -> int:
    from dnsguard.past import replay

    return replay(given.file)
