"""Answers that are given often lie in the kernel's memory as well: the same bytes, bounded, and let go of."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from inbond.web import hot_copies
from inbond.web.access_log import Line
from inbond.web.connections import Connection
from inbond.web.hot import HOT, TOLD_WITHIN, Hot
from inbond.web.hot_answer import ONE_PIECE_BYTES, HotAnswer
from inbond.web.hot_copies import LEAST_BYTES, MAX_COPIES, OFTEN, Copies
from raw_client import Answer, RawClient, raw
from sim.index import SimIndex
from stack import Inbond, inbond

LONG = bytes(range(256)) * (ONE_PIECE_BYTES // 256)
PATH = "/simple/often/"


class Always:
    """An answer that holds; counts in how many turns it was asked for, and how often it was told of."""

    def __init__(self) -> None:
        self.asked = self.told = 0

    def holds(self) -> dict[str, str]:
        self.asked += 1
        return {}

    def given(self, _client: str, count: int) -> None:
        self.told += count

    def taken(self, count: int) -> None:
        pass

    def doubt(self) -> None:
        pass


def answer(body: bytes = LONG) -> HotAnswer:
    return HotAnswer(
        again=Always(),
        status=200,
        status_line="HTTP/1.1 200 OK",
        headers={"Content-Length": str(len(body))},
        body=body,
        route="page",
        line=Line(answer={}, agent=""),
        client=None,
    )


def ready(body: bytes = LONG, date: str = "now") -> HotAnswer:
    """One that is ready to go."""
    made = answer(body)
    made.make_ready(date, {})
    return made


def wanted_often(copies: Copies, one: HotAnswer) -> None:
    for _ in range(OFTEN):
        copies.wanted(one)


@dataclass
class Often:
    """A server that gives one answer over and over, in one and the same second until a test sets another."""

    proxy: Inbond
    given: HotAnswer
    second: float = 0.0

    @property
    def hot(self) -> Hot:
        return self.proxy.app[HOT]

    @property
    def again(self) -> Always:
        assert isinstance(self.given.again, Always)
        return self.given.again

    async def copied(self, client: RawClient) -> Answer:
        """Asks until it is copied; the last answer."""
        found = [await client.ask(client.head(PATH)) for _ in range(OFTEN + 1)]
        assert self.given.copy is not None
        return found[-1]


@asynccontextmanager
async def often(place: Path) -> AsyncIterator[Often]:
    async with SimIndex() as index, inbond(place, index) as proxy, raw(proxy) as client:
        found = Often(proxy, answer())
        found.hot._wall = lambda: found.second
        found.hot.learn(("", client.head(PATH)), found.given)
        yield found


def files_in_memory() -> int:
    """How many this process has open."""
    numbers = Path("/proc/self/fd").iterdir()
    return sum("inbond-answer" in one.readlink().name for one in numbers if one.is_symlink())


async def test_what_is_given_often_goes_out_uncopied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[int] = []

    def counted(*given: int) -> int:
        sent.append(given[1])
        return sendfile(*given)

    sendfile = os.sendfile
    async with often(tmp_path) as server, raw(server.proxy) as client:
        monkeypatch.setattr(os, "sendfile", counted)
        first = await client.ask(client.head(PATH))
        assert not sent
        copied = await server.copied(client)
        assert (await client.ask(client.head(PATH))).body == copied.body == first.body == LONG
        assert sent
        assert set(sent) == {server.given.copy}
    assert files_in_memory() == 0


async def test_another_second_has_another_copy(tmp_path: Path) -> None:
    async with often(tmp_path) as server, raw(server.proxy) as client:
        before = await server.copied(client)
        server.second = 1.0
        after = await client.ask(client.head(PATH))
        assert (server.given.copy, files_in_memory()) == (None, 0)
        assert (after.body, after.head) == (before.body, before.head.replace(b"00:00:00", b"00:00:01"))
        assert after.head != before.head
        await server.copied(client)
        assert (await client.ask(client.head(PATH))).head == after.head


async def test_a_client_that_takes_it_slowly_gets_all_of_it(tmp_path: Path) -> None:
    async with often(tmp_path) as server, raw(server.proxy) as client:
        await server.copied(client)
        async with raw(server.proxy, narrow=True) as slow:
            asked = 0
            while not server.hot.room.untaken:
                asked, before = asked + 1, server.again.asked
                slow.writer.write(slow.head(PATH))
                while server.again.asked == before:
                    await asyncio.sleep(0.005)
            server.second = 1.0  # the copy from which it was sent is gone
            await client.ask(client.head(PATH))
            assert files_in_memory() == 0
            assert [(await slow.answer()).body == LONG for _ in range(asked)] == [True] * asked
        assert server.hot.room.untaken == 0


@pytest.mark.parametrize("error", [errno.EAGAIN, errno.EINVAL], ids=["full", "unknown"])
async def test_where_none_of_it_can_be_sent_so_the_transport_sends_it(
    error: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> int:
        raise OSError(error, os.strerror(error))

    async with often(tmp_path) as server, raw(server.proxy) as client:
        await server.copied(client)
        monkeypatch.setattr(os, "sendfile", failing)
        assert (await client.ask(client.head(PATH))).body == LONG


async def test_without_files_in_memory_it_goes_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_name: str) -> int:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    async with often(tmp_path) as server, raw(server.proxy) as client:
        monkeypatch.setattr(os, "memfd_create", full)
        for _ in range(OFTEN + 2):
            assert (await client.ask(client.head(PATH))).body == LONG
        assert server.given.copy is None
        assert len(server.hot._copies) == server.hot._copies.weight == 0


async def test_what_was_given_is_told_though_nobody_asks_again(tmp_path: Path) -> None:
    async with often(tmp_path) as server, raw(server.proxy) as client:
        await client.ask(client.head(PATH))
        async with asyncio.timeout(10):
            while not server.again.told:
                await asyncio.sleep(TOLD_WITHIN)
        assert server.again.told == 1
        await client.ask(client.head(PATH))
    assert server.again.told == 2  # at the latest when the server stops


async def test_a_hot_answer_stays_behind_what_is_still_to_be_sent_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    transports: list[asyncio.Transport] = []
    made = Connection.connection_made

    def narrow(connection: Connection, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        transports.append(transport)
        made(connection, transport)

    monkeypatch.setattr(Connection, "connection_made", narrow)
    short = answer(b"short")
    assert isinstance(short.again, Always)
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for number in range(60):  # some 30 kB: what the kernel does not take the transport keeps, and nobody waits
            index.add_wheel("many", f"{number}.0")
        async with raw(proxy) as client:
            await client.ask(client.head("/simple/many/"))
        async with raw(proxy, narrow=True) as client:
            proxy.app[HOT].learn(("", client.head(PATH)), short)
            assert (await client.ask(client.head(PATH))).body == b"short"  # nothing is left to send, by now
            assert isinstance(client.writer.transport, asyncio.Transport)
            client.writer.transport.pause_reading()
            client.writer.write(client.head("/simple/many/", Accept="text/html"))
            while not transports[-1].get_write_buffer_size():
                await asyncio.sleep(0.005)
            await asyncio.sleep(0.05)  # so that its handler is through
            client.writer.write(client.head(PATH))
            while short.again.asked < 2:
                await asyncio.sleep(0.005)
            client.writer.transport.resume_reading()
            page, after = await client.answer(), await client.answer()
    assert page.body.count(b".whl") >= 60
    assert after.body == b"short"


def test_what_is_small_or_seldom_wanted_is_not_copied() -> None:
    copies = Copies()
    small, seldom = ready(bytes(LEAST_BYTES // 2)), ready()
    wanted_often(copies, small)
    for _ in range(OFTEN - 1):
        copies.wanted(seldom)
    copies.changed(seldom)
    copies.wanted(seldom)
    assert (small.copy, seldom.copy, len(copies)) == (None, None, 0)


def test_copies_are_bounded_in_number_and_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    copies = Copies()
    many = [ready(bytes(LEAST_BYTES)) for _ in range(MAX_COPIES + 1)]
    for one in many:
        wanted_often(copies, one)
    assert (len(copies), files_in_memory()) == (MAX_COPIES, MAX_COPIES)
    assert [one.copy is None for one in many] == [True, *([False] * MAX_COPIES)]
    monkeypatch.setattr(hot_copies, "MAX_BYTES", 2 * len(LONG))
    wanted_often(copies, last := ready())
    assert last.copy is not None
    assert copies.weight <= 2 * len(LONG)
    copies.close()
    assert (len(copies), copies.weight, files_in_memory()) == (0, 0, 0)
