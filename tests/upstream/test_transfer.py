from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.errors import UpstreamBroken
from inbond.upstream.transfer import PIECE_BYTES, decoded, whole


class Source:
    """Chunks as they come from a connection, counted as they are taken."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.taken = 0

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        try:
            chunk = next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None
        self.taken += len(chunk)
        return chunk


async def read(chunks: Iterable[bytes], *, coding: str = "gzip", limit: int = 2**20) -> bytes:
    return await whole(decoded(Source(chunks), coding=coding, limit=limit, subject="the page"))


def split(body: bytes, step: int) -> list[bytes]:
    return [body[start : start + step] for start in range(0, len(body), step)]


@given(body=st.binary(max_size=3000), step=st.integers(1, 500), coding=st.sampled_from(["gzip", "x-gzip"]))
async def test_a_gzip_body_is_what_was_packed_however_it_is_cut_into_chunks(
    body: bytes, step: int, coding: str
) -> None:
    assert await read(split(gzip.compress(body), step), coding=coding) == body


@given(body=st.binary(max_size=3000), step=st.integers(1, 500), coding=st.sampled_from(["", "identity"]))
async def test_a_plain_body_passes_as_it_is(body: bytes, step: int, coding: str) -> None:
    assert await read(split(body, step), coding=coding) == body


@pytest.mark.parametrize("coding", ["deflate", "br", "zstd", "gzip, gzip", "compress", "\x00"])
async def test_a_coding_that_was_not_asked_for_is_broken(coding: str) -> None:
    with pytest.raises(UpstreamBroken, match="not asked for"):
        await read([b"x"], coding=coding)


@pytest.mark.parametrize("coding", ["", "gzip"])
async def test_exactly_the_limit_passes_and_one_byte_more_does_not(coding: str) -> None:
    def packed(count: int) -> list[bytes]:
        body = bytes(range(256)) * (count // 256) + b"\0" * (count % 256)
        return [gzip.compress(body) if coding else body]

    assert len(await read(packed(100_000), coding=coding, limit=100_000)) == 100_000
    with pytest.raises(UpstreamBroken, match=r"the page is larger than 97\.7 KiB"):
        await read(packed(100_001), coding=coding, limit=100_000)


async def test_a_bomb_stops_at_the_limit_having_taken_next_to_nothing() -> None:
    bomb = gzip.compress(b"\0" * 2**25)
    source = Source(split(bomb, 4096))
    with pytest.raises(UpstreamBroken, match="larger than"):
        await whole(decoded(source, coding="gzip", limit=2**20, subject="the page"))
    assert source.taken <= 8192 < len(bomb)


async def test_no_piece_is_large_however_well_it_was_packed() -> None:
    packed = gzip.compress(b"\0" * 2**24)
    pieces = [len(piece) async for piece in decoded(Source([packed]), coding="gzip", limit=2**24, subject="the page")]
    assert sum(pieces) == 2**24
    assert max(pieces) <= PIECE_BYTES


async def test_endless_input_without_output_stops_at_the_limit() -> None:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    header = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)

    def endless() -> Iterable[bytes]:
        yield header
        while True:
            yield packer.flush(zlib.Z_FULL_FLUSH) or b"\0\0\0\xff\xff" * 100  # empty stored blocks

    with pytest.raises(UpstreamBroken, match="larger than"):
        await read(endless(), limit=50_000)


@pytest.mark.parametrize("keep", [0, 5, 20, -1])
async def test_a_gzip_stream_without_its_end_was_cut(keep: int) -> None:
    with pytest.raises(UpstreamBroken, match="was cut"):
        await read([gzip.compress(b"hello world" * 100)[:keep]])


@pytest.mark.parametrize("apart", [True, False])
async def test_bytes_behind_the_end_of_a_gzip_stream_are_broken(*, apart: bool) -> None:
    packed = gzip.compress(b"page")
    with pytest.raises(UpstreamBroken, match="behind the end"):
        await read([packed, b"more"] if apart else [packed + b"more"])


@pytest.mark.parametrize("body", [b"plain text", b"\x1f\x8b" + b"\xff" * 50])
async def test_what_only_claims_to_be_gzip_is_broken(body: bytes) -> None:
    with pytest.raises(UpstreamBroken, match="not the gzip stream"):
        await read([body])


async def test_a_damaged_gzip_stream_is_broken() -> None:
    packed = bytearray(gzip.compress(b"hello world" * 100))
    packed[-6] ^= 1  # in the checksum
    with pytest.raises(UpstreamBroken, match="not the gzip stream"):
        await read([bytes(packed)])
