"""A comparison that is stopped loses nothing and takes no other's place; one that is added to stays one comparison."""

from __future__ import annotations

import importlib
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

BENCH = Path(__file__).parents[2] / "bench"
MACHINE = {"processor": "one", "load before": "0.1", "python": "3.11"}


@pytest.fixture(autouse=True)
def _on_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCH))


def bench(name: str) -> Any:
    return importlib.import_module(f"harness.{name}")


def work(name: str, *servers: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, group="cold", servers=servers)


def with_rounds(name: str, **values: list[float | None]) -> Any:
    figures = bench("figures")
    made = figures.Figures(work=name, group="cold", unit="s", reference="direct", less_is_better=True)
    for server, rounds in values.items():
        for value in rounds:
            made.add(server, None if value is None else figures.Sample(value=value))
    return made


def test_rounds_are_added_to_those_of_the_same_round(tmp_path: Path) -> None:
    plan, report, figures = bench("plan").Plan(rounds=2), bench("report"), bench("figures")
    there = [with_rounds("w", direct=[1, 2], inbond=[2]), with_rounds("other", direct=[1, 1])]
    report.written(there, plan, MACHINE, tmp_path)
    one = work("w", "direct", "inbond", "bare aiohttp")
    before = bench("earlier").earlier(tmp_path, [one], replace(plan, rounds=1), MACHINE | {"load before": "9"})
    for server, value in (("direct", 4), ("inbond", 2), ("bare aiohttp", 1)):
        before.figures["w"].add(server, figures.Sample(value=value))
    report.written(before.figures.values(), replace(plan, rounds=1), MACHINE, tmp_path, before.rounds)
    stored = report.stored(tmp_path)
    assert stored["w"].ratios("inbond") == [2.0, 0.5]
    assert stored["w"].ratios("bare aiohttp") == [0.25]
    assert stored["other"].values("direct") == [1, 1]
    assert report.plans(tmp_path) == {"cold": "rounds 3 (not 5)"}


@pytest.mark.parametrize(
    ("change", "machine", "told"),
    [({"packages": 5}, {}, "packages 100, and now 5"), ({}, {"python": "3.13"}, "python 3.11, and now 3.13")],
)
def test_nothing_is_added_to_what_was_measured_otherwise(
    tmp_path: Path, change: dict[str, Any], machine: dict[str, str], told: str
) -> None:
    plan, earlier = bench("plan").Plan(), bench("earlier")
    bench("report").written([with_rounds("w", direct=[1])], plan, MACHINE, tmp_path)
    with pytest.raises(earlier.Otherwise, match=told):
        earlier.earlier(tmp_path, [work("w", "direct")], replace(plan, **change), MACHINE | machine)


def stopping(after: Callable[[dict[str, Any]], None]) -> Callable[..., None]:
    """In place of what measures: sees a little, and is stopped as by `kill`."""

    def measured(works: list[Any], _plan: object, _servers: object, figures: dict[str, Any], _: object) -> None:
        after(figures)
        signal.raise_signal(signal.SIGTERM)

    return measured


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    module = importlib.import_module("compare")
    monkeypatch.setattr(module, "PLACE", tmp_path / "bench")
    monkeypatch.setattr(module, "peers", lambda _: {})
    monkeypatch.setattr(module, "_there", lambda *_: None)
    given = ["compare.py", "--only", "cold page", "--servers", "direct", "--results", str(tmp_path / "results")]
    monkeypatch.setattr(sys, "argv", given)
    return module


@pytest.mark.parametrize("whole", [True, False])
def test_what_was_measured_before_a_stop_is_written_where_it_takes_no_other_place(
    compare: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, whole: bool
) -> None:
    works = ["cold page", *(["cold page, 2,000 attested files"] if whole else [])]

    def seen(figures: dict[str, Any]) -> None:
        figures |= {name: with_rounds(name, direct=[1], inbond=[2]) for name in works}

    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(compare, "measured", stopping(seen))
    try:
        with pytest.raises(SystemExit) as ended:
            compare.main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 130
    place, other = tmp_path / "results", tmp_path / "bench" / "stopped"
    if not whole:
        place, other = other, place
    assert set(bench("report").stored(place)) == set(works)
    assert not other.exists()
    assert not list(place.glob(".*"))  # nothing half written


async def test_ready_bytes_are_those_that_lie_there(tmp_path: Path) -> None:
    for kind in ("json", "json-gzip"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "p").write_bytes(b"page")
    ready = bench("bare").Ready(tmp_path)
    head, _, body = ready.to(b"GET /json-gzip/p HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")
    assert (body, b"Content-Encoding: gzip" in head) == (b"page", True)
    head = ready.to(b"GET /json/p HTTP/1.1\r\n\r\n").partition(b"\r\n\r\n")[0].decode()
    assert "Content-Encoding" not in head
    etag = next(line for line in head.split("\r\n") if line.startswith("ETag")).removeprefix("ETag: ")
    again = f"GET /json/p HTTP/1.1\r\nIf-None-Match: {etag}\r\n\r\n".encode()
    assert ready.to(again).startswith(b"HTTP/1.1 304 ")
    assert ready.to(b"GET /other HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.1 404 ")
