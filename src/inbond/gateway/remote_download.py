"""A download that another process carries out, as it is told here, and as its readers here see it.

The bytes are read from the disk that both share; how many of them may leave is the other's to say (promise P1).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import stat
import weakref
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path
from typing import Final

import msgspec

from inbond.gateway.download import Complete, Download, Failed
from inbond.gateway.error_told import ErrorTold, told, untold
from inbond.model.errors import DigestMismatch, InbondError
from inbond.model.page import File
from inbond.store.protocols import Blob

# What lies below is no file on the disk, but open in another process (`inbond.store.memory_blob`), and gone with it.
OPEN_FILES: Final = "/proc/"


class BlobTold(msgspec.Struct, frozen=True, kw_only=True):
    """A file that is complete, checked and stored."""

    sha256: str
    size: int  # bytes
    path: str


def in_memory(blob: BlobTold) -> bool:
    """Whether it is not stored, but in the memory of the process that tells of it."""
    return blob.path.startswith(OPEN_FILES)


class DownloadTold(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a download (`inbond.gateway.download.Download`)."""

    etag: str = ""
    total: int | None = None
    path: str | None = None
    arrived: int = 0
    visible: int = 0
    received: bool = False
    queued: bool = False
    waits: bool = False  # for one of the places that others take
    blob: BlobTold | None = None
    error: ErrorTold | None = None

    @property
    def ended(self) -> bool:
        """Whether there is an outcome."""
        return self.blob is not None or self.error is not None


def state_of(download: Download, *, waits: bool) -> DownloadTold:
    """A download as it stands."""
    outcome = download.outcome
    return DownloadTold(
        etag=download.etag,
        total=download.total,
        path=None if download.path is None else str(download.path),
        arrived=download.arrived,
        visible=download.visible,
        received=download.received,
        queued=download.queued,
        waits=waits,
        blob=complete(outcome.blob).blob if isinstance(outcome, Complete) else None,
        error=told(outcome.error) if isinstance(outcome, Failed) else None,
    )


def complete(blob: Blob) -> DownloadTold:
    """What is told of a file that is here already."""
    return DownloadTold(blob=BlobTold(sha256=blob.sha256, size=blob.size, path=str(blob.path)))


class Handle:
    """A file of another process's memory, open here too; closed when nobody refers to this object any more."""

    def __init__(self, told: str) -> None:
        """`told`: its path, as that process tells it. Raises OSError, also where something else has its number now."""
        self.told: Final = told
        self.number: Final = os.open(told, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        weakref.finalize(self, os.close, self.number)
        if not stat.S_ISREG(os.fstat(self.number).st_mode):
            raise _gone(told)

    @property
    def path(self) -> Path:
        """By which it is opened once more."""
        return Path(f"/proc/self/fd/{self.number}")

    def has(self, blob: BlobTold) -> bool:
        """Whether it is that file. Blocks for as long as reading it takes. Raises OSError."""
        if os.fstat(self.number).st_size != blob.size:
            return False
        os.lseek(self.number, 0, os.SEEK_SET)
        with FileIO(self.number, closefd=False) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == blob.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldBlob(Blob):
    """A file that is complete and not stored: there as long as this object is."""

    handle: Handle = field(repr=False, compare=False)


class RemoteDownload(Download):
    """A `Download` that shows what it was told last. Nobody runs it here.

    `checked` stays None: what lies at a path before it is stored for good is the other's to move, and only what has an
    outcome is told under a name that stays. So its readers here wait for the disk too. `doubted` counts at the outcome.
    """

    def __init__(self, file: File) -> None:
        super().__init__(file)
        self.waits = False
        self._handle: Handle | None = None
        self._said = DownloadTold()

    @property
    def arrived(self) -> int:
        """See `Download.arrived`."""
        return self._said.arrived

    @property
    def visible(self) -> int:
        """See `Download.visible`: as the process that carries it out says."""
        match self.outcome:
            case Complete(blob):
                return blob.size
            case Failed():
                return 0
            case None:
                return 0 if self.sha256 is None else self._said.visible

    async def take(self, said: DownloadTold) -> None:
        """Shows another state. Raises OSError where the file is in memory, and cannot be had any more."""
        if said.blob is not None and in_memory(said.blob):
            await self._hold(said.blob)
        if said.path is not None and said.error is None:
            self.path = self._path(said.path)
        self._said = said
        self.etag = said.etag or self.etag
        self.total = self.total if said.total is None else said.total
        self.received, self.queued, self.waits = said.received, said.queued, said.waits
        if said.error is not None:
            self.outcome = Failed(untold(said.error))
        elif said.blob is not None:
            self.outcome = self._outcome(said.blob)
        self._tell()

    async def _hold(self, blob: BlobTold) -> None:
        """Its number may have been given to another file since: no other bytes than those compared here may leave."""
        if not await asyncio.to_thread(self._held(blob.path).has, blob):
            raise _gone(blob.path)

    def _path(self, told: str) -> Path:
        if not told.startswith(OPEN_FILES):
            return Path(told)
        return self._held(told).path

    def _held(self, told: str) -> Handle:
        if self._handle is None or self._handle.told != told:
            self._handle = Handle(told)
        return self._handle

    def _outcome(self, blob: BlobTold) -> Complete | Failed:
        if self.sha256 is not None and blob.sha256 != self.sha256:
            return Failed(DigestMismatch(self.file.filename, expected=self.sha256, actual=blob.sha256))
        if in_memory(blob):
            held = self._held(blob.path)
            return Complete(HeldBlob(sha256=blob.sha256, size=blob.size, path=held.path, handle=held))
        return Complete(Blob(sha256=blob.sha256, size=blob.size, path=Path(blob.path)))

    def fail(self, error: InbondError) -> None:
        """It ends here without an outcome from there; one that is there stays."""
        if self.outcome is None:
            self.outcome = Failed(error)
            self._tell()


def _gone(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "the file in memory is gone", path)
