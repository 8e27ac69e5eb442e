"""A plot of a group's works as SVG: a bar for each server, as long as its ratio to the reference, logarithmic.

Colours are told apart without red and green, every bar has its figure beside it, and the text takes the reader's own
colour, so that it reads on a dark page as on a light one.
"""

from __future__ import annotations

import math
from html import escape

from harness.figures import Figures
from harness.servers import ALL

_COLOURS = ("#0072b2", "#e69f00", "#f0c75e", "#999999", "#666666", "#56b4e9", "#b9a3d0", "#b9a3d0")
COLOURS = dict(zip(ALL, _COLOURS, strict=True))
WIDTH, LEFT, RIGHT = 900, 170, 190  # pixels
BAR, GAP, HEADING, TOP, BOTTOM = 14, 3, 30, 56, 40
MARGIN = 0.05  # of a power of ten, on either side
FEW = 2.5  # powers of ten
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#222}.title{font-size:16px;font-weight:600}.work{font-weight:600}"
    ".small{font-size:11px;font-weight:400;fill:#555}.axis{stroke:#bbb;stroke-width:1}.one{stroke:#444;stroke-width:1}"
    "@media(prefers-color-scheme:dark){text{fill:#eee}.small{fill:#aaa}.axis{stroke:#555}.one{stroke:#ccc}}"
)


def bars(title: str, works: list[Figures]) -> str:
    """The whole plot."""
    shown = [work for work in works if any(work.ratios(server) for server in ALL)]
    axis = Axis([ratio for work in shown for server in ALL for ratio in work.ratios(server)])
    parts, y = [], TOP
    for work in shown:
        lines, y = _work(work, axis, y)
        parts += lines
    height = y + BOTTOM
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" '
        f'role="img"><title>{escape(title)}</title><style>{STYLE}</style>'
        f'<text class="title" x="10" y="22">{escape(title)}</text>'
        '<text class="small" x="10" y="40">ratio to the reference, logarithmic; lines: least and greatest round</text>'
    )
    return "\n".join([head, *axis.lines(TOP, height - BOTTOM), *parts, "</svg>"]) + "\n"


class Axis:
    """From ratios to pixels: as far as the ratios reach, and to one in any case."""

    def __init__(self, ratios: list[float]) -> None:
        logs = [math.log10(ratio) for ratio in ratios if ratio > 0] or [0.0]
        self.low, self.high = min(0.0, *logs) - MARGIN, max(0.0, *logs) + MARGIN

    def x(self, ratio: float) -> float:
        share = (math.log10(max(ratio, 10**self.low)) - self.low) / (self.high - self.low)
        return round(LEFT + share * (WIDTH - LEFT - RIGHT), 1)

    def lines(self, top: int, bottom: int) -> list[str]:
        """A line at every mark."""
        drawn = []
        for mark in self.marks():
            x, kind = self.x(mark), "one" if mark == 1 else "axis"
            drawn.append(f'<line class="{kind}" x1="{x}" y1="{top}" x2="{x}" y2="{bottom}"/>')
            drawn.append(f'<text class="small" x="{x}" y="{bottom + 16}" text-anchor="middle">{mark:g}</text>')
        return drawn

    def marks(self) -> list[float]:
        """Powers of ten, and between them where they are few."""
        steps = (1, 2, 5) if self.high - self.low < FEW else (1,)
        powers = range(math.floor(self.low), math.ceil(self.high) + 1)
        marks = [step * 10.0**power for power in powers for step in steps]
        return [mark for mark in marks if self.low <= math.log10(mark) <= self.high]


def _work(work: Figures, axis: Axis, y: int) -> tuple[list[str], int]:
    """A work's heading and bars, and where the next begins."""
    direction = "less is better" if work.less_is_better else "more is better"
    heading = f"{escape(work.work)} <tspan class='small'>to {escape(work.reference)}, {direction}</tspan>"
    lines = [f'<text class="work" x="10" y="{y + 20}">{heading}</text>']
    y += HEADING
    for server in ALL:
        if work.ratios(server) and not work.failed(server):
            lines += _bar(work, server, axis, y)
            y += BAR + GAP
    return lines, y + GAP


def _bar(work: Figures, server: str, axis: Axis, y: int) -> list[str]:
    ratios, ratio, median = work.ratios(server), work.ratio(server), work.median(server)
    assert ratio is not None
    assert median is not None
    one, end, middle = axis.x(1.0), axis.x(ratio), y + BAR / 2
    width = max(1.0, abs(end - one))
    least, greatest = axis.x(min(ratios)), axis.x(max(ratios))
    shown = f"{ratio:.3g} ({median:,.0f} {work.unit})" if median >= 100 else f"{ratio:.3g} ({median:.3g} {work.unit})"
    return [
        f'<text x="{LEFT - 6}" y="{y + 11}" text-anchor="end">{escape(server)}</text>',
        f'<rect x="{min(one, end)}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{COLOURS[server]}"/>',
        f'<line class="one" x1="{least}" y1="{middle}" x2="{greatest}" y2="{middle}"/>',
        f'<text x="{max(one, end, greatest) + 6}" y="{y + 11}">{escape(shown)}</text>',
    ]
