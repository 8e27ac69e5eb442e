"""Scrubbing behind a server: every stored file once in a while, slowly, by one process of those over the same stores.

Digests are evenly spread, so a file's turn within a round is the place of its digest among all digests: nothing has to
be counted, and what is stored meanwhile has its turn too. Where a round is, is stored: another run goes on from there.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.scrubbing import Scrubber
from inbond.gateway.stored_bytes import Shelf
from inbond.model.events import Alert, Observer
from inbond.model.names import is_sha256
from inbond.store.files import make_private
from inbond.store.flocks import alone
from inbond.store.protocols import Documents
from inbond.store.scrubbing import Pace, passed

READ_RATE: Final = 32 * 2**20  # bytes a second, within a file: others want the disk too
RECENT_SHARE: Final = 0.5  # of a round: what was read within that time is passed over
SAVE_EVERY: Final = 60.0  # seconds
BEGIN_AFTER: Final = 60.0  # seconds: a server that starts has other things to read
RETRY_EVERY: Final = 600.0  # seconds, where another process scrubs, or the disk refuses


class ScrubRounds:
    """Goes round the stores as long as it runs. Close it with `aclose`."""

    def __init__(
        self,
        shelves: Sequence[Shelf],
        *,
        length: timedelta,
        lock: Path,
        documents: Documents,
        clock: Clock,
        observer: Observer,
        forget: Callable[[Path], object] = lambda _path: None,
        retry_every: float = RETRY_EVERY,
        begin_after: float = BEGIN_AFTER,
    ) -> None:
        """`length`: of a round. `lock`: the file by which processes agree who of them does it.

        `forget`: see `Scrubber`.
        """
        self._shelves = shelves
        self._length = length
        self._lock = lock
        self._documents = documents
        self._clock = clock
        self._observer = observer
        self._forget = forget
        self._retry_every = retry_every
        self._begin_after = begin_after
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="scrub")
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins, or goes on."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        await asyncio.sleep(self._begin_after)
        while True:
            try:
                await self._if_alone()
            except Exception as error:  # noqa: BLE001 (nobody awaits this; serving goes on)
                self._failed(error)
            await asyncio.sleep(self._retry_every)

    def _failed(self, error: Exception) -> None:
        message = f"stored files cannot be compared with their digests: {error}"
        self._observer(Alert(name="scrubbing-failed", message=message))

    async def _if_alone(self) -> None:
        make_private(self._lock.parent)
        with alone(self._lock) as is_alone:
            if is_alone:
                async with asyncio.TaskGroup() as group:
                    for shelf in self._shelves:
                        group.create_task(self._rounds(shelf))

    async def _rounds(self, shelf: Shelf) -> None:
        pace = Pace(READ_RATE, self._stop)
        scrubber = Scrubber(
            shelf,
            documents=self._documents,
            observer=self._observer,
            pool=self._pool,
            pace=pace,
            forget=self._forget,
        )
        walk = _Walk(shelf, scrubber, length=self._length, documents=self._documents, clock=self._clock)
        while True:
            try:
                await walk.load()
                while True:
                    await walk.round()
            except Exception as error:  # noqa: BLE001 (the other stores are gone round, and this one later)
                self._failed(error)
                await asyncio.sleep(self._retry_every)

    async def aclose(self) -> None:
        """Stops, also in the middle of a file."""
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await asyncio.to_thread(self._pool.shutdown)


class _Walk:
    """One store's rounds, and how far the present one is."""

    def __init__(
        self, shelf: Shelf, scrubber: Scrubber, *, length: timedelta, documents: Documents, clock: Clock
    ) -> None:
        self._scrubber = scrubber
        self._length = length.total_seconds()
        self._documents = documents
        self._clock = clock
        self._key = f"scrub/{shelf.place}"
        self._after = ""
        self._saved = 0.0

    async def load(self) -> None:
        """Finds where the last run stopped."""
        text = (await self._documents.get(self._key) or b"").decode("ascii", "replace")
        self._after = text if is_sha256(text) else ""

    async def round(self) -> None:
        """Goes to the end of the round, and waits until its time is over."""
        loop = asyncio.get_running_loop()
        began = loop.time() - passed(self._after) * self._length  # time in which nothing ran does not count
        try:
            async with aclosing(self._scrubber.paths(self._after)) as paths:
                async for path in paths:
                    if isinstance(path, Path):
                        await asyncio.sleep(began + passed(path.name) * self._length - loop.time())
                        await self._once(path)
                        await self._came_to(path.name)
            self._after = ""
        finally:
            await self._save()
        await asyncio.sleep(began + self._length - loop.time())

    async def _once(self, path: Path) -> None:
        recently = self._clock().timestamp() - RECENT_SHARE * self._length
        if await self._scrubber.hashed(path) < recently:
            await self._scrubber.scrub(path)

    async def _came_to(self, sha256: str) -> None:
        self._after = sha256
        now = asyncio.get_running_loop().time()
        if now - self._saved > SAVE_EVERY:
            self._saved = now
            await self._save()

    async def _save(self) -> None:
        await self._documents.put(self._key, self._after.encode())
