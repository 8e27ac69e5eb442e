"""Where files grow before they count as content: one directory for each process, swept when that process is dead.

`incoming/<random>/` belongs to the process that holds a lock (flock) on it; the kernel drops the lock however the
process ends. Whoever can take the lock of another's directory has found a dead one's, and removes it. Such a process
has not ended as it should, nor perhaps the machine, unless another lives that was there before: where none does,
`generation` is written anew before anything is removed. Processes come in one after the other, by a lock on `incoming`
itself, so that all that live at the same time know the same generation.

A file named `<sha256>.<random>` there was to become the one of that digest: what is large enough is taken over, for
whoever fetches it next (`inbond.store.partials`).
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from inbond.model.names import is_sha256
from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private, open_regular, remove_tree
from inbond.store.flocks import in_turn, own_directory
from inbond.store.partials import MAX_PARTIAL_BYTES, Partials

GENERATION: Final = "generation"  # the file that holds it, beside `incoming`
MAX_GENERATION_BYTES: Final = 64
_ATTEMPTS: Final = 10


class Incoming:
    """This process's directory for growing files. Blocks; raises OSError.

    What dead processes left is removed, and whatever else does not belong there; `swept`: how much that was. Beginnings
    of known files are taken over instead.
    """

    def __init__(
        self,
        parent: Path,
        disk: Disk = DISK,
        clock: Callable[[], float] = time.monotonic,
        *,
        max_partial_bytes: int = MAX_PARTIAL_BYTES,
    ) -> None:
        self._parent = parent
        self._disk = disk
        self._restoring = threading.Lock()
        self.partials = Partials(disk, clock, max_bytes=max_partial_bytes)
        with in_turn(parent):
            self.directory, lock = _claim(parent, disk)
            self._lock: int | None = lock
            try:
                self.generation, self.swept = self._sweep()
            except BaseException:
                self.close()
                raise

    def new_path(self, sha256: str | None = None) -> Path:
        """A name that nobody can guess and nothing has; `sha256`: the digest that the file should come to have."""
        return self.directory / (secrets.token_hex(16) if sha256 is None else f"{sha256}.{secrets.token_hex(8)}")

    def restore(self) -> bool:
        """Begins anew where somebody has removed the directory; whether that was so. Any thread may call it."""
        with self._restoring:
            if self._lock is None or self.directory.is_dir():
                return False
            self.partials.clear()
            make_private(self._parent, self._disk)
            with in_turn(self._parent):
                removed = self._lock
                self.directory, self._lock = _claim(self._parent, self._disk)
                os.close(removed)
                if _generation(self._parent) is None:
                    self._write_generation(self.generation)  # what is known of blobs is of files that are gone
            return True

    def _sweep(self) -> tuple[str, int]:
        """Returns the generation, and how much was swept."""
        others = [entry for entry in self._parent.iterdir() if entry != self.directory]
        dead = [entry for entry in others if _is_dead(entry)]
        rest = [entry for entry in others if entry not in dead and os.path.lexists(entry)]
        strays = [entry for entry in rest if entry.is_symlink() or not entry.is_dir()]
        is_witnessed = len(strays) < len(rest)  # the others live
        known = _generation(self._parent)
        generation = known if known and (is_witnessed or not dead) else self._next_generation()
        for entry in strays:
            self._disk.unlink(entry)
        for entry in dead:
            with contextlib.suppress(OSError):  # they are a help, no more
                self._take_over(entry)
            remove_tree(entry)
        return generation, len(strays) + len(dead)

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
        self._write_generation(generation)
        return generation

    def _write_generation(self, generation: str) -> None:
        written = self.new_path()
        with self._disk.create(written) as file:
            file.write(generation.encode())
            self._disk.sync(file)
        self._disk.rename(written, self._parent.with_name(GENERATION))
        self._disk.sync_directory(self._parent.parent)

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
        lock = own_directory(directory)
        # Between making and locking it, an earlier release may have taken it for a dead one's: then once more.
        if lock is not None and directory.exists():
            disk.sync_directory(parent)  # it tells, after a loss of power, that this process did not end by itself
            return directory, lock
        if lock is not None:
            os.close(lock)
    raise OSError(f"another process keeps sweeping {parent}")


def count_dead(parent: Path) -> int:
    """How many processes are gone that have left a directory. Raises OSError."""
    with in_turn(parent):
        return sum(_is_dead(entry) for entry in parent.iterdir())


def _is_dead(entry: Path) -> bool:
    """To be asked in turn only: it takes the lock for a moment."""
    lock = own_directory(entry)
    if lock is not None:
        os.close(lock)
    return lock is not None


def _generation(parent: Path) -> str | None:
    try:
        with open_regular(parent.with_name(GENERATION)) as file:
            text = file.read(MAX_GENERATION_BYTES).decode("ascii")
    except (OSError, ValueError):
        return None
    return text if text.isalnum() else None
