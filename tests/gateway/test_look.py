"""Looks into archives: in bounded time, on threads of their own, and given up when inbond closes."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

import pytest

from archive.building import METADATA, WHEEL, crowd, files_of, wheel
from inbond.archive.inspect import TOO_LONG
from inbond.archive.limits import MAX_RECORD_BYTES
from inbond.gateway import look
from inbond.gateway.look import Looker
from inbond.model.errors import StoreUnavailable
from inbond.model.inspection import NotInspected, Sane


async def test_a_look_tells_what_is_inside(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(wheel())
    looker = Looker()
    found = await looker.look(path, WHEEL, group=1)
    assert isinstance(found.inspection, Sane)
    assert found.metadata == METADATA
    await looker.aclose()


async def test_a_look_ends_in_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "LOOK_SECONDS", 0.05)
    path = tmp_path / "growing"
    path.write_bytes(crowd(30_000))
    looker = Looker()
    started = time.perf_counter()
    assert (await looker.look(path, WHEEL, group=1)).inspection == TOO_LONG
    assert time.perf_counter() - started < 5.0
    await looker.aclose()


async def test_closing_gives_up_what_is_under_way(tmp_path: Path) -> None:
    path = tmp_path / "growing"
    path.write_bytes(crowd(30_000))
    looker = Looker()
    looks = [asyncio.create_task(looker.look(path, WHEEL, group=number % 3)) for number in range(6)]
    await asyncio.sleep(0.02)
    started = time.perf_counter()
    await looker.aclose()
    assert time.perf_counter() - started < 2.0
    ended = await asyncio.gather(*looks, return_exceptions=True)
    assert [type(one) for one in ended] == [StoreUnavailable] * 6  # no finding, as "too long" would be


async def test_bytes_that_cannot_be_read_are_no_finding(tmp_path: Path) -> None:
    looker = Looker()
    with pytest.raises(StoreUnavailable, match="could not be looked into: Is a directory") as caught:
        await looker.look(tmp_path, WHEEL, group=1)
    assert caught.value.remedy is not None
    with pytest.raises(FileNotFoundError):
        await looker.look(tmp_path / "gone", WHEEL, group=1)
    await looker.aclose()


async def test_closing_does_not_wait_for_a_disk_that_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(look, "CLOSE_SECONDS", 0.1)
    path = tmp_path / "pipe"
    os.mkfifo(path)  # opening it waits for somebody who writes
    looker = Looker()
    looking = asyncio.create_task(looker.look(path, WHEEL, group=1))
    await asyncio.sleep(0.05)
    started = time.perf_counter()
    await looker.aclose()
    assert time.perf_counter() - started < 2.0
    assert not looking.done()
    os.close(await asyncio.to_thread(os.open, path, os.O_WRONLY))
    with pytest.raises(StoreUnavailable):
        await looking


async def test_a_project_of_slow_archives_waits_for_itself_alone(tmp_path: Path) -> None:
    slow, small = tmp_path / "slow", tmp_path / "small"
    slow.write_bytes(crowd(10_000))
    small.write_bytes(wheel())
    looker = Looker()
    crowds = [asyncio.create_task(looker.look(slow, WHEEL, group="crowds")) for _ in range(4)]
    await asyncio.sleep(0.02)
    assert isinstance((await looker.look(small, WHEEL, group="calm")).inspection, Sane)
    assert not any(one.done() for one in crowds[1:])
    await looker.aclose()
    await asyncio.gather(*crowds, return_exceptions=True)


HOSTILE = {
    "a long line": lambda: wheel(record=b"," * MAX_RECORD_BYTES),
    "many rows": lambda: wheel(record=b"a,,\n" * (MAX_RECORD_BYTES // 4)),
    "a long head": lambda: wheel(files_of(metadata=METADATA.partition(b"\n\n")[0] + b"\n" + b"a:\r" * 300_000)),
    "many files": lambda: crowd(20_000),
}


@pytest.mark.parametrize("kind", HOSTILE)
async def test_no_look_stalls_the_event_loop(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "hostile"
    path.write_bytes(HOSTILE[kind]())
    looker = Looker()
    looking = asyncio.create_task(looker.look(path, WHEEL, group=1))
    longest = 0.0
    while not looking.done():
        # By what this thread was not let run for, not by what others do with the machine.
        started, spent = time.perf_counter(), time.process_time()
        await asyncio.sleep(0.001)
        longest = max(longest, min(time.perf_counter() - started, time.process_time() - spent))
    found = (await looking).inspection
    assert isinstance(found, Sane) if kind == "many files" else not isinstance(found, NotInspected)
    assert longest < 0.3
    await looker.aclose()
