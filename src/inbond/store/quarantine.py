"""Where stored files go whose bytes are not those of their name: out of the way, and kept for whoever wants to look."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private
from inbond.store.stamps import Stamp, stamp_of

MAX_FILES: Final = 20  # of each store; the oldest go
MAX_BYTES: Final = 2**30  # of each store, together
DIRECTORY: Final = "quarantine"


class _Kept(NamedTuple):
    since: int  # ns
    size: int
    path: Path


class Quarantine:
    """A directory of damaged files, named `<sha256>.<n>` by the digest that each should have had. Blocks."""

    def __init__(
        self, directory: Path, *, disk: Disk = DISK, max_files: int = MAX_FILES, max_bytes: int = MAX_BYTES
    ) -> None:
        """`directory`: on the file system of the store; made when it is needed."""
        self._directory = directory
        self._disk = disk
        self._max_files = max_files
        self._max_bytes = max_bytes

    def take(self, path: Path, seen: Stamp) -> Path | None:
        """Moves a damaged file here, and returns where it lies; None where another has taken its place meanwhile.

        Nothing is synced: where a loss of power brings it back, it is compared again. Raises OSError.
        """
        if stamp_of(path.lstat(), seen.generation) != seen:
            return None
        make_private(self._directory, self._disk)
        aside = self._free(path.name)
        self._disk.rename(path, aside)
        if aside.lstat().st_ino != seen.inode:  # put there between looking and moving: it is nobody's to condemn
            self._disk.rename(aside, path)
            return None
        self._forget_oldest()
        return aside

    def remove(self, path: Path, seen: Stamp) -> bool:
        """Removes a damaged file that cannot be moved here; False where another has taken its place. Raises OSError."""
        if stamp_of(path.lstat(), seen.generation) != seen:
            return False
        self._disk.unlink(path)
        return True

    def _free(self, name: str) -> Path:
        number = 1
        while os.path.lexists(aside := self._directory / f"{name}.{number}"):
            number += 1
        return aside

    def _forget_oldest(self) -> None:
        kept = sorted(self._kept(), reverse=True)
        total = 0
        for number, one in enumerate(kept):
            total += one.size
            if number and (number >= self._max_files or total > self._max_bytes):  # the newest stays in any case
                self._disk.unlink(one.path)

    def _kept(self) -> list[_Kept]:
        kept = []
        with os.scandir(self._directory) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # another process forgets too
                    status = entry.stat(follow_symlinks=False)
                    kept.append(_Kept(status.st_ctime_ns, status.st_size, Path(entry.path)))
        return kept
