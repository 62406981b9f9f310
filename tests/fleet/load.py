"""`python -m tests.fleet.load`: what a fleet with dnsguard's defaults asks its upstreams; draws docs/fleet/load.svg.

Nothing is sent anywhere: it is a simulation, in which the real core decides. The same seed gives the same figures.
"""

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

from tests.fleet.plot import Line, Panel, svg
from tests.fleet.scenes import SCENES, Load, Scene, per_s, play
from tests.house.tree import ROOT

PAGE, PICTURE = "load.md", "load.svg"
BEGIN, END = "<!-- measured by make fleet: begin -->\n", "<!-- measured by make fleet: end -->\n"
AT_ONCE = 500
"""Hosts that are played between two signs of progress."""
LAST_S = 120
"""The end of a scene, in which it is steady again."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Play all scenes, write table and picture."""
    parser = argparse.ArgumentParser(prog="make fleet", description=__doc__)
    parser.add_argument("--hosts", type=int, default=100_000, help="how many the figures are for")
    parser.add_argument("--played", type=int, default=10_000, help="how many are played; each stands for several")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--into", type=Path, default=ROOT / "docs/fleet", help=f"where {PAGE} and {PICTURE} are")
    given = parser.parse_args(arguments)
    loads = {scene.name: load for scene, load in _played(given.played, given.seed)}
    scale = given.hosts / given.played
    page = given.into / PAGE
    page.write_text(with_table(page.read_text(), table(loads, scale)))
    (given.into / PICTURE).write_text(picture(loads, scale, given.hosts))
    print(table(loads, scale), end="")
    return 0


def _played(hosts: int, seed: str) -> Iterator[tuple[Scene, Load]]:
    parts = [range(first, min(first + AT_ONCE, hosts)) for first in range(0, hosts, AT_ONCE)]
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for scene in SCENES:
            load, done = Load(), 0
            for part in pool.map(partial(_part, scene.name, seed), parts):
                load.add(part)
                done = min(done + AT_ONCE, hosts)
                print(f"\r{scene.name}: {done} of {hosts} hosts", end="", file=sys.stderr, flush=True)
            print(file=sys.stderr)
            yield scene, load


def _part(name: str, seed: str, hosts: range) -> Load:
    # By name: what happens to a host cannot be sent to another process.
    return play(next(scene for scene in SCENES if scene.name == name), hosts, seed)


def table(loads: dict[str, Load], scale: float) -> str:
    """The figures, as Markdown."""
    heads = ("what happens", "steady", "steady, at most", "at most", "not answered, at most", "programs, at most")
    lines = [f"| {' | '.join(heads)} |", "|---" * len(heads) + "|"]
    for scene in SCENES:
        load = loads[scene.name]
        questions, vain = per_s(load.questions), per_s(load.in_vain)
        last = questions[-LAST_S:]
        figures = (sum(last) / LAST_S, max(last), max(questions), max(vain), max(load.lookups_per_s()))
        lines.append(f"| {scene.words} | {' | '.join(_rounded(figure * scale) for figure in figures)} |")
    return "".join(f"{line}\n" for line in lines)


def _rounded(value: float) -> str:
    """Two digits are all that is known."""
    return f"{float(f'{value:.2g}'):,.0f}".replace(",", " ")


def picture(loads: dict[str, Load], scale: float, hosts: int) -> str:
    """The same over time, as SVG."""
    panels = []
    for scene in SCENES:
        load = loads[scene.name]
        lines = (
            Line("dnsguard's questions", "#0072b2", [value * scale for value in per_s(load.questions)]),
            Line("of those, not answered", "#d55e00", [value * scale for value in per_s(load.in_vain)]),
            Line("programs' lookups (assumed)", "#999999", [value * scale for value in load.lookups_per_s()]),
        )
        panels.append(Panel(f"{scene.name}: {scene.words}", lines, scene.marks))
    return svg(f"What {hosts} hosts ask the upstream that they name first, each second", panels)


def with_table(page: str, text: str) -> str:
    """The page with these figures in it."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return before + BEGIN + text + END + after


if __name__ == "__main__":
    sys.exit(main())
