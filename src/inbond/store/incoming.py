"""Where files grow before they count as content: one directory for each process, swept when that process is dead.

`incoming/<random>/` belongs to the process that holds a lock (flock) on it; the kernel drops the lock however the
process ends. Whoever can take the lock of another's directory has found a dead one's, and removes it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from pathlib import Path
from typing import Final

from inbond.store.disk import DISK, Disk
from inbond.store.files import remove_tree

_ATTEMPTS: Final = 10


class Incoming:
    """This process's directory for growing files. Blocks; raises OSError."""

    def __init__(self, parent: Path, disk: Disk = DISK) -> None:
        self._parent = parent
        self.directory, lock = _claim(parent, disk)
        self._lock: int | None = lock

    def new_path(self) -> Path:
        """A name that nobody can guess and nothing has."""
        return self.directory / secrets.token_hex(16)

    def sweep(self) -> int:
        """Removes what dead processes left, and whatever else does not belong; returns how much that was."""
        swept = 0
        for entry in self._parent.iterdir():
            if entry != self.directory and _remove_if_dead(entry):
                swept += 1
        return swept

    def close(self) -> None:
        """Removes the directory with all that is still in it. Calling it twice is fine."""
        lock, self._lock = self._lock, None
        if lock is not None:
            remove_tree(self.directory)
            os.close(lock)


def _claim(parent: Path, disk: Disk) -> tuple[Path, int]:
    for _ in range(_ATTEMPTS):
        directory = parent / secrets.token_hex(16)
        disk.make_directory(directory)
        lock = _try_lock(directory)
        # Between making and locking it, another process may have taken it for a dead one's: then once more.
        if lock is not None and directory.exists():
            return directory, lock
        if lock is not None:
            os.close(lock)
    raise OSError(f"another process keeps sweeping {parent}")


def _try_lock(directory: Path) -> int | None:
    try:
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        return None
    return handle


def _remove_if_dead(entry: Path) -> bool:
    if entry.is_symlink() or not entry.is_dir():
        with contextlib.suppress(FileNotFoundError):
            entry.unlink()
        return True
    lock = _try_lock(entry)
    if lock is None:
        return False
    remove_tree(entry)
    os.close(lock)
    return True
