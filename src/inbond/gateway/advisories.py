"""What is known against releases, at this moment: the advisories of all sources, kept fresh.

For the composition root: `inbond.cli.advising.advising(config, …)` builds an `AdvisoryKeeper` and closes it; without
`[advisories.NAME]` there is `NoAdvisories`. Both have `set`, `version`, `of(project)` and `digest_of(project)`, at once
and on the event loop. See docs/advisories.md.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, NoReturn, Protocol

from inbond.advisories.snapshot import NOTHING_KNOWN, AdvisorySet, SourceRecords
from inbond.gateway.advisory_sources import AdvisorySource, spare
from inbond.gateway.advisory_state import SourceState, SourceStatus, Surroundings, state_of
from inbond.gateway.brought import Brought
from inbond.gateway.clock import Clock
from inbond.model.advisory import Advisory
from inbond.model.events import Alert, Observer
from inbond.model.names import ProjectName
from inbond.model.text import counted
from inbond.upstream.feed import Feed, FeedSettings

POLL_EVERY: Final = 10.0  # seconds between looks at the sources
FIRST_WITHIN: Final = 60.0  # seconds that a start waits for one source


class KnownAdvisories(Protocol):
    """The advisories in force. All of it is at once: it is asked before each use of a page."""

    @property
    def configured(self) -> bool:
        """Whether there is any source; where not, that nothing is known means nothing."""
        ...

    @property
    def usable(self) -> bool:
        """Whether what is not known here can be called unknown: sources were read, and all that must be."""
        ...

    def troubles(self) -> Mapping[str, str]:
        """What an operator should see to, by source."""
        ...

    @property
    def set(self) -> AdvisorySet:
        """All of them."""
        ...

    @property
    def version(self) -> str:
        """Differs whenever the set does."""
        ...

    def of(self, project: ProjectName) -> tuple[Advisory, ...]:
        """Those on a project."""
        ...

    def digest_of(self, project: ProjectName) -> str:
        """Differs whenever the advisories on a project do; "" where there is none."""
        ...


def no_imports(_name: str) -> None:
    """`find` where nothing can be imported."""


class NoAdvisories:
    """`KnownAdvisories` without a source."""

    configured = False
    usable = False
    set = NOTHING_KNOWN
    version = NOTHING_KNOWN.version

    def of(self, project: ProjectName) -> tuple[Advisory, ...]:
        """Nothing."""
        return self.set.of(project)

    def digest_of(self, project: ProjectName) -> str:
        """Nothing."""
        return self.set.digest_of(project)

    def troubles(self) -> Mapping[str, str]:
        """None: there is no source that could be in trouble."""
        return {}


class AdvisoryKeeper:
    """`KnownAdvisories` from sources that change: looked at again and again, read in a thread, taken up at once.

    Args:
        sources: where records come from.
        directory: in the cache, where archives from URLs are kept.
        open_feed: what asks a URL.
        clock: for how old things are.
        observer: hears what is wrong with a source, once for each thing, and of records that cannot be read.
        poll_every: seconds between looks.
        find: what imports brought under a source's name.
        offline: whether no URL is asked.
        asks: whether it is this process that asks URLs, of several; asked anew each time.
    """

    configured = True

    def __init__(
        self,
        sources: Iterable[AdvisorySource],
        *,
        directory: Path,
        open_feed: Callable[[FeedSettings], Feed],
        clock: Clock,
        observer: Observer,
        poll_every: float = POLL_EVERY,
        find: Callable[[str], Brought | None] = no_imports,
        offline: bool = False,
        asks: Callable[[], bool] = lambda: True,
    ) -> None:
        around = Surroundings(directory=directory, open_feed=open_feed, find=find, offline=offline, asks=asks)
        self._states = tuple(state_of(source, around, clock) for source in sources)
        self._observer = observer
        self._poll_every = poll_every
        self._set = NOTHING_KNOWN
        self._joined: tuple[SourceRecords, ...] = ()
        self._joining = asyncio.Lock()
        self._told: dict[tuple[str, str], object] = {}
        self._listeners: list[Callable[[], None]] = []
        self._tasks: list[asyncio.Task[bool] | asyncio.Task[NoReturn]] = []

    @property
    def set(self) -> AdvisorySet:
        """All advisories in force."""
        return self._set

    @property
    def version(self) -> str:
        """Differs whenever the set does."""
        return self._set.version

    def of(self, project: ProjectName) -> tuple[Advisory, ...]:
        """Those on a project."""
        return self._set.of(project)

    def digest_of(self, project: ProjectName) -> str:
        """Differs whenever the advisories on a project do."""
        return self._set.digest_of(project)

    @property
    def usable(self) -> bool:
        """Whether every source that is required, and at least one at all, has been read."""
        statuses = self.statuses()
        required = [one for one in statuses if one.source.required]
        return not any(one.unusable for one in required) and not all(one.unusable for one in statuses)

    def statuses(self) -> tuple[SourceStatus, ...]:
        """How each source stands."""
        return tuple(state.status() for state in self._states)

    def troubles(self) -> dict[str, str]:
        """What an operator should see to, by source."""
        return {state.source.name: said for state in self._states if (said := state.trouble()) is not None}

    def warnings(self) -> dict[str, str]:
        """What will be trouble soon, by source."""
        return {state.source.name: said for state in self._states if (said := state.warning()) is not None}

    def facts(self) -> dict[str, Callable[[], tuple[int, datetime | None]]]:
        """For metrics, by source: how many records are in force from it, and when they were last known to be all."""
        return {state.source.name: state.facts for state in self._states}

    def listen(self, changed: Callable[[], None]) -> None:
        """Has something called, on the event loop, whenever another set is in force."""
        self._listeners.append(changed)

    async def load(self) -> None:
        """Reads all sources once. One that is slow goes on being read behind; until then that is its problem."""
        await self._load()

    async def start(self) -> None:
        """Reads all sources, and keeps looking at them."""
        for state, first in await self._load():
            self._tasks.append(asyncio.create_task(self._watch(state, first), name=f"advisories.{state.source.name}"))

    async def look(self) -> None:
        """Looks at all sources now, and takes up what is new."""
        await asyncio.gather(*map(self._look_at, self._states))

    async def aclose(self) -> None:
        """Ends everything. May be called at any time."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for state in self._states:
            await state.aclose()

    async def _load(self) -> list[tuple[SourceState, asyncio.Task[bool]]]:
        firsts = [(state, asyncio.create_task(state.start())) for state in self._states]
        self._tasks += [first for _, first in firsts]
        _, late = await asyncio.wait([first for _, first in firsts], timeout=FIRST_WITHIN)
        for state, first in firsts:
            if first in late:
                state.behind = f"it was not read after {FIRST_WITHIN:g} seconds, and is still being read"
        await self._take_up()
        return firsts

    async def _watch(self, state: SourceState, first: asyncio.Task[bool]) -> NoReturn:
        """One source: however slow it is, the others do not wait for it."""
        if not first.done():
            await first
            await self._take_up()
        while True:
            await asyncio.sleep(self._poll_every)
            await self._look_at(state)

    async def _look_at(self, state: SourceState) -> None:
        await state.bring()
        await self._take_up()

    async def _take_up(self) -> None:
        """Puts in force what the sources hold now, and tells how they stand. Raises nothing."""
        problem = None
        try:
            async with self._joining:
                await self._join()
        except Exception as error:  # noqa: BLE001 (whatever it is, what was read before stays in force)
            problem = f"advisories: what was read cannot be taken up: {error!r:.200}"
        self._once("", "advisories-not-refreshed", problem, problem)
        self._tell()

    async def _join(self) -> None:
        reading = [state for state in self._states if state.held is not None]
        held = tuple(state.held.records for state in reading if state.held is not None)
        if list(map(id, held)) == list(map(id, self._joined)):
            return
        joined = await asyncio.to_thread(_joined, held)
        self._joined = held
        for state in reading:
            state.in_force = True
        if joined.version == self._set.version:
            return
        self._set = joined
        for changed in self._listeners:
            changed()

    def _tell(self) -> None:
        """Each thing that is wrong once, until it is another or well again."""
        for state in self._states:
            status = state.status()
            if status.unusable and status.problem is None:
                continue  # it is being taken up: what was told before stands until then
            stands = (status.unusable, None if status.aged is None else status.aged.failing, status.problem)
            self._once(state.source.name, "advisories-unavailable", state.trouble(), stands)
            self._once(state.source.name, "advisories-aging", state.warning(), "aging")
            unreadable = _unreadable(state)
            self._once(state.source.name, "advisories-unreadable", unreadable, unreadable)

    def _once(self, source: str, alert: str, said: str | None, stands: object) -> None:
        before = self._told.get((source, alert))
        self._told[source, alert] = None if said is None else stands
        if said is not None and before != stands:
            self._observer(Alert(name=alert, message=said))


def _joined(held: Iterable[SourceRecords]) -> AdvisorySet:
    joined = AdvisorySet.joined(held)
    spare()
    return joined


def _unreadable(state: SourceState) -> str | None:
    records = None if state.held is None else state.held.records
    if records is None or not records.problems:
        return None
    bad = f"{counted(records.bad, 'file')} count for nothing" if records.bad else ""
    odd = f"{counted(records.remarked, 'record')} can be read in part" if records.remarked else ""
    return f"[advisories.{state.source.name}] {', '.join(filter(None, (bad, odd)))}: {'; '.join(records.problems[:3])}"
