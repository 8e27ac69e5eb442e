"""Documents that are read together: one trip to a thread for what is asked for meanwhile."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from inbond.store import reading
from inbond.store.reading import ReadsTogether


class Shelf:
    """Documents whose keys are their values; notes what was read by each trip, and what was told after it."""

    def __init__(self) -> None:
        self.trips: list[tuple[list[str], list[str]]] = []
        self.told = 0
        self.go = threading.Event()
        self.pool = ThreadPoolExecutor(1)
        self.together = ReadsTogether(self.pool, self._read, self._tell)

    def _read(self, alone: Sequence[str], many: Sequence[str]) -> Mapping[str, bytes]:
        assert self.go.wait(60)
        self.trips.append((list(alone), list(many)))
        if "broken" in alone:
            raise MemoryError("too large")
        return {key: key.encode() for key in (*alone, *many) if not key.startswith("no")}

    def _tell(self) -> None:
        self.told += 1


@pytest.fixture
async def shelf(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shelf]:
    monkeypatch.setattr(reading, "TRIPS_AT_ONCE", 1)
    held = Shelf()
    yield held
    held.go.set()
    await held.together.wait()
    held.pool.shutdown()


async def begun(shelf: Shelf, *keys: str) -> list[asyncio.Task[bytes | None]]:
    tasks = [asyncio.create_task(shelf.together.one(key)) for key in keys]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_what_is_asked_for_in_one_turn_is_read_by_one_trip(shelf: Shelf) -> None:
    shelf.go.set()
    one, many, none = await asyncio.gather(
        shelf.together.one("a"), shelf.together.many(["b", "no", "a"]), shelf.together.one("none")
    )
    assert (one, many, none) == (b"a", {"a": b"a", "b": b"b"}, None)
    assert shelf.trips == [(["a", "none"], ["b", "no", "a"])]
    assert shelf.told == 1


async def test_what_is_asked_for_meanwhile_is_read_by_the_next_trip(shelf: Shelf) -> None:
    tasks = [*await begun(shelf, "a"), *await begun(shelf, "b"), *await begun(shelf, "c")]
    shelf.go.set()
    assert await asyncio.gather(*tasks) == [b"a", b"b", b"c"]
    assert shelf.trips == [(["a"], []), (["b", "c"], [])]


async def test_a_trip_is_not_longer_than_it_may_be(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TOGETHER_KEYS", 2)
    shelf.go.set()
    many, one = await asyncio.gather(shelf.together.many(["a", "b"]), shelf.together.one("c"))
    assert (many, one) == ({"a": b"a", "b": b"b"}, b"c")
    assert shelf.trips == [([], ["a", "b"]), (["c"], [])]


async def test_who_no_longer_waits_keeps_nobody_else_waiting(shelf: Shelf) -> None:
    gone, stays = await begun(shelf, "a", "b")
    gone.cancel()
    await asyncio.sleep(0)
    shelf.go.set()
    assert await stays == b"b"


async def test_a_trip_that_fails_is_told_to_those_who_went_along(shelf: Shelf) -> None:
    tasks = await begun(shelf, "broken", "a")
    tasks += await begun(shelf, "b")
    shelf.go.set()
    assert [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)] == [
        MemoryError,
        MemoryError,
        bytes,
    ]


async def test_what_is_asked_for_once_it_is_closed_is_refused() -> None:
    shelf = Shelf()
    shelf.go.set()
    waiting = await begun(shelf, "a")
    await shelf.together.wait()
    assert await waiting[0] == b"a"
    shelf.pool.shutdown()
    with pytest.raises(RuntimeError):
        await shelf.together.one("b")


async def test_who_closes_waits_for_what_has_not_begun(shelf: Shelf) -> None:
    shelf.go.set()
    task = asyncio.create_task(shelf.together.one("a"))
    await asyncio.sleep(0)
    await shelf.together.wait()
    await asyncio.sleep(0)
    assert task.done()


async def test_few_documents_of_any_size_wait_for_each_other(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "TOGETHER_ALONE", 2)
    shelf.go.set()
    await asyncio.gather(*(shelf.together.one(key) for key in "abc"), shelf.together.many(["d"]))
    assert shelf.trips == [(["a", "b"], []), (["c"], ["d"])]


async def test_a_slow_trip_keeps_the_next_one_waiting_only_where_there_are_many(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "TRIPS_AT_ONCE", 2)
    slow, quick = threading.Event(), ThreadPoolExecutor(2)

    def read(alone: Sequence[str], _many: Sequence[str]) -> Mapping[str, bytes]:
        if "slow" in alone:
            assert slow.wait(60)
        return {key: key.encode() for key in alone}

    together = ReadsTogether(quick, read, lambda: None)
    waiting = asyncio.create_task(together.one("slow"))
    for _ in range(5):
        await asyncio.sleep(0)
    assert await together.one("quick") == b"quick"
    assert not waiting.done()
    slow.set()
    assert await waiting == b"slow"
    quick.shutdown()
