"""Files on the wire: ranges, validators, HEAD, sharing of downloads, and what a path means."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from structlog.testing import capture_logs

from inbond.model.occurrence import OccurrenceKind
from inbond.store import stamps
from inbond.upstream.limits import DEFAULT
from sim.index import Gate, SimFile, SimIndex, Stall, Status
from stack import Inbond, inbond

LARGE = 12 * 2**20


@asynccontextmanager
async def proxied(tmp_path: Path, size: int | None = None) -> AsyncIterator[tuple[SimIndex, Inbond, SimFile]]:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        async with inbond(tmp_path, index) as proxy:
            yield index, proxy, wheel


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "hot"])
@pytest.mark.parametrize("size", [50_000, LARGE], ids=["small", "large"])
@pytest.mark.parametrize(
    ("asked", "begin", "end"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, None), ("bytes=-500", -500, None), ("bytes=5-999999999", 5, None)],
)
async def test_single_ranges(asked: str, begin: int, end: int | None, size: int, tmp_path: Path, *, cold: bool) -> None:
    async with proxied(tmp_path, size) as (_, proxy, wheel):
        if not cold:
            await proxy.get(wheel.path)
        status, body, response = await proxy.get(wheel.path, Range=asked)
        assert status == 206
        assert body == wheel.content[begin:end]
        first = begin if begin >= 0 else size + begin
        assert response.headers["Content-Range"] == f"bytes {first}-{(end or size) - 1}/{size}"


@pytest.mark.parametrize("asked", ["bytes=0-1,3-4", "bytes=abc", "lines=1-2", "bytes=9-3", "bytes=-"])
async def test_what_is_no_single_range_gets_the_whole(asked: str, tmp_path: Path) -> None:
    async with proxied(tmp_path) as (_, proxy, wheel):
        status, body, _ = await proxy.get(wheel.path, Range=asked)
        assert (status, body) == (200, wheel.content)


async def test_a_range_outside_is_416(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (_, proxy, wheel):
        status, _, response = await proxy.get(wheel.path, Range="bytes=99999999-")
        assert status == 416
        assert response.headers["Content-Range"] == f"bytes */{wheel.size}"
        assert (await proxy.get(wheel.path, Range="bytes=-0"))[0] == 416


async def test_if_range_decides_between_part_and_whole(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (_, proxy, wheel):
        part = {"Range": "bytes=0-9"}
        assert (await proxy.get(wheel.path, **part, **{"If-Range": f'"{wheel.sha256}"'}))[0] == 206
        assert (await proxy.get(wheel.path, **part, **{"If-Range": '"other"'}))[0] == 200
        assert (await proxy.get(wheel.path, **part, **{"If-Range": "Fri, 20 Nov 2026 10:00:00 GMT"}))[0] == 200


@pytest.mark.parametrize("etag", ['"{}"', 'W/"{}"', '"x", "{}"', "*"])
async def test_a_client_that_has_the_file_gets_304(etag: str, tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, wheel):
        status, body, _ = await proxy.get(wheel.path, **{"If-None-Match": etag.format(wheel.sha256)})
        assert (status, body) == (304, b"")
        assert index.count("file") == 0


@pytest.mark.parametrize("sizes", [True, False], ids=["sizes", "no sizes"])
async def test_head_tells_what_get_would(tmp_path: Path, *, sizes: bool) -> None:
    async with SimIndex(sizes=sizes) as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index) as proxy:
            for _ in range(2):
                async with proxy.session.head(proxy.url(wheel.path)) as response:
                    assert response.status == 200
                    assert response.headers["Content-Length"] == str(LARGE)
                    assert response.headers["Accept-Ranges"] == "bytes"
                    if sizes:  # else only the download tells the size, and until it is checked its validator is its own
                        assert response.headers["ETag"] == f'"{wheel.sha256}"'
            assert index.count("file") == (0 if sizes else 1)
            assert (await proxy.get(wheel.path))[1] == wheel.content


async def test_no_header_makes_an_installer_misread_the_name(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (_, proxy, wheel):
        _, _, response = await proxy.get(wheel.path)
        assert "Content-Disposition" not in response.headers
        assert "Content-Encoding" not in response.headers
        assert response.headers["Cache-Control"] == "no-cache"
        assert "Date" in response.headers
        assert response.headers["Server"].startswith("inbond/")


async def test_simultaneous_clients_share_one_download(tmp_path: Path) -> None:
    """The same with 200 clients on 64 MiB and on 1 GiB, with their memory, is in `bench/compare.py`."""

    async def digest(session: aiohttp.ClientSession, url: str) -> str:
        seen = hashlib.sha256()
        async with session.get(url) as response:
            async for chunk in response.content.iter_chunked(2**18):
                seen.update(chunk)
        return seen.hexdigest()

    async with proxied(tmp_path, 9 * 2**20) as (index, proxy, wheel):
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            digests = await asyncio.gather(*(digest(session, proxy.url(wheel.path)) for _ in range(200)))
        assert set(digests) == {wheel.sha256}
        assert index.count("file") == 1


async def test_a_late_client_reads_the_growing_file(tmp_path: Path) -> None:
    async with proxied(tmp_path, LARGE) as (index, proxy, wheel):
        gate: Gate = index.gate(wheel.path, after=10 * 2**20)
        first = asyncio.create_task(proxy.get(wheel.path))
        await gate.reached.wait()
        async with proxy.session.get(proxy.url(wheel.path)) as late:
            early_bytes = await late.content.readexactly(9 * 2**20)
            assert early_bytes == wheel.content[: 9 * 2**20]
            gate.open()
            rest = await late.read()
        assert early_bytes + rest == wheel.content
        assert (await first)[1] == wheel.content
        assert index.count("file") == 1


async def test_one_client_hanging_up_hurts_nobody(tmp_path: Path) -> None:
    async with proxied(tmp_path, LARGE) as (index, proxy, wheel):
        gate = index.gate(wheel.path, after=4 * 2**20)
        async with aiohttp.ClientSession() as leaver:
            response = await leaver.get(proxy.url(wheel.path))
            await response.content.readexactly(1000)
            follower = asyncio.create_task(proxy.get(wheel.path))
            await gate.reached.wait()
            response.close()
        gate.open()
        assert (await follower)[1] == wheel.content
        assert index.count("file") == 1


async def test_the_work_goes_on_when_everybody_has_left(tmp_path: Path) -> None:
    async with proxied(tmp_path, LARGE) as (index, proxy, wheel):
        gate = index.gate(wheel.path, after=4 * 2**20)
        async with aiohttp.ClientSession() as leaver:
            response = await leaver.get(proxy.url(wheel.path))
            await response.content.readexactly(1000)
            response.close()
        gate.open()
        await proxy.up.gateway.downloads.wait()
        assert (await proxy.get(wheel.path))[1] == wheel.content
        assert index.count("file") == 1


@pytest.mark.parametrize("size", [50_000, LARGE], ids=["small", "large"])
async def test_an_upstream_that_stalls_for_good_is_given_up_and_the_next_try_is_fresh(
    size: int, tmp_path: Path
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=size)
        async with inbond(tmp_path, index, limits=replace(DEFAULT, idle=0.1, attempts=1)) as proxy:
            index.fault(wheel.path, Stall(after=size - 10), times=1)
            index.fault(wheel.path, Stall())
            if size == LARGE:
                async with proxy.session.get(proxy.url(wheel.path)) as response:
                    with pytest.raises(aiohttp.ClientError):
                        await response.read()
            else:
                status, body, _ = await proxy.get(wheel.path)
                assert status == 504, body
            index.heal()
            assert (await proxy.get(wheel.path))[1] == wheel.content


async def test_the_connection_of_a_cut_answer_is_not_used_again(tmp_path: Path) -> None:
    """Else the bytes of the next response would complete the body of the one before."""
    async with proxied(tmp_path, LARGE) as (index, proxy, wheel):
        gate = index.gate(wheel.path, after=10 * 2**20)
        index.fault(wheel.path, Stall(after=11 * 2**20), times=1)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(proxy.origin.rpartition(":")[2]))
        request = f"GET {wheel.path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        writer.write(request.encode() * 2)  # pipelined
        await reader.readexactly(1000)
        await gate.reached.wait()
        await index.stop()
        gate.open()
        received = 1000
        try:
            while piece := await reader.read(2**20):
                received += len(piece)
        except ConnectionError:
            pass
        assert received < LARGE - 64 * 1024 + 1000
        writer.close()


@pytest.mark.parametrize(
    "path",
    [
        "/packages/aa/bb/cc/demo-1.0-py3-none-any.whl",
        "/packages/demo-1.0-py3-none-any.whl",
        "/packages/../../etc/passwd",
        "/packages/%2e%2e/%2e%2e/etc/passwd",
        "/packages/http://127.0.0.1/x/demo-1.0-py3-none-any.whl",
        "/packages/aa/nohyphen",
        "/packages/aa/unknown-1.0.tar.gz",
        "/packages/aa/.metadata",
        "/packages/aa/demo-1.0-py3-none-any.whl%00",
        "/nosuchindex/packages/aa/demo-1.0-py3-none-any.whl",
    ],
)
async def test_a_path_that_no_page_lists_is_not_found(path: str, tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, _):
        status, _, response = await proxy.get(path)
        assert status == 404
        assert response.headers["Content-Type"] == "application/problem+json"
        assert index.count("file") == 0


async def test_a_file_that_vanished_upstream_is_not_served_although_cached(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, wheel):
        index.add_wheel("demo", "2.0")
        assert (await proxy.get(wheel.path))[0] == 200
        index.remove(wheel)
        await proxy.get("/simple/demo/")
        proxy.clock.advance(proxy.clock.ahead.max / 10**6)
        assert (await proxy.get(wheel.path))[0] == 404
        assert await proxy.metric("inbond_alerts_total", name="file-vanished") == 1
        (told,) = await proxy.occurred(OccurrenceKind.FILE_VANISHED)
        assert told == f"pypi: {wheel.filename} of demo is no longer offered"


async def test_the_cache_may_be_deleted_while_it_is_used(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, wheel):
        others = [index.add_wheel("others", f"{number}.0") for number in range(4)]
        assert (await proxy.get(wheel.path))[0] == 200
        shutil.rmtree(tmp_path / "data" / "cache" / "blobs")
        shutil.rmtree(tmp_path / "data" / "cache", ignore_errors=True)  # something may be put there at this moment
        answers = await asyncio.gather(*(proxy.get(one.path) for one in (wheel, *others)))
        assert [(status, body) for status, body, _ in answers] == [(200, one.content) for one in (wheel, *others)]
        assert await proxy.metric("inbond_alerts_total", name="cache-removed") == 1
        before = index.count("file")
        assert (await proxy.get(wheel.path))[0] == 200
        assert index.count("file") == before


async def test_a_file_gone_upstream_is_404_with_a_reason(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, wheel):
        index.fault(wheel.path, Status(404))
        status, body, _ = await proxy.get(wheel.path)
        assert status == 404
        assert b"demo-1.0" in body


async def test_metadata_that_cannot_be_served_is_no_longer_advertised(tmp_path: Path) -> None:
    async with proxied(tmp_path) as (index, proxy, wheel):
        assert (await proxy.listed("demo", wheel.filename))["core-metadata"]
        index.fault(wheel.metadata_path, Status(404))
        assert (await proxy.get(wheel.metadata_path))[0] == 404
        assert "core-metadata" not in await proxy.listed("demo", wheel.filename)


async def test_metadata_with_a_wrong_digest_is_refused(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", metadata_hashes={"sha256": "0" * 64})
        async with inbond(tmp_path, index) as proxy:
            status, body, _ = await proxy.get(wheel.metadata_path)
            assert status == 403
            assert b'"rule":"digest"' in body
            assert "core-metadata" not in await proxy.listed("demo", wheel.filename)


@pytest.mark.parametrize("cold", [True, False], ids=["cold", "hot"])
async def test_a_stored_file_that_the_disk_does_not_give_is_fetched_anew_by_the_next_try(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, cold: bool
) -> None:
    def no_more(*_: object) -> object:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    size = 300_000
    monkeypatch.setattr("inbond.web.send.WHOLE_CHECK_BYTES", 0)  # it leaves while it grows
    async with proxied(tmp_path, size) as (index, proxy, wheel):
        gate = index.gate(wheel.path, after=size // 2)
        if not cold:
            gate.open()
            assert (await proxy.get(wheel.path))[0] == 200
        sendfile = os.sendfile

        def sent(into: int, file: int, offset: int, count: int) -> int:
            if offset + count == size:
                no_more()
            return sendfile(into, file, offset, count)

        with monkeypatch.context() as broken, capture_logs() as logged:
            broken.setattr(os, "sendfile", sent)
            async with proxy.session.get(proxy.url(wheel.path)) as answer:
                gate.open()
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.read()
            while not logged or len(proxy.up.gateway.downloads):  # until then the next try would join it
                await asyncio.sleep(0.01)
        with monkeypatch.context() as broken:
            broken.setattr(stamps, "read", no_more)
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)
        assert index.count("file") == 2
