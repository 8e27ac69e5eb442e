"""More requests than places: what is at hand is answered, what waits is bounded, and nobody shuts the others out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest

from inbond.web.door import SPARE_CONNECTIONS
from inbond.web.settings import ServerLimits
from sim.index import SimIndex
from stack import ONE_INDEX, Inbond, inbond

LARGE = 12 * 2**20
PROXIED = ONE_INDEX.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
FOUR_WAIT = ServerLimits(max_requests=4, quick_seconds=0.02)

Answer = tuple[int, bytes, dict[str, str]]


async def ask(proxy: Inbond, path: str, client: str) -> Answer:
    """As a client behind a proxy."""
    status, body, response = await proxy.get(path, **{"X-Forwarded-For": client})
    return status, body, dict(response.headers)


async def metric_is(proxy: Inbond, count: float, sample: str, **labels: str) -> None:
    while await proxy.metric(sample, **labels) != count:
        await asyncio.sleep(0.005)


@asynccontextmanager
async def waiting(proxy: Inbond, index: SimIndex, *clients: str) -> AsyncIterator[list[asyncio.Task[Answer]]]:
    """Requests for pages of which upstream does not say a word; leaving lets it speak."""
    gates = [index.gate(index.page_path(f"slow{number}")) for number in range(len(clients))]
    tasks = []
    for number, client in enumerate(clients):
        tasks.append(asyncio.create_task(ask(proxy, f"/simple/slow{number}/", client)))
        await metric_is(proxy, number + 1, "inbond_requests_waiting", what="answer")
    yield tasks
    for gate in gates:
        gate.open()


def slow_index() -> SimIndex:
    index = SimIndex()
    for name in ("hot", "cold", *(f"slow{number}" for number in range(4))):
        index.add_wheel(name, "1.0")
    return index


async def test_requests_that_wait_are_bounded_and_those_that_need_not_are_answered(tmp_path: Path) -> None:
    async with slow_index() as index, inbond(tmp_path, index, config=PROXIED, server_limits=FOUR_WAIT) as proxy:
        assert (await ask(proxy, "/simple/hot/", "192.0.2.1"))[0] == 200
        gate = index.gate(index.page_path("cold"))
        async with waiting(proxy, index, "192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2") as tasks:
            status, body, headers = await ask(proxy, "/simple/cold/", "192.0.2.3")
            assert status == 503
            assert (headers["Retry-After"], headers["Content-Type"]) == ("5", "application/problem+json")
            assert "more at once" in json.loads(body)["detail"]
            assert await proxy.metric("inbond_requests_refused_total", reason="waiting") == 1
            for client in ("192.0.2.1", "192.0.2.3"):
                assert (await ask(proxy, "/simple/hot/", client))[0] == 200
            for probe in ("/-/live", "/-/ready", "/metrics"):
                assert (await ask(proxy, probe, "192.0.2.1"))[0] == 200
        assert [answer[0] for answer in await asyncio.gather(*tasks)] == [200] * 4
        gate.open()
        # What was turned away went on behind: upstream is not asked a second time.
        assert (await ask(proxy, "/simple/cold/", "192.0.2.3"))[0] == 200
        assert index.count("page", path=index.page_path("cold")) == 1
        await metric_is(proxy, 0, "inbond_requests_in_flight")
        assert await proxy.metric("inbond_requests_waiting", what="answer") == 0


async def test_one_client_cannot_take_every_place(tmp_path: Path) -> None:
    async with slow_index() as index, inbond(tmp_path, index, config=PROXIED, server_limits=FOUR_WAIT) as proxy:
        index.gate(index.page_path("cold"))
        async with waiting(proxy, index, "192.0.2.1", "192.0.2.1") as tasks:
            assert (await ask(proxy, "/simple/cold/", "192.0.2.1"))[0] == 503
            other = asyncio.create_task(ask(proxy, "/simple/slow3/", "192.0.2.2"))
            assert (await other)[0] == 200
        await asyncio.gather(*tasks)


async def test_files_leave_connections_to_what_is_small(tmp_path: Path) -> None:
    limits = ServerLimits(max_connections=2, queue_seconds=0.1)  # one of them may carry a file
    async with SimIndex() as index, inbond(tmp_path, index, config=PROXIED, server_limits=limits) as proxy:
        wheel = index.add_wheel("demo", "1.0", size=LARGE)
        gate = index.gate(wheel.path, after=10 * 2**20)
        async with proxy.session.get(proxy.url(wheel.path)) as response:
            assert response.status == 200
            status, body, _ = await ask(proxy, wheel.path, "192.0.2.9")
            assert (status, "files" in json.loads(body)["detail"]) == (503, True)
            assert await proxy.metric("inbond_requests_refused_total", reason="files") == 1
            assert (await ask(proxy, "/simple/demo/", "192.0.2.9"))[0] == 200
            assert (await ask(proxy, f"/-/files/root/demo/{wheel.filename}", "192.0.2.9"))[0] == 200  # a page
            gate.open()
            assert await response.read() == wheel.content
        assert (await ask(proxy, wheel.path, "192.0.2.9"))[:2] == (200, wheel.content)


# --- connections


class Raw:
    """A connection without an HTTP client."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def get(self, path: str) -> bytes:
        """All that comes back until the connection ends, or until the head's end where it does not."""
        self.writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        try:
            head = await self.reader.readuntil(b"\r\n\r\n")
            return head + (await self.reader.read() if b"Connection: close" in head else b"")
        except (asyncio.IncompleteReadError, ConnectionError):
            return b""


@asynccontextmanager
async def opened(proxy: Inbond, count: int) -> AsyncIterator[list[Raw]]:
    """So many idle connections."""
    port = int(proxy.origin.rpartition(":")[2])
    async with AsyncExitStack() as stack:
        raws = []
        for _ in range(count):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            stack.callback(writer.close)
            raws.append(Raw(reader, writer))
        yield raws


@pytest.mark.parametrize(("config", "served"), [(PROXIED, 4), (ONE_INDEX, 2)], ids=["proxy", "client"])
async def test_connections_beyond_the_limit_may_only_probe(config: str, served: int, tmp_path: Path) -> None:
    """Of an address at most half, unless it is that of a proxy."""
    limits = ServerLimits(max_connections=4)
    async with SimIndex() as index, inbond(tmp_path, index, config=config, server_limits=limits) as proxy:
        async with opened(proxy, served), opened(proxy, 2) as (probing, asking):
            await metric_is(proxy, served, "inbond_connections")
            assert (await probing.get("/-/live")).startswith(b"HTTP/1.1 200")
            refused = await asking.get("/simple/demo/")
            assert refused.startswith(b"HTTP/1.1 503")
            assert b"connections" in refused
            async with opened(proxy, SPARE_CONNECTIONS + 1) as more:
                assert await more[-1].get("/-/live") == b""
            assert await proxy.metric("inbond_connections_dropped_total", reason="too-many") >= 1
        await metric_is(proxy, 0, "inbond_connections")
        async with opened(proxy, 1) as (again,):
            assert (await again.get("/-/live")).startswith(b"HTTP/1.1 200")


async def test_connections_are_not_kept_where_others_need_them(tmp_path: Path) -> None:
    limits = ServerLimits(max_connections=4)
    async with (
        SimIndex() as index,
        inbond(tmp_path, index, config=PROXIED, server_limits=limits) as proxy,
        opened(proxy, 3) as (first, *_),
    ):
        assert b"Connection: close" not in await first.get("/-/live")
        async with opened(proxy, 1) as (fourth,):
            assert b"Connection: close" in await fourth.get("/-/live")
