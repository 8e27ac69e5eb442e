"""Extra fields of a zip header: the two that change what a file is called and how long it is.

APPNOTE 4.5. Some readers follow them and some do not, so a name must not be another one there, and lengths may stand
there only where the header refers to them.
"""

from __future__ import annotations

import struct
import zlib
from typing import Final, NamedTuple

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


def lengths(raw: bytes, name: bytes, written: Lengths) -> Lengths:
    """The lengths with those that stand in the extra field. Raises `Oddity`."""
    fields = _fields(raw, name)
    other = fields.get(_UNICODE_PATH)
    if other is not None and other[1:] != _NAME_HEAD.pack(1, zlib.crc32(name))[1:] + name:
        raise Oddity(f"{quoted(name)} has another name in its extra field")
    if FULL not in (written.inflated, written.stored, written.offset):
        return written
    return _long(fields.get(_ZIP64), name, written)


def _fields(raw: bytes, name: bytes) -> dict[int, bytes]:
    fields: dict[int, bytes] = {}
    at = 0
    # Fewer bytes than a head are padding, with which some tools align files.
    while len(raw) - at >= _HEAD.size:
        kind, length = _HEAD.unpack_from(raw, at)
        at += _HEAD.size + length
        if at > len(raw) or (kind in _TOLD_ONCE and kind in fields):
            raise Oddity(f"{quoted(name)} has an extra field that is cut, or stands there twice")
        fields[kind] = raw[at - length : at]
    return fields


def _long(field: bytes | None, name: bytes, written: Lengths) -> Lengths:
    if field is None:
        return written  # the largest number that fits, and no more
    found: list[int] = []
    at = 0
    for short in (written.inflated, written.stored, written.offset):
        if short != FULL:
            found.append(short)
        elif len(field) - at < _LONG.size:
            raise Oddity(f"{quoted(name)} has a zip64 field that is too short")
        else:
            found.append(_LONG.unpack_from(field, at)[0])
            at += _LONG.size
    return Lengths(*found)
