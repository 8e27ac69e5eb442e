"""Stored files are compared with their digests before they leave, unless a stamp says that they were: disks fail.

Invariant: what `whole` says yes to had its digest when it was last as it is now, by inode, length and times, in this
generation of its store (`inbond.store.stamps`). A thread compares; whoever asks waits only as long as an answer may
take, and the next request finds it done.

A cached file that is damaged is put into quarantine and fetched anew. Nobody could fetch an imported one again: it is
out of the way as well, so that importing its bundle once more mends it.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Protocol

from inbond.gateway.lru import Lru
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import BytesLost, NotYet, StoreUnavailable
from inbond.model.events import Alert, FileDamaged, Observer
from inbond.store import stamps
from inbond.store.protocols import Blob, Documents
from inbond.store.quarantine import Quarantine
from inbond.store.stamps import Stamp

MAX_STAMPS: Final = 100_000  # that are remembered, besides those stored
AT_ONCE: Final = 2  # files read at once: a disk that seeks between more is no quicker
SMALL_BYTES: Final = 2**20  # files of one piece do not queue for that
TOUCH_SECONDS: Final = 3600  # a blob's time of use is kept no finer than this


class Place(StrEnum):
    """Which store a file lies in."""

    CACHE = "cache"
    MIRROR = "mirror"  # what was imported


class Aging(Protocol):
    """What is asked of a store of blobs."""

    @property
    def generation(self) -> str:
        """Another one after every unclean end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One store of blobs, and where what is damaged there goes."""

    place: Place
    content: Path  # the directory that blobs lie in
    blobs: Aging
    quarantine: Quarantine


class StoredBytes:
    """Knows which stored files are whole."""

    def __init__(self, *shelves: Shelf, documents: Documents, observer: Observer) -> None:
        self._shelves = [(f"{shelf.content}{os.sep}", shelf) for shelf in shelves]
        self._documents = documents
        self._observer = observer
        self._known: Lru[str, Stamp] = Lru(MAX_STAMPS)  # by the document's key
        self._flights: SingleFlight[tuple[str, Stamp], bool] = SingleFlight()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._closing = threading.Event()
        self._behind: set[asyncio.Task[None]] = set()  # documents being written

    def imported(self, blob: Blob) -> bool:
        """Whether a blob was imported, and is none that the cache fetched."""
        shelf = self._shelf(blob)
        return shelf is not None and shelf.place is Place.MIRROR

    def _shelf(self, blob: Blob) -> Shelf | None:
        """Where a blob lies; None for one that is not on disk."""
        path = str(blob.path)
        for beginning, shelf in self._shelves:
            if path.startswith(beginning):
                return shelf
        return None

    async def whole(self, name: str, blob: Blob, *, until: float) -> bool:
        """Whether a stored blob has its digest; one that has another is put aside, and an alert told.

        `name`: of the file, for people. `until`: by when the answer is wanted, on the event loop's clock. Raises
        `NotYet` where it takes longer, `FileNotFoundError` where it is gone, and `BytesLost` where the disk does not
        give an imported one.
        """
        shelf = self._shelf(blob)
        if shelf is None:
            return True  # on no disk: in this process's memory, which hashed it
        try:
            status = blob.path.lstat()  # the one look that a file of which all is known costs
            seen = stamps.stamp_of(status, shelf.blobs.generation)
            if not await self._is_known(shelf, blob, seen):
                return await self._compare(shelf, blob, seen, name, until)
        except FileNotFoundError:
            raise
        except OSError as error:
            return self._unreadable(shelf, name, error)
        if shelf.place is Place.CACHE and time.time() - status.st_atime > TOUCH_SECONDS:
            await asyncio.to_thread(self._touch, shelf, blob)
            self._write_behind(shelf, blob.sha256)
        return True

    async def _is_known(self, shelf: Shelf, blob: Blob, seen: Stamp) -> bool:
        key = stamps.document(shelf.place, blob.sha256)
        if self._known.get(key) == seen:
            return True
        # another process may have compared it, or set its time of use
        stored = stamps.decoded(await self._documents.get(key))
        if stored == seen:
            self._known.put(key, stored)
        return self._known.get(key) == seen  # which it may have become while the document was read

    def committed(self, blob: Blob) -> None:
        """Has a blob known to be whole whose bytes were hashed as they came, a moment ago. On the event loop."""
        shelf = self._shelf(blob)
        if shelf is None:
            return
        with suppress(OSError):
            stamp = stamps.stamp_of(blob.path.lstat(), shelf.blobs.generation, hashed=time.time())
            if stamp.size == blob.size:
                self._keep(shelf, blob.sha256, stamp)

    # --- comparing

    async def _compare(self, shelf: Shelf, blob: Blob, seen: Stamp, name: str, until: float) -> bool:
        key = stamps.document(shelf.place, blob.sha256)
        work = self._flights.start((key, seen), lambda: self._compared(shelf, blob))
        await asyncio.wait([work], timeout=max(0.0, until - asyncio.get_running_loop().time()))
        if not work.done():
            raise NotYet(
                f"{name} is stored, and still being compared with its digest", remedy="try again in a few seconds"
            )
        return work.result()

    async def _compared(self, shelf: Shelf, blob: Blob) -> bool:
        reading = asyncio.to_thread(stamps.read, blob.path, shelf.blobs.generation, self._go_on)
        stamp, digest = await (reading if blob.size <= SMALL_BYTES else self._in_turn(reading))
        if digest == blob.sha256:
            self._keep(shelf, blob.sha256, stamp)
            return True
        self._known.pop(stamps.document(shelf.place, blob.sha256))
        aside = await asyncio.to_thread(put_aside, shelf.quarantine, blob.path, stamp)
        for event in damage(shelf.place, blob.path, actual=digest, aside=aside):
            self._observer(event)
        return False

    async def _in_turn(self, reading: Coroutine[Any, Any, tuple[Stamp, str]]) -> tuple[Stamp, str]:
        try:
            await self._places.acquire()
        except asyncio.CancelledError:
            reading.close()
            raise
        try:
            return await reading
        finally:
            self._places.release()

    def _go_on(self, _count: int) -> None:
        if self._closing.is_set():
            raise StoreUnavailable("inbond is stopping")

    def _unreadable(self, shelf: Shelf, name: str, error: OSError) -> bool:
        """What cannot be read is not whole: a cached file is replaced."""
        said = f"{name} cannot be read: {error.strerror or error}"
        if shelf.place is Place.MIRROR:
            raise BytesLost(said, remedy="see to the disk") from error
        self._observer(Alert(name="stored-file-unreadable", message=f"{said}. It is fetched anew"))
        return False

    # --- what is known

    def _touch(self, shelf: Shelf, blob: Blob) -> None:
        """In a thread."""
        key = stamps.document(shelf.place, blob.sha256)
        known = self._known.get(key)
        with suppress(OSError):  # a read-only disk still serves
            if known is not None and (stamp := stamps.used_now(blob.path, known)) is not None:
                self._known.put(key, stamp)

    def _keep(self, shelf: Shelf, sha256: str, stamp: Stamp) -> None:
        self._known.put(stamps.document(shelf.place, sha256), stamp)
        self._write_behind(shelf, sha256)

    def _write_behind(self, shelf: Shelf, sha256: str) -> None:
        key = stamps.document(shelf.place, sha256)
        known = self._known.get(key)
        if known is not None and not self._closing.is_set():
            task = asyncio.get_running_loop().create_task(self._documents.put(key, stamps.encoded(known)))
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)

    async def aclose(self) -> None:
        """Ends what is under way; what is known by now is stored."""
        self._closing.set()
        await self._flights.aclose()
        await asyncio.gather(*self._behind, return_exceptions=True)


def damage(place: Place, path: Path, *, actual: str, aside: Path | None) -> tuple[FileDamaged, Alert]:
    """What is told of a file whose bytes have another digest than its name."""
    where = f"it lies in {aside} now" if aside is not None else "it could not be put aside, or was replaced meanwhile"
    found = f"the file {path} has sha256 {actual}: {where}"
    if place is Place.CACHE:
        name, remedy = "stored-file-damaged", "It is fetched anew when it is asked for"
    else:
        name, remedy = "imported-file-damaged", "Import the bundle that held it again"
    return FileDamaged(place=place), Alert(name=name, message=f"{found}. {remedy}")


def put_aside(quarantine: Quarantine, path: Path, stamp: Stamp) -> Path | None:
    """Moves a damaged file into quarantine; None where that fails, or another has taken its place. Blocks."""
    with suppress(OSError):  # it is not served where it lies either
        return quarantine.take(path, stamp)
    return None
