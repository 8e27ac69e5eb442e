"""Looks into archives: in bounded time, on threads of their own, and given up when inbond closes."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from archive.building import METADATA, WHEEL, crowd, wheel
from inbond.archive.inspect import TOO_LONG
from inbond.gateway import look
from inbond.gateway.look import Looker
from inbond.model.inspection import NotInspected, Sane


async def test_a_look_tells_what_is_inside(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(wheel())
    looker = Looker()
    found = await looker.look(path, WHEEL)
    assert isinstance(found.inspection, Sane)
    assert found.metadata == METADATA
    await looker.aclose()


async def test_a_look_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LOOK_SECONDS", 0.05)
    path = tmp_path / "growing"
    path.write_bytes(crowd(30_000))
    looker = Looker()
    started = time.perf_counter()
    assert (await looker.look(path, WHEEL)).inspection == TOO_LONG
    assert time.perf_counter() - started < 2.0
    await looker.aclose()


async def test_closing_gives_up_what_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(crowd(30_000))
    looker = Looker()
    looks = [asyncio.create_task(looker.look(path, WHEEL)) for _ in range(6)]
    await asyncio.sleep(0.02)
    started = time.perf_counter()
    await looker.aclose()
    assert time.perf_counter() - started < 2.0
    assert [one.inspection for one in await asyncio.gather(*looks)] == [TOO_LONG] * 6


async def test_bytes_that_cannot_be_read_are_not_inspected_and_missing_ones_are_told(tmp_path: Path) -> None:
    looker = Looker()
    found = await looker.look(tmp_path, WHEEL)
    assert isinstance(found.inspection, NotInspected)
    assert "file cache could not be read" in found.inspection.reason
    with pytest.raises(FileNotFoundError):
        await looker.look(tmp_path / "gone", WHEEL)
    await looker.aclose()
