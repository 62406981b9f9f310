"""Twin of dnsguard/edge/log_reader.py. A real journald is read in tests/system."""

import json

from dnsguard.edge.log_reader import from_lines

AT_US = 1_700_000_000_500_000
EVENT = {"is": "FilesStirred"}


def test_lines_of_journalctl_are_read() -> None:
    """Records come as text there, and what is not UTF-8 as a list of bytes."""
    line = {
        "__REALTIME_TIMESTAMP": str(AT_US),
        "MESSAGE": "in words",
        "DNSGUARD_CODE": "guarded",
        "DNSGUARD_PHASE": "guarded",
        "DNSGUARD_EVENT": json.dumps(EVENT),
        "DNSGUARD_STATE": list(json.dumps({"phase": "proving"}).encode()),
        "DNSGUARD_ACTIONS": None,
    }
    (found,) = from_lines([json.dumps(line)])

    assert (AT_US / 1e6, "guarded", "guarded", "in words") == tuple(
        found[name] for name in ("at_s", "code", "phase", "text")
    )
    assert (EVENT, {"phase": "proving"}, {}) == (found["event"], found["state"], found["actions"])


def test_lines_of_a_daemon_that_wrote_to_a_file_are_read() -> None:
    """As in a sandbox."""
    line = {
        "timestamp": "2026-01-01T00:00:00Z",
        "code": "guarded",
        "text": "in words",
        "phase": "guarded",
        "event": EVENT,
        "actions": [],
    }
    (found,) = from_lines([json.dumps(line)])

    assert (1767225600.0, "guarded", EVENT, []) == tuple(found[name] for name in ("at_s", "code", "event", "actions"))


def test_what_is_no_such_line_is_passed_over() -> None:
    """A record that was cut off is kept as an empty one."""
    strangers = ["", "no JSON", "[]", "{}", '{"timestamp": "never"}', '{"__REALTIME_TIMESTAMP": "x"}']
    cut = json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": "", "DNSGUARD_CODE": "a", "DNSGUARD_EVENT": '{"is": "Fi'})
    (found,) = from_lines([*strangers, cut])

    assert ("a", {}) == (found["code"], found["event"])
