"""Where files grow before they count as content: one directory for each process, swept when that process is dead.

`incoming/<random>/` belongs to the process that holds a lock (flock) on it; the kernel drops the lock however the
process ends. Whoever can take the lock of another's directory has found a dead one's, and removes it. Such a process
has not ended as it should, nor perhaps the machine: before it is removed, `generation` is written anew.

A file named `<sha256>.<random>` there was to become the one of that digest: what is large enough is taken over, for
whoever fetches it next (`inbond.store.partials`).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inbond.model.names import is_sha256
from inbond.store.disk import DISK, Disk
from inbond.store.files import open_regular, remove_tree
from inbond.store.partials import Partials

GENERATION: Final = "generation"  # the file that holds it, beside `incoming`
MAX_GENERATION_BYTES: Final = 64
_ATTEMPTS: Final = 10


class Incoming:
    """This process's directory for growing files. Blocks; raises OSError."""

    def __init__(self, parent: Path, disk: Disk = DISK, clock: Callable[[], float] = time.monotonic) -> None:
        self._parent = parent
        self.partials = Partials(disk, clock)
        self.directory, lock = _claim(parent, disk)
        self._lock: int | None = lock
        self._disk = disk
        self.generation = _generation(parent) or self._next_generation()

    def new_path(self, sha256: str | None = None) -> Path:
        """A name that nobody can guess and nothing has; `sha256`: the digest that the file should come to have."""
        return self.directory / (secrets.token_hex(16) if sha256 is None else f"{sha256}.{secrets.token_hex(8)}")

    def sweep(self) -> int:
        """Removes what dead processes left, and whatever else does not belong; returns how much that was.

        Beginnings of known files are taken over instead.
        """
        swept = 0
        for entry in self._parent.iterdir():
            if entry != self.directory and self._swept(entry):
                swept += 1
        return swept

    def _swept(self, entry: Path) -> bool:
        if entry.is_symlink() or not entry.is_dir():
            self._disk.unlink(entry)
            return True
        lock = _try_lock(entry)
        if lock is None:
            return False
        try:
            self.generation = self._next_generation()
            with contextlib.suppress(OSError):  # they are a help, no more
                self._take_over(entry)
            remove_tree(entry)
        finally:
            os.close(lock)
        return True

    def _take_over(self, dead: Path) -> None:
        for file in dead.iterdir():
            sha256 = file.name.partition(".")[0]
            status = file.lstat()
            if is_sha256(sha256) and stat.S_ISREG(status.st_mode):
                path = self.new_path(sha256)
                self._disk.rename(file, path)
                self.partials.add(sha256, path, status.st_size)

    def _next_generation(self) -> str:
        """On disk before this returns."""
        generation = secrets.token_hex(8)
        written = self.new_path()
        with self._disk.create(written) as file:
            file.write(generation.encode())
            self._disk.sync(file)
        self._disk.rename(written, self._parent.with_name(GENERATION))
        self._disk.sync_directory(self._parent.parent)
        return generation

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
            disk.sync_directory(parent)  # it tells, after a loss of power, that this process did not end by itself
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


def _generation(parent: Path) -> str | None:
    try:
        with open_regular(parent.with_name(GENERATION)) as file:
            text = file.read(MAX_GENERATION_BYTES).decode("ascii")
    except (OSError, ValueError):
        return None
    return text if text.isalnum() else None
