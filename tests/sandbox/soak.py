"""`python -m tests.sandbox.soak`: random sequences of faults against a guarded host, and what libc saw of them.

The same seed gives the same faults at the same times. Needs root or user namespaces; touches nothing of this
machine. Exit status 1 if a promise was broken, 2 if it cannot be tried here. oracle.py says what is owed.
"""

import argparse
import concurrent.futures
import math
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

from tests.sandbox.faults import Sequence as Faults
from tests.sandbox.faults import draw
from tests.sandbox.guard import FORGIVING
from tests.sandbox.namespaces import NotAllowedError, fetch
from tests.sandbox.oracle import Demands
from tests.sandbox.ordeal import Ordeal, Trial
from tests.sandbox.verdicts import Sum, story

# Questions that leave the host every two seconds: what depends on them shall happen within a sequence.
SETTINGS = FORGIVING + "forward_interval_s = 2\n"

TODAY = Demands(holds=True, notice_s=math.inf)
"""What is asked of the guard. `holds` is for one that can tell a dead network from a dead dnsmasq."""

SEEDS_A_HOST = 10
"""Sequences that a host goes through before another is made, and they are judged."""

OURS = (OSError, RuntimeError, TimeoutError, subprocess.SubprocessError)
"""What a host raises that cannot be made or does not do what it is told."""


def undergo(
    seeds: Sequence[int],
    directory: Path,
    settings: str = SETTINGS,
    demands: Demands = TODAY,
    drawn: Callable[[int], Faults] = draw,
    given_up: threading.Event | None = None,
) -> list[Trial]:
    """Let one host after the other go through these sequences, one after the other.

    Args:
        seeds: of the sequences.
        directory: where records and the guard's logs are kept.
        settings: the text of dnsguard.toml.
        demands: what is asked of the guard.
        drawn: gives the sequence of a seed.
        given_up: when set, nothing more is begun.
    """
    left = list(seeds)
    trials: list[Trial] = []
    while left and not (given_up and given_up.is_set()):
        with Ordeal(directory / f"from-{left[0]}", settings, demands) as ordeal:
            for _ in range(SEEDS_A_HOST):
                seed = left.pop(0)
                ordeal.run(seed, drawn(seed))
                if not left or not ordeal.fine or (given_up and given_up.is_set()):
                    break
            trials += ordeal.end()
    return trials


def side_by_side(
    seeds: Sequence[int], hosts: int, run: Callable[[Sequence[int], threading.Event], list[Trial]]
) -> Iterator[Trial]:
    """Go through all of them on several hosts at a time; the trials in the order in which they end.

    Raises:
        ExceptionGroup: after all others, what went wrong with hosts, not with guards.
    """
    size = min(SEEDS_A_HOST, math.ceil(len(seeds) / hosts))
    parts = [seeds[begin : begin + size] for begin in range(0, len(seeds), size)]
    given_up = threading.Event()
    errors: list[Exception] = []
    with concurrent.futures.ThreadPoolExecutor(hosts) as pool:
        under_way = [pool.submit(run, part, given_up) for part in parts]
        try:
            for part in concurrent.futures.as_completed(under_way):
                if isinstance(error := part.exception(), OURS):
                    errors.append(error)
                else:
                    yield from part.result()
        finally:
            given_up.set()
            for part in under_way:
                part.cancel()
    if errors:
        raise ExceptionGroup("these hosts failed, not the guard", errors)


def main(words: Sequence[str] | None = None) -> int:
    """Try them and show; the exit status."""
    chosen = _arguments(words)
    demands = Demands(notice_s=chosen.notice_s, holds=chosen.hold)
    seeds = range(chosen.first, chosen.first + chosen.count)
    try:
        fetch()
        with tempfile.TemporaryDirectory(prefix="dnsguard-soak-") as directory:
            run = partial(_undergo, directory=chosen.keep or Path(directory), demands=demands)
            return _show(side_by_side(seeds, chosen.side_by_side, run), chosen.count)
    except (NotAllowedError, subprocess.CalledProcessError) as refusal:
        print(refusal, *getattr(refusal, "__notes__", ()), sep="\n", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _undergo(seeds: Sequence[int], given_up: threading.Event, directory: Path, demands: Demands) -> list[Trial]:
    return undergo(seeds, directory, demands=demands, given_up=given_up)


def _show(trials: Iterable[Trial], count: int) -> int:
    total = Sum()
    for trial in trials:
        total.add(trial)
        if trial.verdict.broken:
            print(f"\n{story(trial)}\n", flush=True)
        if total.sequences % SEEDS_A_HOST == 0 or total.sequences == count:
            print(f"{total.sequences} of {count}: {total}", flush=True)
    return 1 if total.broken else 0


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.sandbox.soak", description=__doc__)
    parser.add_argument("--first", type=int, default=0, help="the first seed (0)")
    parser.add_argument("--count", type=int, default=100, help="how many seeds (100)")
    parser.add_argument("--side-by-side", type=int, default=8, help="hosts at the same time (8)")
    parser.add_argument(
        "--hold", action=argparse.BooleanOptionalAction, default=TODAY.holds,
        help="whether a flip is forbidden while the network is down",
    )  # fmt: skip
    parser.add_argument(
        "--notice-s", type=float, default=TODAY.notice_s, metavar="SECONDS",
        help="after this, a bad server may cost nothing while another works",
    )  # fmt: skip
    parser.add_argument("--keep", type=Path, help="keep the records and the guards' logs in this directory")
    return parser.parse_args(words)


if __name__ == "__main__":
    sys.exit(main())
