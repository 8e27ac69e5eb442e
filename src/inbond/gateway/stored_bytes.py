"""Stored files are compared with their digests before they leave, unless a stamp says that they were: disks fail.

Invariant: what `whole` says yes to had its digest when it was last as it is now, by inode, length and times, in this
generation of its store (`inbond.store.stamps`). A thread compares; whoever asks waits only as long as an answer may
take, and the next request finds it done.

A cached file that is damaged is put into quarantine and fetched anew. Nobody could fetch an imported one again: it is
out of the way as well, so that importing its bundle once more mends it. What can be neither moved nor removed is
doubted: each process hears of that where it looks at a stamp's document, which it does every few seconds.
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
from typing import Any, Final, NamedTuple, Protocol

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
LOOK_EVERY: Final = 10.0  # seconds that a stamp in memory counts without its document: another process may doubt it


class Place(StrEnum):
    """Which store a file lies in."""

    CACHE = "cache"
    MIRROR = "mirror"  # what was imported


class Left(StrEnum):
    """What became of a damaged file that is not in quarantine, as people are told."""

    REMOVED = "it could not be put aside, and was removed"
    REPLACED = "it is gone by now, or was replaced"
    STAYS = "it can be neither moved nor removed: see to the disk"


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


class _Known(NamedTuple):
    stamp: Stamp | None  # None: doubted
    looked: float  # when its document was, on the event loop's clock


class StoredBytes:
    """Knows which stored files are whole."""

    def __init__(self, *shelves: Shelf, documents: Documents, observer: Observer) -> None:
        self._shelves = [(f"{shelf.content}{os.sep}", shelf) for shelf in shelves]
        self._documents = documents
        self._observer = observer
        self._known: Lru[str, _Known] = Lru(MAX_STAMPS)  # by the document's key
        self._flights: SingleFlight[tuple[str, Stamp], bool] = SingleFlight()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._closing = threading.Event()
        self._behind: set[asyncio.Task[None]] = set()  # documents being written

    def imported(self, blob: Blob) -> bool:
        """Whether a blob was imported, and is none that the cache fetched."""
        shelf = self._shelf(blob.path)
        return shelf is not None and shelf.place is Place.MIRROR

    def is_on_disk(self, blob: Blob) -> bool:
        """Whether a blob lies in a store; else in this process's memory, which hashed it."""
        return self._shelf(blob.path) is not None

    def _shelf(self, path: Path) -> Shelf | None:
        """Where a blob lies; None for one that is not on disk."""
        for beginning, shelf in self._shelves:
            if str(path).startswith(beginning):
                return shelf
        return None

    async def whole(self, name: str, blob: Blob, *, until: float) -> bool:
        """Whether a stored blob has its digest; one that has another is put aside, and an alert told.

        `name`: of the file, for people. `until`: by when the answer is wanted, on the event loop's clock. Raises
        `NotYet` where it takes longer, `FileNotFoundError` where it is gone, and `BytesLost` where the disk does not
        give an imported one.
        """
        shelf = self._shelf(blob.path)
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
            return self._unreadable(shelf, blob, name, error)
        if shelf.place is Place.CACHE and time.time() - status.st_atime > TOUCH_SECONDS:
            await self._used(shelf, blob)
        return True

    def is_whole_now(self, blob: Blob) -> bool:
        """Whether `whole` would say so at once and do nothing besides; False where that is not known without waiting.

        Costs one look at the file's status.
        """
        shelf = self._shelf(blob.path)
        if shelf is None:
            return True
        known = self._known.get(stamps.document(shelf.place, blob.sha256))
        if known is None or known.stamp is None or asyncio.get_running_loop().time() - known.looked >= LOOK_EVERY:
            return False
        try:
            status = os.lstat(blob.path)
        except OSError:
            return False
        due = shelf.place is Place.CACHE and time.time() - status.st_atime > TOUCH_SECONDS
        return not due and stamps.fits(known.stamp, status, shelf.blobs.generation)

    async def _is_known(self, shelf: Shelf, blob: Blob, seen: Stamp) -> bool:
        key = stamps.document(shelf.place, blob.sha256)
        now = asyncio.get_running_loop().time()
        known = self._known.get(key)
        if known is not None and (known.stamp is None or (known.stamp == seen and now - known.looked < LOOK_EVERY)):
            return known.stamp is not None
        # another process may have compared it, or set its time of use, or doubts it
        raw = await self._documents.get(key)
        after = self._known.get(key)  # what it has become while the document was read counts for more
        if after is known and raw == stamps.DOUBTED:
            return False
        stored = stamps.decoded(raw)
        stamp = stored if after is known and stored == seen else after.stamp if after is not None else None
        if stamp is None or stamp != seen:
            return False
        self._known.put(key, _Known(stamp, now))
        return True

    def committed(self, blob: Blob) -> None:
        """Has a blob known to be whole whose bytes were hashed as they came, a moment ago. On the event loop."""
        shelf = self._shelf(blob.path)
        if shelf is None:
            return
        with suppress(OSError):
            stamp = stamps.stamp_of(blob.path.lstat(), shelf.blobs.generation, hashed=time.time())
            if stamp.size == blob.size:
                self._keep(shelf, blob.sha256, stamp)

    def doubt(self, path: Path) -> None:
        """Has a stored file compared before it leaves again, by whatever process: its bytes could not be read."""
        shelf = self._shelf(path)
        if shelf is not None:
            self._doubt(stamps.document(shelf.place, path.name))

    def forget(self, path: Path) -> None:
        """The same for this process alone: the others know it."""
        shelf = self._shelf(path)
        if shelf is not None:
            self._known.put(stamps.document(shelf.place, path.name), _Known(None, 0.0))

    def _doubt(self, key: str) -> None:
        self._known.put(key, _Known(None, 0.0))
        self._write_behind(key, stamps.DOUBTED)

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
        key = stamps.document(shelf.place, blob.sha256)
        self._known.pop(key)
        aside = await asyncio.to_thread(put_aside, shelf.quarantine, blob.path, stamp)
        if aside is Left.STAYS:
            self._doubt(key)
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

    def _unreadable(self, shelf: Shelf, blob: Blob, name: str, error: OSError) -> bool:
        """What cannot be read is not whole: a cached file is replaced."""
        if stamps.is_damage(error):
            self._doubt(stamps.document(shelf.place, blob.sha256))  # others may have compared it in better days
        said = f"{name} cannot be read: {error.strerror or error}"
        if shelf.place is Place.MIRROR:
            raise BytesLost(said, remedy="see to the disk") from error
        self._observer(Alert(name="stored-file-unreadable", message=f"{said}. It is fetched anew"))
        return False

    # --- what is known

    async def _used(self, shelf: Shelf, blob: Blob) -> None:
        key = stamps.document(shelf.place, blob.sha256)
        stamp = await asyncio.to_thread(self._touched, key, blob.path)
        if stamp is not None:
            self._behind_of(self._stamp_used(key, stamp))

    async def _stamp_used(self, key: str, stamp: Stamp) -> None:
        """Stores the stamp of a file that was used; nothing that was doubted meanwhile is whole again by that."""
        raw = await self._documents.get(key)
        known = self._known.get(key)
        if raw == stamps.DOUBTED and known is not None and known.stamp == stamp:
            self._known.put(key, _Known(None, 0.0))
        elif raw != stamps.DOUBTED and (known is None or known.stamp == stamp):
            await self._documents.put(key, stamps.encoded(stamp))

    def _touched(self, key: str, path: Path) -> Stamp | None:
        """In a thread."""
        known = self._known.get(key)
        with suppress(OSError):  # a read-only disk still serves
            if known is not None and known.stamp is not None:
                stamp = stamps.used_now(path, known.stamp)
                if stamp is not None:
                    self._known.put(key, known._replace(stamp=stamp))
                return stamp
        return None

    def _keep(self, shelf: Shelf, sha256: str, stamp: Stamp) -> None:
        key = stamps.document(shelf.place, sha256)
        self._known.put(key, _Known(stamp, asyncio.get_running_loop().time()))
        self._write_behind(key, stamps.encoded(stamp))

    def _write_behind(self, key: str, value: bytes) -> None:
        self._behind_of(self._documents.put(key, value))

    def _behind_of(self, work: Coroutine[Any, Any, None]) -> None:
        if self._closing.is_set():
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._behind.add(task)
        task.add_done_callback(self._behind.discard)

    async def aclose(self) -> None:
        """Ends what is under way; what is known by now is stored."""
        self._closing.set()
        await self._flights.aclose()
        await asyncio.gather(*self._behind, return_exceptions=True)


def damage(place: Place, path: Path, *, actual: str, aside: Path | Left) -> tuple[FileDamaged, Alert]:
    """What is told of a file whose bytes have another digest than its name."""
    if place is Place.CACHE:
        name, remedy = "stored-file-damaged", "It is fetched anew when it is asked for"
    else:
        name, remedy = "imported-file-damaged", "Import the bundle that held it again"
    message = f"the file {path} has sha256 {actual}: {where(aside)}. {remedy}"
    return FileDamaged(place=place), Alert(name=name, message=message)


def where(aside: Path | Left) -> str:
    """What became of a file that was to go into quarantine."""
    return str(aside) if isinstance(aside, Left) else f"it lies in {aside} now"


def put_aside(quarantine: Quarantine, path: Path, stamp: Stamp) -> Path | Left:
    """Takes a damaged file out of the way: into quarantine, or, where that fails, off the disk. Blocks."""
    with suppress(OSError):
        return quarantine.take(path, stamp) or Left.REPLACED
    try:
        return Left.REMOVED if quarantine.remove(path, stamp) else Left.REPLACED
    except FileNotFoundError:
        return Left.REPLACED
    except OSError:
        return Left.STAYS
