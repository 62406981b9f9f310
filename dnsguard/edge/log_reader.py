"""Reads dnsguard's own lines again: from the journal, or from a file that somebody sent.

Facts:
- journalctl -o json prints one object a line; a field that is not UTF-8 comes as a list of bytes, and one of more than
  4096 bytes as null unless `--all` is given. Source: journalctl(1), "json".
- systemd.journal.Reader needs no daemon, and shows whom the files' rights let read them: root, and the group
  systemd-journal. Source: sd_journal_open(3).
"""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

from systemd import journal

_RECORDS = ("event", "state", "actions")


def from_journal(since_s: float) -> Iterator[dict[str, Any]]:
    """The lines of this host's journal, the oldest first, as from_lines() has them."""
    with journal.Reader() as reader:
        reader.add_match(SYSLOG_IDENTIFIER="dnsguard")
        reader.seek_realtime(since_s)
        while (entry := reader.get_previous()) and not entry.get("DNSGUARD_PHASE"):
            pass
        if entry:
            yield _read(entry)
        reader.seek_realtime(since_s)
        for entry in reader:
            yield _read(entry)


def _read(entry: dict[str, Any]) -> dict[str, Any]:
    return _named(entry, entry["__REALTIME_TIMESTAMP"].timestamp())


def from_lines(lines: Iterable[str], since_s: float = 0.0) -> Iterator[dict[str, Any]]:
    """The lines of `journalctl -o json`, or of a daemon whose log went to a file, as plain data.

    Before those since then comes the last one that says what the phase was, however old.

    Each has `at_s` (seconds since 1970), `code`, `text`, and where they were recorded `phase`, `event`, `state`,
    `actions`. What is no such line is passed over.
    """
    before: list[dict[str, Any]] = []
    for found in _records(lines):
        if found["at_s"] >= since_s:
            yield from before
            yield found
            before = []
        elif found["phase"]:
            before = [found]
    yield from before


def _records(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            continue
        if isinstance(found, dict) and (at_s := _time_of(found)) is not None:
            yield _named(found, at_s)


def _time_of(found: dict[str, Any]) -> float | None:
    try:
        if "__REALTIME_TIMESTAMP" in found:
            return int(found["__REALTIME_TIMESTAMP"]) / 1e6
        return datetime.fromisoformat(found["timestamp"]).timestamp()
    except (KeyError, TypeError, ValueError):
        return None


def _named(found: dict[str, Any], at_s: float) -> dict[str, Any]:
    named = {"at_s": at_s, "code": found.get("code", ""), "text": found.get("text", ""), "phase": ""}
    if "MESSAGE" in found:
        named |= {key[9:].lower(): value for key, value in found.items() if key.startswith("DNSGUARD_")}
        named["text"] = found["MESSAGE"]
    else:
        named |= {key: value for key, value in found.items() if key in ("phase", "generation", *_RECORDS)}
    return {key: _parsed(value) if key in _RECORDS else value for key, value in named.items()}


def _parsed(value: Any) -> Any:
    """A record that the journal has as text; {} if it is cut off."""
    if isinstance(value, list) and value and all(isinstance(each, int) for each in value):
        value = bytes(value).decode("utf-8", "replace")
    if not isinstance(value, str):
        return value if value is not None else {}
    try:
        return json.loads(value)
    except ValueError:
        return {}
