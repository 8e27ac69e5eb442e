"""How much the cache may hold: one reckoning for servers and commands, made anew whenever it counts."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Final

from inbond.cli.config import StorageSettings
from inbond.store.eviction import growing_bytes, stored_bytes

BLOBS: Final = "blobs"
DOCUMENTS: Final = "documents"
# The share of the cache's size that documents (pages, provenance, evidence, metadata) may take; files take the rest.
DOCUMENTS_SHARE: Final = 0.2


class Quota:
    """What is configured, or a tenth of what the disk would have free without the cache, whichever is less.

    So neither what the cache has taken itself nor what was free at some time before makes a difference. Blocks for a
    moment; raises OSError.
    """

    def __init__(self, storage: StorageSettings) -> None:
        self._storage = storage
        self._files: int | None = None  # bytes, as last counted

    def files(self, there: int) -> int:
        """How many bytes of files there may be, where there are so many."""
        self._files = there
        whole = self._storage.limit(there + self._documents_there())
        return whole - int(whole * DOCUMENTS_SHARE)

    def documents(self) -> int:
        """How many bytes of documents there may be. Files are counted once, where it depends on them: a walk."""
        there = self._documents_there()
        if self._files is None:
            least = self._documents_of(there)
            if there <= least:
                return least
            self._files = self.count()
        return self._documents_of(there + self._files)

    def count(self) -> int:
        """The bytes of all files, also those on their way. Blocks for as long as a walk takes."""
        content = self._storage.cache_dir / BLOBS / "sha256"
        if not content.is_dir():
            return 0
        return stored_bytes(content) + growing_bytes(content.with_name("incoming"))

    def _documents_of(self, own: int) -> int:
        return int(self._storage.limit(own) * DOCUMENTS_SHARE)

    def _documents_there(self) -> int:
        return _sizes_in(self._storage.cache_dir / DOCUMENTS)


def _sizes_in(directory: Path) -> int:
    size = 0
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            with contextlib.suppress(FileNotFoundError):
                size += entry.stat(follow_symlinks=False).st_size if entry.is_file(follow_symlinks=False) else 0
    return size
