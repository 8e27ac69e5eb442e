"""Looking back at what was served whenever other advisories are in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbond.gateway import retroactive
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.advisory_sources import AdvisorySource
from inbond.gateway.retroactive import Retroactive
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Event, Happened, unobserved
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.ledger import Ledger, open_ledger
from inbond.upstream.feed import Feed, FeedSettings
from sim.osv import directory, malware

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def asked(project: str, *, metadata: bool = False, decision: Decision = Decision.ALLOW) -> Asked:
    return Asked(
        at=NOW,
        index="root",
        upstream="pypi",
        project=ProjectName(project),
        filename=Filename(f"{project}-1.0-py3-none-any.whl"),
        version="1.0",
        sha256=project.encode().hex().zfill(64),
        client="10.0.0.1",
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

    async def served(self, upstream: str, project: ProjectName) -> tuple[AskedRow, ...]:
        self.looked_at.append(project)
        return await self._ledger.served(upstream, project)


class World:
    def __init__(self, place: Path, ledger: Ledger) -> None:
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
            self.advisories, self.history, {}, clock=lambda: NOW, observer=self.observe, settle=0.0
        )

    def observe(self, event: Event) -> None:
        match event:
            case Happened():
                self.told.append(event.occurrence.key)
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
    async with asyncio.timeout(10):
        while not done():
            await asyncio.sleep(0.01)


async def test_only_projects_that_were_served_and_are_named_anew_are_looked_at(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    try:
        refused, looked = asked("refused", decision=Decision.DENY), asked("looked-up", metadata=True)
        await ledger.record([asked("demo"), asked("other"), refused, looked])
        assert await ledger.served_projects() == {("pypi", "demo"), ("pypi", "other")}
        world = World(tmp_path, ledger)
        for project in ("demo", "refused", "looked-up"):
            await world.publish(f"MAL-{project}", project)

        await world.retroactive.look()
        assert world.history.looked_at == ["demo"]
        assert world.told == [f"served-turned-bad root {b'demo'.hex().zfill(64)} MAL-demo"]

        await world.retroactive.look()
        assert world.history.looked_at == ["demo"]  # nothing else is said of it

        await world.publish("MAL-other", "other")
        await world.retroactive.look()
        assert world.history.looked_at == ["demo", "other"]
    finally:
        await ledger.aclose()


async def test_it_looks_at_a_start_and_after_each_change(tmp_path: Path) -> None:
    ledger = open_ledger(tmp_path / "ledger.sqlite3", observer=unobserved)
    world = World(tmp_path, ledger)
    try:
        await ledger.record([asked("demo"), asked("other")])
        await world.publish("MAL-1", "demo")
        world.retroactive.start()
        await until(lambda: len(world.told) == 1)
        await world.publish("MAL-2", "other")
        await until(lambda: len(world.told) == 2)
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
        await ledger.record([asked("demo")])
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
