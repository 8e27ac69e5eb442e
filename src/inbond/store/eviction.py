"""Which blobs go when there are too many: those not used for the longest time, and none that is being sent.

Whoever sends a blob holds a shared lock on it (`inbond.store.files.open_shared`), in whichever process. One process
evicts at a time; it counts what all of them have stored. A million blobs take a walk or two, and memory only for those
that are to go.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import os
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from inbond.store.disk import DISK, Disk, locked
from inbond.store.files import open_regular
from inbond.store.flocks import alone

GRACE_SECONDS: Final = 10.0  # what was used or committed this short a time ago is about to be opened: it stays
KEPT_SHARE: Final = 0.9  # an eviction goes this far below the limit, so that the next is not due at once
LOCK: Final = "eviction.lock"  # beside the blobs
PAUSE_EVERY: Final = 500  # files, after which a walk rests: whoever serves in the same process is not to notice
PAUSE_SECONDS: Final = 0.002
PASSES: Final = 3  # walks, where some of what should have gone was being sent

_Stored = tuple[float, int, str]  # time of use, bytes, path below the blobs

# How many bytes should go, where so many are stored.
Excess = Callable[[int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evicted:
    """What an eviction came to."""

    left: int  # bytes
    size: int = 0  # bytes removed
    files: int = 0  # blobs removed


def evict(
    content: Path,
    excess: Excess,
    *,
    leased: Callable[[str], bool],
    spare: Callable[[], None] | None = None,
    disk: Disk = DISK,
    dry_run: bool = False,
) -> Evicted | None:
    """Removes least recently used files until as many bytes have gone as `excess` says.

    `spare`: removes what is only kept in case; where that is enough, no file goes. Leased and very recent ones, and
    what is being sent, stay whatever the size. None where another process is at it. Blocks for as long as a few walks
    take. Raises OSError.
    """
    with alone(content.with_name(LOCK)) as is_alone:
        if not is_alone:
            return None
        stored, incoming = stored_bytes(content), content.with_name("incoming")
        total = stored + growing_bytes(incoming)
        if spare is not None and excess(total) > 0:
            spare()
            total = stored + growing_bytes(incoming)
        done = _Eviction(content, excess(total), leased=leased, disk=disk, dry_run=dry_run)
        for _ in range(PASSES):
            if done.missing <= 0 or not done.walk():
                break
        return Evicted(left=total - done.size, size=done.size, files=done.files)


def stored_bytes(content: Path) -> int:
    """How many bytes the files have together. Blocks for as long as a walk takes. Raises OSError."""
    return sum(size for _, size, _ in walk(content))


def growing_bytes(incoming: Path) -> int:
    """How many bytes the growing files of all processes have together. Raises OSError."""
    if not incoming.is_dir():
        return 0
    return sum(size for _, size, _ in walk(incoming))


def walk(content: Path) -> Iterator[_Stored]:
    """The files in the directories of a directory, in no order."""
    seen = 0
    with os.scandir(content) as groups:
        for group in groups:
            if not group.is_dir(follow_symlinks=False):
                continue
            with contextlib.suppress(FileNotFoundError), os.scandir(group) as entries:
                for entry in entries:
                    seen += 1
                    if seen % PAUSE_EVERY == 0:
                        time.sleep(PAUSE_SECONDS)
                    with contextlib.suppress(FileNotFoundError):  # another process removes too
                        status = entry.stat(follow_symlinks=False)
                        if stat.S_ISREG(status.st_mode):
                            yield status.st_atime, status.st_size, f"{group.name}/{entry.name}"


class _Eviction:
    """One that is under way."""

    def __init__(self, content: Path, wanted: int, *, leased: Callable[[str], bool], disk: Disk, dry_run: bool) -> None:
        self._content = content
        self._wanted = wanted
        self._leased = leased
        self._disk = disk
        self._dry_run = dry_run
        self._recent = time.time() - GRACE_SECONDS
        self._passed_over: set[str] = set()
        self.size = 0
        self.files = 0

    @property
    def missing(self) -> int:
        """Bytes that are still to go."""
        return self._wanted - self.size

    def walk(self) -> bool:
        """Removes what was used longest ago; whether another walk may find more."""
        for _, size, name in self._oldest():
            if self._removed(self._content / name):
                self.size += size
                self.files += 1
            else:
                self._passed_over.add(name)
            if self.missing <= 0:
                break
        return bool(self._passed_over) and not self._dry_run

    def _oldest(self) -> list[_Stored]:
        """No more of the oldest than have the missing bytes together, the oldest first."""
        heap: list[_Stored] = []  # the latest on top
        held, missing = 0, self.missing
        for used, size, name in walk(self._content):
            if used > self._recent or name in self._passed_over or self._leased(name.rpartition("/")[2]):
                continue
            heapq.heappush(heap, (-used, size, name))
            held += size
            while held - heap[0][1] >= missing:
                held -= heapq.heappop(heap)[1]
        return sorted(heap, reverse=True)

    def _removed(self, path: Path) -> bool:
        if self._dry_run:
            return True
        try:
            with open_regular(path) as file:
                if not locked(file.fileno(), fcntl.LOCK_EX) or not os.path.samestat(
                    os.fstat(file.fileno()), path.lstat()
                ):
                    return False  # it is being sent, or another has its place
                self._disk.unlink(path)
        except OSError:  # it must not keep the rest from going
            return False
        return True
