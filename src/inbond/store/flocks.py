"""Advisory locks (flock) by which processes agree; the kernel drops a lock however its holder ends. Raises OSError."""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inbond.store.disk import PRIVATE_FILE, locked

_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def own_directory(directory: Path) -> int | None:
    """A handle with the lock of a directory, for the caller to close; None where another has it.

    None as well where it is gone, or no directory.
    """
    try:
        handle = os.open(directory, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError):
        return None
    with contextlib.ExitStack() as opened:
        opened.callback(os.close, handle)
        if not locked(handle, fcntl.LOCK_EX):
            return None
        opened.pop_all()
    return handle


@contextlib.contextmanager
def in_turn(directory: Path) -> Iterator[None]:
    """One process, and one thread of it, at a time: the lock is the directory's. Blocks until it is had."""
    handle = os.open(directory, _DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Whether this process is the one that has the lock file's lock, as long as the context lasts."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
    try:
        yield locked(handle, fcntl.LOCK_EX)
    finally:
        os.close(handle)
