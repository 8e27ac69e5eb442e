"""The local headers: what a reader meets that goes through the archive from its beginning. APPNOTE 4.3.7, 4.3.9.

They and the files behind them must cover everything from the first byte to the central directory, without gaps and
without overlaps, and must say what that says. Then there is no file that one reader finds and another does not.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from operator import attrgetter
from typing import Final

from inbond.archive.directory import MAX_VERSION, SIZES_BEHIND, STORED, Entry
from inbond.archive.extra import Lengths, lengths
from inbond.archive.limits import MAX_EXTRA_BYTES
from inbond.archive.source import Oddity, Source, quoted

_MARK: Final = b"PK\x03\x04"
_HEADER: Final = struct.Struct("<4s5H3L2H")
_DESCRIPTOR_MARK: Final = b"PK\x07\x08"
# With the mark or without, with lengths of 32 bits or of 64: their own length tells the four apart.
_DESCRIPTORS: Final = {
    12: struct.Struct("<3L"),
    16: struct.Struct("<4x3L"),
    20: struct.Struct("<L2Q"),
    24: struct.Struct("<4xL2Q"),
}
_MARKED: Final = frozenset({16, 24})
_HOW_PACKED: Final = 0x0006  # how hard the packer tried: says nothing about the content


def check_local(source: Source, entries: Sequence[Entry], end: int) -> dict[int, int]:
    """Where the data behind each local header begins, by the header's place.

    `end`: where the central directory starts. Raises `Oddity`, `GaveUp`.
    """
    found: dict[int, int] = {}
    position = extras = 0
    ordered = sorted(entries, key=attrgetter("offset"))
    ends = [entry.offset for entry in ordered[1:]] + [end]
    for entry, following in source.patiently(zip(ordered, ends, strict=True) if ordered else ()):
        if entry.offset != position:
            raise Oddity(f"{quoted(entry.name)} does not begin where the one before it ends")
        found[position] = data = _data_offset(source, entry)
        extras += data - entry.offset - _HEADER.size - len(entry.raw_name)
        if extras > MAX_EXTRA_BYTES:
            raise Oddity(f"the extra fields of its local headers are over {MAX_EXTRA_BYTES >> 20} MiB")
        _check_end(source, entry, data + entry.stored, following)
        position = following
    if position != end:
        raise Oddity("bytes stand before its central directory")
    return found


def _data_offset(source: Source, entry: Entry) -> int:
    name_end = _HEADER.size + len(entry.raw_name)
    raw = source.upto(entry.offset, name_end)
    if len(raw) < _HEADER.size or not raw.startswith(_MARK):
        raise Oddity(f"{quoted(entry.name)} has no local header")
    extra_bytes: int
    _, version, flags, method, _, _, crc, stored, inflated, name_bytes, extra_bytes = _HEADER.unpack_from(raw)
    if name_bytes != len(entry.raw_name) or raw[_HEADER.size :] != entry.raw_name:
        raise Oddity(f"{quoted(entry.name)} has another name in its local header")
    if version > MAX_VERSION or method != entry.method or (flags ^ entry.flags) & ~_HOW_PACKED:
        raise Oddity(f"{quoted(entry.name)} is packed in another way in its local header")
    told = Lengths(inflated, stored)
    if extra_bytes:
        behind = bool(flags & SIZES_BEHIND)
        told = lengths(source.at(entry.offset + name_end, extra_bytes), entry.raw_name, told, behind=behind)
    _check_sizes(entry, (crc, told.stored, told.inflated))
    return entry.offset + name_end + extra_bytes


def _check_sizes(entry: Entry, local: tuple[int, int, int]) -> None:
    if local == (entry.crc, entry.stored, entry.inflated):
        return
    if not entry.flags & SIZES_BEHIND or any(local):
        raise Oddity(f"{quoted(entry.name)} has another length or checksum in its local header")
    if entry.method == STORED and entry.stored:
        raise Oddity(f"{quoted(entry.name)} is not compressed and does not say where it ends")


def _check_end(source: Source, entry: Entry, end: int, following: int) -> None:
    """What stands between an entry's data and what follows: nothing, or the descriptor that its flags announce."""
    gap = following - end
    if not entry.flags & SIZES_BEHIND:
        if gap:
            raise Oddity(f"{quoted(entry.name)} overlaps what follows, or something hides behind it")
        return
    layout = _DESCRIPTORS.get(gap)
    if layout is None:
        raise Oddity(f"{quoted(entry.name)} overlaps what follows, or something hides behind it")
    raw = source.at(end, gap)
    marked = gap not in _MARKED or raw.startswith(_DESCRIPTOR_MARK)
    if not marked or layout.unpack(raw) != (entry.crc, entry.stored, entry.inflated):
        raise Oddity(f"{quoted(entry.name)} has another length or checksum behind its data")
