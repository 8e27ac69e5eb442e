"""The end of a zip archive: where its central directory is, and that there is one answer to that only.

APPNOTE 4.3.14 to 4.3.16. Readers look for the end from behind, from the front, or where a locator points to. Here all
ways must lead to the same directory: nothing behind the end, nothing in a comment that looks like a record, no number
in the one end record that the other contradicts.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from inbond.archive.limits import MAX_DIRECTORY_BYTES, MAX_ENTRIES
from inbond.archive.source import Oddity, Source

_END: Final = struct.Struct("<4s4H2LH")
_LOCATOR: Final = struct.Struct("<4sLQL")
_END64: Final = struct.Struct("<4sQ2H2L4Q")
_END_MARK: Final = b"PK\x05\x06"
_LOCATOR_MARK: Final = b"PK\x06\x07"
_END64_MARK: Final = b"PK\x06\x06"
_MAX_COMMENT_BYTES: Final = 0xFFFF
_FULL16: Final = 0xFFFF  # "see the zip64 record", in a field of 16 bits
_FULL32: Final = 0xFFFFFFFF
_COUNTED64: Final = 12  # bytes of a zip64 end record that its own size does not count


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Where the central directory stands: from `start` to `end`, with so many entries."""

    start: int
    end: int
    count: int


def find_directory(source: Source) -> Directory:
    """The central directory of an archive. Raises `Oddity`."""
    position = _end_position(source)
    mark, disk, first_disk, here, count, length, start, _ = _END.unpack(source.at(position, _END.size))
    assert mark == _END_MARK
    end = position
    locator = source.at(position - _LOCATOR.size, _LOCATOR.size) if position >= _LOCATOR.size else b""
    if locator.startswith(_LOCATOR_MARK):
        short = (disk, first_disk, here, count, length, start)
        end, (disk, first_disk, here, count, length, start) = _end64(source, position, locator, short)
    if disk or first_disk or here != count:
        raise Oddity("it is one part of an archive of several")
    if start + length != end:
        raise Oddity("its end record and its central directory do not meet")
    if count > MAX_ENTRIES or length > MAX_DIRECTORY_BYTES:
        raise Oddity(f"it lists more than {MAX_ENTRIES:,} files, or its list is over {MAX_DIRECTORY_BYTES >> 20} MiB")
    return Directory(start=start, end=end, count=count)


def _end_position(source: Source) -> int:
    tail = source.upto(max(0, source.size - _END.size - _MAX_COMMENT_BYTES), _END.size + _MAX_COMMENT_BYTES)
    at = tail.rfind(_END_MARK)
    if at == -1:
        raise Oddity("it is no zip archive")
    comment = tail[at + _END.size :]
    if len(tail) - at < _END.size or len(comment) != _END.unpack_from(tail, at)[-1]:
        raise Oddity("bytes stand behind its end")
    if b"PK" in comment:
        raise Oddity("its comment looks like a part of an archive")
    return source.size - len(tail) + at


_Numbers = tuple[int, int, int, int, int, int]


def _end64(source: Source, position: int, locator: bytes, short: _Numbers) -> tuple[int, _Numbers]:
    """Where the zip64 end record begins, and what it says in place of the `short` numbers."""
    _, disk, start, disks = _LOCATOR.unpack(locator)
    if disk or disks != 1 or start + _END64.size + _LOCATOR.size != position:
        raise Oddity("its zip64 end record is not where the locator says")
    mark, length, _, _, *numbers = _END64.unpack(source.at(start, _END64.size))
    if mark != _END64_MARK or length != _END64.size - _COUNTED64:
        raise Oddity("its zip64 end record is malformed")
    full = (_FULL16, _FULL16, _FULL16, _FULL16, _FULL32, _FULL32)
    long: _Numbers = (numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5])
    if any(ours not in (most, theirs) for ours, most, theirs in zip(short, full, long, strict=True)):
        raise Oddity("its two end records contradict each other")
    return start, long
