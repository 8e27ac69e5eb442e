"""Every stored file read, whoever asks for it or not: disks change bytes beneath a file system that notices nothing.

Files come in the order of their digests, so that a walk can be taken up again where it stopped, and so that the part of
the digests that is passed is the part of the files that is done: they are evenly spread.
"""

from __future__ import annotations

import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.model.errors import StoreUnavailable
from inbond.model.names import is_sha256
from inbond.store import stamps
from inbond.store.stamps import Stamp

_PREFIX_DIGITS: Final = 8  # hex digits that tell how far a walk is


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """A file that has the digest in its name."""

    path: Path
    stamp: Stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Damaged:
    """A file that has another."""

    path: Path
    stamp: Stamp
    actual: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """Something that no store of inbond put there."""

    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """What cannot be read. `stamp`: what it is like, where the disk does not give its bytes; None: another time."""

    path: Path
    reason: str
    stamp: Stamp | None = None


Found = Whole | Damaged | Foreign | Unread


class Pace:
    """Holds reading back to so many bytes a second; None: as fast as the disk gives them."""

    def __init__(self, rate: float | None, stop: threading.Event | None = None) -> None:
        """`stop`: ends the reading where it is set."""
        self._rate = rate
        self._stop = stop or threading.Event()
        self._due = 0.0

    def __call__(self, count: int) -> None:
        """Waits as long as so many bytes are to take. Blocks. Raises `StoreUnavailable` at a stop."""
        now = time.monotonic()
        self._due = max(self._due, now) + (count / self._rate if self._rate else 0.0)
        if self._stop.wait(self._due - now) if self._due > now else self._stop.is_set():
            raise StoreUnavailable("inbond is stopping")


def walk(content: Path, after: str = "") -> Iterator[Path | Foreign]:
    """What lies below a store's `sha256`, in the order of the digests, from the one after `after` on.

    Blocks; a directory is read when the walk comes to it. Raises OSError.
    """
    for group in sorted(content.iterdir()):
        if not _is_group(group):
            yield Foreign(path=group)
        elif group.name >= after[:2]:
            for path in sorted(group.iterdir()):
                if not is_sha256(path.name) or path.name[:2] != group.name:
                    yield Foreign(path=path)
                elif path.name > after:
                    yield path


def _is_group(path: Path) -> bool:
    return len(path.name) == 2 and is_sha256(path.name * 32) and path.is_dir() and not path.is_symlink()  # noqa: PLR2004


def size_of(content: Path) -> tuple[int, int]:
    """How many files there are, and how many bytes together. Blocks for as long as a walk takes. Raises OSError."""
    files = size = 0
    for path in walk(content):
        with suppress(FileNotFoundError):
            if isinstance(path, Path):
                files, size = files + 1, size + path.lstat().st_size
    return files, size


def passed(sha256: str) -> float:
    """Which part of all files a walk that has come to this digest has passed, about."""
    return int(sha256[:_PREFIX_DIGITS], 16) / 16**_PREFIX_DIGITS if sha256 else 0.0


def scrub(path: Path, generation: str, pace: Callable[[int], object]) -> Found | None:
    """Reads a file, and tells what it is; None where it is gone. Blocks."""
    try:
        if not stat.S_ISREG(path.lstat().st_mode):
            return Foreign(path=path)
        stamp, actual = stamps.read(path, generation, pace)
    except FileNotFoundError:  # evicted
        return None
    except OSError as error:
        return _unread(path, generation, error)
    if actual == path.name:
        return Whole(path=path, stamp=stamp)
    return Damaged(path=path, stamp=stamp, actual=actual)


def _unread(path: Path, generation: str, error: OSError) -> Unread:
    stamp = None
    if stamps.is_damage(error):
        with suppress(OSError):
            stamp = stamps.stamp_of(path.lstat(), generation)
    return Unread(path=path, reason=error.strerror or str(error), stamp=stamp)
