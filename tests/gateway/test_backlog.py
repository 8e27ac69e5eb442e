"""What a run left unfinished, as the next run finds it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from inbond.gateway import backlog
from inbond.gateway.backlog import DOCUMENT, STALE_AFTER, Backlog, Unfinished
from inbond.model.names import ProjectName

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DEMO = ProjectName("demo")


class Kept:
    """A store of documents that forgets nothing while the test lives."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.puts = 0

    async def get(self, key: str) -> bytes | None:
        return self.values.get(key)

    async def get_many(self, keys: Sequence[str]) -> dict[str, bytes]:
        return {key: self.values[key] for key in keys if key in self.values}

    async def put(self, key: str, value: bytes) -> None:
        self.puts += 1
        self.values[key] = value

    async def put_soon(self, key: str, value: bytes) -> None:
        await self.put(key, value)

    async def delete(self, key: str) -> None:
        self.values.pop(key, None)

    @property
    def listed(self) -> list[tuple[str, str, str]]:
        return [one.key for one in msgspec.msgpack.decode(self.values[DOCUMENT], type=list[Unfinished])]


class Run:
    """One run of inbond on a store; `busy` are the projects whose files are still being settled."""

    def __init__(self, kept: Kept, *, at: datetime = NOW) -> None:
        self.busy = {DEMO}
        self.backlog = Backlog(kept, lambda upstream, project: project in self.busy, lambda: at)

    async def found(self) -> list[tuple[str, str, str]]:
        return [one.key for one, _ in await self.backlog.from_last_run()]


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "WRITE_EVERY", 0.0)


async def test_what_is_unfinished_at_the_end_is_found_by_the_next_run() -> None:
    kept = Kept()
    run = Run(kept)
    run.backlog.note("root", "pypi", DEMO)
    run.backlog.note("root", "pypi", ProjectName("done"))
    await run.backlog.aclose()
    assert await Run(kept).found() == [("root", "pypi", "demo")]
    run.backlog.note("root", "pypi", ProjectName("late"))  # nothing is begun any more


async def test_it_is_written_while_the_run_goes_on_and_emptied_when_all_is_done() -> None:
    kept = Kept()
    run = Run(kept)
    run.backlog.note("root", "pypi", DEMO)
    async with asyncio.timeout(60):
        while DOCUMENT not in kept.values:
            await asyncio.sleep(0)
        assert kept.listed == [("root", "pypi", "demo")]
        run.busy.clear()
        while kept.listed:
            await asyncio.sleep(0)
    puts = kept.puts
    await asyncio.sleep(0.01)
    assert kept.puts == puts == 2  # nothing is written where nothing has changed


async def test_what_is_not_taken_up_yet_stays_for_the_run_after() -> None:
    kept = Kept()
    first = Run(kept)
    first.backlog.note("root", "pypi", DEMO)
    await first.backlog.aclose()
    killed = Run(kept)
    killed.busy.clear()
    assert await killed.found() == [("root", "pypi", "demo")]
    killed.backlog.note("root", "pypi", ProjectName("other"))
    await killed.backlog.aclose()
    third = Run(kept)
    ((one, name),) = await third.backlog.from_last_run()
    assert name == DEMO
    third.busy.clear()
    third.backlog.taken_up(one)
    async with asyncio.timeout(60):
        while kept.listed:
            await asyncio.sleep(0)
    await third.backlog.aclose()


async def test_what_is_stale_is_left_alone() -> None:
    kept = Kept()
    run = Run(kept)
    run.backlog.note("root", "pypi", DEMO)
    await run.backlog.aclose()
    assert await Run(kept, at=NOW + STALE_AFTER).found() == []
    assert await Run(kept, at=NOW + STALE_AFTER - timedelta(seconds=1)).found() != []


@pytest.mark.parametrize(
    "raw",
    [
        b"no msgpack",
        msgspec.msgpack.encode([["root", "pypi"]]),
        msgspec.msgpack.encode([Unfinished("root", "pypi", "../etc", NOW)]),
    ],
)
async def test_what_is_no_list_of_projects_is_none(raw: bytes) -> None:
    kept = Kept()
    kept.values[DOCUMENT] = raw
    assert await Run(kept).found() == []


async def test_no_more_than_a_bound_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "MAX_UNFINISHED", 3)
    kept = Kept()
    run = Run(kept)
    for number in range(5):
        run.busy.add(ProjectName(f"p{number}"))
        run.backlog.note("root", "pypi", ProjectName(f"p{number}"))
    await run.backlog.aclose()
    assert [project for _, _, project in kept.listed] == ["p2", "p3", "p4"]


async def test_a_write_that_the_end_cuts_off_is_made_again() -> None:
    kept = Slow()
    run = Run(kept)
    run.backlog.note("root", "pypi", DEMO)
    await asyncio.wait_for(kept.begun.wait(), 60)
    await run.backlog.aclose()
    assert kept.listed == [("root", "pypi", "demo")]


class Slow(Kept):
    """The same, whose first write never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = asyncio.Event()

    async def put(self, key: str, value: bytes) -> None:
        if not self.begun.is_set():
            self.begun.set()
            await asyncio.Event().wait()
        await super().put(key, value)
