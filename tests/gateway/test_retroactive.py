"""Looking back at what was served whenever other advisories are in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from inbond.gateway import retroactive
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.advisory_sources import AdvisorySource
from inbond.gateway.retroactive import Retroactive
from inbond.gateway.turned_bad import turned_bad
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Event, Happened, unobserved
from inbond.model.history import Asked, ServedFile
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.ledger import Ledger, open_ledger
from inbond.upstream.feed import Feed, FeedSettings
from sim.osv import directory, malware
from store.samples import rows_from

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def asked(
    project: str, *, metadata: bool = False, decision: Decision = Decision.ALLOW, client: str = "10.0.0.1"
) -> Asked:
    return Asked(
        at=NOW,
        index="root",
        upstream="pypi",
        project=ProjectName(project),
        filename=Filename(f"{project}-1.0-py3-none-any.whl"),
        version="1.0",
        sha256=project.encode().hex().zfill(64),
        client=client,
        decision=decision,
        would=decision,
        metadata=metadata,
    )


class Counting:
    """A ledger that counts what is asked of it, and can be broken."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.looked_at: list[str] = []
        self.broken = False

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        if self.broken:
            raise StoreUnavailable("the disk is gone")
        return await self._ledger.served_projects()

    async def served_files(self, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
        self.looked_at.append(project)
        return await self._ledger.served_files(upstream, project)


class World:
    def __init__(self, place: Path, ledger: Ledger, *, looks: tuple[float, ...] = (0.0,)) -> None:
        self.place = directory(place / "advisories", {"MAL-0.json": malware("MAL-0", "unserved")})
        self.ledger = ledger
        self.history = Counting(ledger)
        self.told: list[str] = []
        self.alerts: list[str] = []
        self.advisories = AdvisoryKeeper(
            [AdvisorySource(name="own", place=self.place)],
            directory=place,
            open_feed=no_feed,
            clock=lambda: NOW,
            observer=unobserved,
        )
        self.retroactive = Retroactive(
            self.advisories, self.history, {}, clock=lambda: NOW, observer=self.observe, looks=looks
        )

    def observe(self, event: Event) -> None:
        match event:
            case Happened():
                self.told.append(event.occurrence.message)
            case Alert():
                self.alerts.append(event.message)
            case _:
                pass

    async def publish(self, record_id: str, project: str) -> None:
        (self.place / f"{record_id}.json").write_bytes(malware(record_id, project))
        await self.advisories.look()


def no_feed(settings: FeedSettings) -> Feed:
    raise AssertionError(settings.name)


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


async def test_only_projects_that_were_served_and_are_named_anew_are_looked_at(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    try:
        refused, looked = asked("refused", decision=Decision.DENY), asked("looked-up", metadata=True)
        await ledger.record(rows_from([asked("demo"), asked("other"), refused, looked]))
        assert await ledger.served_projects() == {("pypi", "demo"), ("pypi", "other")}
        world = World(tmp_path, ledger)
        for project in ("demo", "refused", "looked-up"):
            await world.publish(f"MAL-{project}", project)

        await world.retroactive.look()
        assert world.history.looked_at == ["demo"]
        told = "demo-1.0-py3-none-any.whl, served 1 time to 1 client, is named by MAL-demo: malware"
        assert world.told == [told]

        await world.retroactive.look()
        assert set(world.history.looked_at) == {"demo"}
        assert world.told == [told]  # nothing else is said of it

        await world.publish("MAL-other", "other")
        await world.retroactive.look()
        assert set(world.history.looked_at) == {"demo", "other"}
        assert len(world.told) == 2
    finally:
        await ledger.aclose()


async def test_it_looks_at_a_start_and_after_each_change(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world = World(tmp_path, ledger)
    try:
        await ledger.record(rows_from([asked("demo"), asked("other")]))
        await world.publish("MAL-1", "demo")
        world.retroactive.start()
        await until(lambda: len(world.told) == 1)
        await world.publish("MAL-2", "other")
        await until(lambda: len(world.told) == 2)
    finally:
        await world.retroactive.aclose()
        await ledger.aclose()


async def test_what_is_written_after_the_first_look_is_found_by_a_later_one(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world = World(tmp_path, ledger, looks=(0.0, 0.3))
    try:
        await ledger.record(rows_from([asked("demo"), asked("other")]))
        await world.publish("MAL-1", "demo")
        await world.publish("MAL-2", "late")
        world.retroactive.start()
        await until(lambda: world.history.looked_at == ["demo"])
        await ledger.record(rows_from([asked("late")]))  # its download was under way
        await until(lambda: len(world.told) == 2)
        assert world.history.looked_at == ["demo", "demo", "late"]
    finally:
        await world.retroactive.aclose()
        await ledger.aclose()


async def test_others_who_get_it_are_told_of_anew_at_most_once_an_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world = World(tmp_path, ledger)
    try:
        await ledger.record(rows_from([asked("demo")]))
        await world.publish("MAL-1", "demo")
        await world.retroactive.look()
        await ledger.record(rows_from([asked("demo", client="10.0.0.2")]))
        await world.retroactive.look()
        assert len(world.told) == 1  # not within the hour

        monkeypatch.setattr(retroactive, "AGAIN_SECONDS", 0.02)  # hours go by
        monkeypatch.setattr(retroactive, "_RECENT_SECONDS", 0.0)
        world.retroactive.start()
        await until(lambda: len(world.told) == 2)
        looks = len(world.history.looked_at)
        await until(lambda: len(world.history.looked_at) > looks + 2)
        assert "served 2 times to 2 clients" in world.told[1]
        assert len(world.told) == 2  # nobody else got it
        await ledger.record(rows_from([asked("demo", client="10.0.0.3")]))
        await until(lambda: len(world.told) == 3)
    finally:
        await world.retroactive.aclose()
        await ledger.aclose()


async def test_whatever_goes_wrong_it_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retroactive, "RETRY_SECONDS", 0.01)
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world, times = World(tmp_path, ledger), 0

    def odd(*given: Any, now: datetime) -> object:
        nonlocal times
        times += 1
        if times == 1:
            raise ZeroDivisionError("nobody thought of this")
        return turned_bad(*given, now=now)

    monkeypatch.setattr(retroactive, "turned_bad", odd)
    try:
        await ledger.record(rows_from([asked("demo")]))
        await world.publish("MAL-1", "demo")
        world.retroactive.start()
        await until(lambda: world.told)
        assert "ZeroDivisionError" in world.alerts[0]
    finally:
        await world.retroactive.aclose()
        await ledger.aclose()


async def test_a_ledger_that_cannot_be_read_is_told_and_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retroactive, "RETRY_SECONDS", 0.01)
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world = World(tmp_path, ledger)
    try:
        await ledger.record(rows_from([asked("demo")]))
        await world.publish("MAL-1", "demo")
        world.history.broken = True
        world.retroactive.start()
        await until(lambda: world.alerts)
        assert world.alerts[0] == "what was served cannot be compared with the advisories: the disk is gone"
        world.history.broken = False
        await until(lambda: world.told)
    finally:
        await world.retroactive.aclose()
        await ledger.aclose()
