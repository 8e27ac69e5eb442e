"""The ledger's threads: what pages for people ask is bounded, and nothing else waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.denials import DenialsWanted, Stopped
from inbond.model.errors import TakesTooLong
from inbond.model.history import AskedOnly
from inbond.model.names import ProjectName
from inbond.store import ledger as opening
from inbond.store.ledger import Ledger, open_ledger
from inbond.store.ledger_thread import Interrupted, LedgerThread
from store.heard import Heard
from store.samples import FLASK, T0

ENDLESS = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
ROWS = 20_000
STOPPED_ROWS = """
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows)
    INSERT INTO asked (key, client, index_name, upstream, project, filename, version, sha256, decision, would, rule,
        code, message, metadata, first_at, last_at, count, who)
    SELECT CAST(substr('0000000000000000' || i, -16) AS BLOB), '', iif(i % 2, 'odd', 'even'), 'pypi', 'demo',
        'demo-1.' || i || '.tar.gz', '1.' || i, NULL, 'deny', 'deny', 'deny', 'deny/listed', 'm', 0, :at, :at + i, 1, ''
    FROM n
"""


def fill(path: Path, rows: int = ROWS) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(STOPPED_ROWS, {"rows": rows, "at": int(T0.timestamp() * 1_000_000)})
    connection.close()


@asynccontextmanager
async def opened(place: Path, heard: Heard) -> AsyncIterator[Ledger]:
    ledger = open_ledger(place / "ledger" / "ledger.sqlite3", observer=heard)
    try:
        yield ledger
    finally:
        await ledger.aclose()


@asynccontextmanager
async def busy(thread: LedgerThread) -> AsyncIterator[None]:
    """While it is at work."""
    end = threading.Event()

    def work(_: sqlite3.Connection) -> None:
        end.wait(30)

    under_way = asyncio.ensure_future(thread.run(work))
    await asyncio.sleep(0)  # it is the first in line
    try:
        yield
    finally:
        end.set()
        await under_way


async def test_work_beyond_its_bound_is_interrupted_and_the_next_is_done() -> None:
    thread = LedgerThread(lambda: sqlite3.connect(":memory:", check_same_thread=False), name="x", most_seconds=0.01)
    try:
        with pytest.raises(Interrupted, match=r"longer than 0\.01 s"):
            await thread.run(lambda connection: connection.execute(ENDLESS).fetchall())
        assert await thread.run(lambda connection: connection.execute("SELECT 1").fetchall()) == [(1,)]
        with pytest.raises(sqlite3.OperationalError, match="no such table"):
            await thread.run(lambda connection: connection.execute("SELECT * FROM elsewhere").fetchall())
    finally:
        await thread.aclose()


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    thread = LedgerThread(lambda: sqlite3.connect(":memory:", check_same_thread=False), name="x")
    done: list[str] = []
    try:
        async with busy(thread):
            gone = asyncio.ensure_future(thread.run(lambda _: done.append("gone")))
            stays = asyncio.ensure_future(thread.run(lambda _: done.append("stays")))
            await asyncio.sleep(0)
            gone.cancel()
            await asyncio.sleep(0)
        await stays
        assert (done, gone.cancelled()) == (["stays"], True)
    finally:
        await thread.aclose()


async def test_a_page_that_asks_for_too_much_is_told_so_and_the_ledger_is_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "PAGE_SECONDS", 0.0)
    async with opened(tmp_path, heard := Heard()) as ledger:
        fill(ledger.path)
        wanted = DenialsWanted(since=T0, indexes=frozenset({"odd", "even"}), stopped=Stopped.STOPPED)
        with pytest.raises(TakesTooLong, match="cannot be had in time") as told:
            await ledger.denials(wanted, skip=0, limit=50)
        with pytest.raises(TakesTooLong):
            await ledger.asked(since=T0, stopped=True, for_page=True)

        assert "a shorter time" in str(told.value.remedy)
        assert (ledger.failing, heard.alerts) == (None, [])
        assert len(await ledger.asked(since=T0, stopped=True)) == ROWS  # a command has its time


async def test_no_installer_and_no_judging_waits_for_pages_for_people(tmp_path: Path) -> None:
    async with opened(tmp_path, Heard()) as ledger:
        await ledger.record([])
        async with busy(ledger._showing):
            people = asyncio.ensure_future(ledger.stops(T0))
            async with asyncio.timeout(10):
                assert await ledger.all_attached() == ()
                assert await ledger.served_projects() == frozenset()
                assert await ledger.served_files("pypi", FLASK) == ()
                assert await ledger.recorded_since() is None
                assert await ledger.acts_kept_since() is None
            assert not people.done()
        assert await people == ()


async def test_no_installer_waits_for_what_reads_long(tmp_path: Path) -> None:
    async with opened(tmp_path, Heard()) as ledger, busy(ledger._reading):
        async with asyncio.timeout(10):
            assert await ledger.all_attached() == ()
            assert await ledger.stops(T0) == ()


async def test_the_latest_of_some_indexes_or_of_a_project_alone_are_read(tmp_path: Path) -> None:
    async with opened(tmp_path, Heard()) as ledger:
        fill(ledger.path, 10)
        latest = await ledger.asked(since=T0, stopped=True, only=AskedOnly(indexes=frozenset({"even"}), limit=2))
        assert [row.first.version for row in latest] == ["1.10", "1.8"]
        other = AskedOnly(project=ProjectName("other"))
        assert await ledger.asked(since=T0, stopped=True, only=other) == ()
        assert await ledger.asked(since=T0, only=AskedOnly(indexes=frozenset())) == ()
        assert len(await ledger.asked(since=T0 + timedelta(microseconds=9))) == 2


async def test_what_was_stopped_is_told_a_page_at_a_time(tmp_path: Path) -> None:
    async with opened(tmp_path, Heard()) as ledger:
        fill(ledger.path, 10)
        wanted = DenialsWanted(since=T0, indexes=frozenset({"odd", "even"}), stopped=Stopped.STOPPED)
        found = [await ledger.denials(wanted, skip=skip, limit=4) for skip in (0, 4, 8, 12)]
        assert [[one.version for one in page] for page in found] == [
            ["1.10", "1.9", "1.8", "1.7"],
            ["1.6", "1.5", "1.4", "1.3"],
            ["1.2", "1.1"],
            [],
        ]
        assert {(one.times, one.askers, one.askers_count) for page in found for one in page} == {(1, (), 0)}


async def test_pages_look_through_what_was_stopped_alone(tmp_path: Path) -> None:
    async with opened(tmp_path, Heard()) as ledger:
        fill(ledger.path, 10)
        plans: list[str] = []
        with sqlite3.connect(ledger.path) as connection:
            for condition in (
                "decision <> 'allow'",
                "decision = 'allow' AND would <> 'allow'",
                "(decision <> 'allow' OR would <> 'allow')",
            ):
                asked = f"EXPLAIN QUERY PLAN SELECT * FROM asked WHERE last_at >= 0 AND {condition}"  # noqa: S608
                plans += [row[3] for row in connection.execute(asked)]
        connection.close()
        assert all("asked_stopped" in plan for plan in plans)
        assert len(plans) == 3
