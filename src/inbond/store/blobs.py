"""Whole files on disk, each under the sha256 of its content; a name there is a promise about the bytes.

    <directory>/sha256/ab/abcd…   complete files, never changed once they have this name
    <directory>/incoming/…        files that grow (`inbond.store.incoming`); nothing there counts as content

A file gets its name by a rename, after its digest was compared and its bytes were synced to disk: whatever ends the
process or the power in between leaves the right bytes or nothing. Nothing is read at start-up; what is stored is
counted in the background after the first commit, and evicted, least recently found first, when it is too much; a store
without a limit (`inbond.store.mirror_blobs`) counts nothing and evicts nothing.

A reader that has a file open keeps it, evicted or not (POSIX); between `find` and opening it may go, unless leased.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import stat
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Event, Observer
from inbond.model.names import is_sha256
from inbond.store.disk import DISK, Disk
from inbond.store.eviction import evict
from inbond.store.files import make_private, remove_tree, unavailable
from inbond.store.growing import DiskBlobWriter
from inbond.store.incoming import Incoming
from inbond.store.protocols import Blob

DEFAULT_MAX_SIZE: Final = 20 * 2**30  # bytes; `max_size` under [storage]
WORKERS: Final = 4  # threads for everything that waits for the disk
TOUCH_SECONDS: Final = 3600  # a blob's time of use is kept no finer than this

T = TypeVar("T")


def open_blobs(
    directory: Path, *, observer: Observer, max_size: int | None = DEFAULT_MAX_SIZE, disk: Disk = DISK
) -> DiskBlobs:
    """Opens the blobs in `directory`, keeping about `max_size` bytes; None: all of them. Blocks for milliseconds.

    What dead processes left growing is removed; living processes over the same directory keep theirs. Raises
    StoreUnavailable.
    """
    try:
        for part in (directory, directory / "sha256", directory / "incoming"):
            make_private(part, disk)
        incoming = Incoming(directory / "incoming", disk)
        incoming.sweep()
    except OSError as error:
        raise unavailable("open the file cache", error) from error
    return DiskBlobs(directory / "sha256", incoming=incoming, observer=observer, max_size=max_size, disk=disk)


class DiskBlobs:
    """`Blobs` on disk. Close it with `aclose`."""

    def __init__(
        self, content: Path, *, incoming: Incoming, observer: Observer, max_size: int | None, disk: Disk = DISK
    ) -> None:
        self._content = content
        self._disk = disk
        self._incoming = incoming
        self._observer = observer
        self._max_size = max_size
        self._total: int | None = None  # bytes stored, about; None until counted
        self._leases: Counter[str] = Counter()
        self._evicting: asyncio.Task[None] | None = None
        self._pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="blobs")

    async def find(self, sha256: str) -> Blob | None:
        """The blob, or None; what stands in its place without being a file of at least one byte is removed.

        Raises ValueError for what is no digest, StoreUnavailable.
        """
        path = self._path(sha256)
        # what is never evicted needs no time of use; writing one would also make the file look changed
        size = await self._run("look for a file", partial(_examine, path, touch=self._max_size is not None))
        if size is None:
            return None
        if size:
            return Blob(sha256=sha256, size=size, path=path)
        self._tell(Alert(name="blob-refused", message=f"{path} is empty, a link, or no file: removed"))
        await self._run("remove a file", remove_tree, path)
        return None

    @property
    def generation(self) -> str:
        """Another one after every unclean end of a process: what was known of blobs on disk is to be looked at anew."""
        return self._incoming.generation

    def holds(self, blob: Blob) -> bool:
        """Whether a blob lies in this store."""
        return blob.path == self._path(blob.sha256)

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
    async def writer(self, sha256: str | None = None) -> AsyncIterator[DiskBlobWriter]:
        """A new file that grows; removed when the context ends without a commit. Raises StoreUnavailable."""
        opening = asyncio.ensure_future(
            DiskBlobWriter.open(self._incoming.new_path(sha256), pool=self._pool, keep=self._keep, disk=self._disk)
        )
        try:
            yield await asyncio.shield(opening)
        finally:
            # Threads go on when their task is cancelled: what they open is closed all the same.
            await asyncio.shield(asyncio.ensure_future(_close(opening)))

    async def remove(self, sha256: str) -> None:
        """Removes the blob; a missing one is fine. Raises ValueError for what is no digest, StoreUnavailable."""
        path = self._path(sha256)
        await self._run("remove a file", self._disk.unlink, path)

    async def settled(self) -> None:
        """Waits until the eviction under way, if one is, has ended."""
        if self._evicting is not None:
            await asyncio.shield(self._evicting)

    async def aclose(self) -> None:
        """Removes what was not committed. Writers must have ended; calling it twice is fine."""
        await self.settled()
        await asyncio.to_thread(self._pool.shutdown)
        await asyncio.to_thread(self._incoming.close)

    def _path(self, sha256: str) -> Path:
        if not is_sha256(sha256):
            raise ValueError(f"{sha256!r} is no sha256 digest")
        return self._content / sha256[:2] / sha256

    async def _keep(self, grown: Path, sha256: str, size: int) -> Blob:
        path = self._path(sha256)
        await self._run("store a file", place, self._disk, grown, path)
        if self._total is not None:
            self._total += size
        self._make_room()
        return Blob(sha256=sha256, size=size, path=path)

    def _make_room(self) -> None:
        if self._max_size is None:
            return
        busy = self._evicting is not None and not self._evicting.done()
        if not busy and (self._total is None or self._total > self._max_size):
            self._evicting = asyncio.create_task(self._evict(self._max_size))

    async def _evict(self, max_size: int) -> None:
        before = self._total or 0
        self._total = 0 if self._total is None else self._total
        try:
            left = await self._run("count files", evict, self._content, max_size, self._leases.__contains__, self._disk)
        except Exception as error:  # noqa: BLE001 (nobody awaits this; serving goes on)
            self._total = None
            self._tell(Alert(name="eviction-failed", message=str(error)))
            return
        # what was committed meanwhile may be counted twice: the next eviction counts anew
        self._total += left - before

    async def _run(self, doing: str, work: Callable[..., T], *args: object) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *args)
        except OSError as error:
            raise unavailable(doing, error) from error

    def _tell(self, event: Event) -> None:
        self._observer(event)


async def _close(opening: asyncio.Future[DiskBlobWriter]) -> None:
    with contextlib.suppress(StoreUnavailable):  # it was never opened; whoever wanted to knows
        writer = await opening
        await writer.close()


def _examine(path: Path, *, touch: bool) -> int | None:
    """The size of a blob; None where there is none, 0 where something else stands in its place.

    `touch`: whether its time of use is kept.
    """
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if not stat.S_ISREG(status.st_mode):
        return 0
    if touch and time.time() - status.st_atime > TOUCH_SECONDS:
        with contextlib.suppress(OSError):  # a read-only disk still serves
            os.utime(path, ns=(time.time_ns(), status.st_mtime_ns), follow_symlinks=False)
    return status.st_size


def place(disk: Disk, grown: Path, path: Path) -> None:
    """Gives a whole and synced file its name among the blobs, for good. Raises OSError."""
    if not path.parent.exists():
        make_private(path.parent, disk)
        disk.sync_directory(path.parent.parent)
    disk.rename(grown, path)
    disk.sync_directory(path.parent)
