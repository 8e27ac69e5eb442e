"""One source of advisories as it stands: what was read last, and what is wrong with it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Final, assert_never

from yarl import URL

from inbond.advisories.snapshot import SourceRecords
from inbond.gateway.advisory_archive import Kept, KeptArchive
from inbond.gateway.advisory_places import Imported, OnDisk, Place, Unasked
from inbond.gateway.advisory_sources import AdvisorySource, FromImports, Look, Unreadable
from inbond.gateway.brought import Brought
from inbond.gateway.clock import Clock
from inbond.model.aging import Aged, Freshness
from inbond.model.errors import InbondError
from inbond.model.units import about
from inbond.upstream.feed import Feed, FeedSettings
from inbond.upstream.locations import shown

RETRY_AFTER: Final = timedelta(minutes=5)  # a URL that did not answer; sooner where `refresh` is


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceStatus:
    """How a source stands. `as_of`: when its records were last known to be all; None where none were ever read.

    `problem`: why nothing newer could be had; what was read before stays in force. `aged`: against `max_age`, where
    there are records and a limit. `how`: how they came here, where the configuration does not say so.
    """

    source: AdvisorySource
    records: SourceRecords | None
    as_of: datetime | None
    problem: str | None
    aged: Aged | None = None
    how: str | None = None

    @property
    def too_old(self) -> bool:
        """Whether its records are older than `max_age`."""
        return self.aged is not None and self.aged.freshness is Freshness.TOO_OLD

    @property
    def failing(self) -> bool:
        """Whether nothing is known from it, or not that it is young enough."""
        return self.unusable or (self.aged is not None and self.aged.failing)

    @property
    def unusable(self) -> bool:
        """Whether nothing is known from it at all."""
        return self.records is None


class SourceState:
    """A source, and the records that are in force from it. `start` and `bring` say whether they changed.

    They raise nothing: whatever is wrong with one source, the others count. `behind`: said of a first look that takes
    long, until it is over. `in_force`: set by whoever joins what is held with that of others; before, nothing is known.
    """

    def __init__(self, source: AdvisorySource, clock: Clock) -> None:
        self.source = source
        self.held: Kept | None = None
        self.problem: str | None = None
        self.behind: str | None = None
        self.in_force = False
        self.how: str | None = None
        self._clock = clock
        self._looking = asyncio.Lock()

    async def start(self) -> bool:
        """The first look."""
        try:
            async with self._looking:
                return await self._guarded(self._first)
        finally:
            self.behind = None

    async def bring(self) -> bool:
        """Looks, and reads where something is new. Whether other records are in force now."""
        async with self._looking:
            return await self._guarded(self._newer)

    async def _guarded(self, look: Callable[[], Awaitable[Kept | None]]) -> bool:
        try:
            found = await look()
        except (Unreadable, InbondError) as error:
            self.problem = str(error)
            return False
        except Exception as error:  # noqa: BLE001 (hostile input finds ways: what was read before stays in force)
            self.problem = f"it cannot be read: {error!r:.200}"
            return False
        self.problem = None
        if found is None:
            return False
        self.held = found
        return True

    async def _first(self) -> Kept | None:
        return await self._newer()

    async def _newer(self) -> Kept | None:
        """Records that are not in force yet. Raises `Unreadable` and `InbondError`."""
        raise NotImplementedError  # pragma: no cover (abstract)

    async def aclose(self) -> None:
        """Ends what it holds open."""

    def status(self) -> SourceStatus:
        """As it stands now."""
        held = self.held if self.in_force else None
        as_of, limit = None if held is None else held.confirmed, self.source.max_age
        return SourceStatus(
            source=self.source,
            records=None if held is None else held.records,
            as_of=as_of,
            problem=self.behind or self.problem,
            aged=None if as_of is None or limit is None else Aged(as_of=as_of, max_age=limit, now=self._clock()),
            how=self.how,
        )

    def facts(self) -> tuple[int, datetime | None]:
        """How many records are in force, and when they were last known to be all."""
        return (0, None) if self.held is None else (len(self.held.records.records), self.held.confirmed)

    def trouble(self) -> str | None:
        """What an operator should see to; None where all is well."""
        status = self.status()
        where = f"[advisories.{self.source.name}]"
        if status.unusable:
            return f"{where} nothing is known from it: {status.problem or 'what was read is being taken up'}"
        assert status.as_of is not None
        if status.too_old:
            age = about(self._clock() - status.as_of)
            why = f": {status.problem}" if status.problem else "; is it still kept up to date?"
            return f"{where} its advisories are {age} old{why}"
        if status.aged is not None and status.aged.freshness is Freshness.AHEAD:
            return f"{where} the archive {status.aged.said}"
        return None if status.problem is None else f"{where} the advisories read before stay in force: {status.problem}"

    def warning(self) -> str | None:
        """What will be trouble soon; None where that is far off, or here already."""
        aged = self.status().aged
        if aged is None or aged.freshness is not Freshness.AGING:
            return None
        return f"[advisories.{self.source.name}] what is known {aged.said}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bad:
    """What a place looked like that could not be read, and why."""

    mark: str
    problem: str
    at: datetime


class PlaceState(SourceState):
    """A place on this machine. It is looked at each time, and read where it looks different.

    One that cannot be read is read again when it changes, or after `RETRY_AFTER`.
    """

    def __init__(self, source: AdvisorySource, place: Place, clock: Clock) -> None:
        super().__init__(source, clock)
        self._place = place
        self._mark: str | None = None  # of what is held
        self._bad: _Bad | None = None

    async def _newer(self) -> Kept | None:
        look = await asyncio.to_thread(self._place.look)
        if look.mark == self._mark:
            self._bad = None
            self._date(look)
            return None
        bad = self._bad
        if bad is not None and bad.mark == look.mark and self._clock() - bad.at < RETRY_AFTER:
            raise Unreadable(bad.problem)
        try:
            records = await asyncio.to_thread(self._place.read, look)
        except Unreadable as error:
            self._bad = _Bad(mark=look.mark, problem=str(error), at=self._clock())
            raise
        # Together with what it is the mark of, which the caller holds from here on: whoever is cut short reads again.
        self._mark, self._bad, self.how = look.mark, None, look.how
        return Kept(records=records, confirmed=look.at)

    def _date(self, look: Look) -> None:
        """The same records may be known to be current at a later time: an import brought them again."""
        if self.held is not None and self.held.confirmed != look.at:
            self.held = Kept(records=self.held.records, confirmed=look.at)


class FeedState(SourceState):
    """An archive at a URL, asked every `refresh`, and kept; where not `asks`, what another process keeps is read."""

    def __init__(
        self,
        source: AdvisorySource,
        kept: KeptArchive,
        feed: Callable[[], Feed],
        clock: Clock,
        *,
        asks: Callable[[], bool],
    ) -> None:
        super().__init__(source, clock)
        self._asks = asks
        self._kept = kept
        self._open = feed
        self._feed: Feed | None = None
        self._asked: datetime | None = None
        self._mark = ""

    async def _first(self) -> Kept | None:
        """What was kept, if anything was; else the URL is asked first."""
        try:
            self._mark = await asyncio.to_thread(self._kept.age_mark)
            found = await asyncio.to_thread(self._kept.load)
        except Unreadable as error:
            self.problem, found = str(error), None
        return await self._newer() if found is None else found

    async def _newer(self) -> Kept | None:
        mark = await asyncio.to_thread(self._kept.age_mark)
        if mark != self._mark:  # another process has fetched
            self._mark = mark
            found = await asyncio.to_thread(self._kept.load)
            if found is not None:
                return found
        if not self._is_due():
            if self.problem is not None:
                raise Unreadable(self.problem)  # as it was
            return None
        now = self._clock()
        self._asked = now
        if self._feed is None:
            self._feed = self._open()
        found = await self._kept.fetch(self._feed, usable=self.held is not None, now=now)
        self._mark = await asyncio.to_thread(self._kept.age_mark)
        if found is None and self.held is not None:
            self.held = Kept(records=self.held.records, confirmed=now)
        return found

    def _is_due(self) -> bool:
        if not self._asks():
            return False
        now, refresh = self._clock(), self.source.refresh
        if self.problem is not None and self._asked is not None:
            return now - self._asked >= min(refresh, RETRY_AFTER)
        last = self._asked or (None if self.held is None else self.held.confirmed)
        return last is None or now - last >= refresh

    async def aclose(self) -> None:
        """Ends its connections."""
        if self._feed is not None:
            await self._feed.aclose()


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What sources need besides the configuration. `directory`: in the cache, where archives from URLs are kept.

    `find`: what imports brought under a source's name. `offline`: no URL is asked. `asks`: whether this process asks
    them, of several that keep them in one place.
    """

    directory: Path
    open_feed: Callable[[FeedSettings], Feed]
    find: Callable[[str], Brought | None]
    offline: bool = False
    asks: Callable[[], bool] = lambda: True


def state_of(source: AdvisorySource, around: Surroundings, clock: Clock) -> SourceState:
    """The state of a source, before the first look."""
    imported = Imported(name=source.name, find=partial(around.find, source.name))
    match source.place:
        case Path() as path:
            return PlaceState(source, OnDisk(path=path), clock)
        case FromImports():
            return PlaceState(source, imported, clock)
        case FeedSettings() as feed:
            kept = KeptArchive(around.directory, feed)
            if around.offline:
                url = shown(URL(feed.url))
                return PlaceState(source, Unasked(kept=kept, imported=imported, url=url), clock)
            return FeedState(source, kept, partial(around.open_feed, feed), clock, asks=around.asks)
        case _:
            assert_never(source.place)
