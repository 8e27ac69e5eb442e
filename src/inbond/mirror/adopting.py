"""Taking over the distribution files of a directory, such as an existing mirror's, into the cache by their digests.

Nothing is trusted by it: a blob is used only where a page names its digest, and the policy is asked as ever.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Final

from inbond.model.errors import ConfigurationError
from inbond.model.names import parse_filename
from inbond.store.taking_over import BlobTaker, Examined, FileChanged, How

THREADS: Final = 4  # that read and hash
_CHANGED: Final = "it changed while it was read: somebody still writes it"


class Fate(StrEnum):
    """What became of a file."""

    NEW = "new"  # it is in the cache now
    THERE = "there"  # it was in the cache already; the file is left where it is
    SKIPPED = "skipped"
    NO_ROOM = "no-room"  # the cache's limit was reached


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file with the name of a distribution. `size` in bytes, as the directory has it."""

    path: Path
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """What was passed over though it has such a name, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What came of it. `size`: bytes of the new files; `no_room`: files that the cache's limit left out."""

    directory: Path
    new: int
    size: int
    there: int
    no_room: int
    skipped: tuple[Skipped, ...]


@dataclass(slots=True)
class Found:
    """The candidates below a directory, and what could not be looked at."""

    candidates: list[Candidate] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def candidates_below(directory: Path) -> Found:
    """Every plain file with a distribution's name; no link is followed. Blocks. Raises `ConfigurationError`."""
    if not directory.is_dir():
        raise ConfigurationError(f"{directory} is no directory", remedy="name the one that holds the files")
    found = Found()
    for entry in _walked(directory, found):
        if _is_distribution(entry.name):
            size = entry.stat(follow_symlinks=False).st_size
            found.candidates.append(Candidate(path=Path(entry.path), size=size))
    return found


def _walked(directory: Path, found: Found) -> Iterator[os.DirEntry[str]]:
    waiting = [directory]
    while waiting:
        place = waiting.pop()
        try:
            with os.scandir(place) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            found.skipped.append(Skipped(path=place, reason=f"it cannot be read: {error.strerror or error}"))
            continue
        waiting += [Path(entry.path) for entry in reversed(listed) if entry.is_dir(follow_symlinks=False)]
        yield from (entry for entry in listed if entry.is_file(follow_symlinks=False))


def _is_distribution(name: str) -> bool:
    """Whether a name is a wheel's or a source distribution's, of a project and a version."""
    return parse_filename(name).project is not None


@dataclass(slots=True, kw_only=True)
class Adopter:
    """Takes candidates over. `room`: bytes that the cache may still take before it would evict others."""

    taker: BlobTaker
    how: How
    room: int
    _turn: threading.Lock = field(default_factory=threading.Lock)
    _coming: set[str] = field(default_factory=set)

    def adopt(self, directory: Path, found: Found, done: Callable[[Candidate], None]) -> Adoption:
        """All of them, several at once. Blocks; ends early by an exception, and then what was taken stays taken."""
        skipped = list(found.skipped)
        fates: dict[Fate, list[int]] = {fate: [] for fate in Fate}
        pool = ThreadPoolExecutor(THREADS, thread_name_prefix="adopting")
        try:
            for candidate, (fate, reason) in zip(found.candidates, pool.map(self._one, found.candidates), strict=True):
                fates[fate].append(candidate.size)
                if fate is Fate.SKIPPED:
                    skipped.append(Skipped(path=candidate.path, reason=reason))
                done(candidate)
        finally:
            pool.shutdown(cancel_futures=True)
        return Adoption(
            directory=directory,
            new=len(fates[Fate.NEW]),
            size=sum(fates[Fate.NEW]),
            there=len(fates[Fate.THERE]),
            no_room=len(fates[Fate.NO_ROOM]),
            skipped=tuple(skipped),
        )

    def _one(self, candidate: Candidate) -> tuple[Fate, str]:
        try:
            found = self.taker.examine(candidate.path)
            if not found.size:
                return Fate.SKIPPED, "it is empty"
            fate = self._reserved(found)
            if fate is Fate.NEW:
                self._take(candidate, found)
        except FileChanged:
            return Fate.SKIPPED, _CHANGED
        except OSError as error:
            return Fate.SKIPPED, f"it cannot be taken: {error.strerror or error}"
        return fate, ""

    def _reserved(self, found: Examined) -> Fate:
        """Whether the file is new; then its room is taken, and the same bytes elsewhere are there."""
        with self._turn:
            if found.sha256 in self._coming or self.taker.has(found):
                return Fate.THERE
            if found.size > self.room:
                return Fate.NO_ROOM
            self.room -= found.size
            self._coming.add(found.sha256)
            return Fate.NEW

    def _take(self, candidate: Candidate, found: Examined) -> None:
        try:
            self.taker.take(candidate.path, found, self.how)
        except BaseException:
            with self._turn:
                self.room += found.size
                self._coming.discard(found.sha256)
            raise
