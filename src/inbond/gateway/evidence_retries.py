"""What could not be had is asked for again without anybody asking: a hold must end where its cause has ended."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from inbond.gateway.evidence_key import FileKey

# docs/design.md: within a minute; for so many files at once and so many times.
RETRY_EVERY: Final = 45.0  # seconds
MAX_RETRIED: Final = 200
RETRIES: Final = 100


class Retries:
    """Asks again for files while they are wanted, each a bounded number of times."""

    def __init__(self) -> None:
        self._tasks: dict[FileKey, asyncio.Task[None]] = {}
        self._closed = False

    def later(self, key: FileKey, wanted: Callable[[], bool], ask: Callable[[], object]) -> None:
        """Has `ask` called every `RETRY_EVERY` seconds for as long as `wanted` says so."""
        if self._closed or key in self._tasks or len(self._tasks) >= MAX_RETRIED:
            return
        task = asyncio.get_running_loop().create_task(_retry(wanted, ask))
        self._tasks[key] = task
        task.add_done_callback(lambda _: self._tasks.pop(key, None))

    async def aclose(self) -> None:
        """Asks for nothing any more."""
        self._closed = True
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _retry(wanted: Callable[[], bool], ask: Callable[[], object]) -> None:
    for _ in range(RETRIES):
        await asyncio.sleep(RETRY_EVERY)
        if not wanted():
            return
        ask()
