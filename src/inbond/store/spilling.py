"""A file that grows on disk, and goes on in memory when the disk is full: what has arrived is not lost.

Its path changes then. Whoever reads along finds in the old file what was readable by then, and the rest in the new one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

from inbond.model.errors import DiskFull, StoreUnavailable
from inbond.store.growing import BATCH_BYTES, DiskBlobWriter, read_at
from inbond.store.memory_blob import MemoryBlobWriter
from inbond.store.protocols import Blob, BlobWriter
from inbond.store.room import Room

CHECK_BYTES: Final = 4 * 2**20  # between looks whether the reserve of free disk is still there


class SpillingWriter:
    """A `BlobWriter`: on disk as long as that has room."""

    def __init__(self, disk: DiskBlobWriter, room: Room, in_memory: Callable[[], MemoryBlobWriter]) -> None:
        self._disk = disk
        self._room = room
        self._in_memory = in_memory
        self._memory: MemoryBlobWriter | None = None
        self._waiting: list[bytes] = []  # taken, and not in the file yet
        self._checked = 0  # bytes taken at the last look for room
        self._turn = asyncio.Lock()

    @property
    def _now(self) -> BlobWriter:
        return self._disk if self._memory is None else self._memory

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._now.size

    @property
    def readable(self) -> int:
        """Bytes that readers can see now."""
        return self._now.readable

    @property
    def path(self) -> Path:
        """Where it grows now; once committed, where the blob is."""
        return self._now.path

    @property
    def hexdigest(self) -> str:
        """sha256 of the readable bytes; after `flush`, of all bytes taken."""
        return self._now.hexdigest

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises StoreUnavailable."""
        async with self._turn:
            await self._look_for_room()
            if self._memory is not None:
                await self._memory.write(chunk)
                return
            self._waiting.append(chunk)
            try:
                await self._disk.write(chunk)
                self._written()
            except DiskFull as error:
                await self._spill(error.message)

    async def flush(self) -> None:
        """Makes all bytes taken so far readable by others. Raises StoreUnavailable."""
        async with self._turn:
            if self._memory is not None:
                return
            try:
                await self._disk.flush()
                self._written()
            except DiskFull as error:
                await self._spill(error.message)

    async def restart(self) -> None:
        """Drops all bytes taken so far, for others to take their place. Raises StoreUnavailable."""
        async with self._turn:
            await self._now.restart()
            self._waiting.clear()
            self._checked = 0

    def leave(self) -> None:
        """Has what is on disk when this is closed kept for the next one who wants this file."""
        self._now.leave()

    async def reader(self) -> BinaryIO:
        """Opens what has grown so far to read; the caller closes it. Raises StoreUnavailable."""
        return await self._now.reader()

    async def commit(self, *, sha256: str) -> Blob:
        """Makes the file a blob; one in memory is not stored.

        Raises ValueError if the bytes do not have this digest or there are none, StoreUnavailable.
        """
        async with self._turn:
            if self._memory is None:
                try:
                    return await self._disk.commit(sha256=sha256)
                except DiskFull as error:
                    await self._spill(error.message)
            return await self._in_memory_now().commit(sha256=sha256)

    @property
    def over(self) -> bool:
        """Whether it was committed on disk, and need not be closed."""
        return self._memory is None and self._disk.over

    async def close(self) -> None:
        """Removes what was not committed."""
        await self._disk.close()
        if self._memory is not None:
            await self._memory.close()

    def _written(self) -> None:
        if self._disk.readable == self._disk.size:
            self._waiting.clear()

    async def _look_for_room(self) -> None:
        if self._memory is not None or self.size - self._checked < CHECK_BYTES:
            return
        self._checked = self.size
        if await self._room.lacks() and not await self._room.make():
            await self._spill(self._room.refusal or "the reserve of free disk is not there")

    async def _spill(self, reason: str) -> None:
        """Goes on in memory with all that was taken. Raises StoreUnavailable where that is too much."""
        self._room.refuse(reason)
        self._written()
        memory = self._in_memory()
        try:
            await self._copy(memory)
            for chunk in self._waiting:
                await memory.write(chunk)
        except BaseException:
            await memory.close()
            raise
        self._waiting.clear()
        self._memory = memory
        await self._disk.close()

    async def _copy(self, memory: MemoryBlobWriter) -> None:
        with await self._disk.reader() as file:
            while (left := self._disk.readable - memory.size) > 0:
                piece = await read_at(file, memory.size, min(left, BATCH_BYTES))
                if not piece:
                    raise StoreUnavailable("the disk did not give back what was written to it", remedy="see to it")
                await memory.write(piece)

    def _in_memory_now(self) -> MemoryBlobWriter:
        assert self._memory is not None  # it has just been spilt
        return self._memory
