"""Documents that are written together: what comes while others are written goes into the next transaction.

A cold page and its files make a dozen documents, and a transaction each takes longer than all that is asked of
upstream. Who puts or deletes one waits until that is written; who puts one *soon* goes on. That is for what the next
one who wants it asks for again without anybody noticing, since a process that is killed takes it along: evidence,
provenance, core metadata, inspections. What something else rests on (a page, whose serial the ledger knows; what was
served; a doubt; a why-link) is put. Whoever asks meanwhile is given what waits.

What nobody waits for lingers a moment, for what else comes of the same file, and out of the way of its answer: a
transaction wants the disk and the interpreter, as the answer does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

from inbond.store.absent import AbsentDocuments
from inbond.store.documents import checked
from inbond.store.protocols import MAX_DOCUMENT_BYTES, Documents

MAX_WAITING_BYTES: Final = 16 * 2**20  # of keys and values in memory, or one document; who puts more waits for room
BATCH_BYTES: Final = 2**20  # in one transaction, which keeps other processes waiting; a larger document has its own
BATCH: Final = 64  # documents in one transaction
LINGER: Final = 0.02  # seconds from the first document of a transaction on, where nobody waits for it


class ManyDocuments(Documents, Protocol):
    """Documents of which several can be written together."""

    async def put_many(self, values: Mapping[str, bytes | None]) -> None:
        """As `put` for each of them, or `delete` for None."""
        ...


@dataclass(slots=True, eq=False)
class _Batch:
    """What is written together. `written`: ends then, and is the batch's own. `wanted`: it lingers no more."""

    values: dict[str, bytes | None] = field(default_factory=dict)
    size: int = 0  # of its keys and values
    begun: bool = False  # it is being written as it is
    wanted: asyncio.Event = field(default_factory=asyncio.Event)
    written: asyncio.Task[None] = field(init=False)

    def takes(self, size: int) -> bool:
        return not self.begun and len(self.values) < BATCH and self.size + size <= BATCH_BYTES

    def add(self, key: str, value: bytes | None) -> int:
        """How many bytes more it holds now."""
        grown = _size(key, value) - (_size(key, self.values[key]) if key in self.values else 0)
        self.values[key] = value
        self.size += grown
        return grown


class DocumentsBehind:
    """`Documents` before others. Close it before those."""

    def __init__(self, documents: ManyDocuments, *, renewable: Iterable[str] = ()) -> None:
        """`renewable`: kinds of documents that need not be looked up again for a moment where there was none."""
        self._documents = documents
        self._absent = AbsentDocuments(renewable, time.monotonic)
        self._batches: deque[_Batch] = deque()  # in the order in which they are written
        self._holding: dict[str, _Batch] = {}  # the last that holds a key
        self._bytes = 0  # of all batches
        self._line = asyncio.Lock()  # whoever puts goes through it, so that all is written in the order it came in
        self._closed = False

    async def get(self, key: str) -> bytes | None:
        """See `Documents.get`."""
        batch = self._holding.get(key)
        if batch is not None:
            return _read(batch.values[key])
        if key in self._absent:
            return None
        look = self._absent.look([key])
        found = await self._documents.get(key)
        if found is None:
            self._absent.missed(look)
        return found

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        """See `Documents.get_many`."""
        waiting = {key: _read(self._holding[key].values[key]) for key in keys if key in self._holding}
        wanted = [key for key in keys if key not in waiting and key not in self._absent]
        look = self._absent.look(wanted)
        found = await self._documents.get_many(wanted)
        self._absent.missed(look, found)
        return found | {key: value for key, value in waiting.items() if value is not None}

    async def put(self, key: str, value: bytes) -> None:
        """See `Documents.put`. Who no longer waits for it ends nothing."""
        await asyncio.shield(await self._added(key, value, wanted=True))

    async def put_soon(self, key: str, value: bytes) -> None:
        """See `Documents.put_soon`. Where there is no room it is `put`."""
        soon = not self._closed and not self._line.locked() and self._has_room(_size(key, value))
        written = await self._added(key, value, wanted=not soon)
        if not soon:
            await asyncio.shield(written)

    async def delete(self, key: str) -> None:
        """See `Documents.delete`."""
        await asyncio.shield(await self._added(key, None, wanted=True))

    async def _added(self, key: str, value: bytes | None, *, wanted: bool) -> asyncio.Task[None]:
        """Has it written, at once where it is `wanted`; what ends then."""
        size = _size(checked(key), value)
        async with self._line:
            while not self._has_room(size):
                self._batches[0].wanted.set()
                await asyncio.wait([self._batches[0].written])
            batch = self._batch_for(size)
            if wanted:
                batch.wanted.set()
            self._bytes += batch.add(key, value)
            self._holding[key] = batch
            self._absent.written(key)
            return batch.written

    def _has_room(self, size: int) -> bool:
        return not self._batches or self._bytes + size <= MAX_WAITING_BYTES

    def _batch_for(self, size: int) -> _Batch:
        before = self._batches[-1] if self._batches else None
        if before is not None and before.takes(size):
            return before
        if before is not None:
            before.wanted.set()  # there is no more room in it to wait for
        batch = _Batch()
        batch.written = asyncio.get_running_loop().create_task(self._write(batch, after=before))
        self._batches.append(batch)
        return batch

    async def _write(self, batch: _Batch, *, after: _Batch | None) -> None:
        until = asyncio.get_running_loop().time() + LINGER
        try:
            if after is not None:
                await asyncio.wait([after.written])
            with suppress(TimeoutError):
                async with asyncio.timeout_at(until):
                    await batch.wanted.wait()
            batch.begun = True
            await self._documents.put_many(batch.values)
        finally:
            self._forget(batch)

    def _forget(self, batch: _Batch) -> None:
        self._batches.remove(batch)
        self._bytes -= batch.size
        for key in batch.values:
            if self._holding.get(key) is batch:
                del self._holding[key]

    async def aclose(self) -> None:
        """Writes what waits, whoever waits for room before; what is put later is written before that returns."""
        self._closed = True
        async with self._line:
            if self._batches:
                self._batches[-1].wanted.set()
                await asyncio.wait([self._batches[-1].written])


def _size(key: str, value: bytes | None) -> int:
    return len(key) + len(value or b"")


def _read(waiting: bytes | None) -> bytes | None:
    """What will be there: one that is too large leaves its key empty."""
    return waiting if waiting is not None and len(waiting) <= MAX_DOCUMENT_BYTES else None
