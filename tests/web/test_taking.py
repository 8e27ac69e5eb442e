"""Hot answers that their clients do not take at once: held to the bounds of every other answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from inbond.web import hot_places
from inbond.web.connections import KEEPALIVE_SECONDS
from inbond.web.hot import HOT
from inbond.web.overload import OVERLOAD
from inbond.web.pieces import PIECE_BYTES
from inbond.web.settings import ServerLimits
from raw_client import raw
from sim.index import SimIndex
from slow_client import Slow, slow
from stack import Inbond, inbond

SIZE = 200_000
PART = 40_000  # less than a transport takes before it says that it has enough


@dataclass(frozen=True)
class Known:
    """A server, and a file and a page that it answers the hot way."""

    proxy: Inbond
    file: bytes
    part: bytes
    page: bytes

    @property
    def untaken(self) -> int:
        return self.proxy.app[HOT].room.untaken

    @property
    def places(self) -> int:
        return self.proxy.app[OVERLOAD].files.in_use

    async def hot(self) -> float:
        """How many answers have gone the hot way."""
        await asyncio.sleep(0)
        self.proxy.app[HOT].tell()
        counts = [await self.proxy.metric("inbond_requests_again_total", route=route) for route in ("file", "page")]
        return sum(counts)

    async def sent(self) -> float:
        """Bytes of files."""
        self.proxy.app[HOT].tell()
        return await self.proxy.metric("inbond_file_bytes_total", source="cache")

    async def dropped(self) -> None:
        while not await self.proxy.metric("inbond_connections_dropped_total", reason="slow-reader"):
            await asyncio.sleep(0.005)


@asynccontextmanager
async def known(place: Path, limits: ServerLimits | None = None) -> AsyncIterator[Known]:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        async with inbond(place, index, server_limits=limits) as proxy:
            await proxy.get(wheel.path)
            async with raw(proxy) as client:
                part = client.head(wheel.path, Range=f"bytes=0-{PART - 1}")
                found = Known(proxy, client.head(wheel.path), part, client.head("/simple/demo/"))
                for head in (found.file, found.part, found.page) * 3:
                    await client.ask(head)
            assert await found.hot() >= 3
            yield found


@pytest.mark.parametrize("pipelined", [False, True], ids=["alone", "with another request behind it"])
async def test_what_is_not_taken_is_broken_off(tmp_path: Path, *, pipelined: bool) -> None:
    limits = ServerLimits(piece_seconds=0.2)
    async with known(tmp_path, limits) as server, slow(server.proxy) as one:
        before = await server.sent()
        one.ask(server.file)
        await one.begins()
        assert (server.places, server.untaken > PIECE_BYTES) == (1, True)
        if pipelined:
            one.ask(server.page + server.page)
        await server.dropped()
        while server.places:
            await asyncio.sleep(0.005)
        assert server.untaken == 0
        assert 0 < await server.sent() - before < SIZE - PIECE_BYTES


@pytest.mark.parametrize("size", [SIZE, PART])
async def test_what_is_taken_late_is_whole_and_what_was_asked_meanwhile_comes_after_it(
    size: int, tmp_path: Path
) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        before = await server.hot(), await server.sent()
        head = server.file if size == SIZE else server.part
        one.ask(head)
        await one.begins()
        assert 0 < await server.sent() - before[1] < size - 16 * 1024
        taking, untaken = one.taking, server.untaken
        one.ask(head)
        await asyncio.sleep(0.02)
        assert (one.taking, server.untaken, server.places) == (taking, untaken, 1)
        one.read()
        assert [len((await one.client.answer()).body) for _ in range(2)] == [size, size]
        assert (one.connection._taking, server.untaken, server.places) == (None, 0, 0)
        assert taking._due.cancelled()  # nobody is dropped for it later
        assert (await server.hot(), await server.sent()) == (before[0] + 2, before[1] + 2 * size)
        assert one.connection.transport is not None
        assert one.connection.transport.get_write_buffer_limits() == (16 * 1024, 64 * 1024)
        one.ask(server.page)
        assert (await one.client.answer()).status == 200


async def test_each_piece_has_its_own_time(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        one.ask(server.file)
        await one.begins()
        one.taking._due.cancel()
        one.read()
        await one.client.reader.readexactly(PIECE_BYTES + 16 * 1024)
        due = one.taking._due
        one.taking._see()
        assert one.taking._due is not due
        assert one.connection._next_keepalive_close_time > one.taking._due.when() + KEEPALIVE_SECONDS
        one.taking._see()  # nothing was taken since
        await server.dropped()


async def test_a_client_that_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        one.ask(server.file)
        await one.begins()
        due = one.taking._due
        one.client.writer.transport.abort()
        while server.places:
            await asyncio.sleep(0.005)
        assert server.untaken == 0
        assert due.cancelled()
        assert not await server.proxy.metric("inbond_connections_dropped_total", reason="slow-reader")


async def test_what_is_not_taken_is_bounded_in_all_and_of_each_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_places, "MAX_UNTAKEN_BYTES", 2 * SIZE)
    async with known(tmp_path) as server, AsyncExitStack() as stack:

        async def more(count: int, address: str) -> list[Slow]:
            return [await stack.enter_async_context(slow(server.proxy, address)) for _ in range(count)]

        before = await server.hot()
        clients = [await more(4, "127.0.0.2"), await more(4, "127.0.0.3"), await more(1, "127.0.0.4")]
        for each, hot in zip(clients, (2, 3, 3), strict=True):  # the bound is passed by one answer, and not by two
            for one in each:
                one.ask(server.file)  # all of them come in one turn of the event loop
            while any(one.connection._request_count == 0 and one.connection._taking is None for one in each):
                await asyncio.sleep(0.005)
            assert await server.hot() == before + hot
        assert server.untaken < 3 * SIZE
        for one in (one for each in clients for one in each):
            one.read()
            assert len((await one.client.answer()).body) == SIZE
        assert server.untaken == 0


async def test_where_there_is_no_place_for_a_file_it_waits_for_one(tmp_path: Path) -> None:
    limits = ServerLimits(max_connections=5, queue_seconds=0.1)
    async with known(tmp_path, limits) as server, raw(server.proxy) as client:
        before, files = await server.hot(), server.proxy.app[OVERLOAD].files
        for number in range(files.places):
            assert files.try_enter(f"192.0.2.{number}")
        assert (await client.ask(server.file)).status == 503
        files.leave("192.0.2.0")
        assert (await client.ask(server.file)).status == 200
        assert await server.hot() == before + 1


async def test_a_server_that_stops_lets_it_be_taken(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one, slow(server.proxy) as stuck:
        for each in (one, stuck):
            each.ask(server.file)
            await each.begins()
            each.connection.close()
        stopping = asyncio.create_task(one.connection.shutdown(60))
        await asyncio.sleep(0.02)
        assert not stopping.done()
        one.read()
        assert len((await one.client.answer()).body) == SIZE
        await stopping
        await stuck.connection.shutdown(0.05)
        assert stuck.connection.transport is None
