"""Files that cannot be stored, because the disk is full: they are in memory as long as anybody reads them, then gone.

Their path leads to the memory through this process's open files, and serves any process of the same user. Numbers of
open files are given out again: one that stood for a file is kept from others for a while, so that whoever comes late
with the path finds nothing there, never another file.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
import weakref
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Final

from inbond.model.errors import StoreUnavailable
from inbond.model.units import format_size
from inbond.store.files import unavailable
from inbond.store.protocols import Blob

UNSTORED_BYTES: Final = 512 * 2**20  # in all such files of a process together
KEPT_NUMBERS: Final = 128  # of files that are gone
KEPT_BYTES: Final = 64 * 2**20  # of the latest, which whoever asks next is given


class UnstoredBytes:
    """The memory that files which are not stored may take together."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._taken = 0
        self._turn = threading.Lock()
        self._given: deque[tuple[int, int]] = deque()  # bytes and numbers, not taken back yet
        self._gone: deque[int] = deque()
        # What a number stands for whose file is gone: nobody can read a directory as a file.
        self._nothing: int | None = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)

    @property
    def taken(self) -> int:
        """Bytes in use now."""
        return self._taken

    def take(self, count: int) -> None:
        """Takes bytes of it. Raises StoreUnavailable where they are not left."""
        with self._turn:
            self._take_back()
            taken = self._taken
            fits = taken + count <= self._limit
            if fits:
                self._taken += count
        self._settle()
        if not fits:
            raise StoreUnavailable(
                f"the disk is full, and of the {format_size(self._limit)} of memory for files that are not stored "
                f"{format_size(taken)} are taken: another {format_size(count)} do not fit",
                remedy="free some space on the disk of the cache, or try again when fewer files are fetched",
            )

    def give(self, count: int, number: int) -> None:
        """Takes back the bytes of a file, and its number.

        Garbage collection may call this in the middle of anything here, on the thread whose turn it is: it never waits.
        """
        self._given.append((count, number))
        self._settle()

    def close(self) -> None:
        """Gives up the numbers. Calling it twice is fine."""
        with self._turn:
            if self._nothing is not None:
                self._gone.append(self._nothing)
            self._nothing = None
            self._take_back()
            self._close_all_but(0)
        self._settle()

    def _settle(self) -> None:
        """Takes back what was given. Whoever has the turn meanwhile comes here after it."""
        while self._given and self._turn.acquire(blocking=False):
            try:
                self._take_back()
            finally:
                self._turn.release()

    def _take_back(self) -> None:
        while self._given:
            count, number = self._given.popleft()
            self._taken -= count
            self._gone.append(number)
            if self._nothing is not None:
                os.dup2(self._nothing, number, inheritable=False)
            self._close_all_but(KEPT_NUMBERS if self._nothing is not None else 0)

    def _close_all_but(self, kept: int) -> None:
        while len(self._gone) > kept:
            os.close(self._gone.popleft())


class Memory:
    """An open file in memory; closed when nobody refers to this object any more."""

    __slots__ = ("__weakref__", "_end", "_taken", "number")

    def __init__(self, budget: UnstoredBytes, size: int = 0) -> None:
        """`size`: bytes it will have, as far as is known. Raises StoreUnavailable where those are too many, OSError."""
        self._taken = _Taken(budget, size)
        try:
            self.number = os.memfd_create("inbond", os.MFD_CLOEXEC)
        except OSError:
            self._taken.give_back()
            raise
        self._end = weakref.finalize(self, self._taken.give, self.number)

    @property
    def path(self) -> Path:
        """By which this user's processes open it."""
        return Path(f"/proc/{os.getpid()}/fd/{self.number}")

    def append(self, chunk: bytes) -> None:
        """Raises StoreUnavailable where that is too much, OSError."""
        self._taken.take(len(chunk))
        rest = memoryview(chunk)
        while rest:
            rest = rest[os.write(self.number, rest) :]

    def empty(self) -> None:
        """Drops all bytes."""
        os.ftruncate(self.number, 0)
        os.lseek(self.number, 0, os.SEEK_SET)
        self._taken.begin_anew()

    def close(self) -> None:
        """Closes it before that. Calling it twice is fine."""
        self._end()


class _Taken:
    """What one file has of the budget; apart from `Memory`, which its own end must not keep alive."""

    def __init__(self, budget: UnstoredBytes, size: int) -> None:
        """`size`: bytes that are taken at once. Raises StoreUnavailable."""
        self._budget = budget
        budget.take(size)
        self._count = size
        self._used = 0

    def take(self, count: int) -> None:
        more = max(0, self._used + count - self._count)
        self._budget.take(more)
        self._count += more
        self._used += count

    def begin_anew(self) -> None:
        """None is used; what was taken for them stays taken."""
        self._used = 0

    def give_back(self) -> None:
        self._budget.take(-self._count)

    def give(self, number: int) -> None:
        self._budget.give(self._count, number)


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryBlob(Blob):
    """A file that is complete and not stored: there as long as this object is, or whoever opened it."""

    memory: Memory = field(repr=False, compare=False)


class Latest:
    """The latest files that were not stored, for whoever asks next."""

    def __init__(self, limit: int = KEPT_BYTES) -> None:
        self._limit = limit
        self._blobs: dict[str, MemoryBlob] = {}  # the oldest first

    def add(self, blob: MemoryBlob) -> None:
        """Keeps one, unless it is too large, in place of the oldest."""
        self._blobs[blob.sha256] = blob
        while sum(one.size for one in self._blobs.values()) > self._limit:
            del self._blobs[next(iter(self._blobs))]

    def get(self, sha256: str) -> MemoryBlob | None:
        """The one of that digest, or None."""
        return self._blobs.get(sha256)

    def remove(self, sha256: str) -> None:
        """Forgets one; a missing one is fine."""
        self._blobs.pop(sha256, None)

    def clear(self) -> None:
        """Forgets them all."""
        self._blobs.clear()


class MemoryBlobWriter:
    """A `BlobWriter` that stores nothing."""

    def __init__(self, budget: UnstoredBytes, latest: Latest | None = None, *, size: int | None = None) -> None:
        """`latest`: what is committed is kept there a while. `size`: bytes that are to come, where that is known.

        Raises StoreUnavailable, also where there will not be memory for so many.
        """
        self._latest = latest
        try:
            self._memory = self._begun(budget, size or 0)
        except OSError as error:
            raise unavailable("begin a file in memory", error) from error
        self._hash = hashlib.sha256()
        self._size = 0
        self._committed = False

    def _begun(self, budget: UnstoredBytes, size: int) -> Memory:
        try:
            return Memory(budget, size)
        except StoreUnavailable:
            if self._latest is None:
                raise
            self._latest.clear()  # they are kept in case
            return Memory(budget, size)

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    @property
    def readable(self) -> int:
        """The same: nothing waits."""
        return self._size

    @property
    def path(self) -> Path:
        """Where it is, as long as this writer or its blob is there."""
        return self._memory.path

    @property
    def hexdigest(self) -> str:
        """sha256 of the bytes."""
        return self._hash.hexdigest()

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes. Raises StoreUnavailable."""
        try:
            await asyncio.to_thread(self._append, bytes(chunk))
        except OSError as error:
            raise unavailable("keep a file in memory", error) from error

    def _append(self, chunk: bytes) -> None:
        self._memory.append(chunk)
        self._hash.update(chunk)
        self._size += len(chunk)

    async def flush(self) -> None:
        """Nothing waits."""

    async def restart(self) -> None:
        """Drops all bytes taken so far, for others to take their place."""
        self._memory.empty()
        self._hash = hashlib.sha256()
        self._size = 0

    def leave(self) -> None:
        """Nothing is left of what is not stored."""

    async def reader(self) -> BinaryIO:
        """Opens it to read; the caller closes it. Raises StoreUnavailable."""
        try:
            return self.path.open("rb", buffering=0)
        except OSError as error:
            raise unavailable("open a file in memory", error) from error

    async def commit(self, *, sha256: str) -> MemoryBlob:
        """The file, not stored. Raises ValueError if the bytes do not have this digest or there are none."""
        if not self._size:
            raise ValueError("an empty file is not kept")
        if self.hexdigest != sha256:
            raise ValueError(f"the bytes have sha256 {self.hexdigest}, not {sha256}")
        self._committed = True
        blob = MemoryBlob(sha256=sha256, size=self._size, path=self.path, memory=self._memory)
        if self._latest is not None:
            self._latest.add(blob)
        return blob

    async def close(self) -> None:
        """Gives the memory back unless it was committed."""
        if not self._committed:
            self._memory.close()
