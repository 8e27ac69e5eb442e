"""Turns: so many at once, one of a group, and group by group."""

from __future__ import annotations

import asyncio

import pytest

from inbond.gateway.turns import Turns


class Bench:
    """Takers of turns, and the order in which they got in."""

    def __init__(self, at_once: int) -> None:
        self.turns = Turns(at_once)
        self.entered: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self._go: dict[str, asyncio.Event] = {}

    async def ask(self, *names: str) -> None:
        for name in names:
            self._go[name] = asyncio.Event()
            self.tasks[name] = asyncio.create_task(self._take(name))
        await asyncio.sleep(0)

    async def _take(self, name: str) -> None:
        async with self.turns.of(name[0]):
            self.entered.append(name)
            await self._go[name].wait()

    async def leave(self, name: str) -> None:
        self._go[name].set()
        await self.tasks[name]
        await asyncio.sleep(0)

    async def cancel(self, name: str) -> None:
        self.tasks[name].cancel()
        with pytest.raises(asyncio.CancelledError):
            await self.tasks[name]
        await asyncio.sleep(0)


async def test_one_of_a_group_at_a_time_and_groups_by_turns() -> None:
    bench = Bench(2)
    await bench.ask("a1", "a2", "a3", "b1", "c1", "c2", "b2")
    assert bench.entered == ["a1", "b1"]
    await bench.leave("a1")
    assert bench.entered[2:] == ["c1"]  # before a2, which was there first
    await bench.leave("b1")
    assert bench.entered[3:] == ["a2"]
    await bench.leave("a2")
    await bench.leave("c1")
    assert bench.entered[4:] == ["b2", "a3"]
    await bench.leave("b2")
    await bench.leave("a3")
    await bench.leave("c2")
    await bench.ask("d1", "d2", "e1")
    assert bench.entered[7:] == ["d1", "e1"]
    for name in ("d1", "d2", "e1"):
        await bench.leave(name)


async def test_who_does_not_wait_any_more_takes_no_turn() -> None:
    bench = Bench(1)
    await bench.ask("a1", "b1", "b2", "c1")
    await bench.cancel("b1")
    await bench.cancel("c1")
    await bench.cancel("a1")
    assert bench.entered == ["a1", "b2"]
    await bench.leave("b2")
    await bench.ask("c2")
    assert bench.entered[2:] == ["c2"]
    await bench.leave("c2")


@pytest.mark.parametrize("ticks", range(6))
async def test_who_leaves_as_the_turn_comes_keeps_it_from_nobody(ticks: int) -> None:
    bench = Bench(1)
    await bench.ask("a1", "b1", "c1")
    bench._go["a1"].set()
    for _ in range(ticks):
        await asyncio.sleep(0)
    await bench.cancel("b1")
    await bench.tasks["a1"]
    await asyncio.sleep(0)
    assert bench.entered[-1] == "c1"
    await bench.leave("c1")
    await bench.ask("d1")
    assert bench.entered[-1] == "d1"
    await bench.leave("d1")
