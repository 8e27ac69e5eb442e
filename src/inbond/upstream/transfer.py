"""Bodies: read in pieces, decompressed in pieces, and never past their limit.

A kilobyte of gzip can stand for a megabyte of zeros; the decompressor is therefore never asked for more than one
piece, and both what arrives and what it becomes are counted.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Final

from inbond.model.errors import UpstreamBroken, UpstreamTooLarge
from inbond.model.units import format_size

PIECE_BYTES: Final = 256 * 1024  # the most that is decompressed at a time
_GZIP_WINDOW: Final = 31  # zlib's code for: gzip, largest window
IDENTITY: Final = frozenset({"", "identity"})
GZIP: Final = frozenset({"gzip", "x-gzip"})  # RFC 9110, section 8.4.1.3


async def decoded(raw: AsyncIterator[bytes], *, coding: str, limit: int, subject: str) -> AsyncIterator[bytes]:
    """A body without its content coding, in pieces of at most `PIECE_BYTES` where it was coded.

    Raises `UpstreamBroken` above `limit` bytes, for a coding that was not asked for, and for a damaged or cut body.
    """
    if coding in IDENTITY:
        pieces = raw
    elif coding in GZIP:
        pieces = _inflated(raw, limit=limit, subject=subject)
    else:
        raise UpstreamBroken(f"{subject} came with content coding {ascii(coding)[:40]}, which was not asked for")
    total = 0
    async for piece in pieces:
        total += len(piece)
        _within(total, limit, subject)
        yield piece


async def _inflated(raw: AsyncIterator[bytes], *, limit: int, subject: str) -> AsyncIterator[bytes]:
    inflate = zlib.decompressobj(_GZIP_WINDOW)
    arrived = 0
    try:
        async for chunk in raw:
            arrived += len(chunk)
            _within(arrived, limit, subject)  # empty deflate blocks: endless input without output
            rest = chunk
            while rest:
                if inflate.eof:
                    raise UpstreamBroken(f"{subject} holds bytes behind the end of its gzip stream")
                yield inflate.decompress(rest, PIECE_BYTES)
                rest = inflate.unconsumed_tail or inflate.unused_data
        yield inflate.flush()
    except zlib.error as error:
        raise UpstreamBroken(f"{subject} is not the gzip stream it claims to be") from error
    if not inflate.eof:
        raise UpstreamBroken(f"{subject} was cut: its gzip stream has no end")


def _within(total: int, limit: int, subject: str) -> None:
    if total > limit:
        raise UpstreamTooLarge(f"{subject} is larger than {format_size(limit)}, the limit here")


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    """All pieces in one."""
    gathered = bytearray()
    async for piece in pieces:
        gathered += piece
    return bytes(gathered)
