"""What only one of several processes over one data directory does: whoever leads them.

A process that leads does so to its end. Where it ends, another takes over, and begins what waited for that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from inbond.model.errors import StoreUnavailable

AGAIN_AFTER: Final = 10.0  # seconds: where the disk refused what was to begin
Start = Callable[[], Awaitable[None]]


def starting(start: Callable[[], None]) -> Start:
    """What is begun at once, as `Leading.begin` takes it."""

    async def begin() -> None:
        start()

    return begin


class Leading:
    """Whether this process leads. One that serves alone always does. Close it with `aclose`, on the event loop."""

    def __init__(self, *, leads: bool = True) -> None:
        self._taken = asyncio.Event()
        self._waiting: list[asyncio.Task[None]] = []
        if leads:
            self._taken.set()

    def __call__(self) -> bool:
        """Whether this process leads now."""
        return self._taken.is_set()

    def take_over(self) -> None:
        """From now on this process leads."""
        self._taken.set()

    async def begun(self) -> None:
        """Returns once this process leads."""
        await self._taken.wait()

    async def begin(self, start: Start) -> None:
        """Starts what only one process does: now, raising what that raises, or once this one has taken over."""
        if self():
            await start()
        else:
            self._waiting.append(asyncio.get_running_loop().create_task(self._later(start)))

    async def _later(self, start: Start) -> None:
        await self._taken.wait()
        while True:
            try:
                await start()
            except StoreUnavailable:  # has alerted
                await asyncio.sleep(AGAIN_AFTER)
            else:
                return

    async def aclose(self) -> None:
        """Begins nothing any more."""
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)
