"""Which blobs go when there are too many: those not found for the longest time."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from inbond.store.disk import DISK, Disk

GRACE_SECONDS: Final = 10.0  # what was found or committed this short a time ago is about to be opened: it stays
KEPT_SHARE: Final = 0.9  # an eviction goes this far below the limit, so that the next is not due at once


class _Stored(NamedTuple):
    used: float
    size: int
    path: Path


def evict(content: Path, max_size: int, leased: Callable[[str], bool], disk: Disk = DISK) -> int:
    """Removes least recently used files until `KEPT_SHARE` of `max_size` bytes are left, if there are more than that.

    Leased and very recent ones stay whatever the size. Returns the bytes that are left. Blocks for as long as a walk
    takes. Raises OSError.
    """
    stored = list(_walk(content))
    total = sum(file.size for file in stored)
    if total <= max_size:
        return total
    recent = time.time() - GRACE_SECONDS
    for file in sorted(stored):
        if total <= max_size * KEPT_SHARE or file.used > recent:
            break
        if not leased(file.path.name) and _removed(disk, file.path):
            total -= file.size
    return total


def stored_bytes(content: Path) -> int:
    """How many bytes the files have together. Blocks for as long as a walk takes. Raises OSError."""
    return sum(file.size for file in _walk(content))


def _removed(disk: Disk, path: Path) -> bool:
    try:
        disk.unlink(path)
    except OSError:  # something that is no file: it must not keep the rest from going
        return False
    return True


def _walk(content: Path) -> Iterator[_Stored]:
    with os.scandir(content) as groups:
        for group in groups:
            if not group.is_dir(follow_symlinks=False):
                continue
            with os.scandir(group) as entries:
                for entry in entries:
                    with contextlib.suppress(FileNotFoundError):  # another process evicts too
                        status = entry.stat(follow_symlinks=False)
                        yield _Stored(status.st_atime, status.st_size, Path(entry.path))
