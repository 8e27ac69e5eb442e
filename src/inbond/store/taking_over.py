"""Files that lie elsewhere on this machine, made blobs: copied, moved or linked, under the digest that they have.

Nothing is believed of a file but its bytes. All of it blocks, and may be called from several threads.
"""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from dataclasses import dataclass
from enum import StrEnum
from io import FileIO
from pathlib import Path
from typing import BinaryIO, Final

from inbond.model.errors import ConfigurationError
from inbond.store.blobs import place
from inbond.store.disk import DISK, PRIVATE_FILE, Disk
from inbond.store.eviction import stored_bytes
from inbond.store.files import make_private, open_regular
from inbond.store.incoming import Incoming

READ_BYTES: Final = 2**20
_ANY_WRITE: Final = 0o222


class How(StrEnum):
    """What becomes of the file where it was."""

    COPY = "copy"
    MOVE = "move"
    LINK = "link"  # both names stand for the same bytes


class FileChanged(Exception):
    """The file changed while it was read: somebody still writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """What a file was when it was read."""

    sha256: str
    size: int
    identity: tuple[int, int, int, int]  # device, inode, length and time of change


class BlobTaker:
    """Takes files over into the blobs of a directory. Close it with `close`. Raises OSError."""

    def __init__(self, directory: Path, disk: Disk = DISK) -> None:
        self._disk = disk
        for part in (directory, directory / "sha256", directory / "incoming"):
            make_private(part, disk)
        self._content = directory / "sha256"
        self._incoming = Incoming(directory / "incoming", disk)

    def stored_bytes(self) -> int:
        """How many bytes the blobs have together."""
        return stored_bytes(self._content)

    def examine(self, source: Path) -> Examined:
        """Reads a plain file; a link is none. Raises `FileChanged`."""
        with open_regular(source) as file:
            before = _identity(os.fstat(file.fileno()))
            sha256, size = _read(file, None)
            if _identity(os.fstat(file.fileno())) != before or size != before[2]:
                raise FileChanged
        return Examined(sha256=sha256, size=size, identity=before)

    def has(self, found: Examined) -> bool:
        """Whether a blob of that digest and length is there."""
        try:
            status = self._path(found.sha256).lstat()
        except OSError:
            return False
        return stat.S_ISREG(status.st_mode) and status.st_size == found.size

    def take(self, source: Path, found: Examined, how: How) -> None:
        """Makes the file that was examined a blob. Raises `FileChanged`, `ConfigurationError`."""
        grown = self._incoming.new_path()
        try:
            match how:
                case How.COPY:
                    _copy(self._disk, source, grown, found)
                case How.LINK:
                    _link(self._disk, source, grown, found)
                case How.MOVE:
                    _link_or_copy(self._disk, source, grown, found)
            place(self._disk, grown, self._path(found.sha256))
            if how is How.MOVE:
                self._disk.unlink(source)
        finally:
            self._disk.unlink(grown)

    def _path(self, sha256: str) -> Path:
        return self._content / sha256[:2] / sha256

    def close(self) -> None:
        """Removes what was not kept."""
        self._incoming.close()


def _identity(status: os.stat_result) -> tuple[int, int, int, int]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _read(file: BinaryIO, out: FileIO | None) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    while chunk := file.read(READ_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if out is not None:
            rest = memoryview(chunk)
            while rest:
                rest = rest[out.write(rest) :]
    return digest.hexdigest(), size


def _copy(disk: Disk, source: Path, grown: Path, found: Examined) -> None:
    with open_regular(source) as file, disk.create(grown) as out:
        copied, _ = _read(file, out)
        disk.sync(out)
    if copied != found.sha256:
        raise FileChanged


def _link(disk: Disk, source: Path, grown: Path, found: Examined) -> None:
    try:
        disk.link(source, grown)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        raise ConfigurationError(
            f"{source} lies on another file system than the cache", remedy="leave out --link"
        ) from error
    # A name among the blobs is a promise about the bytes: from now on nobody may write them, under either name.
    _settle(disk, grown, found, mode=stat.S_IMODE(grown.lstat().st_mode) & ~_ANY_WRITE)


def _link_or_copy(disk: Disk, source: Path, grown: Path, found: Examined) -> None:
    """To be moved: where the file was it is removed only once the blob is there for good."""
    try:
        disk.link(source, grown)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(disk, source, grown, found)
    else:
        _settle(disk, grown, found, mode=PRIVATE_FILE)


def _settle(disk: Disk, grown: Path, found: Examined, *, mode: int) -> None:
    with open_regular(grown) as file:
        if _identity(os.fstat(file.fileno())) != found.identity:
            raise FileChanged
        os.fchmod(file.fileno(), mode)
        disk.sync(file)
