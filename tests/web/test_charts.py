"""Charts: whatever the numbers, the drawing is sound, tells them in words, and stays in its frame."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup

from inbond.web.charts import GRID, HEIGHT, WIDTH, Bar, Part, bars_chart, meter, share_bar, top_of

NUMBERS = st.integers(min_value=0, max_value=10**9)
PARTS = st.lists(st.builds(Part, kind=st.sampled_from(["c-hit", "c-miss"]), value=NUMBERS), max_size=4).map(tuple)
BARS = st.lists(st.builds(Bar, label=st.text(max_size=20), parts=PARTS), max_size=40)


def drawn(markup: Markup) -> ET.Element:
    clean = "".join(one for one in markup if one == "\n" or (one >= " " and not 0xD800 <= ord(one) <= 0xDFFF))
    clean = clean.replace("\ufffe", "").replace("\uffff", "")
    return ET.fromstring(clean)  # noqa: S314 (our own)


def rectangles(svg: ET.Element) -> list[tuple[float, float, float, float]]:
    return [
        (float(one.attrib["x"]), float(one.attrib["y"]), float(one.attrib["width"]), float(one.attrib["height"]))
        for one in svg.iter()
        if one.tag.endswith("rect")
    ]


@given(BARS)
def test_bars_stay_in_their_frame_and_carry_no_style(bars: list[Bar]) -> None:
    svg = drawn(bars_chart("one", "Answers", "so many", bars))
    for x, y, width, height in rectangles(svg):
        assert x >= 0 and y >= 0 and x + width <= WIDTH + 0.01 and y + height <= HEIGHT + 4  # noqa: PT018 (one frame)
    assert not [one for one in svg.iter() if "style" in one.attrib or one.tag.endswith(("script", "style", "image"))]


@given(BARS)
def test_an_axis_ends_at_a_round_number_above_all_bars(bars: list[Bar]) -> None:
    top = top_of(bars)
    assert top >= max((bar.total for bar in bars), default=0)
    assert top % GRID == 0
    assert str(top // GRID).rstrip("0") in {"1", "2", "5"}


@given(st.lists(NUMBERS, max_size=6))
def test_shares_add_up_to_the_whole_bar(numbers: list[int]) -> None:
    found = rectangles(drawn(share_bar("one", "Files", "so many", [Part(kind="c-a", value=one) for one in numbers])))
    assert sum(width for _, _, width, _ in found) == pytest.approx(WIDTH if sum(numbers) else 0, abs=0.1)


def test_a_chart_has_a_name_a_description_and_a_word_for_each_bar() -> None:
    bars = [Bar(label='2 <hits> "today"', parts=(Part(kind="c-hit", value=2),)), Bar(label="none", parts=())]
    svg = drawn(bars_chart("one", "A & B", "so <many>", bars))
    assert svg.attrib["role"] == "img"
    texts = {one.attrib["id"]: one.text for one in svg.iter() if "id" in one.attrib}
    assert texts == {"one-title": "A & B", "one-desc": "so <many>"}
    assert svg.attrib["aria-labelledby"].split() == list(texts)
    assert [one.text for one in svg.iter() if one.tag.endswith("title")] == ["A & B", '2 <hits> "today"']


def test_what_is_there_at_all_can_be_seen_and_what_is_not_is_not_drawn() -> None:
    bars = [Bar(label="", parts=(Part(kind="c-hit", value=10**9), Part(kind="c-miss", value=1)))]
    (_, _, _, most), (_, _, _, least) = rectangles(drawn(bars_chart("one", "", "", bars)))
    assert most > least > 0.5
    assert rectangles(drawn(meter(0, 10, "c-hit")))[0][2] == 0
    assert rectangles(drawn(meter(1, 10**9, "c-hit")))[0][2] > 0.5
    assert rectangles(drawn(meter(5, 10, "c-hit")))[0][2] == WIDTH / 2
