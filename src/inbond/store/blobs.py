"""Whole files on disk, each under the sha256 of its content; a name there is a promise about the bytes.

    <directory>/sha256/ab/abcd…   complete files, never changed once they have this name
    <directory>/incoming/…        files that grow (`inbond.store.incoming`); nothing there counts as content

A file gets its name by a rename, after its digest was compared and its bytes were synced to disk: whatever ends the
process or the power in between leaves the right bytes or nothing. Nothing is read at start-up; what is stored is
counted in the background after the first commit, and evicted, least recently used first, when it is too much or too
little of the disk is free (`inbond.store.room`). Where the disk is full all the same, files are passed on without being
stored. A store without a limit (`inbond.store.mirror_blobs`) counts nothing, evicts nothing, and fails when it is full.

A reader that has a file open keeps it, evicted or not (POSIX); between `find` and opening it may go, unless leased.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.errors import DiskFull, StoreUnavailable
from inbond.model.events import Alert, Event, Observer
from inbond.model.names import is_sha256
from inbond.store.disk import DISK, Disk
from inbond.store.files import is_empty, make_private, remove_tree, unavailable
from inbond.store.growing import DiskBlobWriter, NewFile
from inbond.store.incoming import Incoming
from inbond.store.memory_blob import UNSTORED_BYTES, Latest, MemoryBlobWriter, UnstoredBytes
from inbond.store.partials import MAX_PARTIAL_BYTES
from inbond.store.protocols import Blob, BlobWriter
from inbond.store.room import Limit, Room
from inbond.store.space import Space
from inbond.store.spilling import SpillingWriter

DEFAULT_MAX_SIZE: Final = 20 * 2**30  # bytes; `max_size` under [storage]
PARTIAL_SHARE: Final = 0.2  # of `max_size`, for what transfers left behind
WORKERS: Final = 4  # threads for everything that waits for the disk

T = TypeVar("T")
_Writer = DiskBlobWriter | SpillingWriter | MemoryBlobWriter


def open_blobs(
    directory: Path,
    *,
    observer: Observer,
    max_size: int | None = DEFAULT_MAX_SIZE,
    limit: Limit | None = None,
    space: Space | None = None,
    disk: Disk = DISK,
) -> DiskBlobs:
    """Opens the blobs in `directory`, keeping about `max_size` bytes; None: all of them. Blocks for milliseconds.

    `limit`: how much it keeps instead, reckoned anew at every eviction. `space`: the disk and its reserve, where they
    are not the defaults.

    What dead processes left growing is removed; living processes over the same directory keep theirs. Raises
    StoreUnavailable.
    """
    try:
        for part in (directory, directory / "sha256", directory / "incoming"):
            make_private(part, disk)
        left = MAX_PARTIAL_BYTES if max_size is None else min(MAX_PARTIAL_BYTES, int(max_size * PARTIAL_SHARE))
        incoming = Incoming(directory / "incoming", disk, max_partial_bytes=left)
    except OSError as error:
        raise unavailable("open the file cache", error) from error
    space = space or Space(directory=directory)
    content = directory / "sha256"
    return DiskBlobs(
        content, incoming=incoming, observer=observer, max_size=max_size, limit=limit, space=space, disk=disk
    )


class DiskBlobs:
    """`Blobs` on disk. Close it with `aclose`."""

    def __init__(
        self,
        content: Path,
        *,
        incoming: Incoming,
        observer: Observer,
        max_size: int | None,
        space: Space,
        limit: Limit | None = None,
        disk: Disk = DISK,
    ) -> None:
        self._content = content
        self._disk = disk
        self._incoming = incoming
        self._observer = observer
        self._leases: Counter[str] = Counter()
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="blobs")
        self._unstored = UnstoredBytes(UNSTORED_BYTES)
        self._latest = Latest()
        self._room = None if max_size is None else self._room_for(max_size, limit, space)

    def _room_for(self, max_size: int, limit: Limit | None, space: Space) -> Room:
        return Room(
            self._content,
            max_size=max_size,
            limit=limit,
            space=space,
            new_path=self._incoming.new_path,
            spare=self._incoming.partials.clear,
            leased=self._leases.__contains__,
            pool=self._pool,
            observer=self._observer,
            disk=self._disk,
        )

    async def find(self, sha256: str) -> Blob | None:
        """The blob, or None; what stands in its place without being a file of at least one byte is removed.

        Raises ValueError for what is no digest, StoreUnavailable.
        """
        path = self._path(sha256)
        size = await self._run("look for a file", _examine, path)
        if size is None:
            return self._in_memory(sha256)
        if size:
            return Blob(sha256=sha256, size=size, path=path)
        self._tell(Alert(name="blob-refused", message=f"{path} is empty, a link, or no file: removed"))
        await self._run("remove a file", remove_tree, path)
        return None

    def _in_memory(self, sha256: str) -> Blob | None:
        if self.refusal is None:
            self._latest.clear()  # it is fetched once more, and stored
        return self._latest.get(sha256)

    @property
    def generation(self) -> str:
        """Another one after an unclean end that no process lived to see: what was known of blobs is to be checked anew.

        All processes that live over the same directory have the same.
        """
        return self._incoming.generation

    @property
    def refusal(self) -> str | None:
        """Why nothing is stored now, though files are passed on, or None."""
        return None if self._room is None else self._room.refusal

    def watch(self) -> None:
        """Sees to the disk's space from now on, also where no file comes."""
        if self._room is not None:
            self._room.watch()

    @contextlib.contextmanager
    def lease(self, sha256: str) -> Iterator[None]:
        """As long as the context lasts, this process does not evict the blob."""
        self._leases[sha256] += 1
        try:
            yield
        finally:
            self._leases[sha256] -= 1
            if not self._leases[sha256]:
                del self._leases[sha256]

    @contextlib.asynccontextmanager
    async def writer(self, sha256: str | None = None, *, size: int | None = None) -> AsyncIterator[BlobWriter]:
        """A file that grows, new or left; removed, or left, when the context ends without a commit.

        Where the disk is full it grows in memory, and what `commit` returns is not stored (`inbond.store.memory_blob`).
        Raises StoreUnavailable; at once where there is no room for `size` bytes, on disk or in memory.
        """
        opening = asyncio.ensure_future(self._open(sha256, size))
        try:
            yield await asyncio.shield(opening)
        finally:
            # Threads go on when their task is cancelled: what they open is closed all the same.
            if not _is_over(opening):
                await asyncio.shield(asyncio.ensure_future(_close(opening)))

    def left(self, sha256: str) -> int:
        """How many bytes of a file wait for its next `writer`."""
        return self._incoming.partials.left(sha256)

    async def _open(self, sha256: str | None, size: int | None) -> _Writer:
        if self._room is None:
            return await self._open_on_disk(sha256)
        in_memory = partial(MemoryBlobWriter, self._unstored, self._latest, size=size)
        new = NewFile(self._incoming.new_path(sha256), self._disk)
        left = self._incoming.partials.count > 0  # with which it may have to go on instead
        if not await (self._room.make() if left else self._room.make(new.make)):
            return in_memory()
        try:
            on_disk = await self._open_on_disk(sha256, None if left else new)
            return SpillingWriter(on_disk, self._room, in_memory)
        except DiskFull as error:
            self._room.refuse(error.message)
            return in_memory()

    async def _open_on_disk(self, sha256: str | None, new: NewFile | None = None) -> DiskBlobWriter:
        try:
            return await self._begun(sha256, new)
        except StoreUnavailable as error:
            # A cache may be deleted at any time, also while it is used.
            if not isinstance(error.__cause__, FileNotFoundError):
                raise
        if await self._run("make the file cache anew", self._incoming.restore):
            self._tell(Alert(name="cache-removed", message=f"{self._content.parent} was removed: it is made anew"))
        return await self._begun(sha256)

    async def _begun(self, sha256: str | None, new: NewFile | None = None) -> DiskBlobWriter:
        partials, path = self._incoming.partials, new.path if new is not None else self._incoming.new_path(sha256)
        begun, leave = None, None
        if sha256 is not None:
            begun = (
                await self._run("look for a file", partials.take, sha256) if new is None and partials.count else None
            )
            leave = partial(partials.add, sha256)
        return await DiskBlobWriter.open(
            path,
            pool=self._pool,
            keep=self._keep,
            stored=self._stored,
            disk=self._disk,
            leave=leave,
            resume_from=begun,
            new=new,
        )

    async def remove(self, sha256: str) -> None:
        """Removes the blob; a missing one is fine. Raises ValueError for what is no digest, StoreUnavailable."""
        path = self._path(sha256)
        self._latest.remove(sha256)
        await self._run("remove a file", self._disk.unlink, path)

    async def settled(self) -> None:
        """Waits until the eviction under way, if one is, has ended."""
        if self._room is not None:
            await self._room.settled()

    async def aclose(self) -> None:
        """Removes what was not committed. Writers must have ended; calling it twice is fine."""
        if self._room is not None:
            await self._room.aclose()
        await asyncio.to_thread(self._pool.shutdown)
        self._latest.clear()
        self._unstored.close()
        await asyncio.to_thread(self._incoming.close)

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ValueError(f"{sha256!r} is no sha256 digest")
        return self._content / sha256[:2] / sha256

    def _keep(self, grown: Path, sha256: str) -> Path:
        path = self._path(sha256)
        place(self._disk, grown, path)
        return path

    def _stored(self, size: int) -> None:
        if self._room is not None:
            self._room.stored(size)

    async def _run(self, doing: str, work: Callable[..., T], *args: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        except OSError as error:
            raise unavailable(doing, error) from error

    def _tell(self, event: Event) -> None:
        self._observer(event)


def _is_over(opening: asyncio.Future[_Writer]) -> bool:
    if not opening.done() or opening.cancelled() or opening.exception() is not None:
        return False
    writer = opening.result()
    return not isinstance(writer, MemoryBlobWriter) and writer.over


async def _close(opening: asyncio.Future[_Writer]) -> None:
    with contextlib.suppress(StoreUnavailable):  # it was never opened; whoever wanted to knows
        writer = await opening
        await writer.close()


def _examine(path: Path) -> int | None:
    """The size of a blob; None where there is none, 0 where something else stands in its place."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else 0


def place(disk: Disk, grown: Path, path: Path) -> None:
    """Gives a whole and synced file its name among the blobs, for good. Raises OSError."""
    if not path.parent.exists() or is_empty(path.parent):
        make_private(path.parent, disk)
    disk.rename(grown, path)
    disk.sync_directory(path.parent)
