"""One piece of work for any number of simultaneous askers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class SingleFlight(Generic[K, V]):
    """Runs the work for a key once at a time; everyone who asks meanwhile gets its result or its error.

    The work belongs to nobody who asks: a client that hangs up stops waiting, not the work, so that its
    retry finds it done.
    """

    def __init__(self) -> None:
        self._flights: dict[K, asyncio.Task[V]] = {}

    async def do(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> V:
        """The result of the flight under way for `key`, or of a new one."""
        return await asyncio.shield(self.start(key, work))

    def start(self, key: K, work: Callable[[], Coroutine[Any, Any, V]]) -> asyncio.Task[V]:
        """The flight itself, started where there was none."""
        task = self._flights.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(work())
            self._flights[key] = task
            task.add_done_callback(lambda done: self._landed(key, done))
        return task

    async def after(self, key: K) -> bool:
        """Returns once the flight under way for `key` has landed, however it did; whether there was any."""
        task = self._flights.get(key)
        if task is not None:
            await asyncio.wait([task])
        return task is not None

    def _landed(self, key: K, task: asyncio.Task[V]) -> None:
        self._flights.pop(key, None)
        if not task.cancelled():
            task.exception()  # nobody may be left to hear it; asyncio need not complain

    def __contains__(self, key: object) -> bool:
        return key in self._flights

    def __len__(self) -> int:
        return len(self._flights)

    async def wait(self) -> None:
        """Returns when no flight is left."""
        while self._flights:
            await asyncio.wait(list(self._flights.values()))

    async def aclose(self) -> None:
        """Cancels what is under way."""
        flights = list(self._flights.values())
        for task in flights:
            task.cancel()
        await asyncio.gather(*flights, return_exceptions=True)
