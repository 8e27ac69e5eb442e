"""Blobs that come one after the other, their digests proven on the way, into a directory that `open_blobs` reads.

Made for bundles: thousands of small files, for each of which a disk takes milliseconds to say that it is safe. So the
next ones are taken meanwhile, and nothing counts as there before `settle` has returned. Blocks; for one thread.
"""

from __future__ import annotations

import contextlib
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from typing import Final, Self

from inbond.model.names import is_sha256
from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private, open_regular, unavailable
from inbond.store.incoming import Incoming

SYNCED_AT_ONCE: Final = 8  # files: most of the time is the disk's
CHUNK_BYTES: Final = 2**20
MAX_WAITING: Final = 64  # files that are written and not safe yet


class Arrivals:
    """Takes blobs into a directory. Everything raises `StoreUnavailable` where the disk refuses."""

    def __init__(self, directory: Path, disk: Disk = DISK) -> None:
        try:
            for part in (directory, directory / "sha256", directory / "incoming"):
                make_private(part, disk)
            self._incoming = Incoming(directory / "incoming", disk)
        except OSError as error:
            raise unavailable("take in files", error) from error
        self._content = directory / "sha256"
        self._disk = disk
        self._pool = ThreadPoolExecutor(SYNCED_AT_ONCE, thread_name_prefix="arrivals")
        self._waiting: deque[Future[None]] = deque()
        self._touched: set[Path] = set()
        self.new: list[str] = []  # the digests of what was not here before

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()
        self._incoming.close()

    def path(self, sha256: str) -> Path:
        """Where a blob is, or would be. Raises ValueError for what is no digest."""
        if not is_sha256(sha256):
            raise ValueError(f"{sha256!r} is no sha256 digest")
        return self._content / sha256[:2] / sha256

    def take(self, sha256: str, size: int, pieces: Iterator[bytes]) -> None:
        """Takes a blob. `pieces` must raise, at their end, where they do not have this digest: it is not hashed here.

        Whatever `pieces` raises is raised on, and nothing is kept of the blob. One that is here already is compared,
        and replaced where its bytes are no longer what they were.
        """
        path, grown = self.path(sha256), self._incoming.new_path()
        try:
            if _size_of(path) == size:
                same, pieces = _compared(path, pieces)
                if same:
                    # Its name may be from an import that was killed before the directory was safe.
                    self._touched |= {path.parent, path.parent.parent}
                    return
            self._make_room_for(path.parent)
            with contextlib.ExitStack() as undone:
                undone.callback(self._disk.unlink, grown)
                _write(self._disk, grown, pieces)
                undone.pop_all()
        except OSError as error:
            raise unavailable("store a file", error) from error
        self.new.append(sha256)
        self._waiting.append(self._pool.submit(_place, self._disk, grown, path))
        while len(self._waiting) > MAX_WAITING:
            self._wait()

    def settle(self) -> None:
        """Waits until all that was taken outlasts a loss of power."""
        while self._waiting:
            self._wait()
        try:
            list(self._pool.map(self._disk.sync_directory, self._touched))
        except OSError as error:
            raise unavailable("store a file", error) from error
        self._touched.clear()

    def undo(self, *, but: Collection[str] = ()) -> None:
        """Removes what was new, but for these."""
        with contextlib.suppress(OSError):  # what stays is whole, and in nobody's way
            for future in self._waiting:
                future.exception()
            self._waiting.clear()
            for sha256 in self.new:
                if sha256 not in but:
                    self._disk.unlink(self.path(sha256))

    def _make_room_for(self, parent: Path) -> None:
        if parent not in self._touched:
            if not parent.exists():
                self._disk.make_directory(parent)
            self._touched |= {parent, parent.parent}  # each synced once, when all is there

    def _wait(self) -> None:
        try:
            self._waiting.popleft().result()
        except OSError as error:
            raise unavailable("store a file", error) from error


def _size_of(path: Path) -> int | None:
    """The size of a regular file; None for anything else."""
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None


def _compared(path: Path, pieces: Iterator[bytes]) -> tuple[bool, Iterator[bytes]]:
    """Whether a file holds these pieces and nothing else; where it does not, the pieces once more."""
    equal = 0
    with open_regular(path) as file:
        for piece in pieces:
            if file.read(len(piece)) != piece:
                return False, chain(_beginning(path, equal), [piece], pieces)
            equal += len(piece)
    return True, iter(())


def _beginning(path: Path, size: int) -> Iterator[bytes]:
    with open_regular(path) as file:
        while size and (piece := file.read(min(size, CHUNK_BYTES))):
            size -= len(piece)
            yield piece


def _write(disk: Disk, path: Path, pieces: Iterable[bytes]) -> None:
    with disk.create(path) as file:
        for piece in pieces:
            rest = memoryview(piece)
            while rest:
                rest = rest[file.write(rest) :]


def _place(disk: Disk, grown: Path, path: Path) -> None:
    """Makes a whole file last, and gives it its name."""
    with open_regular(grown) as file:
        disk.sync(file)
    disk.rename(grown, path)
