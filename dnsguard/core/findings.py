"""What `dnsguard doctor` has found, for people and as JSON, version 1."""

from typing import Any, NamedTuple

VERSION = 1
"""Grows when a key changes its meaning or goes away; new keys and new codes may come at any time."""


class Finding(NamedTuple):
    """One thing that is wrong.

    Attributes:
        code: stable, kebab-case; docs/doctor.md and dnsguard(8) list each.
        what: what is wrong, where.
        why: why it matters, and what else to know.
        mend: the command that mends it, to be run by root in a shell as it stands.
    """

    code: str
    what: str
    why: str
    mend: str


class Look(NamedTuple):
    """One part of the path that lookups take: its name, what was seen there in a line, and what is wrong with it."""

    part: str
    seen: str
    findings: tuple[Finding, ...] = ()


def report(looks: tuple[Look, ...]) -> dict[str, Any]:
    """Everything as JSON can carry it."""
    return {
        "version": VERSION,
        "well": not any(look.findings for look in looks),
        "looks": [{"part": look.part, "seen": look.seen, "well": not look.findings} for look in looks],
        "findings": [{"part": look.part, **each._asdict()} for look in looks for each in look.findings],
    }


def in_words(looks: tuple[Look, ...]) -> str:
    """One line for each part; what is wrong stands below, with its mend in a line of its own."""
    lines = []
    for look in looks:
        lines.append(f"{'BAD ' if look.findings else 'ok  '} {look.part:<12} {look.seen}")
        for each in look.findings:
            lines += [f"     {each.code}: {each.what}", f"     why:  {each.why}", f"     mend: {each.mend}"]
    count = sum(len(look.findings) for look in looks)
    findings = "1 finding" if count == 1 else f"{count} findings"
    lines += ["", f"{findings}; mend the first, as root, and ask again" if count else "all is well"]
    return "".join(f"{line}\n" for line in lines)
