"""Pages for people: one at once for each client, and neither installers nor other people's decisions wait for them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.web import review_pages
from inbond.web.overload import MAX_PAGES, OVERLOAD
from inbond.web.settings import ServerLimits
from sim.index import SimIndex
from stack import ONE_INDEX, Inbond, inbond
from web.desk_support import site

PROXIED = ONE_INDEX.replace("[server]\n", '[server]\ntrusted_proxies = ["127.0.0.1"]\n')
IMPATIENT = ServerLimits(queue_seconds=0.05)
BUSY, OTHER = "192.0.2.1", "192.0.2.2"
WAIVER = {"target": "demo==1.0", "rule": "cooldown", "index": "root", "until": "7d", "reason": "ours"}


@asynccontextmanager
async def busy_ledger(proxy: Inbond) -> AsyncIterator[None]:
    """While what pages for people ask of it does not come back."""
    end = threading.Event()

    def work(_: sqlite3.Connection) -> None:
        end.wait(30)

    under_way = asyncio.ensure_future(proxy.up.parts.base.ledger._showing.run(work))
    await asyncio.sleep(0)  # it is the first in line
    try:
        yield
    finally:
        end.set()
        await under_way


async def ask(proxy: Inbond, path: str, client: str) -> tuple[int, dict[str, str]]:
    status, _, response = await proxy.get(path, **{"X-Forwarded-For": client})
    return status, dict(response.headers)


async def held(proxy: Inbond, count: int) -> None:
    """Until so many pages are made."""
    async with asyncio.timeout(10):
        while proxy.app[OVERLOAD].pages.in_use != count:
            await asyncio.sleep(0.005)


@pytest.mark.parametrize("path", ["/", "/-/search?q=d", "/-/denials", "/-/projects/root/demo"])
async def test_a_client_has_one_page_at_once_and_is_asked_to_come_again(tmp_path: Path, path: str) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=PROXIED, server_limits=IMPATIENT) as proxy:
        index.add_wheel("demo", "1.0")
        assert (await ask(proxy, path, BUSY))[0] == 200
        async with busy_ledger(proxy):
            first = asyncio.create_task(ask(proxy, "/-/denials?since=30d", BUSY))
            await held(proxy, 1)
            status, headers = await ask(proxy, path, BUSY)
            assert (status, headers["Retry-After"]) == (503, "5")
            assert await proxy.metric("inbond_requests_refused_total", reason="pages") == 1
            for theirs in ("/simple/demo/", "/-/use", "/-/upstreams"):
                assert (await ask(proxy, theirs, BUSY))[0] == 200
            other = asyncio.create_task(ask(proxy, path, OTHER))
            await held(proxy, 2)
        assert ((await first)[0], (await other)[0]) == (200, 200)
        await held(proxy, 0)


async def test_all_together_have_a_few(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=PROXIED, server_limits=IMPATIENT) as proxy:
        async with busy_ledger(proxy):
            asked = [asyncio.create_task(ask(proxy, "/-/denials", f"192.0.2.{n}")) for n in range(MAX_PAGES)]
            await held(proxy, MAX_PAGES)
            assert (await ask(proxy, "/-/denials", "198.51.100.1"))[0] == 503
        assert {(await one)[0] for one in asked} == {200}


async def test_whoever_hangs_up_keeps_the_place_until_the_work_has_ended(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=PROXIED) as proxy:
        gate, thread = proxy.app[OVERLOAD].pages, proxy.up.parts.base.ledger._showing
        async with busy_ledger(proxy):
            for waiting in range(4):
                await hang_up(proxy, waiting)
            assert (gate.in_use, gate.waiting) == (1, 3)
            assert thread._pool._work_queue.qsize() == 1
        await held(proxy, 0)
        # Of those that waited none was begun: that would have been an answer.
        assert await proxy.metric("inbond_requests_refused_total", reason="pages") == 3


async def hang_up(proxy: Inbond, waiting: int) -> None:
    """Asks for what was stopped, and goes away once that is under way or waits behind so many."""
    gate = proxy.app[OVERLOAD].pages
    _, _, port = proxy.origin.rpartition(":")
    _, writer = await asyncio.open_connection("127.0.0.1", int(port))
    writer.write(f"GET /-/denials HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Forwarded-For: {BUSY}\r\n\r\n".encode())
    async with asyncio.timeout(10):
        while gate.in_use + gate.waiting <= waiting:
            await asyncio.sleep(0.005)
    writer.close()
    await writer.wait_closed()


async def test_nobody_elses_decision_waits_for_a_queue(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await up.stopped(up.index.add_wheel("evil", "1.0").path)
        deciding = up.program(up.everywhere)
        (entry,) = (await deciding.get("/-/review")).json["entries"]
        async with busy_ledger(up.proxy):
            accepting = asyncio.create_task(deciding.post(f"/-/review/{entry['id']}/accept", reason="ours"))
            await held(up.proxy, 1)
            async with asyncio.timeout(10):
                made = await deciding.post("/-/waivers", **WAIVER)
            assert (made.status, accepting.done()) == (201, False), made.text
        assert (await accepting).status == 201


async def test_what_somebody_decided_meanwhile_is_not_decided_again(tmp_path: Path) -> None:
    async with site(tmp_path) as up:
        await up.stopped(up.index.add_wheel("evil", "1.0").path)
        deciding = up.program(up.everywhere)
        (entry,) = (await deciding.get("/-/review")).json["entries"]
        ways = [(way, reason) for way in ("accept", "reject") for reason in ("one", "two")]
        answers = await asyncio.gather(
            *(deciding.post(f"/-/review/{entry['id']}/{way}", reason=reason) for way, reason in ways)
        )
        assert sorted(one.status for one in answers) == [201, 409, 409, 409]


async def test_the_queue_is_of_the_latest_requests_of_these_indexes_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(review_pages, "MAX_ROWS", 2)
    async with site(tmp_path) as up:
        files = {version: up.index.add_wheel("evil", version).path for version in ("1.0", "2.0", "3.0")}
        await up.stopped(files["1.0"], "/team")
        for version in ("2.0", "3.0"):
            up.proxy.clock.advance(timedelta(seconds=1))
            await up.stopped(files[version])
        every = (await up.program(up.everywhere).get("/-/review")).json
        team = (await up.program(up.team).get("/-/review")).json
        page = await (await up.browser(up.everywhere)).get("/-/review")

        assert ({one["target"] for one in every["entries"]}, every["cut"]) == ({"evil==2.0", "evil==3.0"}, True)
        assert ([one["target"] for one in team["entries"]], team["cut"]) == (["evil==1.0"], False)
        assert "There are more requests than this page looks at" in page.words
