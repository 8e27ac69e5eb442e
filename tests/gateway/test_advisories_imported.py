"""Advisories that imports bring: read like other archives, of the age that they had where they were sent from."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway.advisories import AdvisoryKeeper
from inbond.gateway.advisory_archive import KeptArchive
from inbond.gateway.advisory_places import Imported, Unasked, read_brought
from inbond.gateway.advisory_sources import AdvisorySource, FromImports, Look, Unreadable
from inbond.gateway.brought import Brought
from inbond.model.events import Alert, Event
from inbond.model.names import ProjectName
from inbond.upstream.feed import Feed, FeedSettings
from sim.feed import SimFeed
from sim.osv import malware, zipped
from stack import SetClock

DEMO = ProjectName("demo")
FIRST = zipped({"MAL-1.json": malware("MAL-1", "demo")})
SECOND = zipped({"MAL-2.json": malware("MAL-2", "demo")})
DAY = timedelta(days=1)
OWN = AdvisorySource(name="own", place=FromImports(), max_age=timedelta(days=8))


class Arrivals:
    """What imports brought under the name "own", as a test sets it."""

    def __init__(self, place: Path) -> None:
        self.newest: Brought | None = None
        self._place = place

    def bring(self, archive: bytes, as_of: datetime) -> Path:
        sha256 = hashlib.sha256(archive).hexdigest()
        path = self._place / sha256
        path.write_bytes(archive)
        self.newest = Brought(path=path, sha256=sha256, as_of=as_of)
        return path

    def find(self, name: str) -> Brought | None:
        return self.newest if name == "own" else None


@pytest.fixture
def arrivals(tmp_path: Path) -> Arrivals:
    return Arrivals(tmp_path)


@asynccontextmanager
async def keeper(
    arrivals: Arrivals,
    source: AdvisorySource = OWN,
    *,
    place: Path,
    clock: Callable[[], datetime],
    told: list[str] | None = None,
    offline: bool = False,
) -> AsyncIterator[AdvisoryKeeper]:
    def observe(event: Event) -> None:
        if isinstance(event, Alert) and told is not None:
            told.append(f"{event.name}: {event.message}")

    def open_feed(settings: FeedSettings) -> Feed:
        assert not offline, "a feed was opened"
        return Feed.open(settings, observer=observe, user_agent="inbond/test")

    made = AdvisoryKeeper(
        [source],
        directory=place / "kept",
        open_feed=open_feed,
        clock=clock,
        observer=observe,
        poll_every=0.02,
        find=arrivals.find,
        offline=offline,
    )
    try:
        await made.start()
        yield made
    finally:
        await made.aclose()


def ids(known: AdvisoryKeeper) -> list[str]:
    return [one.id for one in known.of(DEMO)]


async def until(done: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


async def test_what_an_import_brings_counts_without_a_restart_and_by_its_own_age(
    arrivals: Arrivals, tmp_path: Path
) -> None:
    clock = SetClock()
    before = clock() - 30 * DAY
    async with keeper(arrivals, place=tmp_path, clock=clock) as known:
        assert not known.usable
        assert "no bundle that was imported brought advisories named 'own'" in known.troubles()["own"]
        arrivals.bring(FIRST, before)
        await until(lambda: ids(known) == ["MAL-1"])
        (status,) = known.statuses()
        assert (status.as_of, status.how, status.too_old) == (before, "imported", True)

        arrivals.bring(SECOND, clock())
        await until(lambda: ids(known) == ["MAL-2"])
        assert not known.troubles()


async def test_the_same_records_may_be_brought_again_and_are_younger_then(arrivals: Arrivals, tmp_path: Path) -> None:
    clock = SetClock()
    arrivals.bring(FIRST, clock() - 30 * DAY)
    async with keeper(arrivals, place=tmp_path, clock=clock) as known:
        records = known.statuses()[0].records
        assert known.troubles()
        arrivals.bring(FIRST, clock())
        await until(lambda: not known.troubles())
        assert known.statuses()[0].records is records, "they were read again"


async def test_what_will_be_too_old_is_told_once_before_it_is(arrivals: Arrivals, tmp_path: Path) -> None:
    clock, told = SetClock(), list[str]()
    arrivals.bring(FIRST, clock() - DAY)
    async with keeper(arrivals, place=tmp_path, clock=clock, told=told) as known:
        assert (known.warnings(), known.troubles()) == ({}, {})
        clock.advance(5 * DAY)
        await until(lambda: told)
        assert known.warnings()["own"].startswith("[advisories.own] what is known will be too old in 2 days: as of ")
        assert not known.troubles()
        clock.advance(3 * DAY)
        await until(lambda: len(told) > 1)
        assert known.warnings() == {}
        await asyncio.sleep(0.1)
    assert [one.partition(":")[0] for one in told] == ["advisories-aging", "advisories-unavailable"]
    assert "its advisories are 9 days old" in told[1]


async def test_a_clock_that_went_back_does_not_make_them_young(arrivals: Arrivals, tmp_path: Path) -> None:
    clock = SetClock()
    arrivals.bring(FIRST, clock())
    async with keeper(arrivals, place=tmp_path, clock=clock) as known:
        clock.advance(-400 * DAY)
        (status,) = known.statuses()
        assert status.failing
        assert "set the clock" in known.troubles()["own"]
        assert ids(known) == ["MAL-1"]


async def test_a_damaged_archive_is_not_taken_up(arrivals: Arrivals, tmp_path: Path) -> None:
    clock = SetClock()
    arrivals.bring(FIRST, clock())
    async with keeper(arrivals, place=tmp_path, clock=clock) as known:
        path = arrivals.bring(SECOND, clock())
        path.write_bytes(SECOND + b"!")
        await until(known.troubles)
        assert "is damaged; import the bundle that brought it again" in known.troubles()["own"]
        assert ids(known) == ["MAL-1"]


def test_what_is_no_archive_or_gone_says_so(arrivals: Arrivals, tmp_path: Path) -> None:
    path = arrivals.bring(b"no archive", SetClock()())
    assert arrivals.newest is not None
    with pytest.raises(Unreadable, match=r"^the archive that was imported is neither a directory"):
        read_brought(arrivals.newest)
    path.unlink()
    with pytest.raises(Unreadable, match="No such file or directory; import the bundle that brought it again"):
        read_brought(arrivals.newest)


def test_an_import_between_looking_and_reading_is_seen(arrivals: Arrivals) -> None:
    place = Imported(name="own", find=lambda: arrivals.newest)
    arrivals.bring(FIRST, SetClock()())
    look = place.look()
    arrivals.bring(SECOND, SetClock()())
    with pytest.raises(Unreadable, match="an import has just brought others"):
        place.read(look)


# --- a URL that is not asked


async def test_a_url_is_not_asked_offline_and_what_it_gave_before_counts(arrivals: Arrivals, tmp_path: Path) -> None:
    clock = SetClock()
    async with SimFeed(FIRST) as feed:
        source = replace(OWN, place=FeedSettings(name="own", url=f"{feed.url}?token=s3cret"))
        async with keeper(arrivals, source, place=tmp_path, clock=clock, offline=True) as known:
            said = known.troubles()["own"]
            assert "inbond runs offline; of " in said
            assert "nothing was kept, and nothing imported for it" in said
            assert "s3cret" not in said
        async with keeper(arrivals, source, place=tmp_path, clock=clock) as known:
            assert ids(known) == ["MAL-1"]
        fetched = clock()
        asked = len(feed.asked)
        async with keeper(arrivals, source, place=tmp_path, clock=clock, offline=True) as known:
            assert ids(known) == ["MAL-1"]
            assert known.statuses()[0].how == "kept from before"
            arrivals.bring(SECOND, fetched + DAY)
            await until(lambda: ids(known) == ["MAL-2"])
            assert known.statuses()[0].how == "imported"
            arrivals.bring(SECOND, fetched - DAY)
            await until(lambda: ids(known) == ["MAL-1"])
        assert len(feed.asked) == asked


def test_what_was_kept_and_went_meanwhile_is_looked_for_again(arrivals: Arrivals, tmp_path: Path) -> None:
    kept = KeptArchive(tmp_path, FeedSettings(name="own", url="https://osv.acme.example/all.zip"))
    place = Unasked(kept=kept, imported=Imported(name="own", find=lambda: None), url="")

    with pytest.raises(Unreadable, match="is just being replaced"):
        place.read(Look(mark="kept before", at=SetClock()()))
