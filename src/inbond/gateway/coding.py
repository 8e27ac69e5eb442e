"""Compressing rendered bytes, always off the event loop's thread and always to the same bytes."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

from inbond.simple.negotiate import Coding

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

GZIP_LEVEL: Final = 6
ZSTD_LEVEL: Final = 6


def compress(body: bytes, coding: Coding) -> bytes:
    """A whole body in a content coding."""
    match coding:
        case Coding.IDENTITY:
            return body
        case Coding.GZIP:
            return gzip.compress(body, GZIP_LEVEL, mtime=0)
        case Coding.ZSTD:
            return zstd.compress(body, ZSTD_LEVEL)


def expand(body: bytes, coding: Coding) -> bytes:
    """The body that was compressed."""
    match coding:
        case Coding.IDENTITY:
            return body
        case Coding.GZIP:
            return gzip.decompress(body)
        case Coding.ZSTD:
            return zstd.decompress(body)


def compress_pieces(pieces: Iterable[bytes], coding: Coding) -> Iterator[bytes]:
    """The same, piece by piece, for what is too large to hold."""
    match coding:
        case Coding.IDENTITY:
            yield from pieces
        case Coding.GZIP:
            deflater = zlib.compressobj(GZIP_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
            for piece in pieces:
                yield deflater.compress(piece)
            yield deflater.flush()
        case Coding.ZSTD:
            compressor = zstd.ZstdCompressor(ZSTD_LEVEL)
            for piece in pieces:
                yield compressor.compress(piece)
            yield compressor.flush()
