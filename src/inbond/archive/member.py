"""One member inflated, within bounds and exactly as long as it claims."""

from __future__ import annotations

import zlib
from typing import Final

from inbond.archive.directory import STORED, Entry
from inbond.archive.source import Oddity, Source, quoted

_PIECE: Final = 256 * 1024  # bytes, in and out: a few milliseconds at most


def read_member(source: Source, entry: Entry, data: int, *, limit: int) -> bytes:
    """The member's content, at most `limit` bytes; its data begins at `data`. Raises `Oddity`, `GaveUp`."""
    if max(entry.inflated, entry.stored) > limit:
        raise Oddity(f"{quoted(entry.name)} is over {limit >> 20} MiB")
    content = bytearray()
    inflater = None if entry.method == STORED else zlib.decompressobj(-zlib.MAX_WBITS)
    for offset in range(data, data + entry.stored, _PIECE):
        source.check()
        piece = source.at(offset, min(_PIECE, data + entry.stored - offset))
        if inflater is None:
            content += piece
        else:
            _inflate(source, inflater, piece, content, entry)
    whole = inflater is None or (inflater.eof and not inflater.unused_data)
    if not whole or len(content) != entry.inflated or zlib.crc32(content) != entry.crc:
        raise _unlike(entry)
    return bytes(content)


def _inflate(source: Source, inflater: zlib._Decompress, piece: bytes, content: bytearray, entry: Entry) -> None:
    while piece:
        source.check()
        try:
            content += inflater.decompress(piece, _PIECE)
        except zlib.error:
            raise _unlike(entry) from None
        if len(content) > entry.inflated or inflater.unused_data:
            raise _unlike(entry)
        piece = inflater.unconsumed_tail


def _unlike(entry: Entry) -> Oddity:
    return Oddity(f"{quoted(entry.name)} is not of the length or checksum that it claims")
