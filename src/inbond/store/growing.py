"""A file that grows while others read it: hashed as it comes, written in batches, kept only if its digest is right."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeVar

import aiofiles.threadpool

from inbond.model.errors import StoreUnavailable
from inbond.store.disk import DISK, Disk
from inbond.store.files import open_regular, unavailable
from inbond.store.protocols import Blob

BATCH_BYTES: Final = 2**20  # one writer: large batches cost it no memory to speak of
PIECE_BYTES: Final = 4 * 2**20  # of what is taken up: others' work on the disk waits for no more than that
READ_BYTES: Final = 64 * 2**10  # many readers: 200 of them in batches of 1 MiB took four times the memory

T = TypeVar("T")

Keep = Callable[[Path, str, int], Awaitable[Blob]]  # moves a complete file to its place
Leave = Callable[[Path, int], None]  # takes over a file that is not complete, of so many bytes; blocks


async def read_at(file: BinaryIO, offset: int, count: int) -> bytes:
    """At most `count` bytes from `offset` on, fewer where the file ends before. Raises StoreUnavailable.

    The file's own position is neither used nor moved, so that any number may read through one handle.
    """
    try:
        return await asyncio.to_thread(os.pread, file.fileno(), count, offset)
    except OSError as error:
        raise unavailable("read a file", error) from error


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
        self, begun: _Begun, *, pool: Executor, keep: Keep, leave: Leave | None = None, disk: Disk = DISK
    ) -> None:
        self._path = begun.path
        self._raw = begun.raw
        self._file: Any = aiofiles.threadpool.wrap(begun.raw, executor=pool)
        self._disk = disk
        self._pool = pool
        self._keep = keep
        self._leave = leave
        self._leaves = False
        self._hash = begun.made
        self._batch = bytearray()
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
        disk: Disk = DISK,
        leave: Leave | None = None,
        resume_from: Path | None = None,
    ) -> Self:
        """Makes the file, or goes on with the one at `resume_from`, which becomes this one's. Raises StoreUnavailable.

        `leave`: where `leave` puts what did not become whole; None: nowhere, it is removed.
        """
        try:
            begun = await _begun(pool, disk, path, resume_from)
        except OSError as error:
            raise unavailable("begin a file", error) from error
        return cls(begun, pool=pool, keep=keep, leave=leave, disk=disk)

    @property
    def size(self) -> int:
        """Bytes taken so far."""
        return self._size

    @property
    def readable(self) -> int:
        """Bytes that readers can see now."""
        return self._size - len(self._batch)

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
            self._batch += chunk
            self._size += len(chunk)
            if len(self._batch) >= BATCH_BYTES:
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
            self._batch.clear()
            self._size = 0
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
                await self._call(self._sync)
            except OSError as error:
                raise unavailable("write a file", error) from error
            self._blob = await self._keep(self._path, sha256, self._size)
            return self._blob

    async def close(self) -> None:
        """Closes the file, and removes it unless it was committed or left."""
        left = self._leaves and await self._is_drained()
        self._intact = False
        with contextlib.suppress(OSError):
            await self._file.close()
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
        batch = bytes(self._batch)
        self._intact = False
        try:
            await asyncio.gather(self._call(self._hash.update, batch), self._write_through(batch))
        except OSError as error:
            raise unavailable("write a file", error) from error
        self._batch.clear()
        self._intact = True

    async def _write_through(self, batch: bytes) -> None:
        rest = memoryview(batch)
        while rest:
            rest = rest[await self._file.write(rest) :]

    def _sync(self) -> None:
        # Whatever the reason for another length: bytes that were hashed are not all there.
        if os.fstat(self._raw.fileno()).st_size != self._size:
            raise OSError(errno.EIO, "the file is not as long as what was written to it")
        self._disk.sync(self._raw)

    async def _call(self, work: Callable[..., T], *args: object) -> T:
        return await _run(self._pool, work, *args)


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


def _emptied(raw: FileIO) -> None:
    raw.seek(0)
    raw.truncate(0)
