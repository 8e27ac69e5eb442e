"""Imported files are compared with their digests before they leave: nobody could fetch them again, and disks fail.

Each once in a process, and again where what lies there is another file by its inode, length or times. A thread does it;
whoever asks waits only as long as an answer may take, and the next request finds it done.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import threading
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, Protocol

from inbond.gateway.lru import Lru
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import BytesLost, NotYet, StoreUnavailable
from inbond.model.events import Alert, Observer
from inbond.model.names import Filename
from inbond.store.protocols import Blob

MAX_COMPARED: Final = 100_000  # files that are remembered to be whole
AT_ONCE: Final = 2  # files read at once: a disk that seeks between more is no quicker
READ_BYTES: Final = 2**20


class Mirror(Protocol):
    """The store of what was imported."""

    def holds(self, blob: Blob) -> bool:
        """Whether the blob lies there, and not in the cache."""
        ...


class _Seen(NamedTuple):
    """What tells a file on disk from another of its name, and from itself before a change."""

    inode: int
    size: int
    modified: int  # ns
    changed: int  # ns


class ImportedBytes:
    """Knows which imported files are whole."""

    def __init__(self, mirror: Mirror | None, observer: Observer) -> None:
        """`mirror`: None where nothing is fed by imports."""
        self._mirror = mirror
        self._observer = observer
        self._whole: Lru[str, _Seen] = Lru(MAX_COMPARED)
        self._flights: SingleFlight[tuple[str, _Seen], bool] = SingleFlight()
        self._places = asyncio.Semaphore(AT_ONCE)
        self._closing = threading.Event()

    def among(self, blob: Blob) -> bool:
        """Whether a blob was imported, and is none that the cache fetched."""
        return self._mirror is not None and self._mirror.holds(blob)

    async def whole(self, filename: Filename, blob: Blob, *, until: float) -> bool:
        """Whether an imported blob has its digest; one that has another is removed, and an alert told.

        `until`: by when the answer is wanted, on the event loop's clock. Raises `NotYet` where it takes longer,
        `FileNotFoundError` where it is gone, and `BytesLost` where the disk does not give it.
        """
        try:
            seen = await asyncio.to_thread(_look, blob.path)
            if self._whole.get(blob.sha256) == seen:
                return True
            work = self._flights.start((blob.sha256, seen), lambda: self._compared(blob))
            await asyncio.wait([work], timeout=max(0.0, until - asyncio.get_running_loop().time()))
            if work.done():
                return work.result()
        except FileNotFoundError:
            raise
        except OSError as error:
            raise BytesLost(
                f"{filename} cannot be read: {error.strerror or error}", remedy="see to the disk"
            ) from error
        raise NotYet(
            f"{filename} was imported, and is still being compared with its digest", remedy="try again in a few seconds"
        )

    async def _compared(self, blob: Blob) -> bool:
        async with self._places:
            seen, digest = await asyncio.to_thread(_digest, blob.path, self._closing)
        if digest == blob.sha256:
            self._whole.put(blob.sha256, seen)
            return True
        self._whole.pop(blob.sha256)
        await asyncio.to_thread(_put_out, blob.path, seen)
        message = f"the imported file {blob.path} has sha256 {digest}: removed. Import the bundle that held it again"
        self._observer(Alert(name="imported-file-damaged", message=message))
        return False

    async def aclose(self) -> None:
        """Ends what is under way."""
        self._closing.set()
        await self._flights.aclose()


def _look(path: Path) -> _Seen:
    return _seen(path.lstat())


def _seen(status: os.stat_result) -> _Seen:
    return _Seen(status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _digest(path: Path, closing: threading.Event) -> tuple[_Seen, str]:
    """A file's digest, and what it was when reading began: what is changed meanwhile is compared again."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        seen = _seen(os.fstat(file.fileno()))
        while piece := file.read(READ_BYTES):
            if closing.is_set():
                raise StoreUnavailable("inbond is stopping")
            digest.update(piece)
    return seen, digest.hexdigest()


def _put_out(path: Path, seen: _Seen) -> None:
    """Removes a damaged file, unless an import has put another in its place meanwhile."""
    with suppress(FileNotFoundError):
        if _look(path) == seen:
            path.unlink()
