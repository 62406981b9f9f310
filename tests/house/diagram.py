"""Draws the picture of the phases in ARCHITECTURE.md from the table: `python -m tests.house.diagram`."""

from dnsguard.core.guard import TABLE
from dnsguard.core.moves import DESTINATIONS
from dnsguard.core.vocabulary import Phase, Timer
from tests.house.tree import ROOT

PAGE = ROOT / "ARCHITECTURE.md"
BEGIN, END = "<!-- drawn from the table: begin -->\n", "<!-- drawn from the table: end -->\n"


def drawn() -> str:
    """The picture as Mermaid text: an arrow for each pair of phases, with the events that may lead there."""
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for row, judgements in TABLE.items():
        word = f"after {row.value}" if isinstance(row, Timer) else row.__name__
        for phase, judgement in judgements.items():
            for target in DESTINATIONS.get(judgement, ()):
                if target is not phase:
                    arrows.setdefault((phase, target), []).append(word)
    order = list(Phase)
    lines = [
        f"    {before.value} --> {after.value}: {', '.join(words)}"
        for (before, after), words in sorted(arrows.items(), key=lambda each: [order.index(end) for end in each[0]])
    ]
    ends = ("    [*] --> starting", "    stopping --> [*]")
    return "\n".join(["```mermaid", "stateDiagram-v2", ends[0], *lines, ends[1], "```", ""])


def with_picture(page: str) -> str:
    """The page with the picture of today's table in it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + drawn() + END + after


if __name__ == "__main__":
    PAGE.write_text(with_picture(PAGE.read_text()))
    print(f"{PAGE.name}: the picture is that of the table")
