"""One piece of work for all who ask at once; it outlives them."""

from __future__ import annotations

import asyncio

import pytest

from inbond.gateway.lru import Lru
from inbond.gateway.single_flight import SingleFlight


async def test_simultaneous_askers_share_the_work_and_later_ones_do_not() -> None:
    flights: SingleFlight[str, int] = SingleFlight()
    done = 0

    async def work() -> int:
        nonlocal done
        await asyncio.sleep(0)
        done += 1
        return done

    assert await asyncio.gather(*(flights.do("k", work) for _ in range(5))) == [1] * 5
    assert await flights.do("k", work) == 2
    assert len(flights) == 0


async def test_an_asker_that_leaves_does_not_end_the_work() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    go = asyncio.Event()

    async def work() -> str:
        await go.wait()
        return "done"

    leaver = asyncio.create_task(flights.do("k", work))
    await asyncio.sleep(0)
    stayer = asyncio.create_task(flights.do("k", work))
    leaver.cancel()
    go.set()
    assert await stayer == "done"
    await flights.wait()


async def test_an_error_reaches_every_asker_and_is_not_kept() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    async def fail() -> int:
        raise ValueError("no")

    answers = await asyncio.gather(*(flights.do("k", fail) for _ in range(3)), return_exceptions=True)
    assert [type(answer) for answer in answers] == [ValueError] * 3

    async def succeed() -> int:
        return 1

    assert await flights.do("k", succeed) == 1


async def test_what_is_under_way_can_be_waited_for_without_its_result_or_its_error() -> None:
    flights: SingleFlight[str, str] = SingleFlight()
    go = asyncio.Event()

    async def work() -> str:
        await go.wait()
        raise ValueError

    assert await flights.after("k") is False
    flights.start("k", work)
    after = asyncio.create_task(flights.after("k"))
    await asyncio.sleep(0)
    assert not after.done()
    go.set()
    assert await after is True
    assert "k" not in flights


async def test_closing_cancels_what_is_under_way() -> None:
    flights: SingleFlight[str, int] = SingleFlight()

    async def work() -> int:
        await asyncio.Event().wait()
        return 1

    asker = asyncio.create_task(flights.do("k", work))
    await asyncio.sleep(0)
    await flights.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asker


def test_the_least_recently_used_goes_first() -> None:
    kept: Lru[str, str] = Lru(10, len)
    kept.put("a", "xxxx")
    kept.put("b", "xxxx")
    assert kept.get("a") == "xxxx"
    kept.put("c", "xxxx")
    assert kept.get("b") is None
    assert (kept.get("a"), kept.get("c"), len(kept), kept.weight) == ("xxxx", "xxxx", 2, 8)
    kept.put("a", "y")
    assert kept.weight == 5
    kept.put("huge", "z" * 11)
    assert kept.get("huge") is None
    assert kept.pop("missing") is None


def test_what_there_is_no_room_for_is_told_and_is_gone_by_then() -> None:
    told: list[tuple[str, str | None]] = []
    kept: Lru[str, str] = Lru(10, len, lambda key: told.append((key, kept.get(key))))
    kept.put("a", "xxxx")
    kept.put("b", "xxxx")
    kept.put("b", "yyyy")
    kept.pop("b")
    assert told == []
    kept.put("c", "xxxxxxxx")
    kept.put("huge", "z" * 11)
    assert told == [("a", None), ("huge", None)]
