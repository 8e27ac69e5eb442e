"""Lines and times that are told of many answers at once: the same as if each had told its own."""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator
from functools import partial
from select import PIPE_BUF
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from inbond.cli.logs import set_up_logging
from inbond.web.latencies import Latencies
from inbond.web.lines import MAX_LINES, Lines

FACTS: dict[str, object] = {"status": 200, "path": "/simple/a\x1b[0m/", "ms": 0.0, "client": "192.0.2.1", "agent": ""}


@pytest.fixture(autouse=True)
def as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_line_that_is_written_often_is_the_one_that_structlog_writes(
    form: str, capsys: pytest.CaptureFixture[str]
) -> None:
    set_up_logging(form, verbose=False, worker=2)
    structlog.get_logger("inbond.access").info("request", **FACTS)
    one = _without_time(capsys.readouterr().err)
    lines = Lines(lambda: 1.0)
    lines.add("key", lambda: FACTS, 3)
    lines.add("other", lambda: {**FACTS, "status": 304}, 1)
    lines.write()
    written = [_without_time(line) for line in capsys.readouterr().err.splitlines(keepends=True)]
    assert written[:3] == [one, one, one]
    assert "304" in written[3]
    lines.write()
    assert capsys.readouterr().err == ""


def _without_time(line: str) -> str:
    return re.sub(r"[0-9T-]*[0-9]{2}:[0-9]{2}:[0-9]{2}", "", line)


def test_lines_tell_the_second_in_which_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", verbose=False)
    rendered: list[int] = []
    times = iter((1.0, 1.9, 2.0))
    lines = Lines(lambda: next(times))

    def facts() -> dict[str, object]:
        rendered.append(1)
        return FACTS

    for so_far in (1, 1, 2):
        lines.add("key", facts, 2)
        lines.write()
        assert len(rendered) == so_far
    assert len(capsys.readouterr().err.splitlines()) == 6


def test_no_more_are_kept_than_may_be(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", verbose=False)
    lines = Lines(lambda: 1.0)
    for number in range(MAX_LINES + 5):
        lines.add(number, lambda: FACTS, 1)
    lines.write()
    assert len(lines._rendered) == MAX_LINES
    assert len(capsys.readouterr().err.splitlines()) == MAX_LINES + 5


class Writes(io.RawIOBase):
    """A file that keeps what it is given at once."""

    def __init__(self) -> None:
        self.all: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, given: Any, /) -> int:
        self.all.append(bytes(given))
        return len(given)


@pytest.mark.parametrize("form", ["json", "text"])
def test_no_line_is_where_a_pipe_may_cut(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writes = Writes()
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BufferedWriter(writes), "utf-8", line_buffering=True))
    set_up_logging(form, verbose=False, worker=2)
    lines = Lines(lambda: 1.0)
    for number in range(40):
        lines.add(number, partial(dict, FACTS, agent="\N{SNOWMAN}" * number), number)
    lines.add("long", lambda: {**FACTS, "agent": "\N{SNOWMAN}" * PIPE_BUF}, 2)
    lines.add("last", lambda: FACTS, 1)
    lines.write()
    assert all(one.endswith(b"\n") for one in writes.all)
    assert sum(one.count(b"\n") for one in writes.all) == sum(range(40)) + 3
    assert all(len(one) <= PIPE_BUF or one.count(b"\n") == 1 for one in writes.all)
    assert len(writes.all) < sum(map(len, writes.all[:-3])) / PIPE_BUF * 1.5 + 3  # as many together as may be


def test_nothing_is_rendered_where_nobody_wants_lines(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("json", verbose=False, quiet=True)
    lines = Lines(lambda: 1.0)
    lines.add("key", lambda: pytest.fail("was rendered"), 1)
    lines.write()
    assert capsys.readouterr().err == ""


def test_times_are_exposed_as_prometheus_own_histogram_does() -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    bounds = (0.001, 0.5, 2.0)
    latencies = Latencies("seconds", "Time.", bounds)
    ours.register(latencies)
    histogram = Histogram("seconds", "Time.", ["route"], buckets=bounds, registry=theirs)
    for times in ([0.0001, 0.001], [0.0011, 3.0, 0.5], [0.0002]):
        latencies.observe("page", times)
        for seconds in times:
            histogram.labels("page").observe(seconds)
    assert _timeless(generate_latest(ours)) == _timeless(generate_latest(theirs))


def _timeless(exposition: bytes) -> list[bytes]:
    return sorted(line.rpartition(b" ")[0] if b"_created{" in line else line for line in exposition.splitlines())
