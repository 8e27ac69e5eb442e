"""What transfers left behind: the first bytes of files that did not come to their end, kept a while for the next try.

Left by a transfer whose upstream went away, or found in the directory of a process that was killed. Nothing is known of
these bytes but which file they were to become; after a loss of power some may be missing or zero. Whoever goes on with
them has the whole file's digest to pass, as with any other bytes.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.store.disk import DISK, Disk

PARTIAL_MIN: Final = 2**20  # bytes; fewer are fetched anew as fast
PARTIAL_KEPT: Final = 3600.0  # seconds: an installer that comes back does so sooner
MAX_PARTIALS: Final = 32
MAX_PARTIAL_BYTES: Final = 4 * 2**30  # all together; the largest wheels have about 3 GB


@dataclass(frozen=True, slots=True, kw_only=True)
class _Partial:
    path: Path
    size: int
    since: float


class Partials:
    """The beginnings that wait, one for each file, the longest. May be used from any thread."""

    def __init__(
        self, disk: Disk = DISK, clock: Callable[[], float] = time.monotonic, *, max_bytes: int = MAX_PARTIAL_BYTES
    ) -> None:
        """`clock`: seconds that only grow. `max_bytes`: all together."""
        self._disk = disk
        self._clock = clock
        self._max_bytes = max_bytes
        self._kept: dict[str, _Partial] = {}  # by sha256, the oldest first
        self._lock = threading.Lock()

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self._kept)

    @property
    def size(self) -> int:
        """Their bytes, all together."""
        with self._lock:
            return sum(partial.size for partial in self._kept.values())

    def add(self, sha256: str, path: Path, size: int) -> None:
        """Takes over a file that is to become the one of this digest, and removes it or others that are too much.

        Blocks; what a disk refuses to remove stays until the process ends.
        """
        added = _Partial(path=path, size=size, since=self._clock())
        with self._lock:
            other = self._kept.pop(sha256, None)
            better, worse = (other, added) if other is not None and other.size > size else (added, other)
            gone = [] if worse is None else [worse]
            if better.size >= PARTIAL_MIN:
                self._kept[sha256] = better
            else:
                gone.append(better)
            gone += self._surplus()
        self._remove(gone)

    def left(self, sha256: str) -> int:
        """How many bytes of the file there are."""
        partial = self._kept.get(sha256)
        return 0 if partial is None or self._is_over(partial) else partial.size

    def take(self, sha256: str) -> Path | None:
        """The file with them, which from now on is the caller's. Blocks: it removes what has waited too long."""
        with self._lock:
            gone = self._surplus()
            partial = self._kept.pop(sha256, None)
        self._remove(gone)
        return None if partial is None else partial.path

    def clear(self) -> None:
        """Removes them all. Blocks."""
        with self._lock:
            gone = list(self._kept.values())
            self._kept.clear()
        self._remove(gone)

    def _is_over(self, partial: _Partial) -> bool:
        return self._clock() - partial.since > PARTIAL_KEPT

    def _surplus(self) -> list[_Partial]:
        """Forgets those that are over, and the oldest while there are too many."""
        over = [sha256 for sha256, partial in self._kept.items() if self._is_over(partial)]
        gone = [self._kept.pop(sha256) for sha256 in over]
        while len(self._kept) > MAX_PARTIALS or sum(one.size for one in self._kept.values()) > self._max_bytes:
            gone.append(self._kept.pop(next(iter(self._kept))))
        return gone

    def _remove(self, gone: list[_Partial]) -> None:
        for one in gone:
            with contextlib.suppress(OSError):
                self._disk.unlink(one.path)
