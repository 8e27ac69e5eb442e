"""Files whose lengths stand behind their data, as who writes to a pipe must have it.

A reader from the front finds the end of such a file by inflating it; one that knows the directory takes the length that
stands there. Where the deflated data end early, the first goes on in the middle of what the second takes for data, and
may meet headers of files there that nobody else sees. To inflate everything would cost too much. But no reader goes on
without one of the marks below: so the data are searched for them, and only where one is found are they inflated, to see
that they end where they should. By chance that happens once in a gigabyte, and where an archive lies in an archive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from inbond.archive.directory import SIZES_BEHIND, STORED, Entry
from inbond.archive.limits import MAX_SEARCHED_BYTES, MAX_SETTLED_BYTES
from inbond.archive.member import check_member
from inbond.archive.source import Oddity, Source, quoted

# A local header, a descriptor, an entry of the directory, and the ends.
_MARKS: Final = re.compile(rb"PK(?:\x03\x04|\x07\x08|\x01\x02|\x05\x06|\x06[\x06\x07])")
_OVERLAP: Final = 3  # bytes of a mark that may lie before a piece
_PIECE: Final = 256 * 1024  # bytes: a few milliseconds at most


def check_streamed(source: Source, entries: Sequence[Entry], data: Mapping[int, int]) -> None:
    """`data`: where it begins, by the place of the local header. Raises `Oddity`, `GaveUp`."""
    searched = settled = 0
    for entry in source.patiently(entries):
        if not entry.flags & SIZES_BEHIND or entry.method == STORED:
            continue
        searched += entry.stored
        if searched > MAX_SEARCHED_BYTES:
            raise Oddity(f"files whose length stands behind them are over {MAX_SEARCHED_BYTES >> 20} MiB together")
        begin = data[entry.offset]
        if _holds_mark(source, begin, begin + entry.stored):
            settled += entry.inflated
            if settled > MAX_SETTLED_BYTES:
                raise Oddity(f"{quoted(entry.name)} may hold a hidden file, and is too large to be sure")
            check_member(source, entry, begin)


def _holds_mark(source: Source, begin: int, end: int) -> bool:
    before = b""
    for at in range(begin, end, _PIECE):
        source.check()
        piece = before + source.at(at, min(_PIECE, end - at))
        if _MARKS.search(piece):
            return True
        before = piece[-_OVERLAP:]
    return False
