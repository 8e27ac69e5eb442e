"""The style sheet: what is written can be read, light and dark."""

from __future__ import annotations

import re
from typing import Final

import pytest

from inbond.web.views import STATIC

READABLE: Final = 4.5  # WCAG 2.2, 1.4.3
SEEN: Final = 3.0  # 1.4.11: what is drawn, and the edges of fields
CSS: Final = (STATIC / "inbond.css").read_text(encoding="utf-8")


def palettes() -> dict[str, dict[str, str]]:
    blocks = re.findall(r":root \{(.*?)\}", CSS, re.DOTALL)
    light, dark = (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", block)) for block in blocks)
    assert light.keys() == dark.keys()
    return {"light": light, "dark": dark}


def luminance(colour: str) -> float:
    parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    red, green, blue = (one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    least, most = sorted((luminance(one), luminance(other)))
    return (most + 0.05) / (least + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_text_stands_out_from_whatever_it_stands_on(mode: str) -> None:
    colours = palettes()[mode]
    for text in ("ink", "faint", "allow", "hold", "deny", "link"):
        for ground in ("ground", "card"):
            assert contrast(colours[text], colours[ground]) >= READABLE, (text, ground)
    for word in ("allow", "hold", "deny"):
        assert contrast(colours[word], colours[f"{word}-ground"]) >= READABLE, word
        assert contrast(colours["ink"], colours[f"{word}-ground"]) >= READABLE, word
    assert contrast(colours["on-button"], colours["button"]) >= READABLE


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_edges_of_fields_and_bars_can_be_seen(mode: str) -> None:
    colours = palettes()[mode]
    for name in ("field", "c-hit", "c-miss", "c-stopped", "c-failed", "c-recorded"):
        assert contrast(colours[name], colours["card"]) >= SEEN, name


def test_it_loads_nothing_and_every_class_of_a_chart_has_a_colour() -> None:
    assert not re.search(r"url\(|@import", CSS)
    words = ("hit", "miss", "stopped", "failed", "recorded")
    states = ("verified", "absent", "rejected", "unsupported", "unavailable", "pending", "untold")
    for word in (*words, *states):
        assert re.search(rf"\.c-{word}\b[^{{]*\{{[^}}]*fill:", CSS), word


def test_lists_without_marks_are_no_rule_for_plain_badges() -> None:
    """`plain` is a list without marks, and a badge of no colour, which keeps the room around its word."""
    assert "ul.plain {" in CSS
    assert not re.search(r"(^|[},])\s*\.plain\b", CSS)
