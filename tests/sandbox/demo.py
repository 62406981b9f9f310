"""`python -m tests.sandbox.demo`: the story without the guard and with it, and what was lost.

Needs root or user namespaces; touches nothing of this machine. Exit status 1 if the guarded telling
lost what the guard promises to keep, 2 if it cannot be told here.
"""

import argparse
import concurrent.futures
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from tests.sandbox.guard import FORGIVING
from tests.sandbox.namespaces import NotAllowedError, fetch
from tests.sandbox.report import broken_promises, table, timeline
from tests.sandbox.story import STORY, Event, Told, tell

WITHOUT_STANDBY = FORGIVING + 'standby = "no"\n'


def main(words: Sequence[str] | None = None) -> int:
    """Tell it; the exit status."""
    chosen = _arguments(words)
    events = [event for event in STORY if chosen.only in (None, event.name)]
    with_standby = chosen.standby == "yes"
    try:
        fetch()
        with tempfile.TemporaryDirectory(prefix="dnsguard-demo-") as directory:
            return _tell_twice(events, with_standby, chosen.keep or Path(directory))
    except (NotAllowedError, subprocess.CalledProcessError) as refusal:
        print(refusal, *getattr(refusal, "__notes__", ()), sep="\n", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.demo", description=__doc__)
    parser.add_argument("--standby", choices=("yes", "no"), default="yes", help="the guard's standby line")
    parser.add_argument("--only", choices=[event.name for event in STORY], help="one event alone")
    parser.add_argument("--keep", type=Path, help="keep the records and the guard's log in this directory")
    return parser.parse_args(words)


def _tell_twice(events: Sequence[Event], with_standby: bool, directory: Path) -> int:
    say = _narrator()
    settings = FORGIVING if with_standby else WITHOUT_STANDBY
    say("two hosts", "real dnsmasq, real resolvconf, one lookup by libc every 10 ms")
    without, guarded = _side_by_side(
        partial(tell, events, directory / "without", None, partial(say, "without")),
        partial(tell, events, directory / "guarded", settings, partial(say, "guarded")),
    )
    print(f"\n{timeline(without, guarded, colour=sys.stdout.isatty())}\n\n{table(without, guarded)}\n")
    broken = broken_promises(guarded, with_standby)
    print("\n".join(["The guard did not keep its promise:", *broken] if broken else ["The guard kept its promise."]))
    return 1 if broken else 0


def _side_by_side(*tellings: Callable[[threading.Event], Told]) -> list[Told]:
    """Tell them at the same time, which takes half of it; when one fails, the others are given up."""
    given_up = threading.Event()
    with concurrent.futures.ThreadPoolExecutor() as tellers:
        told = [tellers.submit(telling, given_up) for telling in tellings]
        try:
            for each in concurrent.futures.as_completed(told):
                each.result()
        finally:
            given_up.set()
    return [each.result() for each in told]


def _narrator() -> Callable[[str, str], None]:
    begin_s = time.monotonic()

    def say(who: str, what: str) -> None:
        print(f"{time.monotonic() - begin_s:6.1f} s  {who:9} {what}", flush=True)

    return say


if __name__ == "__main__":
    sys.exit(main())
