"""The one seam between the stores and the file system: everything that changes a directory or a file goes through here.

What SQLite does to its own files goes through SQLite's seam, its VFS. Tests put doubles into both, which fail the n-th
operation, lose what was not synced, and reorder what was not ordered. All of it blocks, and raises OSError.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from io import FileIO
from pathlib import Path
from typing import Final, Protocol

PRIVATE_DIRECTORY: Final = 0o700
PRIVATE_FILE: Final = 0o600


class Disk(Protocol):
    """What stores ask of a file system. A file's bytes last once `sync` returned, its name once `sync_directory` did.

    The file is unbuffered: `write` may take fewer bytes than it is given, and says how many.
    """

    def create(self, path: Path) -> FileIO:
        """A new file to write and read, for this user alone. Raises FileExistsError where there is any."""
        ...

    def extend(self, path: Path) -> FileIO:
        """A plain file that is there, to go on with at its end. Raises OSError, also for a link."""
        ...

    def sync(self, file: FileIO) -> None:
        """Makes the file's bytes outlast a loss of power."""
        ...

    def sync_directory(self, directory: Path) -> None:
        """Makes names that were made, changed or removed in the directory outlast a loss of power."""
        ...

    def make_directory(self, directory: Path) -> None:
        """A directory for this user alone; one that is there is fine."""
        ...

    def rename(self, old: Path, new: Path) -> None:
        """Gives a file or a directory another name, in place of whatever had it."""
        ...

    def link(self, file: Path, new: Path) -> None:
        """Gives a file one more name; a link is not followed. Raises FileExistsError."""
        ...

    def unlink(self, path: Path) -> None:
        """Removes a file or a link. One that is gone is fine."""
        ...


class LocalDisk:
    """The file system of this machine."""

    def create(self, path: Path) -> FileIO:
        """See `Disk.create`."""
        return _opened(path, os.O_CREAT | os.O_EXCL)

    def extend(self, path: Path) -> FileIO:
        """See `Disk.extend`."""
        file = _opened(path, os.O_NONBLOCK)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise OSError(errno.EINVAL, "not a regular file", str(path))
        file.seek(0, os.SEEK_END)
        return file

    def sync(self, file: FileIO) -> None:
        """See `Disk.sync`."""
        os.fsync(file.fileno())

    def sync_directory(self, directory: Path) -> None:
        """See `Disk.sync_directory`."""
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)

    def make_directory(self, directory: Path) -> None:
        """See `Disk.make_directory`."""
        directory.mkdir(mode=PRIVATE_DIRECTORY, exist_ok=True)

    def rename(self, old: Path, new: Path) -> None:
        """See `Disk.rename`."""
        old.rename(new)

    def link(self, file: Path, new: Path) -> None:
        """See `Disk.link`."""
        os.link(file, new, follow_symlinks=False)

    def unlink(self, path: Path) -> None:
        """See `Disk.unlink`."""
        path.unlink(missing_ok=True)


DISK: Final = LocalDisk()


def _opened(path: Path, flags: int) -> FileIO:
    def opener(name: str, _flags: int) -> int:
        return os.open(name, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC | flags, PRIVATE_FILE)

    return FileIO(str(path), "r+", opener=opener)


def locked(handle: int, how: int) -> bool:
    """Whether an advisory lock (flock) was had at once; `how`: LOCK_SH or LOCK_EX."""
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
