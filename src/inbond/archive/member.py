"""Members inflated, within bounds and exactly as long as they claim."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Final

from inbond.archive.directory import STORED, Entry
from inbond.archive.source import Oddity, Source, quoted

_PIECE: Final = 256 * 1024  # bytes, in and out: a few milliseconds at most


def read_member(source: Source, entry: Entry, data: int, *, limit: int) -> bytes:
    """The member's content, at most `limit` bytes; its data begins at `data`. Raises `Oddity`, `GaveUp`."""
    if max(entry.inflated, entry.stored) > limit:
        raise Oddity(f"{quoted(entry.name)} is over {limit >> 20} MiB")
    return b"".join(_content(source, entry, data))


def check_member(source: Source, entry: Entry, data: int) -> None:
    """Inflates a member and keeps nothing of it. Raises `Oddity`, `GaveUp`."""
    for _ in _content(source, entry, data):
        pass


def _content(source: Source, entry: Entry, data: int) -> Iterator[bytes]:
    """The content piece by piece; after the last one it is known to be all of the data, of this length and checksum."""
    length = crc = 0
    for piece in _stored(source, entry, data) if entry.method == STORED else _inflated(source, entry, data):
        length += len(piece)
        crc = zlib.crc32(piece, crc)
        if length > entry.inflated:
            raise _unlike(entry)
        yield piece
    if length != entry.inflated or crc != entry.crc:
        raise _unlike(entry)


def _stored(source: Source, entry: Entry, data: int) -> Iterator[bytes]:
    for offset in range(data, data + entry.stored, _PIECE):
        source.check()
        yield source.at(offset, min(_PIECE, data + entry.stored - offset))


def _inflated(source: Source, entry: Entry, data: int) -> Iterator[bytes]:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    for piece in _stored(source, entry, data):
        if inflater.eof:
            raise _unlike(entry)
        yield from _out_of(source, inflater, piece, entry)
    if not inflater.eof or inflater.unused_data:
        raise _unlike(entry)


def _out_of(source: Source, inflater: zlib._Decompress, piece: bytes, entry: Entry) -> Iterator[bytes]:
    """All that a piece inflates to, also what zlib still holds when it has taken the whole of it."""
    full = True
    while (piece or full) and not inflater.eof:
        source.check()
        try:
            out = inflater.decompress(piece, _PIECE)
        except zlib.error:
            raise _unlike(entry) from None
        yield out
        full = len(out) == _PIECE
        piece = inflater.unconsumed_tail


def _unlike(entry: Entry) -> Oddity:
    return Oddity(f"{quoted(entry.name)} is not of the length or checksum that it claims")
