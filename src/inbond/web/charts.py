"""Charts drawn on the server, as SVG without script or style: classes alone, which the style sheet colours.

A chart never stands alone: it has a title and a description for who does not see it, and its page has the same numbers
as a table. Words and numbers on axes are HTML beside the drawing, so that they keep their size when it is squeezed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup, escape

WIDTH: Final = 1000.0  # units of the drawing; it is stretched to whatever room there is
HEIGHT: Final = 100.0
GAP: Final = 0.18  # of a bar's place that stays free
LEAST: Final = 0.8  # units: what is there at all can be seen
GRID: Final = 4  # parts in which lines divide the height


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a bar. `kind`: the class that colours it, as `c-hit`."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar of several parts, from the bottom up. `label`: what is told where one points at it."""

    label: str
    parts: tuple[Part, ...]

    @property
    def total(self) -> float:
        """Its height."""
        return sum(part.value for part in self.parts)


def top_of(bars: Sequence[Bar]) -> int:
    """A round number that no bar is above: where the axis ends. Its lines are whole numbers."""
    most = max((bar.total for bar in bars), default=0.0)
    step = 1
    while True:
        for times in (1, 2, 5):
            if most <= GRID * step * times:
                return GRID * step * times
        step *= 10


def bars_chart(identity: str, title: str, description: str, bars: Sequence[Bar]) -> Markup:
    """Upright bars beside each other. `identity`: unique on its page, for its title and description."""
    top = top_of(bars)
    place = WIDTH / max(1, len(bars))
    drawn = Markup().join(_bar(bar, number * place, place, top) for number, bar in enumerate(bars))
    return _svg(identity, title, description, _grid() + drawn, "chart bars")


def share_bar(identity: str, title: str, description: str, parts: Sequence[Part]) -> Markup:
    """One lying bar that is divided among its parts."""
    total = sum(part.value for part in parts)
    drawn, left = Markup(), 0.0
    for part in parts:
        width = WIDTH * part.value / total if total else 0.0
        if width:
            drawn += _rect(part.kind, left, 0.0, width, HEIGHT)
        left += width
    return _svg(identity, title, description, drawn, "chart share")


def meter(value: float, most: float, kind: str) -> Markup:
    """A short lying bar in a table's cell, which has the number beside it: hidden from who does not see it."""
    width = max(LEAST, WIDTH * value / most) if most and value else 0.0
    return Markup(
        '<svg class="chart meter" viewBox="0 0 {} {}" preserveAspectRatio="none" aria-hidden="true" focusable="false">'
        "{}</svg>"
    ).format(_n(WIDTH), _n(HEIGHT), _rect(kind, 0.0, 0.0, width, HEIGHT))


def _bar(bar: Bar, left: float, place: float, top: float) -> Markup:
    parts, bottom = Markup(), HEIGHT
    for part in bar.parts:
        if part.value <= 0:
            continue
        height = max(LEAST, HEIGHT * part.value / top)
        bottom = max(0.0, bottom - height)
        parts += _rect(part.kind, left + place * GAP / 2, bottom, place * (1 - GAP), height)
    return Markup("<g><title>{}</title>{}</g>").format(bar.label, parts) if parts else parts


def _grid() -> Markup:
    line = Markup('<path class="grid" vector-effect="non-scaling-stroke" d="M0 {}H{}"/>')
    return Markup().join(line.format(_n(HEIGHT * part / GRID), _n(WIDTH)) for part in range(1, GRID))


def _rect(kind: str, x: float, y: float, width: float, height: float) -> Markup:
    return Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
        kind, _n(x), _n(y), _n(width), _n(height)
    )


def _svg(identity: str, title: str, description: str, drawn: Markup, classes: str) -> Markup:
    name = escape(identity)
    return Markup(
        '<svg class="{}" viewBox="0 0 {} {}" preserveAspectRatio="none" role="img"'
        ' aria-labelledby="{}-title {}-desc" focusable="false">'
        '<title id="{}-title">{}</title><desc id="{}-desc">{}</desc>{}</svg>'
    ).format(classes, _n(WIDTH), _n(HEIGHT), name, name, name, title, name, description, drawn)


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")
