"""Pages that are remembered together: each as if it were alone, in fewer transactions."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.store import pages, remembering
from inbond.store.ledger import open_ledger
from inbond.store.pages import Seen
from inbond.store.remembering import Remembering
from store.heard import Heard

T0 = datetime(2026, 11, 20, 12, tzinfo=UTC)


def seen(name: str, files: int = 1) -> Seen:
    listed = [(Filename(f"{name}-{number}.tar.gz"), None) for number in range(files)]
    return Seen(upstream="pypi", project=ProjectName(name), serial=1, files=listed, page_sha256=None, now=T0)


class Writing:
    """Notes what was written together; waits until it is let go on, and refuses what is named bad."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.go = asyncio.Event()
        self.together = Remembering(self._write)

    async def _write(self, wanted: Sequence[Seen], asked_at: float) -> Sequence[PageMemory]:
        assert asked_at > 0
        await self.go.wait()
        names = [str(one.project) for one in wanted]
        self.batches.append(names)
        if "bad" in names:
            raise ValueError("no digest")
        return [PageMemory(project_first_seen=one.now, highest_serial=one.serial) for one in wanted]

    async def begun(self, *wanted: Seen) -> list[asyncio.Task[PageMemory]]:
        tasks = [asyncio.create_task(self.together.remember(one)) for one in wanted]
        for _ in range(5):
            await asyncio.sleep(0)
        return tasks


async def test_what_comes_while_others_are_written_is_written_together() -> None:
    writing = Writing()
    tasks = [*await writing.begun(seen("a")), *await writing.begun(seen("b"), seen("c"))]
    gone = await writing.begun(seen("gone"))
    gone[0].cancel()
    await asyncio.sleep(0)
    writing.go.set()
    await asyncio.gather(*tasks)
    assert writing.batches == [["a"], ["b", "c"]]


async def test_a_page_that_fails_is_told_to_whoever_brought_it_alone() -> None:
    writing = Writing()
    tasks = [*await writing.begun(seen("a")), *await writing.begun(seen("b"), seen("bad"), seen("c"))]
    writing.go.set()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [type(one) for one in found] == [PageMemory, PageMemory, ValueError, PageMemory]
    assert writing.batches == [["a"], ["b", "bad", "c"], ["b"], ["bad"], ["c"]]


async def test_whoever_leaves_while_it_is_written_disturbs_nobody() -> None:
    writing = Writing()
    leaves, fails = [*await writing.begun(seen("a")), *await writing.begun(seen("bad"))]
    leaves.cancel()
    await asyncio.sleep(0)
    writing.go.set()
    with pytest.raises(ValueError, match="no digest"):
        await fails
    await writing.together.ended()
    assert writing.batches == [["a"], ["bad"]]


async def test_large_pages_and_too_many_have_transactions_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembering, "TOGETHER_FILES", 10)
    monkeypatch.setattr(remembering, "TOGETHER_PAGES", 2)
    writing = Writing()
    tasks = await writing.begun(seen("a"))
    tasks += await writing.begun(seen("b", 5), seen("large", 20), seen("c"), seen("d"), seen("e"))
    writing.go.set()
    await asyncio.gather(*tasks)
    assert writing.batches == [["a"], ["b"], ["large"], ["c", "d"], ["e"]]


async def test_the_ledger_remembers_many_at_once_as_it_does_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[int] = []
    remember_all = pages.remember_all

    def counting(connection: sqlite3.Connection, wanted: Sequence[Seen]) -> list[PageMemory]:
        counted.append(len(wanted))
        return remember_all(connection, wanted)

    monkeypatch.setattr(pages, "remember_all", counting)
    ledger = open_ledger(tmp_path / "ledger" / "ledger.db", observer=Heard())
    projects = [ProjectName(f"p{number}") for number in range(20)]
    listed = [(Filename("p-1.0.tar.gz"), "a" * 64), (Filename("p-2.0.tar.gz"), None)]
    try:
        found = await asyncio.gather(
            *(ledger.remember_page("pypi", project, serial=7, files=listed, now=T0) for project in projects),
            ledger.remember_page("pypi", ProjectName("bad"), serial=7, files=[(listed[0][0], "bad")], now=T0),
            return_exceptions=True,
        )
        assert isinstance(found.pop(), ValueError)
        assert found == [await ledger.recall_page("pypi", project) for project in projects]
        assert await ledger.recall_page("pypi", ProjectName("bad")) is None
        assert len(counted) > len(projects)  # all together, and then each alone: one of them had no digest
        assert max(counted) > 1
    finally:
        await ledger.aclose()


async def test_closing_waits_for_what_is_to_be_remembered(tmp_path: Path) -> None:
    path = tmp_path / "ledger" / "ledger.db"
    ledger = open_ledger(path, observer=Heard())
    asked = [
        asyncio.create_task(ledger.remember_page("pypi", ProjectName(f"p{number}"), serial=7, files=[], now=T0))
        for number in range(3)
    ]
    await asyncio.sleep(0)
    await ledger.aclose()
    await asyncio.gather(*asked)
    again = open_ledger(path, observer=Heard())
    try:
        assert await again.projects() == {"p0", "p1", "p2"}
    finally:
        await again.aclose()


async def test_a_lock_that_stays_is_told_to_each_who_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inbond.store.ledger_thread.LOCK_SECONDS", 0.1)
    path = tmp_path / "ledger" / "ledger.db"
    ledger = open_ledger(path, observer=Heard())
    other = sqlite3.connect(path, isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        asking = [ledger.remember_page("pypi", ProjectName(name), serial=1, files=[], now=T0) for name in ("a", "b")]
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [type(one) for one in found] == [StoreUnavailable] * 2
        other.execute("ROLLBACK")
        memory = await ledger.remember_page("pypi", ProjectName("a"), serial=1, files=[], now=T0)
        assert memory.highest_serial == 1
    finally:
        other.close()
        await ledger.aclose()
