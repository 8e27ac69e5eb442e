"""Extra fields of a zip header: the two that change what a file is called and how long it is.

APPNOTE 4.5. Some readers follow them and some do not, so a name must not be another one there, and lengths may stand
there only where the header refers to them, and no others beside them. Bazel writes both a second time, which is let be:
whichever a reader follows, it finds the same. Not so where the lengths stand behind the data: there
the field alone says how long they are written, and readers part over where the next file begins.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

from inbond.archive.limits import MAX_EXTRA_FIELDS
from inbond.archive.source import Oddity, quoted

_HEAD: Final = struct.Struct("<HH")
_LONG: Final = struct.Struct("<Q")
_NAME_HEAD: Final = struct.Struct("<BL")
_ZIP64: Final = 0x0001
_UNICODE_PATH: Final = 0x7075
_TOLD_ONCE: Final = frozenset({_ZIP64, _UNICODE_PATH})
FULL: Final = 0xFFFFFFFF  # "see the zip64 field"


class Lengths(NamedTuple):
    """What a header says of a file's length inflated, its length as stored, and where it begins."""

    inflated: int
    stored: int
    offset: int = 0


def lengths(raw: bytes, name: bytes, written: Lengths, *, behind: bool) -> Lengths:
    """The lengths with those that stand in the extra field. Raises `Oddity`.

    `behind`: whether they stand behind the data too.
    """
    fields = _fields(raw, name)
    other = fields.get(_UNICODE_PATH)
    if other is not None and other[1:] != _NAME_HEAD.pack(1, zlib.crc32(name))[1:] + name:
        raise Oddity(f"{quoted(name)} has another name in its extra field")
    field = fields.get(_ZIP64)
    # Without the field it is the largest number that fits, and no more.
    return written if field is None else _long(field, name, written, behind=behind)


def _fields(raw: bytes, name: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    # Fewer bytes than a head are padding, with which some tools align files.
    count = 0
    while len(raw) - at >= _HEAD.size:
        count += 1
        if count > MAX_EXTRA_FIELDS:
            raise Oddity(f"{quoted(name)} has over {MAX_EXTRA_FIELDS} extra fields")
        kind, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size + length
        if at > len(raw) or (kind in _TOLD_ONCE and kind in fields):
            raise Oddity(f"{quoted(name)} has an extra field that is cut, or stands there twice")
        fields[kind] = raw[at - length : at]
    return fields


def _long(field: bytes, name: bytes, written: Lengths, *, behind: bool) -> Lengths:
    """What the field says of each number that refers to it, and of no other, unless it only repeats both lengths."""
    repeated = field == _LONG.pack(written.inflated) + _LONG.pack(written.stored)
    if repeated and FULL not in written and not behind:
        return written
    if len(field) != _LONG.size * written.count(FULL):
        raise Oddity(f"{quoted(name)} has a zip64 field that is too short, or says what nothing refers to")
    found = (long for (long,) in _LONG.iter_unpack(field))
    return Lengths(*(next(found) if short == FULL else short for short in written))
