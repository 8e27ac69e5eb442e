"""Lines are written as structlog writes them."""

from __future__ import annotations

import time
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from inbond.cli.log_lines import PlainRenderer, Stamper, json_renderer

LEVELS = st.sampled_from(["debug", "info", "warning", "error", "critical"])
VALUES = st.text() | st.integers() | st.floats() | st.none() | st.booleans() | st.lists(st.text(max_size=3), max_size=2)
KEYS = st.text(min_size=1, max_size=8) | st.sampled_from(["stack", "exception", "logger", "logger_name", "level"])
EVENTS = st.builds(
    lambda more, head: {**more, **head},
    st.dictionaries(KEYS.filter(lambda key: key not in ("stack", "exception")), VALUES, max_size=5)
    | st.fixed_dictionaries({"exception": st.text(), "stack": st.text()}),
    st.fixed_dictionaries({"event": st.text(), "level": LEVELS}, optional={"timestamp": st.text()}),
)


def structlogs() -> structlog.dev.ConsoleRenderer:
    return structlog.dev.ConsoleRenderer(colors=False, pad_event_to=0, sort_keys=False)


@given(EVENTS)
def test_a_plain_line_is_structlogs(event: dict[str, Any]) -> None:
    expected = structlogs()(None, "info", dict(event))
    assert PlainRenderer(structlogs())(None, "info", dict(event)) == expected


@given(st.dictionaries(KEYS, VALUES | st.binary() | st.decimals(), max_size=5))
def test_a_line_of_json_is_structlogs(event: dict[str, Any]) -> None:
    expected = structlog.processors.JSONRenderer()(None, "info", dict(event))
    assert json_renderer()(None, "info", dict(event)) == expected


def test_an_exception_is_written_below_its_line() -> None:
    event = {"timestamp": "12:00:00", "level": "error", "event": "failed", "exc_info": ValueError("bad")}
    assert "ValueError: bad" in str(PlainRenderer(structlogs())(None, "error", event))


@pytest.mark.parametrize(("form", "utc"), [("%Y-%m-%dT%H:%M:%SZ", True), ("%H:%M:%S", False)])
def test_the_time_is_that_of_each_line(form: str, utc: bool) -> None:
    now = 1_800_000_000.0
    stamper = Stamper(form, utc=utc, clock=lambda: now)
    for now in (1_800_000_000.2, 1_800_000_000.9, 1_800_000_001.0, 1_800_003_599.0):
        moment = time.gmtime(now) if utc else time.localtime(now)
        assert stamper(None, "info", {})["timestamp"] == time.strftime(form, moment)
