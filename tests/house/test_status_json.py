"""docs/status-json.md names each key of status.json, and no other."""

import re
from collections.abc import Iterator

from dnsguard.core.report import Heard, Move, Witness, report
from tests.core.story import OLD, guarded
from tests.house.tree import ROOT

ONLY_AT_THE_DOOR = {"running"}
AT = "2026-01-01T00:00:00+00:00"
WITNESS = Witness(1, "", AT, AT, "", "", {}, {OLD: Heard(True, 1.0, AT)}, (Move(AT, "", "", "", ""),))


def test_every_key_is_documented_and_every_documented_key_exists() -> None:
    """What a program reads is promised."""
    documented = set(re.findall(r"^\| `([a-z_.*]+)` \|", (ROOT / "docs/status-json.md").read_text(), re.MULTILINE))

    assert documented - ONLY_AT_THE_DOOR == set(keys(report(guarded(), WITNESS)))


def keys(told: dict[str, object], before: str = "") -> Iterator[str]:
    for name, value in told.items():
        yield f"{before}{name}"
        if name == "counters":
            continue
        if name == "heard" and isinstance(value, dict):
            yield from keys(value[OLD], "heard.*.")
        elif isinstance(value, dict):
            yield from keys(value, f"{name}.")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield from keys(value[0], f"{name}.*.")
