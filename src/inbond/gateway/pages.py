"""Pages: fresh, renewed behind, or stale while upstream is down or slow; never older than one seen before.

A page is one of four things to whoever asks for it. Younger than `fresh_for`: given at once. Older by at most
`stale_while_revalidate`: given at once, and renewed behind. Older: upstream is asked, and where it fails, or takes
longer than `SLOW_AFTER`, the page is given as stale. Older than `max_stale`: not given without upstream. A client that
insists is never given one that upstream could have confirmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.gateway.page_ages import MIN_REVALIDATION_INTERVAL, PageAges
from inbond.gateway.page_documents import NO_PAGE, PageDocuments, encoded, identified, remembered
from inbond.gateway.page_state import PageFreshness, PageState, page_state, with_memory
from inbond.gateway.paths import published_path
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.vanishing import vanished_files, vanished_project
from inbond.model.errors import (
    FIRST_HAD,
    DigestMismatch,
    UpstreamBroken,
    UpstreamFault,
    UpstreamPaused,
    UpstreamRefused,
)
from inbond.model.events import Alert, CacheLookup, Observer
from inbond.model.memory import PageMemory
from inbond.model.names import ProjectName
from inbond.model.page import File, Page, Status
from inbond.store.ledger import Ledger
from inbond.store.protocols import Documents
from inbond.upstream.answers import FetchedPage, NotModified, ProjectUnknown
from inbond.upstream.source import Source

# After a failure the stale page is served this long before upstream is asked again.
RETRY_FAILED_AFTER: Final = timedelta(seconds=10)
# How long "no such project" is believed without asking again, and of how many names.
UNKNOWN_FOR: Final = timedelta(seconds=30)
MAX_UNKNOWN: Final = 10_000
# Decoded pages kept in memory, counted in bytes of their stored form; decoded they take about three times that.
MAX_BYTES_IN_MEMORY: Final = 64 * 2**20
UNSAID: Final = (1, 0)  # PEP 629: the version of a page that says none
# Where upstream, or the store, takes longer, an older page is given meanwhile. Installers wait 15 s, people less.
SLOW_AFTER: Final = 2.0  # seconds


class NotAtHand(Enum):
    """What is neither known nor known to be unknown: somebody has to be asked."""

    NOT_AT_HAND = auto()


class PageKeeper:
    """Knows every upstream's pages. Raises `UpstreamFault` where neither upstream nor the cache has an answer."""

    def __init__(
        self, upstreams: Mapping[str, Source], documents: Documents, ledger: Ledger, clock: Clock, observer: Observer
    ) -> None:
        self._upstreams = upstreams
        self._fed = frozenset(name for name, source in upstreams.items() if source.local)
        self._stored = PageDocuments(documents, ledger, clock, observer)
        self._ledger = ledger
        self._clock = clock
        self._observer = observer
        self._ages = PageAges(upstreams, ledger, clock)
        self._states: Lru[tuple[str, ProjectName], PageState] = Lru(MAX_BYTES_IN_MEMORY, lambda state: state.weight)
        self._unknown: Lru[tuple[str, ProjectName], datetime] = Lru(MAX_UNKNOWN)
        # When upstream last failed to answer, and the highest serial of then.
        self._failed: Lru[tuple[str, ProjectName], tuple[datetime, int | None]] = Lru(MAX_UNKNOWN)
        self._looks: SingleFlight[tuple[str, ProjectName], PageState | None] = SingleFlight()
        self._flights: SingleFlight[tuple[str, ProjectName], PageState | None] = SingleFlight()
        self._versioned: set[str] = set()  # upstreams of which a page said its version
        self._slow: set[asyncio.Task[PageState | None]] = set()  # flights for which nobody waits any more

    @property
    def fed(self) -> frozenset[str]:
        """The upstreams that imports answer for."""
        return self._fed

    async def current(self, upstream: str, project: ProjectName, *, revalidate: bool = False) -> PageState | None:
        """The project's page at that upstream, or None where upstream knows no such project.

        `revalidate`: the client insists on an answer that upstream has confirmed.
        """
        known = self.at_hand(upstream, project, revalidate=revalidate)
        if not isinstance(known, NotAtHand):
            if known is not None:
                self._observer(CacheLookup(kind="page", hit=True))
            return known
        return await self._asked(upstream, project, revalidate=revalidate)

    def at_hand(self, upstream: str, project: ProjectName, *, revalidate: bool = False) -> PageState | NotAtHand | None:
        """What `current` says at once, where it has to ask nobody; tells nobody. On the event loop."""
        key = (upstream, project)
        state = self._states.get(key)
        if state is not None and not revalidate and self._ages.fresh(state):
            return state
        if state is not None and self._fresh(state, revalidate=revalidate):
            return self._ages.told(state)
        return None if self._is_unknown(key, revalidate=revalidate) else NotAtHand.NOT_AT_HAND

    async def _asked(self, upstream: str, project: ProjectName, *, revalidate: bool) -> PageState | None:
        """As `current`, where nothing is at hand."""
        key = (upstream, project)
        state = self._states.get(key)
        if key not in self._flights:
            look = self._looks.start(key, lambda: self._newest(upstream, project))
            if state is not None and not revalidate and self._ages.servable(state):
                await asyncio.wait([look], timeout=SLOW_AFTER)
                if not look.done():  # the store is busy
                    return self._ages.told(state)
            state = await asyncio.shield(look)
            if state is not None and self._fresh(state, revalidate=revalidate):
                self._observer(CacheLookup(kind="page", hit=True))
                return self._ages.told(state)
        flight = self._flights.start(key, lambda: self._renew(upstream, project, state, revalidate=revalidate))
        if state is not None and not revalidate and await self._instead(state, flight):
            behind = self._ages.renewable_behind(state)
            return self._ages.told(state, PageFreshness.REVALIDATING if behind else PageFreshness.STALE)
        state = await asyncio.shield(flight)
        if revalidate and state is not None and not self._fresh(state, revalidate=True):
            # the flight that was joined had not been asked to revalidate
            state = await self._flights.do(key, lambda: self._renew(upstream, project, None, revalidate=True))
        return None if state is None else self._ages.told(state)

    async def _instead(self, state: PageState, flight: asyncio.Task[PageState | None]) -> bool:
        """Whether a page is given as it is, while upstream is being asked about it."""
        if not self._ages.servable(state):
            return False
        if self._ages.renewable_behind(state):
            self._observer(CacheLookup(kind="page", hit=True))
            return True
        if flight not in self._slow:
            await asyncio.wait([flight], timeout=SLOW_AFTER)
            if not flight.done():
                self._slow.add(flight)
                flight.add_done_callback(self._slow.discard)
        return not flight.done()

    def _fresh(self, state: PageState, *, revalidate: bool) -> bool:
        """Whether a page needs no question to upstream: young enough, or upstream has just failed to answer one."""
        if self._ages.fresh(state, insisting=revalidate):
            return True
        failed = self._failed.get((state.upstream, state.page.name))
        if failed is None or self._clock() - failed[0] >= RETRY_FAILED_AFTER:
            return False
        return failed[1] == self._ages.highest(state) and self._ages.servable(state)

    def _is_unknown(self, key: tuple[str, ProjectName], *, revalidate: bool) -> bool:
        """Whether upstream has said a moment ago that it knows no such project."""
        asked, source = self._unknown.get(key), self._upstreams[key[0]]
        believed = MIN_REVALIDATION_INTERVAL if revalidate else UNKNOWN_FOR
        return asked is not None and self._clock() - asked < (source.settings.fresh_for if source.local else believed)

    async def _newest(self, upstream: str, project: ProjectName) -> PageState | None:
        """The page as it is known here, or as another process has confirmed it since."""
        known = self._states.get((upstream, project))
        if self._upstreams[upstream].local:
            return known
        newest = await self._stored.newest(upstream, project, known)
        if newest is not None and newest is not known:
            return await self._kept(newest)
        return newest

    async def _renew(
        self, upstream: str, project: ProjectName, known: PageState | None, *, revalidate: bool
    ) -> PageState | None:
        key = (upstream, project)
        known = self._states.get(key) or known
        if known is not None and self._fresh(known, revalidate=revalidate):
            self._observer(CacheLookup(kind="page", hit=True))
            return await self._kept(known)
        self._observer(CacheLookup(kind="page", hit=False))
        try:
            state = await self._ask(upstream, project, known)
        except UpstreamFault as fault:
            if isinstance(fault, UpstreamRefused) and fault.status == HTTPStatus.GONE:
                raise  # the index says that nothing of it is there, and says so on purpose
            if not isinstance(fault, UpstreamPaused):  # which costs nothing to hear again
                self._failed.put(key, (self._clock(), self._ages.highest(known) if known is not None else None))
            known = self._states.get(key) or known
            if known is None or not self._ages.servable(known):
                raise
            state = known
        else:
            self._failed.pop(key)
        if state is None:
            self._states.pop(key)
            self._unknown.put(key, self._clock())
            if known is not None and not self._upstreams[upstream].local:
                await self._stored.delete(upstream, project)
            return None
        return await self._kept(state)

    async def _kept(self, state: PageState) -> PageState:
        """Keeps a page, and only then asks what memory says by now.

        In this order a digest that is fixed meanwhile is missed by nobody: either it is in memory when that is asked,
        or the page is here for `fix_digest` to find.
        """
        if state.page.api_version != UNSAID:
            self._versioned.add(state.upstream)
        self._states.put((state.upstream, state.page.name), state)
        return await self._recalled(state)

    async def _ask(self, upstream: str, project: ProjectName, known: PageState | None) -> PageState | None:
        source = self._upstreams[upstream]
        answer = await source.page(project, known.validators if known else None)
        if await self._doubtful(upstream, project, answer):
            # A cache on the way may be behind: ask once more past it, then believe what is not older.
            answer = await source.page(project, None, bypass_caches=True)
            if isinstance(answer, FetchedPage) and self._went_back(upstream, answer.page):
                raise self._gone_back(upstream, answer.page, await self._ledger.highest_serial(upstream, project))
        match answer:
            case ProjectUnknown():
                if not source.local:  # that no bundle brought it says nothing about what the index has
                    await self._gone(upstream, project)
                return None
            case NotModified():
                if known is None:
                    raise UpstreamBroken(f"{upstream} says that {project} has not changed, but was not asked that")
                # what was known may have been given digests while upstream was asked
                known = self._states.get((upstream, project)) or known
                state = replace(known, validated_at=self._clock())
                if source.local:
                    return state
                body = await encoded(state.page)
                state = replace(state, stored_id=identified(body))  # another inbond may have written it otherwise
                await self._remember(upstream, state.page, state.stored_id)  # a restored ledger may know less
                await self._stored.save(state, body)
                return state
            case FetchedPage():
                return await self._accept(upstream, answer)

    async def _doubtful(
        self, upstream: str, project: ProjectName, answer: FetchedPage | NotModified | ProjectUnknown
    ) -> bool:
        match answer:
            case FetchedPage():
                return self._went_back(upstream, answer.page)
            case NotModified():
                return False
            case ProjectUnknown():
                return await self._ledger.recall_page(upstream, project) is not None

    async def _gone(self, upstream: str, project: ProjectName) -> None:
        """A project that was known is no longer: recorded, and told once."""
        if await self._ledger.recall_page(upstream, project) is None:
            return
        memory = await self._ledger.remember_page(
            upstream, project, serial=None, files=[], page_sha256=NO_PAGE, now=self._clock()
        )
        if memory.vanished:
            for event in vanished_project(upstream, project, len(memory.vanished), now=self._clock()):
                self._observer(event)

    def _went_back(self, upstream: str, page: Page) -> bool:
        highest = self._ledger.highest_serial_now(upstream, page.name)
        if highest is None:
            return False
        if page.serial is None:
            message = f"{upstream} gave {page.name} with serial {highest} before and now gives none"
            self._observer(Alert(name="serial-vanished", message=message))
            return False
        return page.serial < highest

    def _gone_back(self, upstream: str, page: Page, highest: int | None) -> UpstreamBroken:
        message = f"{upstream}: the page of {page.name} went back to serial {page.serial}, {highest} was seen before"
        self._observer(Alert(name="serial-went-back", message=message))
        behind = (
            "a cache before the index is behind: wait; or the index was replaced: "
            f"inbond upstream accept-serials {upstream} {page.name} --reason TEXT"
        )
        imported = "an older bundle was imported after a newer one: import the newest again"
        return UpstreamBroken(message, remedy=imported if self._upstreams[upstream].local else behind)

    async def _accept(self, upstream: str, answer: FetchedPage) -> PageState:
        if answer.page.status == Status.QUARANTINED and answer.page.files:
            answer = replace(answer, page=replace(answer.page, files=()))  # PEP 792: nothing of it is offered
        page = answer.page
        if upstream in self._versioned and page.api_version == UNSAID and not page.files:
            raise UpstreamBroken(
                f"{upstream}: the page of {page.name} lists nothing and says no version, as others there do",
                remedy="it may be a page for people that something on the way answered with; try again later",
            )
        body = await encoded(page)
        memory = await self._remember(upstream, page, identified(body))
        if page.serial is not None and memory.highest_serial is not None and page.serial < memory.highest_serial:
            raise self._gone_back(upstream, page, memory.highest_serial)  # another process was quicker, and had a newer
        for event in vanished_files(upstream, page.name, memory.vanished, now=self._clock()):
            self._observer(event)
        state = await page_state(upstream, answer, body, memory, validated_at=self._clock())
        if not self._upstreams[upstream].local:
            await self._stored.save(state, body)
        return state

    async def fix_digest(self, state: PageState, file: File, sha256: str) -> None:
        """Has the digest of a first download count from now on, for a file whose page gives none.

        In the ledger before this returns. Raises `DigestMismatch` where another was fixed before.
        """
        key = (state.upstream, state.page.name)
        first = await self._ledger.remember_digest(*key, file.filename, sha256, now=self._clock())
        current = self._states.get(key)
        if current is not None:
            await self._recalled(current)
        if first != sha256:
            raise DigestMismatch(file.filename, expected=first, actual=sha256, by=FIRST_HAD)

    async def recalled(self, state: PageState, file: File) -> tuple[PageState, File]:
        """The page and the file with what is remembered by now: another request or process may have fixed a digest."""
        told = replace(await self._recalled(state), freshness=state.freshness)
        return told, told.page.file(file.filename) or file

    async def _recalled(self, state: PageState) -> PageState:
        """The state with the digests that are remembered by now; kept, where it is the one that is kept."""
        key = (state.upstream, state.page.name)
        while state.lacks_digests:
            memory = await self._ledger.recall_page(*key)
            if memory is None or memory.first_digest == state.memory.first_digest:
                return state
            told = await with_memory(state, memory)
            kept = self._states.get(key)
            if kept is None or kept.stored_id != state.stored_id:
                return told
            if kept is state:
                self._states.put(key, told)
                return told
            state = kept  # somebody else was quicker, and may have known less
        return state

    def address(self, state: PageState) -> str:
        """Where upstream has the page, without credentials."""
        return f"{self._upstreams[state.upstream].settings.url}{state.page.name}/"

    async def other_url(self, state: PageState, file: File) -> str | None:
        """Where the page says that a file is, asked anew; None where it says the same, or means another file."""
        renewed = await self.current(state.upstream, state.page.name, revalidate=True)
        found = renewed.paths.get(published_path(file)) if renewed is not None else None
        if found is None or found.sha256 != file.sha256 or found.url == file.url:
            return None
        return found.url

    async def _remember(self, upstream: str, page: Page, stored_id: str) -> PageMemory:
        compared = None if self._upstreams[upstream].local else stored_id
        return await remembered(self._ledger, upstream, page, stored_id=compared, now=self._clock())

    async def kept(self, upstream: str, project: ProjectName) -> PageState | None:
        """The page as it is kept, however old, or None; nobody is asked over the network."""
        if self._upstreams[upstream].local:
            with suppress(UpstreamFault):
                return await self.current(upstream, project)
        return self._states.get((upstream, project)) or await self._stored.newest(upstream, project, None)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
        await self._looks.aclose()
