"""A file that grows while others read it: hashed as it comes, written in batches, kept only if its digest is right."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeVar

from inbond.model.errors import StoreUnavailable
from inbond.store.disk import DISK, Disk
from inbond.store.files import open_regular, unavailable
from inbond.store.protocols import Blob

BATCH_BYTES: Final = 2**20  # one writer: large batches cost it no memory to speak of
PIECE_BYTES: Final = 4 * 2**20  # of what is taken up: others' work on the disk waits for no more than that
# A batch of fewer bytes is hashed and written by one thread: for a second one it is not worth the trip.
SMALL_BATCH_BYTES: Final = 256 * 2**10
READ_BYTES: Final = 64 * 2**10  # many readers: 200 of them in batches of 1 MiB took four times the memory

T = TypeVar("T")

Keep = Callable[[Path, str], Path]  # moves a complete file to its place, which is returned; blocks
Stored = Callable[[int], None]  # told of so many bytes that were stored
Leave = Callable[[Path, int], None]  # takes over a file that is not complete, of so many bytes; blocks


async def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """At most `count` bytes from `offset` on, fewer where the file ends before. Raises StoreUnavailable.

    The file's own position is neither used nor moved, so that any number may read through one handle.
    """
    try:
        return await asyncio.to_thread(os.pread, file.fileno(), count, offset)
    except OSError as error:
        raise unavailable("read a file", error) from error


class NewFile:
    """A file that is made by whoever looks whether there is room for it: in the same trip to a thread."""

    def __init__(self, path: Path, disk: Disk) -> None:
        self.path = path
        self._disk = disk
        self._raw: FileIO | None = None
        self._error: OSError | None = None

    def make(self) -> None:
        """Makes it, or keeps why that failed. Blocks."""
        try:
            self._raw = self._disk.create(self.path)
        except OSError as error:
            self._error = error

    def made(self) -> FileIO:
        """The file, open. Raises StoreUnavailable where it could not be made."""
        if self._raw is None:
            error = self._error or OSError(errno.ENOENT, "it was not made")
            raise unavailable("begin a file", error) from error
        return self._raw


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    """An open file with the bytes that are in it, and their sha256 so far."""

    path: Path
    raw: FileIO
    size: int
    made: Any  # hashlib's


class DiskBlobWriter:
    """A `BlobWriter` over a file of its own. One that failed or was interrupted can only be closed."""

    def __init__(
        self,
        begun: _Begun,
        *,
        pool: Executor,
        keep: Keep,
        stored: Stored,
        leave: Leave | None = None,
        disk: Disk = DISK,
    ) -> None:
        self._path = begun.path
        self._raw = begun.raw
        self._disk = disk
        self._pool = pool
        self._keep = keep
        self._stored = stored
        self._leave = leave
        self._leaves = False
        self._hash = begun.made
        self._batch: list[bytes] = []  # taken, and not in the file yet
        self._waiting = 0  # bytes of it
        self._size = begun.size
        self._intact = True  # false while bytes are on their way, and for ever if they did not arrive
        self._blob: Blob | None = None
        self._turn = asyncio.Lock()

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        pool: Executor,
        keep: Keep,
        stored: Stored,
        disk: Disk = DISK,
        leave: Leave | None = None,
        resume_from: Path | None = None,
        new: NewFile | None = None,
    ) -> Self:
        """Makes the file, or goes on with the one at `resume_from`, which becomes this one's. Raises StoreUnavailable.

        `keep` is called in `pool`, and then `stored` on the event loop.
        `leave`: where `leave` puts what did not become whole; None: nowhere, it is removed. `new`: at `path` already.
        """
        if new is not None:
            begun = _Begun(path=path, raw=new.made(), size=0, made=hashlib.sha256())
            return cls(begun, pool=pool, keep=keep, stored=stored, leave=leave, disk=disk)
        try:
            begun = await _begun(pool, disk, path, resume_from)
        except OSError as error:
            raise unavailable("begin a file", error) from error
        return cls(begun, pool=pool, keep=keep, stored=stored, leave=leave, disk=disk)

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    @property
    def readable(self) -> int:
        """Bytes that readers can see now."""
        return self._size - self._waiting

    @property
    def path(self) -> Path:
        """Where the growing file is; once committed, where the blob is."""
        return self._path if self._blob is None else self._blob.path

    @property
    def hexdigest(self) -> str:
        """sha256 of the readable bytes; after `flush`, of all bytes taken."""
        digest: str = self._hash.hexdigest()
        return digest

    async def write(self, chunk: bytes) -> None:
        """Takes the next bytes; they reach the file a batch at a time. Raises StoreUnavailable."""
        async with self._turn:
            self._check_open()
            self._batch.append(chunk)
            self._waiting += len(chunk)
            self._size += len(chunk)
            if self._waiting >= BATCH_BYTES:
                await self._drain()

    async def flush(self) -> None:
        """Makes all bytes taken so far readable by others. Raises StoreUnavailable."""
        async with self._turn:
            self._check_open()
            await self._drain()

    async def restart(self) -> None:
        """Drops all bytes taken so far, for others to take their place. Raises StoreUnavailable."""
        async with self._turn:
            self._check_open()
            self._intact = False
            try:
                await self._call(_emptied, self._raw)
            except OSError as error:
                raise unavailable("begin a file anew", error) from error
            self._hash = hashlib.sha256()
            self._batch = []
            self._waiting = self._size = 0
            self._intact = True

    def leave(self) -> None:
        """Has closing leave the bytes for the next one who wants this file, instead of removing them."""
        self._leaves = self._leave is not None

    async def reader(self) -> BinaryIO:
        """Opens the file to read; the caller closes it. Raises StoreUnavailable."""
        try:
            return await self._call(open_regular, self.path)
        except FileNotFoundError:
            pass  # it is being committed at this moment, or is gone
        except OSError as error:
            raise unavailable("open a growing file", error) from error
        async with self._turn:
            try:
                return await self._call(open_regular, self.path)
            except OSError as error:
                raise unavailable("open a growing file", error) from error

    async def commit(self, *, sha256: str) -> Blob:
        """Makes the file a blob. When this returns, it outlasts a loss of power.

        Raises ValueError if the bytes do not have this digest or there are none, StoreUnavailable.
        """
        async with self._turn:
            self._check_open()
            await self._drain()
            if not self._size:
                raise ValueError("an empty file is not kept")
            if self.hexdigest != sha256:
                raise ValueError(f"the bytes have sha256 {self.hexdigest}, not {sha256}")
            self._intact = False
            try:
                path = await self._call(self._finished, sha256)
            except OSError as error:
                raise unavailable("write a file", error) from error
            self._stored(self._size)
            self._blob = Blob(sha256=sha256, size=self._size, path=path)
            return self._blob

    @property
    def over(self) -> bool:
        """Whether it was committed, and nothing of it is open any more: it need not be closed."""
        return self._blob is not None and self._raw.closed

    async def close(self) -> None:
        """Closes the file, and removes it unless it was committed or left."""
        left = self._leaves and await self._is_drained()
        self._intact = False
        if not self._raw.closed:
            with contextlib.suppress(OSError):
                await self._call(self._raw.close)
        if left and self._leave is not None:
            await self._call(self._leave, self._path, self._size)
        elif self._blob is None:
            with contextlib.suppress(OSError):
                await self._call(self._disk.unlink, self._path)

    async def _is_drained(self) -> bool:
        """Whether all bytes taken are in the file, which is still to be made whole."""
        with contextlib.suppress(StoreUnavailable):
            await self.flush()
            return True
        return False

    def _check_open(self) -> None:
        if not self._intact:
            raise unavailable("go on with a file", OSError(errno.EBADF, "it was interrupted, committed or closed"))

    async def _drain(self) -> None:
        if not self._batch:
            return
        batch = self._batch
        self._intact = False
        try:
            if self._waiting < SMALL_BATCH_BYTES:
                await self._call(self._take, batch)
            else:
                await asyncio.gather(self._call(_hash, self._hash, batch), self._call(_written, self._raw, batch))
        except OSError as error:
            raise unavailable("write a file", error) from error
        self._batch, self._waiting = [], 0
        self._intact = True

    def _call(self, work: Callable[..., T], *args: object) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(self._pool, work, *args)

    # What follows blocks, and runs in the pool.

    def _take(self, batch: Sequence[bytes]) -> None:
        _hash(self._hash, batch)
        _written(self._raw, batch)

    def _finished(self, sha256: str) -> Path:
        """Makes the file last, gives it its name and closes it. Raises OSError, and StoreUnavailable for its name."""
        self._sync()
        try:
            path = self._keep(self._path, sha256)
        except OSError as error:
            raise unavailable("store a file", error) from error
        with contextlib.suppress(OSError):
            self._raw.close()
        return path

    def _sync(self) -> None:
        # Whatever the reason for another length: bytes that were hashed are not all there.
        if os.fstat(self._raw.fileno()).st_size != self._size:
            raise OSError(errno.EIO, "the file is not as long as what was written to it")
        self._disk.sync(self._raw)


async def _begun(pool: Executor, disk: Disk, path: Path, resume_from: Path | None) -> _Begun:
    if resume_from is not None:
        try:
            return await _taken_up(pool, disk, resume_from)
        except OSError:  # what was left cannot be read: then from the start
            with contextlib.suppress(OSError):
                await _run(pool, disk.unlink, resume_from)
    raw = await _run(pool, disk.create, path)
    return _Begun(path=path, raw=raw, size=0, made=hashlib.sha256())


async def _taken_up(pool: Executor, disk: Disk, path: Path) -> _Begun:
    """Reads what may be gigabytes, a piece at a time: everything else that is to be done in `pool` comes between."""
    raw = await _run(pool, disk.extend, path)
    try:
        made, size = hashlib.sha256(), 0
        while taken := await _run(pool, _hashed, raw, size, made):
            size += taken
    except BaseException:
        raw.close()
        raise
    return _Begun(path=path, raw=raw, size=size, made=made)


def _hashed(raw: FileIO, start: int, made: Any) -> int:
    """Hashes the next piece; its length."""
    piece = os.pread(raw.fileno(), PIECE_BYTES, start)
    made.update(piece)
    return len(piece)


async def _run(pool: Executor, work: Callable[..., T], *args: object) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work, *args)


def _hash(made: Any, batch: Sequence[bytes]) -> None:
    for chunk in batch:
        made.update(chunk)


def _written(raw: FileIO, batch: Sequence[bytes]) -> None:
    rest = memoryview(b"".join(batch))
    while rest:
        rest = rest[raw.write(rest) :]


def _emptied(raw: FileIO) -> None:
    raw.seek(0)
    raw.truncate(0)
