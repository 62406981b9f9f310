"""A guarded host that goes through sequences of faults, one after the other, while libc looks names up.

Between two sequences everything is put right, and the guard must trust dnsmasq again: that is a promise, too.
"""

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

from tests.sandbox.arena import Arena
from tests.sandbox.book import Deed
from tests.sandbox.faults import Sequence as Faults
from tests.sandbox.flips import Flip, FlipWatch
from tests.sandbox.lookups import Lookup, end_sampler, start_sampler
from tests.sandbox.oracle import DNSMASQ, Broken, Demands, Verdict, judge
from tests.sandbox.processes import begin_or_close, wait_for
from tests.sandbox.stage import DebianGuard
from tests.sandbox.waits import Waits

GIVE_UP_S = 4.0
"""A lookup that has taken this long has failed; more than the oracle allows."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One sequence as it went. Times in seconds, monotonic.

    Attributes:
        seed: what it was drawn from.
        deeds: what was done, and what put everything right again.
        flips: what was published.
        log: what the guard said.
        trouble: why the guard did not come to trust dnsmasq again; empty if it did.
        verdict: what is to be said of it.
    """

    seed: int
    begin_s: float
    end_s: float
    deeds: tuple[Deed, ...]
    flips: tuple[Flip, ...]
    log: str
    trouble: str
    verdict: Verdict = field(default_factory=Verdict)


class Ordeal(contextlib.ExitStack):
    """An arena with a guard that trusts dnsmasq, and a sampler; a context manager.

    Attributes:
        fine: whether everything could be put right after the last sequence.
    """

    def __init__(self, directory: Path, settings: str, demands: Demands) -> None:
        super().__init__()
        self._directory = directory
        self._settings = settings
        self._demands = demands
        self._trials: list[Trial] = []
        self.fine = True

    def __enter__(self) -> Self:
        begin_or_close(self._begin, self.close)
        return self

    def _begin(self) -> None:
        self._directory.mkdir(parents=True)
        self._arena = self.enter_context(Arena(self._directory))
        host = self._arena.host
        self._guard = DebianGuard(host, self._directory / "guard.log", self._settings)
        self._guard.start()
        self._watch = self.enter_context(FlipWatch(host.path("/run/dnsguard")))
        self._waits = self.enter_context(Waits(self._guard.pid))
        self._record = self._directory / "lookups.jsonl"
        self._sampler = start_sampler(host, self._record, self._demands.every_s, GIVE_UP_S)
        self._await_trust()

    def run(self, seed: int, faults: Faults) -> None:
        """Let it happen, put everything right, and wait until the guard trusts dnsmasq again."""
        begin_s = time.monotonic()
        said = self._guard.log.stat().st_size
        deeds, flips = len(self._arena.book.deeds), len(self._watch.flips)
        for fault in faults:
            time.sleep(max(0.0, begin_s + fault.after_s - time.monotonic()))
            self._arena.do(*fault.words)
        self._arena.heal()
        trouble = ""
        try:
            self._await_trust()
        except TimeoutError as late:
            trouble = str(late)
            self.fine = False
        log = self._guard.log.read_bytes()[said:].decode()
        done, published = tuple(self._arena.book.deeds[deeds:]), tuple(self._watch.flips[flips:])
        self._trials.append(Trial(seed, begin_s, time.monotonic(), done, published, log, trouble))

    def end(self) -> list[Trial]:
        """End the sampler and the guard, and judge each sequence."""
        lookups = end_sampler(self._sampler, self._record)
        self._guard.stop()
        return [replace(trial, verdict=self._judged(trial, lookups)) for trial in self._trials]

    def _await_trust(self) -> None:
        wait_for(lambda: self._watch.first == DNSMASQ, "trust in dnsmasq")

    def _judged(self, trial: Trial, lookups: Sequence[Lookup]) -> Verdict:
        within = [lookup for lookup in lookups if trial.begin_s <= lookup.start_s < trial.end_s]
        verdict = judge(within, trial.flips, self._arena.book, self._demands, self._waits.between)
        more = []
        if trial.trouble:
            more.append(Broken(trial.end_s, f"all was well, and there was {trial.trouble}"))
        if "Traceback" in trial.log:
            more.append(Broken(trial.end_s, "the guard crashed"))
        return replace(verdict, broken=(*verdict.broken, *more))
