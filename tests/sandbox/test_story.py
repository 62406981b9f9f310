"""The story told for real, in short; `python -m tests.sandbox.demo` tells it whole."""

from pathlib import Path

import pytest

from tests.sandbox.guard import NO_UNIT
from tests.sandbox.host import Host
from tests.sandbox.lookups import tally
from tests.sandbox.namespaces import NotAllowedError
from tests.sandbox.report import broken_promises
from tests.sandbox.story import STORY, Event, Told, tell

CRASH = next(event for event in STORY if event.name == "crash")

SHORT_CRASH = Event(
    "crash",
    "dnsmasq is killed",
    before=CRASH.before,
    phases_before=CRASH.phases_before,
    steps=((0.0, Host.kill_dnsmasq),),
    lasts_s=1.0,
    deaths=1,
)


def test_every_lookup_fails_on_a_stock_host_whose_dnsmasq_crashed(tmp_path: Path) -> None:
    """What the guard is measured against."""
    seen = tally(told(tmp_path, None).happened[0].lookups)

    assert seen.failed > seen.lookups / 2


def test_no_lookup_fails_on_a_guarded_host_whose_dnsmasq_crashed(tmp_path: Path) -> None:
    """The promise, kept for libc itself: none failed, none slower than 1.2 s."""
    guarded = told(tmp_path, NO_UNIT)

    assert [] == broken_promises(guarded, standby=True)
    assert "direct" == guarded.moves[-1][1]


def told(directory: Path, settings: str | None) -> Told:
    try:
        return tell([SHORT_CRASH], directory, settings)
    except NotAllowedError as refusal:
        pytest.skip(str(refusal))
