"""Files as they were read, by upstream's own bytes: a page that comes again is read where it has changed.

What a file's bytes say depends on the address of its page and on nothing else, so nothing is ever forgotten but for
want of room, or as its page came from another address. That a file is one object on every version of its page also
spares memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Final

from inbond.model.page import File

# Bytes in memory, of all pages together: some 40,000 files.
MAX_KNOWN_BYTES: Final = 96 * 2**20
# What is weighed, in bytes: a page and a file for what there is around them, and twice what upstream wrote, which is
# kept and was read.
_PAGE_BYTES: Final = 1024
_FILE_BYTES: Final = 1024
_WRITTEN: Final = 2
# A few bytes written may be hundreds in memory where there are many small values: a file with more digests than this,
# or with anything unknown, is read each time.
_MAX_DIGESTS: Final = 4

_Files = Mapping[bytes, File]
_NONE: Final[_Files] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    base_url: str
    files: _Files
    size: int  # bytes


class KnownFiles:
    """The files of the pages that were read last. Safe to use from threads."""

    def __init__(self, limit: int = MAX_KNOWN_BYTES) -> None:
        self._limit = limit
        self._pages: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def of(self, page: str | None, base_url: str) -> _Files:
        """Those that the page had when it was read at that address, by the bytes that describe them."""
        with self._lock:
            kept = None if page is None else self._pages.get(page)
            return kept.files if kept is not None and kept.base_url == base_url else _NONE

    def keep(self, page: str | None, base_url: str, files: _Files) -> None:
        """Keeps the files of a page in the place of those that it had before. None: a page of no name, nothing."""
        if page is None:
            return
        before = self.of(page, base_url)
        small = {written: file for written, file in files.items() if written in before or _small(file)}
        kept = _Kept(base_url=base_url, files=small, size=_weight(base_url, small))
        with self._lock:
            self._drop(page)
            if small and kept.size <= self._limit:
                self._pages[page] = kept
                self._size += kept.size
            while self._size > self._limit:
                self._drop(next(iter(self._pages)))

    def _drop(self, page: str) -> None:
        before = self._pages.pop(page, None)
        if before is not None:
            self._size -= before.size


def _small(file: File) -> bool:
    metadata = 0 if isinstance(file.core_metadata, bool) else len(file.core_metadata)
    return not file.extra and max(metadata, len(file.hashes)) <= _MAX_DIGESTS


def _weight(base_url: str, files: _Files) -> int:
    return _PAGE_BYTES + len(base_url) + _FILE_BYTES * len(files) + _WRITTEN * sum(map(len, files))
