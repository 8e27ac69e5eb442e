"""Clients that do not read, or do not finish what they ask: none holds anything for longer than it is given."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest

from inbond.web.connections import MAX_HEAD_BYTES, Connection
from inbond.web.pieces import PIECE_BYTES
from inbond.web.runner import MAX_FIELD_BYTES, MAX_FIELDS
from inbond.web.settings import ServerLimits
from sim.index import Headers, SimIndex
from sim.osv import directory, malware
from stack import Inbond, inbond

LARGE = 12 * 2**20
HOST = "Host: 127.0.0.1\r\n"
IMPATIENT = ServerLimits(piece_seconds=0.3)
HASTY = ServerLimits(head_seconds=0.15, body_seconds=0.15)

Connected = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def connected(proxy: Inbond, text: str = "") -> AsyncIterator[Connected]:
    """A connection whose client takes in next to nothing by itself."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", int(proxy.origin.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=sock, limit=2**12)
    writer.write(text.encode())
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


def get(path: str, more: str = "") -> str:
    return f"GET {path} HTTP/1.1\r\n{HOST}{more}\r\n"


async def dropped(proxy: Inbond, reason: str, count: int = 1) -> None:
    while await proxy.metric("inbond_connections_dropped_total", reason=reason) < count:
        await asyncio.sleep(0.01)


def transports() -> list[asyncio.Transport]:
    """Those of the server's open connections."""
    return [one.transport for one in gc.get_objects() if isinstance(one, Connection) and one.transport is not None]


async def all_of(reader: asyncio.StreamReader) -> bytes:
    """What comes until the connection ends, however it does."""
    received = bytearray()
    with suppress(ConnectionError):
        while piece := await reader.read(2**16):
            received += piece
    return bytes(received)


# --- who does not read


@pytest.mark.parametrize("known_length", [True, False], ids=["length", "chunks"])
async def test_a_file_that_nobody_reads_is_broken_off(known_length: bool, tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        if not known_length:
            index.fault(wheel.path, Headers({"Content-Length": None}), times=1)
        async with inbond(tmp_path, index, server_limits=IMPATIENT) as proxy:
            async with connected(proxy, get(wheel.path)) as (reader, _):
                await reader.readuntil(b"\r\n\r\n")
                await dropped(proxy, "slow-reader")
                assert len(await all_of(reader)) < LARGE
            assert (await proxy.get(wheel.path))[:2] == (200, wheel.content)


async def test_a_slow_reader_that_goes_on_reading_gets_everything(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index, server_limits=ServerLimits(piece_seconds=1.0)) as proxy:
            async with connected(proxy, get(wheel.path, "Connection: close\r\n")) as (reader, _):
                await reader.readuntil(b"\r\n\r\n")
                body = bytearray()
                ends = asyncio.get_running_loop().time() + 1.2  # longer than a piece may take, and each takes much less
                while asyncio.get_running_loop().time() < ends and len(body) < LARGE:
                    body += await reader.read(2**14)
                    await asyncio.sleep(0.004)
                assert bytes(body) + await all_of(reader) == wheel.content
            assert await proxy.metric("inbond_connections_dropped_total", reason="slow-reader") == 0


async def test_a_pause_of_the_upstream_is_not_the_clients_fault(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        async with inbond(tmp_path, index, server_limits=ServerLimits(piece_seconds=0.1)) as proxy:
            gate = index.gate(wheel.path, after=10 * 2**20)
            async with proxy.session.get(proxy.url(wheel.path)) as response:
                body = await response.content.readexactly(9 * 2**20)
                await asyncio.sleep(0.3)
                gate.open()
                assert body + await response.read() == wheel.content


async def test_readers_of_a_large_page_hold_little_and_are_broken_off(tmp_path: Path) -> None:
    clients = 20
    async with SimIndex() as index:
        index.yank(index.add_wheel("demo", "1.0"), "x" * 4_000_000)
        async with (
            inbond(tmp_path, index, server_limits=IMPATIENT) as proxy,
            AsyncExitStack() as all_,
        ):
            status, body, _ = await proxy.get("/simple/demo/", **{"Accept-Encoding": "identity"})
            assert status == 200
            assert len(body) > 4_000_000
            held = 0
            for _ in range(clients):
                reader, _ = await all_.enter_async_context(connected(proxy, get("/simple/demo/")))
                await reader.readuntil(b"\r\n\r\n")
                held = max(held, *(transport.get_write_buffer_size() for transport in transports()))
            assert 0 < held <= 3 * PIECE_BYTES
            await dropped(proxy, "slow-reader", clients)


async def test_small_answers_that_nobody_reads_do_not_keep_a_connection(tmp_path: Path) -> None:
    """Not even where nobody waits for their end: what has been sent into the kernel is given up there."""
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, server_limits=ServerLimits(unread_seconds=0.3)) as proxy:
            await proxy.page("demo")
            open_before = await proxy.metric("inbond_connections")
            async with connected(proxy, get("/-/static/inbond.css") * 2000) as (_, writer):
                while await proxy.metric("inbond_connections") == open_before:
                    await asyncio.sleep(0)
                while await proxy.metric("inbond_connections") > open_before:
                    await asyncio.sleep(0.01)
                assert not writer.is_closing()


# --- who does not finish what it asks


@asynccontextmanager
async def alone(
    data: Path, text: str, limits: ServerLimits = HASTY, more: str = ""
) -> AsyncIterator[tuple[Inbond, Connected]]:
    """An inbond without packages, and one connection to it."""
    async with (
        SimIndex() as index,
        inbond(data, index, more=more, server_limits=limits) as proxy,
        connected(proxy, text) as streams,
    ):
        yield proxy, streams


@pytest.mark.parametrize(
    "begun", ["", "GET /simple/demo/ HTTP/1.1\r\nHost: 127.0.0.1\r\nX-A: "], ids=["nothing", "half"]
)
async def test_a_head_that_does_not_end_ends_the_connection(begun: str, tmp_path: Path) -> None:
    async with alone(tmp_path, begun) as (proxy, (reader, _)):
        assert await all_of(reader) == b""
        assert await proxy.metric("inbond_connections_dropped_total", reason="slow-head") == 1


async def test_the_same_holds_for_the_next_request_on_a_connection(tmp_path: Path) -> None:
    async with alone(tmp_path, get("/-/live")) as (proxy, (reader, writer)):
        assert (await reader.readuntil(b"true}")).startswith(b"HTTP/1.1 200")
        await asyncio.sleep(0.3)  # between two requests there is more time
        writer.write(get("/-/live").encode())
        assert (await reader.readuntil(b"true}")).startswith(b"HTTP/1.1 200")
        writer.write(b"GET /-/li")
        assert await all_of(reader) == b""
        await dropped(proxy, "slow-head")


async def test_a_request_that_is_whole_may_wait_for_its_answer(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, server_limits=HASTY) as proxy:
            gate = index.gate(index.page_path("demo"))
            async with connected(proxy, get("/simple/demo/", "Connection: close\r\n")) as (reader, writer):
                await asyncio.sleep(0.1)
                writer.write(b"GET /-/li")  # the next one, which waits for its turn
                await asyncio.sleep(0.3)
                gate.open()
                assert (await all_of(reader)).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "fields",
    ["X-A: " + "a" * (MAX_FIELD_BYTES + 1) + "\r\n", "X-A: a\r\n" * (MAX_FIELDS + 1), "no field\r\n"],
    ids=["long", "many", "bad"],
)
async def test_a_head_beyond_the_limits_is_answered_400(fields: str, tmp_path: Path) -> None:
    async with alone(tmp_path, get("/-/live", fields)) as (_, (reader, _)):
        answer = await all_of(reader)
        assert answer.startswith((b"HTTP/1.1 400", b"HTTP/1.0 400"))
        assert b"application/problem+json" in answer


async def test_a_head_that_grows_and_grows_is_not_read_to_its_end(tmp_path: Path) -> None:
    field = f"X-A: {'a' * 7000}\r\n"
    text = f"GET / HTTP/1.1\r\n{HOST}{field * (MAX_HEAD_BYTES // len(field) + 2)}"
    async with alone(tmp_path, text) as (proxy, (reader, _)):
        assert await all_of(reader) == b""
        await dropped(proxy, "large-head")


async def test_requests_sent_at_once_are_answered_one_after_the_other(tmp_path: Path) -> None:
    text = get("/-/static/inbond.css") * 150 + get("/", "Connection: close\r\n")
    async with alone(tmp_path, text, ServerLimits(max_requests=4)) as (proxy, (reader, _)):
        assert (await all_of(reader)).count(b"HTTP/1.1 200 OK") == 151
        assert await proxy.metric("inbond_requests_refused_total", reason="quick") == 0


async def test_a_question_whose_body_does_not_come_is_answered_408(tmp_path: Path) -> None:
    directory(tmp_path / "advisories", {"one.json": malware("MAL-1", "demo", "2.0")})
    more = '[advisories.own]\npath = "{data}/../advisories"\n'
    head = f"POST /-/osv/v1/query HTTP/1.1\r\n{HOST}Content-Length: 100\r\n\r\n"
    async with alone(tmp_path, head + '{"package"', more=more) as (_, (reader, _)):
        answer = await all_of(reader)
        assert answer.startswith(b"HTTP/1.1 408")
        assert b"the question did not arrive in time" in answer
