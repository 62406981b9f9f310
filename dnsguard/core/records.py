"""resolvconf's records: which are dnsmasq's, and the order in which they are believed.

That order is interface-order(5), bash's extended globs.

Source: /lib/resolvconf/list-records of resolvconf 1.91: patterns are expanded one after the other
with `extglob` and `nullglob`, a name counts where it first appears, names that match nothing are
left out.
"""

import re
from collections.abc import Iterable

DNSMASQ_RECORD = "lo.dnsmasq"
"""What Debian's dnsmasq registers itself as. Source: /usr/share/dnsmasq/init-system-common."""

# Used when the patterns file cannot be read: resolvers on this host first, then whatever there is.
DEFAULT_PATTERNS = "lo.inet6\nlo.inet\nlo.*\nlo\ntun*\ntap*\nhso*\nvpn*\n*\n"

# More cannot be meant, and each costs a compiled expression.
MAX_PATTERN_CHARACTERS = 200


def in_order(names: Iterable[str], patterns: str | None) -> tuple[str, ...]:
    """The names that the patterns admit, in the patterns' order; None stands for the default ones."""
    present = sorted(name for name in names if not name.startswith("."))
    ordered: dict[str, None] = {}
    for pattern in _patterns(DEFAULT_PATTERNS if patterns is None else patterns):
        matches = _compiled(pattern)
        ordered.update((name, None) for name in present if matches and matches.fullmatch(name))
    return tuple(ordered)


def _patterns(text: str) -> Iterable[str]:
    """The lines that list-records' own sed would keep."""
    for line in text.split("\n"):
        words = line.split("#", 1)[0].split()
        if words and "/" not in words[0] and words[0][0] not in "~.":
            yield words[0][:MAX_PATTERN_CHARACTERS]


def _compiled(pattern: str) -> re.Pattern[str] | None:
    """The glob as a regular expression; None if it is no expression, as `[z-a]` is none."""
    try:
        return re.compile(_Translation(pattern).whole(), re.DOTALL)
    except (re.error, RecursionError):
        return None


class _Translation:
    """One pass over a glob, left to right; `!(…)` needs to know what follows it."""

    def __init__(self, glob: str) -> None:
        self.glob = glob
        self.at = 0

    def whole(self) -> str:
        return self._sequence(closers="")

    def _sequence(self, closers: str) -> str:
        """Translate up to a character of `closers`, which is left unread, or to the end."""
        if self.at >= len(self.glob) or self.glob[self.at] in closers:
            return ""
        here = self.glob[self.at]
        if here in "@?*+!" and self.glob.startswith("(", self.at + 1):
            return self._group(here, closers)
        self.at += 1
        match here:
            case "*":
                piece = ".*"
            case "?":
                piece = "."
            case "[":
                piece = self._bracket()
            case _:
                piece = re.escape(here)
        return piece + self._sequence(closers)

    def _group(self, kind: str, closers: str) -> str:
        self.at += 2
        choices = [self._sequence("|)")]
        while self.glob.startswith("|", self.at):
            self.at += 1
            choices.append(self._sequence("|)"))
        self.at += 1
        inside = "(?:" + "|".join(choices) + ")"
        following = self._sequence(closers)
        if kind == "!":
            # Everything but a whole match of the choices, followed by the rest of the glob.
            return f"(?!{inside}{following}$).*{following}"
        return inside + {"@": "", "?": "?", "*": "*", "+": "+"}[kind] + following

    def _bracket(self) -> str:
        end = self.glob.find("]", self.at + 1)
        if end < 0:
            return re.escape("[")
        body = self.glob[self.at : end].replace("\\", "\\\\").replace("[", "\\[")
        self.at = end + 1
        return "[^" + body[1:] + "]" if body[0] in "!^" else f"[{body}]"


def is_dnsmasq(name: str) -> bool:
    """Whether it is dnsmasq's own record, or that of an instance `dnsmasq@NAME`."""
    return name == DNSMASQ_RECORD or name.startswith(DNSMASQ_RECORD + ".")


def record_of(unit: str) -> str:
    """The record of the dnsmasq that this unit runs; empty if that is not known.

    Source: /usr/share/dnsmasq/init-system-common of Debian 12 and 13, which runs instances as dnsmasq@NAME.service.
    """
    name, at, instance = unit.removesuffix(".service").partition("@")
    if name != "dnsmasq":
        return ""
    return f"{DNSMASQ_RECORD}.{instance}" if at else DNSMASQ_RECORD
