"""What each kind of store is put through while its files fail it, and how one sees afterwards that nothing is wrong.

While it works it notes what it was asked for, and what it said was done. Afterwards the store is opened on a disk that
does what it should, and what is found is compared with that.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from inbond.model.errors import StoreUnavailable
from inbond.model.events import unobserved
from inbond.store.arrivals import Arrivals
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.disk import Disk
from inbond.store.memory_blob import MemoryBlob
from inbond.store.taking_over import BlobTaker, FileChanged, How

ATTEMPTS = 2  # of each thing, as somebody does who is told that it did not work


class Verb(Enum):
    OPENED = "opened"
    ASKED = "asked"
    DONE = "done"
    DROPPED = "dropped"
    BACKED_UP = "backed up"


@dataclass(frozen=True, slots=True)
class Note:
    verb: Verb
    what: str
    value: bytes = b""


Notes = Callable[[Note], None]


@dataclass(slots=True)
class Found:
    """What came of one fault, or of many."""

    whole: int = 0
    missing: int = 0  # never acknowledged, or dropped since, or only kept in case
    refused: int = 0
    wrong: list[str] = field(default_factory=list)

    def add(self, other: Found, where: str) -> None:
        self.whole += other.whole
        self.missing += other.missing
        self.refused += other.refused
        self.wrong += [f"{where}: {one}" for one in other.wrong]


class Workload(Protocol):
    """Something done with one store. `root`: its directory."""

    name: str

    async def prepare(self, root: Path, disk: Disk) -> None:
        """Makes what is there before anything fails."""
        ...

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        """Works; of what it is told it may only take that the disk refuses."""
        ...

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        """What is there now, on a disk that does as it should. `unclean`: the machine ended before the store did."""
        ...


async def persistently(*steps: Callable[[], Awaitable[None]]) -> bool:
    """Whether all of them were done, one after the other."""
    for step in steps:
        for attempt in range(ATTEMPTS):
            try:
                await step()
                break
            except StoreUnavailable:
                if attempt == ATTEMPTS - 1:
                    return False
    return True


def named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def content_of(number: int) -> bytes:
    return b"".join(hashlib.sha256(f"{number}.{line}".encode()).digest() for line in range(300))


CONTENTS = {named(content): content for content in map(content_of, range(6))}


async def look_at(store: DiskBlobs, notes: Sequence[Note], *, unclean: bool) -> Found:
    """Every blob that was ever asked for is whole or missing; or it is hashed before it is served, as after an unclean
    end, and then refused. What was done is there."""
    found = Found()
    generations = [note.what for note in notes if note.verb is Verb.OPENED]
    anew = store.generation not in generations
    if unclean and generations and not anew:
        found.wrong.append("an unclean end was not noticed")
    for sha256, content in CONTENTS.items():
        blob = await store.find(sha256)
        right = blob is not None and blob.path.read_bytes() == content
        if right:
            found.whole += 1
        elif kept(sha256, notes):
            found.wrong.append(f"lost {sha256[:8]}" if blob is None else f"damaged {sha256[:8]}")
        elif blob is None:
            found.missing += 1
        elif anew:
            found.refused += 1
        else:
            found.wrong.append(f"would serve wrong bytes of {sha256[:8]}")
    return found


def kept(what: str, notes: Sequence[Note]) -> bool:
    """Whether the last thing that was said of it is that it is there."""
    last = [note.verb for note in notes if note.what == what and note.verb is not Verb.ASKED][-1:]
    return last == [Verb.DONE]


async def keep(store: DiskBlobs, content: bytes, note: Notes) -> None:
    """Writes a blob in pieces, and then reads it. It is done when it is in the store: a full disk passes it on only."""
    sha256, half = named(content), len(content) // 2
    async with store.writer(sha256) as writer:
        await writer.write(content[:half])
        await writer.flush()
        await writer.write(content[half:])
        blob = await writer.commit(sha256=sha256)
    if blob.path.read_bytes() != content:
        raise AssertionError(f"{sha256[:8]} was taken, and cannot be read")
    if not isinstance(blob, MemoryBlob):
        note(Note(Verb.DONE, sha256))


class BlobWork:
    """Blobs kept, kept again, removed and evicted."""

    name = "blobs"
    max_size = 3 * len(content_of(0))  # bytes: one blob fewer than what is kept

    async def prepare(self, root: Path, disk: Disk) -> None: ...

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        store: DiskBlobs | None = None
        for _ in range(ATTEMPTS):
            with contextlib.suppress(StoreUnavailable):
                store = open_blobs(root / "blobs", observer=unobserved, max_size=self.max_size, disk=disk)
                break
        if store is None:
            return
        note(Note(Verb.OPENED, store.generation))
        try:
            await self._work(store, note)
        finally:
            await store.aclose()

    async def _work(self, store: DiskBlobs, note: Notes) -> None:
        first, second, third, *others = CONTENTS.values()

        async def remove() -> None:
            note(Note(Verb.DROPPED, named(second)))
            await store.remove(named(second))

        await persistently(*(lambda content=content: keep(store, content, note) for content in (first, second, third)))
        await persistently(lambda: keep(store, first, note), remove)
        await store.settled()
        for content in (first, third):  # long ago, so that they may be evicted
            note(Note(Verb.DROPPED, named(content)))
            if (blob := await store.find(named(content))) is not None:
                os.utime(blob.path, (0, blob.path.stat().st_mtime))
        await persistently(*(lambda content=content: keep(store, content, note) for content in others))
        await store.settled()

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        store = open_blobs(root / "blobs", observer=unobserved, max_size=None, disk=disk)
        try:
            found = await look_at(store, notes, unclean=unclean)
            await keep(store, b"what comes afterwards", lambda _: None)
        finally:
            await store.aclose()
        return found


class TakingOver:
    """Files of another cache copied, linked and moved."""

    name = "taking over"
    sources: Mapping[How, bytes] = dict(zip(How, CONTENTS.values(), strict=False))

    async def prepare(self, root: Path, disk: Disk) -> None:
        (root / "sources").mkdir()
        for how, content in self.sources.items():
            (root / "sources" / how).write_bytes(content)

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        for _ in range(ATTEMPTS):
            with contextlib.suppress(OSError):
                taker = BlobTaker(root / "blobs", disk)
                break
        else:
            return
        for how in How:
            for _ in range(ATTEMPTS):
                with contextlib.suppress(OSError, FileChanged):
                    found = taker.examine(root / "sources" / how)
                    taker.take(root / "sources" / how, found, how)
                    note(Note(Verb.DONE, found.sha256))
                    break
        taker.close()

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        store = open_blobs(root / "blobs", observer=unobserved, max_size=None, disk=disk)
        try:
            found = await look_at(store, notes, unclean=unclean)
            for how, content in self.sources.items():
                blob, source = await store.find(named(content)), root / "sources" / how
                places = [source, *([blob.path] if blob is not None and how is How.MOVE else [])]
                if not any(path.exists() and path.read_bytes() == content for path in places):
                    found.wrong.append(f"the file to {how} is gone")
        finally:
            await store.aclose()
        return found


class ArrivalWork:
    """What an import brings, and an import that is undone."""

    name = "imported blobs"

    async def prepare(self, root: Path, disk: Disk) -> None: ...

    async def work(self, root: Path, disk: Disk, note: Notes) -> None:
        first, second, third, fourth, *_ = CONTENTS.values()

        async def brought() -> None:
            with Arrivals(root / "mirror", disk) as arrivals:
                _take(arrivals, first, second)
                arrivals.settle()
            for content in (first, second):
                note(Note(Verb.DONE, named(content)))

        async def undone() -> None:
            with Arrivals(root / "mirror", disk) as arrivals:
                try:
                    _take(arrivals, first, third, fourth)
                finally:
                    arrivals.undo(but={named(third)})

        await persistently(brought, undone, brought)

    async def check(self, root: Path, disk: Disk, notes: Sequence[Note], *, unclean: bool) -> Found:
        store = open_blobs(root / "mirror", observer=unobserved, max_size=None, disk=disk)
        try:
            return await look_at(store, notes, unclean=unclean)
        finally:
            await store.aclose()


def _take(arrivals: Arrivals, *contents: bytes) -> None:
    for content in contents:
        arrivals.take(named(content), len(content), iter((content[:5000], content[5000:])))
