"""How much of a disk the cache leaves free, whoever fills the rest."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

DEFAULT_RESERVE: Final = 2**30  # bytes; `reserve` under [storage]
RESERVE_SHARE: Final = 0.05  # of a disk of which that is less: the reserve there
AGAIN_SHARE: Final = 0.1  # of the reserve: an eviction goes this far beyond it, so that the next is not due at once

Usage = Callable[[Path], tuple[int, int, int]]  # as `shutil.disk_usage`: bytes in all, used and free


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """The disk that a directory lies on, and the reserve of it that stays free. Blocks for a moment; raises OSError."""

    directory: Path
    reserve: int = DEFAULT_RESERVE  # bytes
    usage: Usage = shutil.disk_usage

    def total(self) -> int:
        """Bytes of the whole disk."""
        return self.usage(self.directory)[0]

    def free(self) -> int:
        """Bytes that this user could still write."""
        return self.usage(self.directory)[2]

    def kept_free(self) -> int:
        """The reserve in bytes: as configured, or a share of a small disk."""
        return min(self.reserve, int(self.total() * RESERVE_SHARE))

    def lacking(self) -> int:
        """Bytes that are missing from the reserve; 0 where it is there."""
        return max(0, self.kept_free() - self.free())

    def to_remove(self) -> int:
        """Bytes that an eviction should free; 0 where the reserve is there."""
        lacking = self.lacking()
        return lacking + int(self.kept_free() * AGAIN_SHARE) if lacking else 0
