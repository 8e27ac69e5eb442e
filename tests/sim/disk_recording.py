"""What stores do to files, noted in order, and one operation of it failed on purpose.

The seam of `inbond.store.disk` and that of SQLite (`sim.disk`, `sim.sqlite_vfs`) note into the same recording: whatever
the order in which a machine loses things, it follows from what is noted here (`sim.disk_power`).
"""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeDirectory:
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Created:
    path: Path
    file: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    file: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    file: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Synced:
    file: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectorySynced:
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Renamed:
    old: Path
    new: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    old: Path
    new: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlinked:
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Noted:
    """No operation: what a store was asked for, or said to be done, by now."""

    what: object


Operation = MadeDirectory | Created | Written | Cut | Synced | DirectorySynced | Renamed | Linked | Unlinked
NEED_SPACE = (MadeDirectory, Created, Written, Synced, Renamed, Linked)


class Way(Enum):
    """How an operation fails."""

    ERROR = "fails once"
    FULL = "the disk is full from there on"
    SHORT = "writes half, once"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """The operation that fails, counted from 0, and how; one that cannot fail in this way does not fail."""

    number: int
    way: Way


Tree = dict[Path, bytes | None]  # relative paths; None: a directory


class Recorder:
    """Notes what is done under a directory. `before`: what was there at first, all of it safe. For any thread."""

    def __init__(self, root: Path, failing: Failing | None = None) -> None:
        self.root = root
        self.before = tree_of(root)
        self.log: list[Operation | Noted] = []
        self.operations = 0
        self.failed = 0
        self._failing = failing
        self._lock = threading.RLock()
        self._made = 0
        self._files: dict[tuple[int, int], int] = {}  # by device and inode
        self.files_before = {
            path: self._adopt(root / path) for path, content in self.before.items() if content is not None
        }

    def fail(self, failing: Failing) -> None:
        """Has an operation that is still to come fail."""
        self._failing = failing

    def note(self, what: object) -> None:
        """Notes what was asked or acknowledged."""
        with self._lock:
            self.log.append(Noted(what=what))

    def perform(self, operation: Operation, work: Callable[[], T]) -> T:
        """Does it and notes it, or raises OSError because it is its turn to fail."""
        with self._lock:
            if (code := self._fate(operation)) is not None:
                raise OSError(code, os.strerror(code))
            result = work()
            self.log.append(operation)
            return result

    def write(self, operation: Written, work: Callable[[bytes], int]) -> int:
        """The same for what may be done in part; how many bytes were taken."""
        with self._lock:
            if self._failing == Failing(number=self.operations, way=Way.SHORT) and len(operation.data) > 1:
                half = operation.data[: len(operation.data) // 2]
                operation = Written(file=operation.file, offset=operation.offset, data=half)
                self.failed += 1
            return self.perform(operation, lambda: work(operation.data))

    def created(self, path: Path, work: Callable[[], T]) -> T:
        """Does what makes a file, and notes it."""
        with self._lock:
            result = self.perform(Created(path=path, file=self._made), work)
            self._adopt(path)
            return result

    def file(self, status: os.stat_result) -> int:
        """The number of a file that was made under the recorder's eyes, or that was there before."""
        return self._files[status.st_dev, status.st_ino]

    def _adopt(self, path: Path) -> int:
        status, number = path.lstat(), self._made
        self._files[status.st_dev, status.st_ino] = number
        self._made += 1
        return number

    def _fate(self, operation: Operation) -> int | None:
        """The error with which it fails, if it does."""
        number, failing = self.operations, self._failing
        self.operations += 1
        if failing is None or failing.way is Way.SHORT or number < failing.number:
            return None
        if failing.way is Way.ERROR and number == failing.number:
            self.failed += 1
            return errno.EIO
        if failing.way is Way.FULL and isinstance(operation, NEED_SPACE):
            self.failed += 1
            return errno.ENOSPC
        return None


def tree_of(root: Path) -> Tree:
    """What is under a directory now, the directories before what is in them."""
    return {path.relative_to(root): content for path, content in _walk(root)}


def _walk(directory: Path) -> Iterator[tuple[Path, bytes | None]]:
    for path in sorted(directory.iterdir()):
        if path.is_dir():
            yield path, None
            yield from _walk(path)
        else:
            yield path, path.read_bytes()


def lay_out(tree: Tree, to: Path) -> None:
    """Makes it so under another directory, which is made."""
    to.mkdir(parents=True)
    for path, content in tree.items():
        if content is None:
            (to / path).mkdir(mode=0o700)
        else:
            (to / path).write_bytes(content)
            (to / path).chmod(0o600)
