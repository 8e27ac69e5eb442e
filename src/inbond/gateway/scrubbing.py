"""The files of a store compared with their digests, one after the other, and what is damaged put into quarantine."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, assert_never

from inbond.gateway.stored_bytes import Left, Place, Shelf, damage, put_aside, where
from inbond.model.events import Alert, FileScrubbed, Observer
from inbond.store import stamps
from inbond.store.protocols import Documents
from inbond.store.scrubbing import Damaged, Foreign, Found, Unread, Whole, scrub, walk
from inbond.store.stamps import Stamp

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrubbed:
    """What was found of a file. `aside`: where one that is no good lies now, or what became of it."""

    found: Found
    aside: Path | Left | None = None


class Scrubber:
    """Reads the files of one store, in threads of `pool`."""

    def __init__(
        self,
        shelf: Shelf,
        *,
        documents: Documents,
        observer: Observer,
        pool: Executor,
        pace: Callable[[int], object],
        forget: Callable[[Path], object] = lambda _path: None,
    ) -> None:
        """`forget`: has a server in this process trust a file no more that cannot be taken out of its way."""
        self._shelf = shelf
        self._documents = documents
        self._observer = observer
        self._pool = pool
        self._pace = pace
        self._forget = forget

    async def paths(self, after: str = "") -> AsyncGenerator[Path | Foreign]:
        """What there is to read, in the order of the digests. Raises OSError."""
        walking = walk(self._shelf.content, after)
        while (path := await self._in_pool(next, walking, None)) is not None:
            yield path

    async def hashed(self, path: Path) -> float:
        """When a file was last read, in seconds since 1970, if it has not changed since; 0: nobody knows."""
        stored = stamps.decoded(await self._documents.get(self._document(path)))
        with suppress(OSError):
            status = await self._in_pool(path.lstat)
            if stored == stamps.stamp_of(status, self._shelf.blobs.generation):
                return stored.hashed
        return 0.0

    async def scrub(self, path: Path | Foreign) -> Scrubbed | None:
        """Reads a file, and sees to what it is; None where it is gone. Raises `StoreUnavailable` at a stop."""
        if isinstance(path, Foreign):
            return Scrubbed(found=path)
        found = await self._in_pool(scrub, path, self._shelf.blobs.generation, self._pace)
        match found:
            case None:
                return None
            case Whole(stamp=stamp):
                await self._documents.put(self._document(path), stamps.encoded(stamp))
                self._observer(FileScrubbed(place=self._shelf.place, size=stamp.size))
            case Damaged():
                return await self._damaged(found)
            case Unread():
                return await self._unread(found)
            case Foreign():
                pass
            case _:
                assert_never(found)
        return Scrubbed(found=found)

    async def _damaged(self, found: Damaged) -> Scrubbed:
        aside = await self._out_of_the_way(found.path, found.stamp)
        self._observer(FileScrubbed(place=self._shelf.place, size=found.stamp.size))
        for event in damage(self._shelf.place, found.path, actual=found.actual, aside=aside):
            self._observer(event)
        return Scrubbed(found=found, aside=aside)

    async def _unread(self, found: Unread) -> Scrubbed:
        said, aside = f"{found.path} cannot be read: {found.reason}", None
        if found.stamp is not None and self._shelf.place is Place.CACHE:
            aside = await self._out_of_the_way(found.path, found.stamp)
            said += f": {where(aside)}. It is fetched anew when it is asked for"
        elif found.stamp is not None:  # what was imported stays: the disk may give it yet, and nobody else does
            await self._doubt(found.path)
        self._observer(Alert(name="stored-file-unreadable", message=said))
        return Scrubbed(found=found, aside=aside)

    async def _out_of_the_way(self, path: Path, stamp: Stamp) -> Path | Left:
        aside = await self._in_pool(put_aside, self._shelf.quarantine, path, stamp)
        if aside is Left.STAYS:
            await self._doubt(path)
        else:
            await self._documents.delete(self._document(path))
        return aside

    async def _doubt(self, path: Path) -> None:
        """Has no process trust what it knows of a file."""
        self._forget(path)
        await self._documents.put(self._document(path), stamps.DOUBTED)
        if await self._documents.get(self._document(path)) != stamps.DOUBTED:
            message = f"other processes that have compared {path} earlier cannot be told that it is damaged: they go on"
            self._observer(Alert(name="damage-not-noted", message=f"{message} serving it until the disk takes writes"))

    def _document(self, path: Path) -> str:
        return stamps.document(self._shelf.place, path.name)

    async def _in_pool(self, work: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
