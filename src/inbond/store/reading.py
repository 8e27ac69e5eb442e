"""Documents that are read together: what is asked for while others are read is read by the next trip to a thread.

A trip costs as much as reading a dozen small documents. Whoever asks while few trips are under way waits for nobody;
whoever asks meanwhile would have to wait for a thread all the same. Documents that are read one by one may be large
(pages, lists): so few of them go together, as all wait for the last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Final

# What one trip reads. Whoever wants more at once goes alone, or others would wait for all of that.
TOGETHER_KEYS: Final = 250
TOGETHER_ALONE: Final = 8  # of these, documents that are read one by one, which may have megabytes each
TRIPS_AT_ONCE: Final = 2

# The documents under some keys, each read alone, and under others, read by as few statements as possible. Blocks.
Read = Callable[[Sequence[str], Sequence[str]], Mapping[str, bytes]]


@dataclass(slots=True, eq=False)
class _Trip:
    """What is read together, and who waits for it."""

    alone: list[str] = field(default_factory=list)
    many: list[str] = field(default_factory=list)
    waiting: list[asyncio.Future[Mapping[str, bytes]]] = field(default_factory=list)

    @property
    def size(self) -> int:
        return len(self.alone) + len(self.many)

    def asked(self) -> asyncio.Future[Mapping[str, bytes]]:
        future: asyncio.Future[Mapping[str, bytes]] = asyncio.get_running_loop().create_future()
        self.waiting.append(future)
        return future


class ReadsTogether:
    """Reads in a pool, a few trips at a time. `tell`: called on the event loop after each, before any is answered."""

    def __init__(self, pool: Executor, read: Read, tell: Callable[[], None]) -> None:
        self._pool = pool
        self._read = read
        self._tell = tell
        self._under_way: set[asyncio.Future[Mapping[str, bytes]]] = set()
        self._trips: deque[_Trip] = deque()  # that have not begun

    async def one(self, key: str) -> bytes | None:
        """The document under a key, or None."""
        trip = self._next(1, alone=1)
        trip.alone.append(key)
        return (await trip.asked()).get(key)

    async def many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The documents under those of the keys that hold any."""
        trip = self._next(len(keys))
        trip.many.extend(keys)
        found = await trip.asked()
        return {key: found[key] for key in keys if key in found}

    def _next(self, size: int, *, alone: int = 0) -> _Trip:
        """The trip by which so many more are read."""
        if not self._trips and len(self._under_way) < TRIPS_AT_ONCE:
            asyncio.get_running_loop().call_soon(self._begin)  # what else is asked for in this turn goes along
        last = self._trips[-1] if self._trips else None
        if last is None or last.size + size > TOGETHER_KEYS or len(last.alone) + alone > TOGETHER_ALONE:
            self._trips.append(_Trip())
        return self._trips[-1]

    def _begin(self) -> None:
        while self._trips and len(self._under_way) < TRIPS_AT_ONCE:
            self._go(self._trips.popleft())

    def _go(self, trip: _Trip) -> None:
        loop = asyncio.get_running_loop()
        try:
            reading = loop.run_in_executor(self._pool, self._read, trip.alone, trip.many)
        except RuntimeError as closed:  # the pool takes nothing more
            reading = loop.create_future()
            reading.set_exception(closed)
        self._under_way.add(reading)
        reading.add_done_callback(lambda done: self._ended(trip, done))

    def _ended(self, trip: _Trip, done: asyncio.Future[Mapping[str, bytes]]) -> None:
        self._under_way.discard(done)
        self._begin()
        self._tell()
        error = done.exception()
        for waiting in trip.waiting:
            if waiting.done():  # it is cancelled: nobody waits for it any more
                continue
            if error is None:
                waiting.set_result(done.result())
            else:
                waiting.set_exception(error)

    async def wait(self) -> None:
        """Returns when nothing is read any more."""
        while self._under_way or self._trips:
            if self._under_way:
                await asyncio.wait(list(self._under_way))
            else:
                await asyncio.sleep(0)  # it begins with the next turn
