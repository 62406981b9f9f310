"""Lines on a logarithmic scale, as SVG: small multiples, one below the other."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

WIDTH, HEIGHT, LEFT, TOP = 860, 150, 70, 34
LOWEST, HIGHEST = 100.0, 1_000_000.0


@dataclass(frozen=True, slots=True)
class Line:
    """One value for each second; below LOWEST it is not drawn."""

    words: str
    colour: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Panel:
    """Lines that belong together, and moments to mark: the second, and a word for it."""

    title: str
    lines: tuple[Line, ...]
    marks: tuple[tuple[float, str], ...] = ()


def svg(title: str, panels: Sequence[Panel]) -> str:
    """The picture, with a legend from the first panel."""
    height = TOP + len(panels) * (HEIGHT + 50)
    box = f'viewBox="0 0 {WIDTH + LEFT + 20} {height}" font-family="sans-serif" font-size="12"'
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" {box}><title>{escape(title)}</title>']
    parts.append('<rect width="100%" height="100%" fill="white"/>')
    for place, line in enumerate(panels[0].lines):
        parts.append(f'<text x="{LEFT + place * 250}" y="20" fill="{line.colour}">{escape(line.words)}</text>')
    for place, panel in enumerate(panels):
        parts.append(f'<g transform="translate({LEFT} {TOP + 26 + place * (HEIGHT + 50)})">')
        parts += _panel(panel)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    lasts_s = max(len(line.values) for line in panel.lines)
    yield f'<text y="-8" font-weight="bold">{escape(panel.title)}</text>'
    for power in range(round(math.log10(LOWEST)), round(math.log10(HIGHEST)) + 1):
        y = _y(10.0**power)
        yield f'<path d="M0 {y:.1f}H{WIDTH}" stroke="#ddd"/>'
        yield f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{_told(power)}</text>'
    for second in range(0, lasts_s + 1, 60):
        yield f'<text x="{second * WIDTH / lasts_s:.1f}" y="{HEIGHT + 15}" text-anchor="middle">{second} s</text>'
    for at_s, words in panel.marks:
        x = at_s * WIDTH / lasts_s
        yield f'<path d="M{x:.1f} 0V{HEIGHT}" stroke="#999" stroke-dasharray="4 3"/>'
        yield f'<text x="{x + 4:.1f}" y="12" fill="#666">{escape(words)}</text>'
    for line in panel.lines:
        if steps := "".join(_steps(line.values, WIDTH / lasts_s)):
            yield f'<path d="{steps}" fill="none" stroke="{line.colour}" stroke-width="1.3"/>'


def _steps(values: Sequence[float], wide: float) -> Iterator[str]:
    is_down = False
    for second, value in enumerate(values):
        if value >= LOWEST:
            yield f"{'L' if is_down else 'M'}{second * wide:.1f} {_y(value):.1f}h{wide:.2f}"
        is_down = value >= LOWEST


def _y(value: float) -> float:
    return HEIGHT * (1 - math.log(value / LOWEST) / math.log(HIGHEST / LOWEST))


def _told(power: int) -> str:
    return {3: "1 k/s", 4: "10 k/s", 5: "100 k/s", 6: "1 M/s"}.get(power, f"{10**power}/s")
