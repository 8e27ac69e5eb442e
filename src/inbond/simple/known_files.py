"""Files as they were read, by upstream's own bytes: a page that comes again is read where it has changed.

What a file's bytes say depends on the address of its page and on nothing else, so nothing is ever forgotten but for
want of room. That a file is one object on every version of its page also spares memory.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType
from typing import Final

from inbond.model.page import File

# Bytes of upstream's writing, of all pages together: some 50,000 files. With what was read of them three times that.
MAX_KNOWN_BYTES: Final = 32 * 2**20

_Files = Mapping[bytes, File]
_NONE: Final[_Files] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    files: _Files
    size: int  # bytes


class KnownFiles:
    """The files of the pages that were read last. Safe to use from threads."""

    def __init__(self, limit: int = MAX_KNOWN_BYTES) -> None:
        self._limit = limit
        self._pages: OrderedDict[str, _Kept] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def of(self, base_url: str) -> _Files:
        """Those of the page at that address, by the bytes that describe them."""
        with self._lock:
            kept = self._pages.get(base_url)
            return kept.files if kept is not None else _NONE

    def keep(self, base_url: str, files: _Files) -> None:
        """Keeps the files of a page in the place of those that it had before."""
        kept = _Kept(files=files, size=sum(map(len, files)))
        with self._lock:
            self._drop(base_url)
            if kept.size <= self._limit:
                self._pages[base_url] = kept
                self._size += kept.size
            while self._size > self._limit:
                self._drop(next(iter(self._pages)))

    def _drop(self, base_url: str) -> None:
        before = self._pages.pop(base_url, None)
        if before is not None:
            self._size -= before.size
