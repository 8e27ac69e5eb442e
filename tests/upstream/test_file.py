from __future__ import annotations

import asyncio
import gzip

import pytest

from inbond.model.errors import UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from inbond.upstream.limits import Limits
from sim.index import (
    Cut,
    Endless,
    Fault,
    HangUp,
    Headers,
    Mute,
    Reset,
    SimIndex,
    Slow,
    Stall,
    Status,
    TooLong,
    WrongLength,
    index_fixture,
)
from upstream.support import ONCE, QUICK, Heard, drained, read, upstream_at

index = index_fixture()
SIZE = 500_000


async def test_a_file_comes_in_pieces_with_its_length_and_without_coding(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream, upstream.file(wheel.url) as body:
        assert body.size == SIZE
        chunks = [chunk async for chunk in body.chunks()]
        assert heard.outcomes == []
    assert b"".join(chunks) == wheel.content
    assert len(chunks) > 1
    assert heard.outcomes == ["file ok"]
    assert index.requests[0].headers["Accept-Encoding"] == "identity"


async def test_an_empty_file_is_a_file(index: SimIndex) -> None:
    empty = index.add_file("demo", "demo-1.0.tar.gz", b"")
    async with upstream_at(index.url) as upstream:
        assert await read(upstream, empty.url) == b""


async def test_a_file_of_unannounced_length_has_none(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.path, TooLong(extra=0, announced=False))
    async with upstream_at(index.url) as upstream, upstream.file(wheel.url) as body:
        assert body.size is None
        assert b"".join([chunk async for chunk in body.chunks()]) == wheel.content


async def test_an_archive_labelled_with_the_coding_it_has_is_the_file(index: SimIndex) -> None:
    sdist = index.add_sdist("demo", "1.0")
    index.fault(sdist.path, Headers({"Content-Encoding": "x-gzip"}))
    async with upstream_at(index.url) as upstream:
        assert await read(upstream, sdist.url) == sdist.content


async def test_a_coded_file_is_broken(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.path, Status(200, {"Content-Encoding": "gzip"}, gzip.compress(wheel.content)))
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamBroken, match="content coding 'gzip'"):
            await read(upstream, wheel.url)
    assert heard.outcomes == ["file broken"]


BEFORE_THE_FIRST_BYTE: list[tuple[Fault, type[UpstreamFault]]] = [
    (Status(500), UpstreamUnavailable),
    (Status(429), UpstreamUnavailable),
    (HangUp(), UpstreamUnavailable),
    (Cut(0), UpstreamBroken),
    (Stall(0), UpstreamTimeout),
    (Mute(), UpstreamTimeout),
]


@pytest.mark.parametrize(("fault", "expected"), BEFORE_THE_FIRST_BYTE, ids=str)
async def test_before_the_first_byte_a_fault_is_tried_again(
    index: SimIndex, fault: Fault, expected: type[UpstreamFault]
) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    index.fault(wheel.path, fault, times=2)
    async with upstream_at(index.url) as upstream:
        assert await read(upstream, wheel.url) == wheel.content
    index.fault(wheel.path, fault)
    async with upstream_at(index.url, limits=ONCE) as upstream:
        with pytest.raises(expected):
            await read(upstream, wheel.url)


AFTER_THE_FIRST_BYTE: list[tuple[Fault, type[UpstreamFault], str]] = [
    (Cut(100_000), UpstreamBroken, "broken"),
    (Reset(100_000), UpstreamUnavailable, "unavailable"),
    (Stall(100_000), UpstreamTimeout, "timeout"),
    (WrongLength(SIZE + 1), UpstreamBroken, "broken"),
]


@pytest.mark.parametrize(("fault", "expected", "outcome"), AFTER_THE_FIRST_BYTE, ids=str)
async def test_after_the_first_byte_a_fault_ends_the_file_and_nothing_is_repeated(
    index: SimIndex, fault: Fault, expected: type[UpstreamFault], outcome: str
) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    index.fault(wheel.path, fault)
    heard = Heard()
    received = 0
    async with upstream_at(index.url, heard=heard) as upstream:
        async with upstream.file(wheel.url) as body:
            chunks = body.chunks()
            received += len(await anext(chunks))
            with pytest.raises(UpstreamFault) as caught:
                received += await drained(chunks)
        assert type(caught.value) is expected
        assert 0 < received <= SIZE
        assert index.count("file") == 1
        assert heard.outcomes == [f"file {outcome}"]
        index.heal()
        assert await read(upstream, wheel.url) == wheel.content


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, UpstreamRefused),
        (403, UpstreamRefused),
        (206, UpstreamBroken),
        (304, UpstreamBroken),
        (204, UpstreamBroken),
    ],
)
async def test_only_200_is_a_file(index: SimIndex, status: int, expected: type[UpstreamFault]) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.path, Status(status, {}, b"" if status in (204, 304) else b"something"))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamFault, match=f"answered {status}") as caught:
            await read(upstream, wheel.url)
    assert type(caught.value) is expected
    assert index.count("file") == 1


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://[", "", "x.whl"])
async def test_a_url_that_is_not_asked_is_one_broken_request(index: SimIndex, url: str) -> None:
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamBroken, match=r"^sim"):
            await read(upstream, url)
    assert heard.outcomes == ["file broken"]
    assert index.requests == []


async def test_an_endless_file_ends_at_the_limit(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.path, Endless())
    async with upstream_at(index.url, limits=Limits(file_bytes=2**20)) as upstream:
        with pytest.raises(UpstreamBroken, match=r"larger than 1\.0 MiB"):
            await read(upstream, wheel.url)


async def test_a_trickle_ends_after_the_time_a_file_may_take(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    index.fault(wheel.path, Slow(rate=20_000))
    async with upstream_at(index.url, limits=Limits(file_total=0.3)) as upstream:
        with pytest.raises(UpstreamTimeout, match=r"was not here after 0\.3 seconds"):
            await read(upstream, wheel.url)


async def test_a_slow_reader_is_no_stall(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=4_000_000)
    async with upstream_at(index.url, limits=QUICK) as upstream, upstream.file(wheel.url) as body:
        received = b""
        async for chunk in body.chunks():
            if not received:
                await asyncio.sleep(2 * QUICK.idle)
            received += chunk
    assert received == wheel.content


async def test_a_reader_who_leaves_early_is_one_event_and_frees_the_place(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    heard = Heard()
    async with upstream_at(index.url, heard=heard, limits=Limits(downloads_at_once=1)) as upstream:
        for _ in range(2):
            async with upstream.file(wheel.url) as body:
                async for _chunk in body.chunks():
                    break
        with pytest.raises(KeyError):
            async with upstream.file(wheel.url):
                raise KeyError("the reader's own")
    assert heard.outcomes == ["file cancelled"] * 3


async def test_a_fault_that_the_reader_hides_is_still_counted(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=SIZE)
    index.fault(wheel.path, Cut(100_000))
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream, upstream.file(wheel.url) as body:
        with pytest.raises(UpstreamBroken):
            await drained(body.chunks())
    assert heard.outcomes == ["file broken"]
