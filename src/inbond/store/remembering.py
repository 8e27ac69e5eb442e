"""Pages that are remembered together: what comes while others are written goes into the next transaction.

Each transaction of the ledger waits for the disk, and for its turn among processes. Whoever asks waits until the page
is on disk, as if it had been alone; and where several fail together, each is written alone, so that nobody is told of
somebody else's fault.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.model.memory import PageMemory
from inbond.store.pages import Seen

# In one transaction, which keeps other processes waiting; a larger page has its own.
TOGETHER_PAGES: Final = 32
TOGETHER_FILES: Final = 1_000

# Writes pages, all or none; the time of the monotonic clock is when they were asked for.
Write = Callable[[Sequence[Seen], float], Awaitable[Sequence[PageMemory]]]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    seen: Seen
    asked_at: float  # of the monotonic clock
    answer: asyncio.Future[PageMemory]


class Remembering:
    """Of one event loop. Wait for `ended` before what writes is closed."""

    def __init__(self, write: Write) -> None:
        self._write = write
        self._waiting: deque[_Waiting] = deque()
        self._writing: asyncio.Task[None] | None = None

    async def remember(self, seen: Seen) -> PageMemory:
        """What is remembered of a page, once that is on disk. Raises as writing does."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(seen, time.monotonic(), loop.create_future())
        self._waiting.append(waiting)
        if self._writing is None:
            self._writing = loop.create_task(self._write_all())
        return await waiting.answer

    async def _write_all(self) -> None:
        try:
            while batch := self._next():
                await self._written(batch)
        finally:
            self._writing = None

    def _next(self) -> list[_Waiting]:
        """Those that are written next, in their order; who no longer waits is left out."""
        batch: list[_Waiting] = []
        files = 0
        while self._waiting and len(batch) < TOGETHER_PAGES:
            files += len(self._waiting[0].seen.files)
            if batch and files > TOGETHER_FILES:
                break
            waiting = self._waiting.popleft()
            if not waiting.answer.done():
                batch.append(waiting)
        return batch

    async def _written(self, batch: Sequence[_Waiting]) -> None:
        try:
            found = await self._write([one.seen for one in batch], batch[0].asked_at)
        except Exception as error:  # noqa: BLE001 (whoever asked is told)
            if len(batch) == 1:
                _tell(batch[0], error)
            else:
                for one in batch:
                    await self._written([one])
        else:
            for one, memory in zip(batch, found, strict=True):
                _tell(one, memory)

    async def ended(self) -> None:
        """Returns when all that was asked for is written."""
        while self._writing is not None:
            await asyncio.wait([self._writing])


def _tell(waiting: _Waiting, answer: PageMemory | Exception) -> None:
    if waiting.answer.done():  # nobody waits any more
        return
    if isinstance(answer, Exception):
        waiting.answer.set_exception(answer)
    else:
        waiting.answer.set_result(answer)
