"""Where the workers of one server find each other: a directory beside the ledger, swept when that server is dead.

Not in the cache, which may be deleted at any time: sockets that lost their names are reached by nobody any more. It
belongs to the supervisor that holds a lock (flock) on it; the kernel drops the lock however that ends.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from inbond.model.errors import StoreUnavailable
from inbond.store.files import make_private, remove_tree, unavailable
from inbond.store.flocks import own_directory

NAME: Final = "workers"
_ATTEMPTS: Final = 10


@contextmanager
def workers_directory(beside: Path) -> Iterator[Path]:
    """A new one, for this user alone, removed in the end with all that dead servers left. Raises StoreUnavailable."""
    parent = beside / NAME
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
        lock = own_directory(directory)
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
        lock = own_directory(entry)
        if lock is not None:
            remove_tree(entry)
            os.close(lock)
