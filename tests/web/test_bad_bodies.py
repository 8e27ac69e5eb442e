"""A body that is not what its page promises never completes at any client and is never stored (P1)."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from sim.index import Cut, Fault, Reset, SimFile, SimIndex, Status, TooLong, WrongBytes, WrongLength
from stack import Inbond, inbond

SMALL = 300_000
LARGE = 12 * 2**20
HELD = 64 * 1024
NO_TOTAL = aiohttp.ClientTimeout(total=60)

FAULTS: dict[str, Fault] = {
    "first byte wrong": WrongBytes(at=0),
    "last byte wrong": WrongBytes(at=-1),
    "cut at once": Cut(after=0),
    "cut again and again": Cut(after=SMALL // 10),
    "reset again and again": Reset(after=SMALL // 10),
    "one byte more, announced": TooLong(extra=1),
    "one byte more, not announced": TooLong(extra=1, announced=False),
    "announces less": WrongLength(claimed=1000),
    "announces more": WrongLength(claimed=LARGE * 2),
    "server error": Status(500),
    "gone": Status(404),
}


@asynccontextmanager
async def proxied(
    tmp_path: Path, *, size: int, sizes: bool = True
) -> AsyncIterator[tuple[SimIndex, Inbond, SimFile, str]]:
    async with SimIndex(sizes=sizes) as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        async with inbond(tmp_path, index) as proxy:
            yield index, proxy, wheel, await proxy.path_of("demo", wheel.filename)


def stored(tmp_path: Path) -> Iterator[Path]:
    blobs = tmp_path / "data" / "cache" / "blobs" / "sha256"
    return (file for file in blobs.rglob("*") if file.is_file() and not file.name.endswith((".lock", "lock")))


async def taken(proxy: Inbond, path: str, headers: dict[str, str]) -> tuple[int, bytes, bool]:
    """Status, bytes that arrived, and whether the response was complete."""
    body = bytearray()
    async with proxy.session.get(proxy.url(path), headers=headers, timeout=NO_TOTAL) as response:
        try:
            async for chunk in response.content.iter_any():
                body += chunk
        except aiohttp.ClientError:
            return response.status, bytes(body), False
        return response.status, bytes(body), True


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes", "no sizes"])
@pytest.mark.parametrize("size", [SMALL, LARGE], ids=["small", "large"])
@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS.keys())
async def test_no_client_completes_a_bad_body(fault: Fault, size: int, *, sizes: bool, tmp_path: Path) -> None:
    async with proxied(tmp_path, size=size, sizes=sizes) as (index, proxy, wheel, path):
        index.fault(wheel.path, fault)
        asked: list[dict[str, str]] = [
            {},
            {},
            {"Range": "bytes=0-"},
            {"Range": f"bytes={size - 100}-"},
            {"Range": "bytes=-100"},
        ]
        answers = await asyncio.gather(*(taken(proxy, path, headers) for headers in asked))
        for (status, body, complete), headers in zip(answers, asked, strict=True):
            if status < 300:
                assert not complete
                begin = size - 100 if status == 206 and headers["Range"] != "bytes=0-" else 0
                assert begin + len(body) <= size - HELD or body == b""
            else:
                assert status in {403, 404, 502, 504}
        assert list(stored(tmp_path)) == []
        if isinstance(fault, WrongBytes):
            assert index.count("file") == 1  # remembered, so that six retries are not six downloads
        index.heal()
        proxy.clock.advance(timedelta(seconds=31))
        status, body, _ = await proxy.get(path)
        assert (status, hashlib.sha256(body).hexdigest()) == (200, wheel.sha256)
