"""Answers given again to the same bytes: the same as the full way's, for as long as that would give them."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from inbond.gateway.advisories import AdvisoryKeeper
from inbond.model.decisions import Rejection, Target
from inbond.model.events import unobserved
from inbond.model.names import ProjectName
from inbond.store.ledger import open_ledger
from inbond.web.access_log import Line
from inbond.web.again import Stretch
from inbond.web.connections import Connection
from inbond.web.door import CROWDED_SHARE, DOOR
from inbond.web.hot import HOT
from inbond.web.hot_answer import HotAnswer
from inbond.web.hot_table import MAX_ANSWERS, MAX_BYTES, MAX_HEAD_BYTES, MAX_PARTS
from inbond.web.overload import OVERLOAD
from inbond.web.settings import ServerLimits
from mirror.importing import Cargo, Carrier, connected, fed, stores
from raw_client import Answer, RawClient, raw
from sim.index import SimIndex
from sim.osv import directory, malware
from stack import JSON, ONE_INDEX, THREE_POLICIES, Inbond, LocalVerifier, SetClock, inbond

PAGE = "/simple/demo/"
PROXIED = ONE_INDEX.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def one_page(**options: datetime) -> SimIndex:
    index = SimIndex()
    index.add_wheel("demo", "1.0", upload_time=options.get("upload_time", LONG_AGO))
    return index


async def hot(proxy: Inbond, route: str = "page") -> float:
    """How many requests of a route have gone the hot way."""
    await asyncio.sleep(0)
    proxy.app[HOT].tell()
    return await proxy.metric("inbond_requests_again_total", route=route)


async def both(client: RawClient, head: bytes) -> tuple[Answer, Answer]:
    """The full way's answer, and the one to the same bytes that went the hot way."""
    before = await hot(client.proxy), await hot(client.proxy, "page-of-index")
    first = await client.ask(head)
    assert (await hot(client.proxy), await hot(client.proxy, "page-of-index")) == before
    second = await client.ask(head)
    assert sum((await hot(client.proxy), await hot(client.proxy, "page-of-index"))) == sum(before) + 1
    return first, second


def connections() -> list[Connection]:
    """The server's open ones."""
    return [one for one in gc.get_objects() if isinstance(one, Connection) and one.transport is not None]


async def begun(count: int) -> None:
    """Waits until the server has read the beginnings of so many heads."""
    while sum(one._head_bytes > 0 for one in connections()) != count:
        await asyncio.sleep(0.005)


# --- the same answer


@pytest.mark.parametrize(
    ("method", "path", "fields"),
    [
        ("GET", PAGE, {"Accept": JSON}),
        ("GET", PAGE, {"Accept": "text/html", "User-Agent": 'pip/26 {"ci":null}'}),
        ("GET", f"{PAGE}?format={JSON}", {}),
        ("GET", PAGE, {"Accept": JSON, "Accept-Encoding": "gzip"}),
        ("GET", PAGE, {"Accept": JSON, "Accept-Encoding": "zstd"}),
        ("GET", PAGE, {"Accept": JSON, "Cache-Control": "max-age=0"}),
        ("GET", "/off/simple/demo/", {"Accept": JSON}),
        ("GET", "/simple/large/", {"Accept": JSON}),
        ("HEAD", PAGE, {"Accept": JSON}),
    ],
    ids=["json", "html", "format", "gzip", "zstd", "insisting", "index", "in pieces", "head"],
)
async def test_both_ways_give_the_same_bytes(method: str, path: str, fields: dict[str, str], tmp_path: Path) -> None:
    async with one_page() as index:
        for number in range(200):
            index.add_wheel("large", f"1.{number}")
        async with inbond(tmp_path, index, more=THREE_POLICIES) as proxy, raw(proxy) as client:
            head = client.head(path, method, **{name.replace("-", "_"): value for name, value in fields.items()})
            first, second = await both(client, head)
            assert first.status == 200
            assert second.but_for_its_time == first.but_for_its_time
            assert bool(second.body) is (method == "GET")


async def test_not_modified_is_given_again_too(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        etag = (await client.ask(client.head(PAGE))).field("ETag")
        first, second = await both(client, client.head(PAGE, If_None_Match=etag))
        assert (first.status, second.status) == (304, 304)
        assert second.but_for_its_time == first.but_for_its_time


async def test_the_date_and_the_age_are_those_of_each_answer(tmp_path: Path) -> None:
    clock = SetClock()
    async with one_page() as index, inbond(tmp_path, index, clock=clock) as proxy, raw(proxy) as client:
        wall = 0.0
        proxy.app[HOT]._wall = lambda: wall
        first, second = await both(client, client.head(PAGE))
        assert (first.field("Age"), second.field("Date")) == ("0", "Thu, 01 Jan 1970 00:00:00 GMT")
        clock.advance(timedelta(seconds=90))
        wall = 90.0
        third = await client.ask(client.head(PAGE))
        assert (third.field("Age"), third.field("Date")) == ("90", "Thu, 01 Jan 1970 00:01:30 GMT")
        assert await hot(proxy) == 2


async def test_both_ways_are_counted_and_logged_alike(tmp_path: Path) -> None:
    counted = [
        ("inbond_requests_total", {"route": "page", "status": "200"}),
        ("inbond_request_seconds_count", {"route": "page"}),
        ("inbond_cache_lookups_total", {"kind": "page", "result": "hit"}),
        ("inbond_cache_lookups_total", {"kind": "rendered", "result": "hit"}),
    ]
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        await client.ask(client.head(PAGE))
        head = client.head(PAGE, User_Agent='uv/0.9 {"installer":{}}')
        told = []
        for again in (False, True):
            before = [await proxy.metric(sample, **labels) for sample, labels in counted]
            with capture_logs() as lines:
                await client.ask(head)
                assert await hot(proxy) == again
            after = [await proxy.metric(sample, **labels) for sample, labels in counted]
            assert [one - other for one, other in zip(after, before, strict=True)] == [1, 1, 1, 1]
            told.append([[(name, fact) for name, fact in line.items() if name != "ms"] for line in lines])
        assert told[0] == told[1]
        assert {"client": "127.0.0.1", "agent": "uv/0.9", "status": 200}.items() <= dict(told[1][0]).items()


# --- what it ends with


@dataclass
class Case:
    """A server that has given an answer the hot way, and what may be done about it."""

    place: Path
    index: SimIndex
    proxy: Inbond
    clock: SetClock
    verifier: LocalVerifier

    async def rejected_elsewhere(self) -> None:
        """By another process, as `inbond` on the command line is one."""
        ledger = await asyncio.to_thread(
            open_ledger, self.place / "data" / "ledger" / "ledger.sqlite3", observer=unobserved
        )
        await ledger.decide(Rejection(target=Target.parse("demo==1.0"), reason="read it", by="ada"), now=self.clock())
        await ledger.aclose()

    async def released(self) -> None:
        """The page is too old to be given unasked, and upstream has another by now."""
        self.index.add_wheel("demo", "2.0", upload_time=LONG_AGO)
        self.clock.advance(timedelta(minutes=11))

    async def held_no_longer(self) -> None:
        self.clock.advance(timedelta(minutes=2))

    async def trusting_another_root(self) -> None:
        self.verifier.trust_of = lambda upstream: f"{upstream:f<64}"  # type: ignore[method-assign]

    async def known_otherwise(self) -> None:
        self.proxy.up.parts.base.evidence.news("pypi", ProjectName("demo"))

    async def without_metadata(self) -> None:
        lost = self.proxy.up.parts.metadata._lost_of
        state = await self.proxy.up.parts.base.pages.current("pypi", ProjectName("demo"))
        assert state is not None
        lost(state)[state.page.files[0].filename] = self.clock() + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("happens", "differs"),
    [
        (Case.rejected_elsewhere, True),
        (Case.released, True),
        (Case.held_no_longer, True),
        (Case.trusting_another_root, False),
        (Case.known_otherwise, False),
        (Case.without_metadata, True),
    ],
    ids=["decision", "release", "hold", "trust", "evidence", "metadata"],
)
async def test_it_ends_with(happens: Callable[[Case], Awaitable[None]], differs: bool, tmp_path: Path) -> None:
    clock, verifier = SetClock(), LocalVerifier()
    async with one_page() as index:
        index.add_wheel("demo", "1.5", upload_time=clock() - timedelta(hours=24) + timedelta(minutes=1))
        async with (
            inbond(tmp_path, index, clock=clock, verifier=verifier) as proxy,
            raw(proxy) as client,
        ):
            head = client.head(PAGE, Accept=JSON)
            _, before = await both(client, head)
            await happens(Case(tmp_path, index, proxy, clock, verifier))
            after = await client.ask(head)
            assert await hot(proxy) == 1
            assert (after.body != before.body) is differs
            assert (await client.ask(head)).but_for_its_time == after.but_for_its_time
            assert await hot(proxy) == 2  # from then on the new one is known


async def test_it_ends_with_advisories_that_are_read_anew(tmp_path: Path) -> None:
    place = directory(tmp_path / "advisories", {"other.json": malware("MAL-5", "other")})
    more = '[advisories.own]\npath = "{data}/../advisories"\n'
    async with one_page() as index, inbond(tmp_path, index, more=more) as proxy, raw(proxy) as client:
        advisories = proxy.up.gateway.advisories
        assert isinstance(advisories, AdvisoryKeeper)
        head = client.head(PAGE, Accept=JSON)
        _, before = await both(client, head)
        (place / "one.json").write_bytes(malware("MAL-1", "demo", "1.0"))
        await advisories.look()
        assert b"malware" in (await client.ask(head)).body
        assert b"malware" in (await client.ask(head)).body
        assert await hot(proxy) == 2
        (place / "one.json").unlink()
        await advisories.look()
        assert (await client.ask(head)).body == before.body
        assert await hot(proxy) == 2


async def test_it_ends_with_an_import(tmp_path: Path) -> None:
    async with (
        SimIndex() as index,
        connected(tmp_path / "here", index) as online,
        stores(tmp_path / "far") as to,
    ):
        index.add_wheel("demo", "1.0", upload_time=LONG_AGO)
        online.clock.advance(-timedelta(minutes=11))
        carrier = Carrier(online, to)
        await carrier.take(Cargo())
        async with fed(tmp_path / "far", index) as far, raw(far) as client:
            head = client.head(PAGE, Accept=JSON)
            await both(client, head)
            index.add_wheel("demo", "2.0", upload_time=LONG_AGO)
            online.clock.advance(timedelta(minutes=11))
            await carrier.take(Cargo())
            far.clock.advance(timedelta(seconds=1))  # how often it is looked whether there is another
            assert b"demo-2.0" in (await client.ask(head)).body
            assert await hot(far) == 1
            assert b"demo-2.0" in (await client.ask(head)).body
            assert await hot(far) == 2


async def test_it_ends_with_the_ledger(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        await both(client, client.head(PAGE))
        ledger = tmp_path / "data" / "ledger" / "ledger.sqlite3"
        ledger.rename(ledger.with_name("elsewhere"))
        assert (await client.ask(client.head(PAGE))).status == 503
        ledger.with_name("elsewhere").rename(ledger)


async def test_an_upstream_that_comes_first_is_asked_again_whether_it_has_the_project(tmp_path: Path) -> None:
    config = ONE_INDEX + (
        '[upstreams.acme]\nurl = "{upstream1}"\n'
        '[indexes.root]\npolicy = "default"\nupstreams = ["acme", "pypi"]\n'
    )  # fmt: skip
    clock = SetClock()
    async with (
        one_page() as index,
        SimIndex() as acme,
        inbond(tmp_path, index, acme, config=config, clock=clock) as proxy,
        raw(proxy) as client,
    ):
        _, before = await both(client, client.head(PAGE))
        acme.add_wheel("demo", "9.0", upload_time=LONG_AGO)
        clock.advance(timedelta(seconds=31))
        assert (await client.ask(client.head(PAGE))).body != before.body


# --- what goes the full way


async def test_a_head_in_two_pieces_is_read_by_the_parser_and_so_is_all_that_follows(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as warm, raw(proxy) as client:
        head = warm.head(PAGE)
        first, _ = await both(warm, head)
        # The second piece is by itself the head of a request that is known.
        client.writer.write(f"GET {PAGE}not/ HTTP/1.1\r\nHost: x\r\nX-Rest: ".encode())
        await begun(1)
        assert (await client.ask(head)).status in {400, 421}
        async with raw(proxy) as other:
            other.writer.write(head[:20])
            await begun(1)
            assert (await other.ask(head[20:])).but_for_its_time == first.but_for_its_time
            assert (await other.ask(head)).but_for_its_time == first.but_for_its_time
        assert await hot(proxy) == 1


async def test_requests_in_one_piece_are_answered_each_and_in_order(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        first, _ = await both(client, client.head(PAGE))
        client.writer.write(client.head("/simple/none/") + client.head(PAGE) * 3)
        assert [(await client.answer()).status for _ in range(4)] == [404, 200, 200, 200]
        assert (await client.ask(client.head(PAGE))).but_for_its_time == first.but_for_its_time
        assert await hot(proxy) == 1


async def test_a_known_request_behind_one_that_waits_is_answered_after_it(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        index.add_wheel("slow", "1.0")
        await both(client, client.head(PAGE))
        gate = index.gate(index.page_path("slow"))
        client.writer.write(client.head("/simple/slow/"))
        await gate.reached.wait()
        client.writer.write(client.head(PAGE))
        while not any(one._messages for one in connections()):
            await asyncio.sleep(0.005)
        gate.open()
        assert [(await client.answer()).status for _ in range(2)] == [200, 200]
        assert await hot(proxy) == 1


async def test_what_comes_after_a_body_is_read_by_the_parser(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        head = client.head(PAGE)
        first, _ = await both(client, head)
        body = head  # which is no request
        client.writer.write(client.head(PAGE, "POST", Content_Length=str(len(body))))
        await asyncio.sleep(0.02)
        assert (await client.ask(body)).status == 405
        assert (await client.ask(head)).but_for_its_time == first.but_for_its_time
        assert await hot(proxy) == 1


async def test_where_connections_are_needed_it_is_closed(tmp_path: Path) -> None:
    limits = ServerLimits(max_connections=8)
    async with AsyncExitStack() as stack:
        index = await stack.enter_async_context(one_page())
        proxy = await stack.enter_async_context(inbond(tmp_path, index, config=PROXIED, server_limits=limits))
        client = await stack.enter_async_context(raw(proxy))
        await both(client, client.head(PAGE))
        for _ in range(int(8 * CROWDED_SHARE)):
            await stack.enter_async_context(raw(proxy))
        while not proxy.app[DOOR].crowded:
            await asyncio.sleep(0.005)
        assert (await client.ask(client.head(PAGE))).field("Connection") == "close"
        assert await client.reader.read() == b""


async def test_where_there_is_no_place_it_waits_for_one(tmp_path: Path) -> None:
    limits = ServerLimits(max_requests=4, queue_seconds=0.1)  # one quick place
    async with one_page() as index, inbond(tmp_path, index, server_limits=limits) as proxy, raw(proxy) as client:
        await both(client, client.head(PAGE))
        quick = proxy.app[OVERLOAD].quick
        assert quick.try_enter("192.0.2.1")
        assert (await client.ask(client.head(PAGE))).status == 503
        quick.leave("192.0.2.1")
        assert (await client.ask(client.head(PAGE))).status == 200


async def test_behind_a_proxy_each_client_is_itself(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index, config=PROXIED) as proxy, raw(proxy) as client:
        with capture_logs() as lines:
            for address in ("192.0.2.1", "192.0.2.2"):
                await both(client, client.head(PAGE, X_Forwarded_For=address))
        clients = [line["client"] for line in lines if line["event"] == "request"]
        assert clients == ["192.0.2.1", "192.0.2.1", "192.0.2.2", "192.0.2.2"]
        origins = {
            (await client.ask(client.head("/simple/demo/", X_Forwarded_Host=host))).status
            for host in ("evil.example", "localhost", "evil.example", "localhost")
        }
        assert origins == {200, 421}


async def test_nobody_but_a_trusted_proxy_asks_as_one(tmp_path: Path) -> None:
    async with (
        one_page() as index,
        inbond(tmp_path, index, config=PROXIED) as proxy,
        raw(proxy) as trusted,
        raw(proxy, address="127.0.0.2") as other,
        raw(proxy, address="127.0.0.2") as posing,
    ):
        head = trusted.head(PAGE, X_Forwarded_For="192.0.2.1")
        await both(trusted, head)
        with capture_logs() as lines:
            await both(other, head)
        assert [line["client"] for line in lines] == ["127.0.0.2", "127.0.0.2"]
        posing.writer.write(b"127.0.0.1\0" + head)
        assert (await posing.answer()).status == 400
        assert await hot(proxy) == 2


async def test_who_asks_to_be_told_to_go_on_is_told_each_time(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        head = client.head(PAGE, Expect="100-continue")
        for _ in range(3):
            assert (await client.ask(head)).status == 100
            assert (await client.answer()).status == 200


@pytest.mark.parametrize(
    ("more", "path", "method"),
    [
        (b"Connection: close", PAGE, "GET"),
        (b"X-Long: " + b"x" * MAX_HEAD_BYTES, PAGE, "GET"),
        (b"X-None: 1", "/simple/none/", "GET"),
        (b"X-Other: 1", "/simple/demo", "GET"),
        (b"Connection: Upgrade\r\nUpgrade: websocket", PAGE, "GET"),
    ],
    ids=["closed", "long", "not found", "redirect", "upgrade"],
)
async def test_not_everything_is_kept(more: bytes, path: str, method: str, tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy:
        for _ in range(2):
            async with raw(proxy) as client:
                await client.ask(client.head(path, method).replace(b"\r\n\r\n", b"\r\n" + more + b"\r\n\r\n"))
        assert await hot(proxy) == len(proxy.app[HOT]) == 0


async def test_a_connection_that_is_used_the_hot_way_is_kept(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        await both(client, client.head(PAGE))
        (connection,) = connections()
        connection._next_keepalive_close_time = 0.0  # it was used for the last time long ago …
        await client.ask(client.head(PAGE))  # … but for this
        connection._process_keepalive()
        await client.ask(client.head(PAGE))
        assert await hot(proxy) == 3


async def test_an_older_http_is_answered_by_the_full_way(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy, raw(proxy) as client:
        head = client.head(PAGE, Connection="keep-alive").replace(b"HTTP/1.1", b"HTTP/1.0")
        for _ in range(2):
            assert (await client.ask(head)).head.startswith(b"HTTP/1.0 200")
        assert await hot(proxy) == len(proxy.app[HOT]) == 0


# --- how much is kept


class Always:
    """An answer that holds, and is told to nobody."""

    def holds(self) -> dict[str, str]:
        return {}

    def given(self, client: str, count: int) -> None:
        pass

    def taken(self, count: int) -> None:
        pass

    def doubt(self) -> None:
        pass


def answer(body: bytes | Stretch = b"", status: int = 200) -> HotAnswer:
    return HotAnswer(
        again=Always(),
        status=status,
        status_line="HTTP/1.1 200 OK",
        headers={},
        body=body,
        route="page",
        line=Line(answer={}, agent=""),
        client=None,
    )


async def test_what_was_not_used_for_longest_makes_room(tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy:
        table = proxy.app[HOT]
        for number in range(MAX_ANSWERS):
            table.learn(("", str(number).encode()), answer())
        assert table.answer(("", b"0"), "192.0.2.1") is not None
        table.learn(("", b"more"), answer())
        assert len(table) == MAX_ANSWERS
        assert [table.answer(("", head), "192.0.2.1") is not None for head in (b"0", b"1", b"more")] == [
            True,
            False,
            True,
        ]
        for number in range(MAX_BYTES // 2**20):
            table.learn(("", b"large %d" % number), answer(bytes(2**20)))
        assert len(table) == MAX_BYTES // 2**20 - 1
        shared = bytes(MAX_BYTES // 4)
        for number in range(2 * MAX_BYTES // 2**20):
            table.learn(("", b"alike %d" % number), answer(shared))
        assert len(table) > 2 * MAX_BYTES // 2**20
        table.learn(("", b"huge"), answer(bytes(MAX_BYTES)))
        assert len(table) == 0


@pytest.mark.parametrize(
    "part", [answer(b"1", 206), answer(Stretch(path=Path("1"), offset=0, count=1))], ids=["in memory", "in a file"]
)
async def test_parts_of_files_do_not_push_pages_out(part: HotAnswer, tmp_path: Path) -> None:
    async with one_page() as index, inbond(tmp_path, index) as proxy:
        table = proxy.app[HOT]
        table.learn(("", b"page"), answer())
        for number in range(MAX_PARTS):
            table.learn(("", b"%d" % number), part)
        assert table.answer(("", b"0"), "192.0.2.1") is not None
        table.withdraw()
        table.learn(("", b"more"), part)
        known = [table._answers.get(("", head)) is not None for head in (b"page", b"0", b"1", b"more")]
        assert known == [True, True, False, True]
        for number in range(MAX_ANSWERS):
            table.learn(("", b"others %d" % number), part)
        assert len(table) == MAX_PARTS + 1
        assert len(table._answers._parts) == MAX_PARTS
        assert table.answer(("", b"page"), "192.0.2.1") is not None
        table.withdraw()


async def test_a_server_that_stops_gives_nothing_any_more(tmp_path: Path) -> None:
    async with one_page() as index, AsyncExitStack() as stack:
        async with inbond(tmp_path, index) as proxy:
            client = await stack.enter_async_context(raw(proxy))
            await both(client, client.head(PAGE))
        client.writer.write(client.head(PAGE))
        assert await client.reader.read() == b""
