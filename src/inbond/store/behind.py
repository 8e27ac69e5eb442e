"""Documents that are written behind: whoever puts one goes on, and whoever asks for it is given it meanwhile.

What comes while others are written is written with all that came by then, in one transaction: a cold page and its
files make a dozen documents, and a transaction each takes longer than all that is asked of upstream. Documents are a
cache, so what a loss of power takes of the last moment is asked for again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Final, Protocol

from inbond.store.protocols import MAX_DOCUMENT_BYTES, MAX_KEY_BYTES, Documents

MAX_WAITING_BYTES: Final = 16 * 2**20  # in memory; who puts more waits until there is room
BATCH: Final = 64  # documents in one transaction, which keeps other processes waiting


class ManyDocuments(Documents, Protocol):
    """Documents of which several can be written together."""

    async def put_many(self, values: Mapping[str, bytes]) -> None:
        """As `put`, for each of them."""
        ...


class DocumentsBehind:
    """`Documents` before others. Close it before those."""

    def __init__(self, documents: ManyDocuments) -> None:
        self._documents = documents
        self._waiting: dict[str, bytes] = {}  # what is not written yet, in the order in which it came
        self._bytes = 0
        self._writing: asyncio.Task[None] | None = None
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        """See `Documents.get`."""
        return self._waiting[key] if key in self._waiting else await self._documents.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Documents.get_many`."""
        waiting = {key: self._waiting[key] for key in keys if key in self._waiting}
        return await self._documents.get_many([key for key in keys if key not in waiting]) | waiting

    async def put(self, key: str, value: bytes) -> None:
        """See `Documents.put`; it is written soon after."""
        if len(value) > MAX_DOCUMENT_BYTES or not 0 < len(key.encode()) <= MAX_KEY_BYTES or self._closed:
            await self.written()
            await self._documents.put(key, value)
            return
        self._wait(key, value)
        while self._bytes > MAX_WAITING_BYTES:
            await self.written()

    async def delete(self, key: str) -> None:
        """See `Documents.delete`."""
        await self.written()
        await self._documents.delete(key)

    def _wait(self, key: str, value: bytes) -> None:
        self._bytes += len(value) - len(self._waiting.pop(key, b""))
        self._waiting[key] = value
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write())

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch = dict(islice(self._waiting.items(), BATCH))
                await self._documents.put_many(batch)
                for key, value in batch.items():
                    if self._waiting.get(key) is value:  # else another came meanwhile
                        del self._waiting[key]
                        self._bytes -= len(value)
        finally:
            self._writing = None

    async def written(self) -> None:
        """Returns when all that was put by now is written."""
        if self._writing is not None:
            await asyncio.shield(self._writing)

    async def aclose(self) -> None:
        """Writes what waits; what is put later is written at once."""
        self._closed = True
        await self.written()
