"""The log codes: codes.toml -> the journal's catalogue, and the table in docs/log-codes.md.

`python -m pages.codes` prints the catalogue; with `--document` it renews the table.

Format of the catalogue: systemd.io/CATALOG, and catalog-parse of systemd 252: `-- ID`, headers, an empty line, text; a
pair of "@" around a name stands for the entry's field.
"""

import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from textwrap import fill

from dnsguard.core.message_id import message_id

ROOM = Path(__file__).resolve().parent
SOURCE = ROOM / "codes.toml"
DOCUMENT = ROOM.parent / "docs/log-codes.md"
BEGIN, END = "<!-- written from pages/codes.toml: begin -->\n", "<!-- written from pages/codes.toml: end -->\n"

# `journalctl -x` puts three columns before each line.
WIDTH = 76


@dataclass(frozen=True, slots=True)
class Told:
    """What is told of one code.

    Attributes:
        level: the usual one first.
        what: what happened, in one short sentence.
        why: why it matters.
        mend: what to do; "nothing" where there is nothing.
    """

    level: str
    what: str
    why: str
    mend: str


def codes() -> dict[str, Told]:
    """Every code, in the order of the file. Raises TypeError where one lacks a key, or has another one."""
    return {code: Told(**told) for code, told in tomllib.loads(SOURCE.read_text()).items()}


def catalogue(told: dict[str, Told]) -> str:
    """The text of /usr/lib/systemd/catalog/dnsguard.catalog."""
    return "\n".join(_entry(code, each) for code, each in told.items())


def _entry(code: str, told: Told) -> str:
    headers = f"Subject: {told.what}\nDefined-By: dnsguard\nDocumentation: man:dnsguard(8)\n"
    paragraphs = (told.why, f"What to do: {told.mend}", f"More like this: journalctl DNSGUARD_CODE={code}")
    text = "\n\n".join(fill(each, WIDTH, break_long_words=False, break_on_hyphens=False) for each in paragraphs)
    return f"-- {message_id(code)}\n{headers}\n{text}\n"


def table(told: dict[str, Told]) -> str:
    """The codes as a table of Markdown."""
    rows = (
        f"| `{code}` | {each.level} | {each.what} | {each.why} | {each.mend} | `{message_id(code)}` |"
        for code, each in told.items()
    )
    return "\n".join(
        (
            "| code | level | what happened | why it matters | what to do | `MESSAGE_ID` |",
            "|---|---|---|---|---|---|",
            *rows,
            "",
        )
    )


def with_table(page: str) -> str:
    """The page with today's table in it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + table(codes()) + END + after


if __name__ == "__main__":
    if sys.argv[1:] == ["--document"]:
        DOCUMENT.write_text(with_table(DOCUMENT.read_text()))
    else:
        print(catalogue(codes()), end="")
