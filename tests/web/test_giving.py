"""Hot answers that do not go in one piece: whole, bounded in time and memory, and true to what lies on the disk."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from asyncio.selector_events import _SelectorSocketTransport  # type: ignore[attr-defined]
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inbond.store.files import open_shared
from inbond.web import hot, hot_answer, hot_places, hot_source
from inbond.web.giving import Giving
from inbond.web.hot import HOT
from inbond.web.hot_source import InFile, InMemory
from inbond.web.outflow import PIECE_BYTES
from inbond.web.overload import OVERLOAD
from inbond.web.pieces import PIECE_BYTES as PAGE_PIECE_BYTES
from inbond.web.settings import ServerLimits
from raw_client import raw
from sim.index import SimIndex
from slow_client import Slow, slow
from stack import Inbond, inbond

SIZE = 700_000
PART = 200_000  # is read from the file for a turn
GIVEN = ("file", "page", "list")


@dataclass(frozen=True)
class Known:
    """A server, and what it answers the hot way, each by the head that asks for it."""

    proxy: Inbond
    file: bytes
    part: bytes
    page: bytes
    lengths: dict[bytes, int]
    blob: Path

    @property
    def untaken(self) -> int:
        return self.proxy.app[HOT].room.untaken

    @property
    def places(self) -> int:
        return self.proxy.app[OVERLOAD].files.in_use

    async def hot(self) -> float:
        await asyncio.sleep(0)
        self.proxy.app[HOT].tell()
        return sum([await self.proxy.metric("inbond_requests_again_total", route=route) for route in GIVEN])

    async def sent(self) -> float:
        self.proxy.app[HOT].tell()
        return await self.proxy.metric("inbond_file_bytes_total", source="cache")

    async def dropped(self) -> float:
        return await self.proxy.metric("inbond_connections_dropped_total", reason="slow-reader")

    async def in_flight(self) -> float:
        return await self.proxy.metric("inbond_requests_in_flight")


@asynccontextmanager
async def known(place: Path, limits: ServerLimits | None = None) -> AsyncIterator[Known]:
    """All of them are known; the page counts as large."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hot_answer, "ONE_PIECE_BYTES", 10_000)
        async with SimIndex() as index:
            wheel = index.add_wheel("demo", "1.0", size=SIZE)
            for number in range(60):
                index.add_file("large", f"large-1.{number}.tar.gz", b"1")
            async with inbond(place, index, server_limits=limits) as proxy:
                await proxy.get(wheel.path)
                async with raw(proxy) as client:
                    part = client.head(wheel.path, Range=f"bytes=1-{PART}")
                    heads = (client.head(wheel.path), part, client.head("/simple/large/"))
                    lengths = {}
                    for head in heads * 3:
                        lengths[head] = len((await client.ask(head)).body)
                blob = place / "data/cache/blobs/sha256" / wheel.sha256[:2] / wheel.sha256
                found = Known(proxy, *heads, lengths, blob)
                assert await found.hot() >= 3
                yield found


async def begins(one: Slow, head: bytes) -> Giving:
    """Its answer is under way, and has got stuck."""
    one.ask(head)
    while not isinstance(one.connection._taking, Giving):
        await asyncio.sleep(0.005)
    return one.connection._taking


def read_on(one: Slow) -> None:
    one.client.reader._limit = 2**20  # type: ignore[attr-defined]
    one.read()


def open_files() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


async def gone(server: Known) -> None:
    while server.places or server.untaken:
        await asyncio.sleep(0.005)


@pytest.mark.parametrize("kind", ["file", "part", "page"])
async def test_what_is_taken_late_is_whole_and_what_was_asked_meanwhile_comes_after_it(
    kind: str, tmp_path: Path
) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        head: bytes = getattr(server, kind)
        length, sends = server.lengths[head], server.lengths[head] * (kind != "page")
        before = await server.hot(), await server.sent()
        giving = await begins(one, head)
        one.ask(head)
        await asyncio.sleep(0.02)
        assert one.connection._taking is giving
        assert server.places == (kind != "page")
        assert 0 < server.untaken <= (PART if kind == "part" else PAGE_PIECE_BYTES)
        assert await server.hot() == before[0] + (kind == "page")  # a file's line comes at its end
        assert await server.in_flight() == (kind != "page")
        read_on(one)
        assert [len((await one.client.answer()).body) for _ in range(2)] == [length, length]
        await gone(server)
        assert (await server.hot(), await server.sent()) == (before[0] + 2, before[1] + 2 * sends)
        assert await server.in_flight() == 0
        one.ask(server.page)
        assert (await one.client.answer()).status == 200


@pytest.mark.parametrize("kind", ["file", "part", "page"])
async def test_what_is_not_taken_is_broken_off(kind: str, tmp_path: Path) -> None:
    async with known(tmp_path, ServerLimits(piece_seconds=0.2)) as server, slow(server.proxy) as one:
        before = await server.sent(), await server.hot()
        await begins(one, getattr(server, kind))
        while not await server.dropped():
            await asyncio.sleep(0.005)
        await gone(server)
        assert await server.hot() == before[1] + 1
        assert (await server.sent() > before[0]) is (kind != "page")
        assert await server.sent() < before[0] + server.lengths[getattr(server, kind)]


async def test_each_piece_has_its_own_time(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        flow = (giving := await begins(one, server.file))._flow
        kept, due = one.connection._next_keepalive_close_time, flow._due
        assert kept >= due + SIZE // PIECE_BYTES * server.proxy.app[HOT].room._door.limits.piece_seconds
        one.read()
        while flow._due == due:
            await one.client.reader.read(1024)
        assert one.connection._taking is giving
        flow._due = 0.0
        flow._watch()
        await gone(server)
        assert await server.dropped() == 1


async def test_a_client_that_goes_leaves_nothing_behind(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        numbers = open_files()
        await begins(one, server.file)
        one.client.writer.transport.abort()
        await gone(server)
        assert open_files() < numbers
        assert not await server.dropped()
        assert await server.in_flight() == 0


async def test_many_of_one_client_share_what_is_in_memory(tmp_path: Path) -> None:
    async with known(tmp_path) as server, AsyncExitStack() as stack:
        before = await server.hot()
        clients = [await stack.enter_async_context(slow(server.proxy)) for _ in range(4)]
        for one in clients:
            await begins(one, server.page)
        assert server.untaken <= 4 * PAGE_PIECE_BYTES
        for one in clients:
            read_on(one)
            assert len((await one.client.answer()).body) == server.lengths[server.page]
        assert await server.hot() == before + 4


async def test_a_server_that_stops_lets_it_be_taken(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one, slow(server.proxy) as stuck:
        for each in (one, stuck):
            await begins(each, server.file)
            each.connection.close()
        stopping = asyncio.create_task(one.connection.shutdown(60))
        await asyncio.sleep(0.02)
        assert not stopping.done()
        read_on(one)
        assert len((await one.client.answer()).body) == SIZE
        await stopping
        await stuck.connection.shutdown(0.05)
        assert stuck.connection.transport is None


async def test_what_waits_in_front_of_it_goes_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with known(tmp_path) as server, raw(server.proxy) as client:
        before = await server.hot()
        with monkeypatch.context() as full:  # as if the answer before had not all gone yet
            full.setattr(_SelectorSocketTransport, "get_write_buffer_size", lambda _self: 1)
            assert len((await client.ask(server.file)).body) == SIZE
        assert await server.hot() == before


async def test_where_there_is_no_descriptor_for_it_it_is_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(_number: int) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with known(tmp_path) as server, slow(server.proxy) as one:
        with monkeypatch.context() as patch, capture_logs() as lines:
            patch.setattr(os, "dup", none)
            one.ask(server.file)
            while one.connection.transport is not None:
                await asyncio.sleep(0.005)
        assert "sending failed; the connection was aborted" in {line["event"] for line in lines}
        await gone(server)
        assert await server.in_flight() == 0


async def test_its_end_leaves_no_descriptor_where_the_loop_cannot_watch_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with known(tmp_path) as server, slow(server.proxy) as one:
        numbers = open_files()
        with monkeypatch.context() as patch, capture_logs():
            patch.setattr(asyncio.get_running_loop(), "add_writer", full)
            one.ask(server.file)
            while one.connection.transport is not None:
                await asyncio.sleep(0.005)
        await gone(server)
        assert open_files() < numbers


@pytest.mark.parametrize("again", [True, False], ids=["hot", "full"])
@pytest.mark.parametrize("kind", ["file", "page"])
async def test_a_client_that_is_suspended_is_no_error(kind: str, tmp_path: Path, *, again: bool) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        head: bytes = getattr(server, kind)
        transport = one.connection.transport
        assert transport is not None
        sock = transport.get_extra_info("socket")
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 30_000
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 100)
        with capture_logs() as lines:
            one.ask(head if again else head.replace(b"\r\n\r\n", b"\r\nX-Try: 1\r\n\r\n"))
            while one.connection.transport is not None:  # the kernel ends it
                await asyncio.sleep(0.01)
            await gone(server)
        assert not [line for line in lines if line["log_level"] == "error"]
        assert not await server.dropped()


async def test_it_has_its_own_time_and_not_that_of_a_head(tmp_path: Path) -> None:
    async with known(tmp_path) as server, slow(server.proxy) as one:
        assert one.connection._due is not None
        await begins(one, server.page)
        assert one.connection._due is None


# --- what is read for a turn


async def parts_of(server: Known) -> list[bytes]:
    """Heads that ask for three ranges of one file, all of them known."""
    async with raw(server.proxy) as client:
        path = server.file.split(b" ")[1].decode()
        heads = [client.head(path, Range=f"bytes={first}-{first + PART - 1}") for first in range(3)]
        for head in heads * 3:
            await client.ask(head)
    return heads


async def test_what_is_read_for_a_turn_is_bounded_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with known(tmp_path) as server:
        heads, answers = await parts_of(server), server.proxy.app[HOT]
        monkeypatch.setattr(hot, "MAX_READ_BYTES", 2 * PART)
        for _ in range(2):  # each turn may read as much
            await asyncio.sleep(0)
            found = []
            for head in heads:
                found.append(answers.answer(("", head), "127.0.0.1"))
                answers.withdraw()
            assert None not in found
            sources = [answers.source(one) for one in found if one is not None]
            assert [type(one) for one in sources] == [InMemory, InMemory, InFile]
            assert [len(one.read or b"") for one in found if one is not None] == [PART, PART, 0]
            for source in sources:
                source.close()
            await asyncio.sleep(0)
            assert [one.read for one in found if one is not None] == [None] * 3
            assert not answers._read


async def test_what_is_beyond_that_is_sent_from_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with known(tmp_path) as server, raw(server.proxy) as client:
        before, expected = await server.hot(), (await client.ask(server.part)).body
        monkeypatch.setattr(hot, "MAX_READ_BYTES", PART - 1)
        assert (await client.ask(server.part)).body == expected
        assert await server.hot() == before + 2


async def test_nothing_is_read_where_there_is_no_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unexpected(_path: Path) -> object:
        raise AssertionError

    async with known(tmp_path) as server, raw(server.proxy) as client:
        before = await server.hot()
        monkeypatch.setattr(hot_source, "open_shared", unexpected)
        for holder, name, value in (
            (hot_places, "MAX_UNTAKEN_BYTES", -1),
            (_SelectorSocketTransport, "get_write_buffer_size", lambda _self: 1),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(holder, name, value)
                assert len((await client.ask(server.part)).body) == PART
        assert await server.hot() == before


# --- the disk


async def test_where_the_file_cannot_be_opened_the_full_way_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with known(tmp_path) as server, raw(server.proxy) as client:
        before = await server.hot()

        def refused(_path: Path) -> object:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        with monkeypatch.context() as patch:
            patch.setattr(hot_source, "open_shared", refused)
            for head in (server.file, server.part):
                assert len((await client.ask(head)).body) == server.lengths[head]
        assert await server.hot() == before


async def test_fewer_bytes_than_there_were_are_not_sent_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shorter = tmp_path / "shorter"
    shorter.write_bytes(b"x" * 1000)
    async with known(tmp_path) as server, raw(server.proxy) as client:
        before = await server.hot()
        with monkeypatch.context() as patch, capture_logs() as lines:
            patch.setattr(hot_source, "open_shared", lambda _path: open_shared(shorter))
            assert len((await client.ask(server.part)).body) == PART  # the full way's
            assert await server.hot() == before
            await _cut(server.proxy, server.file)
        assert [line["event"] for line in lines if line["log_level"] == "error"] == [
            "sending failed; the connection was aborted"
        ]
        await gone(server)
        assert await server.hot() == before + 1
        assert len((await client.ask(server.file)).body) == SIZE
        assert await server.hot() == before + 1  # it was compared on the full way


async def _cut(proxy: Inbond, head: bytes) -> None:
    async with raw(proxy) as client:
        client.writer.write(head)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await client.answer()


async def test_a_file_system_without_sendfile_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object) -> int:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    async with known(tmp_path) as server, raw(server.proxy) as client:
        before, expected = await server.hot(), (await client.ask(server.file)).body
        monkeypatch.setattr(os, "sendfile", unknown)
        assert (await client.ask(server.file)).body == expected == server.blob.read_bytes()
        assert await server.hot() == before + 2


async def test_a_disk_that_fails_ends_the_answer_and_has_the_file_compared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lost(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async with known(tmp_path) as server, raw(server.proxy) as client:
        before = await server.hot()
        with monkeypatch.context() as patch:
            patch.setattr(os, "sendfile", lost)
            await _cut(server.proxy, server.file)
        await gone(server)
        assert await server.hot() == before + 1
        assert len((await client.ask(server.file)).body) == SIZE
        assert await server.hot() == before + 1  # it was compared on the full way
