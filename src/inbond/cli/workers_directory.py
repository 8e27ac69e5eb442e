"""Where the workers of one server find each other: a directory in the cache, swept when that server is dead.

It belongs to the supervisor that holds a lock (flock) on it; the kernel drops the lock however that ends.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from inbond.model.errors import StoreUnavailable
from inbond.store.files import make_private, remove_tree, unavailable

NAME: Final = "workers"
_ATTEMPTS: Final = 10


@contextmanager
def workers_directory(cache: Path) -> Iterator[Path]:
    """A new one, for this user alone, removed in the end with all that dead servers left. Raises StoreUnavailable."""
    parent = cache / NAME
    try:
        make_private(parent)
        directory, lock = _claimed(parent)
        _sweep(parent, directory)
    except OSError as error:
        raise unavailable("make a directory for the workers", error) from error
    try:
        yield directory
    finally:
        remove_tree(directory)
        os.close(lock)


def _claimed(parent: Path) -> tuple[Path, int]:
    for _ in range(_ATTEMPTS):
        directory = Path(tempfile.mkdtemp(dir=parent))
        lock = _lock(directory)
        # Between making and locking it, another server may have taken it for a dead one's: then once more.
        if lock is not None and directory.exists():
            return directory, lock
        if lock is not None:
            os.close(lock)
    raise StoreUnavailable(f"another process keeps sweeping {parent}", remedy="start inbond again")


def _sweep(parent: Path, own: Path) -> None:
    for entry in parent.iterdir():
        if entry == own:
            continue
        lock = _lock(entry)
        if lock is not None:
            remove_tree(entry)
            os.close(lock)


def _lock(directory: Path) -> int | None:
    with suppress(FileNotFoundError, NotADirectoryError):
        handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
        else:
            return handle
    return None
