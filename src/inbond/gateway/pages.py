"""Page documents: fresh, revalidated, or stale while upstream is down. One document a project and upstream."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState, page_state, with_memory
from inbond.gateway.paths import published_path
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import FIRST_HAD, DigestMismatch, UpstreamBroken, UpstreamFault
from inbond.model.events import Alert, CacheLookup, Observer
from inbond.model.memory import PageMemory
from inbond.model.names import ProjectName
from inbond.model.page import File, Page
from inbond.simple.document import decode_page, encode_page
from inbond.store.ledger import Ledger
from inbond.store.protocols import Documents
from inbond.upstream.answers import FetchedPage, NotModified, ProjectUnknown, Validators
from inbond.upstream.source import Source

# A client that insists (max-age=0) is answered by at most one revalidation in this time.
MIN_REVALIDATION_INTERVAL: Final = timedelta(seconds=10)
# After a failure the stale page is served this long before upstream is asked again.
RETRY_FAILED_AFTER: Final = timedelta(seconds=10)
# How long "no such project" is believed without asking again, and of how many names.
UNKNOWN_FOR: Final = timedelta(seconds=30)
MAX_UNKNOWN: Final = 10_000
# Decoded pages kept in memory, counted in bytes of their stored form; decoded they take about three times that.
MAX_BYTES_IN_MEMORY: Final = 64 * 2**20
# A stored page above this is decoded in a thread.
LARGE_PAGE_BYTES: Final = 32_768


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """The document's wrapping: what is known about the page but is not of it."""

    validated_at: datetime
    etag: str | None
    last_modified: str | None
    page: bytes


class PageKeeper:
    """Knows every upstream's pages. Raises `UpstreamFault` where neither upstream nor the cache has an answer."""

    def __init__(
        self, upstreams: Mapping[str, Source], documents: Documents, ledger: Ledger, clock: Clock, observer: Observer
    ) -> None:
        self._upstreams = upstreams
        self._fed = frozenset(name for name, source in upstreams.items() if source.local)
        self._documents = documents
        self._ledger = ledger
        self._clock = clock
        self._observer = observer
        self._states: Lru[tuple[str, ProjectName], PageState] = Lru(MAX_BYTES_IN_MEMORY, lambda state: state.weight)
        self._unknown: Lru[tuple[str, ProjectName], datetime] = Lru(MAX_UNKNOWN)
        self._failed: Lru[tuple[str, ProjectName], datetime] = Lru(MAX_UNKNOWN)
        self._flights: SingleFlight[tuple[str, ProjectName], PageState | None] = SingleFlight()

    @property
    def fed(self) -> frozenset[str]:
        """The upstreams that imports answer for."""
        return self._fed

    async def current(self, upstream: str, project: ProjectName, *, revalidate: bool = False) -> PageState | None:
        """The project's page at that upstream, or None where upstream knows no such project."""
        key = (upstream, project)
        state = self._states.get(key)
        if state is not None and self._fresh(state, revalidate=revalidate):
            self._observer(CacheLookup(kind="page", hit=True))
            return state
        asked = self._unknown.get(key)
        if asked is not None and self._clock() - asked < self._unknown_for(upstream):
            return None
        state = await self._flights.do(key, lambda: self._renew(upstream, project, revalidate=revalidate))
        if revalidate and state is not None and not self._fresh(state, revalidate=True):
            # the flight that was joined had not been asked to revalidate
            state = await self._flights.do(key, lambda: self._renew(upstream, project, revalidate=True))
        return state

    def _fresh(self, state: PageState, *, revalidate: bool) -> bool:
        """Whether a page needs no question to upstream: young enough, or upstream has just failed to answer one."""
        age = self._clock() - state.validated_at
        if age < (self._insisted(state) if revalidate else self._fresh_for(state)):
            return True
        failed = self._failed.get((state.upstream, state.page.name))
        return failed is not None and self._clock() - failed < RETRY_FAILED_AFTER and self._servable(state)

    def _fresh_for(self, state: PageState) -> timedelta:
        return self._upstreams[state.upstream].settings.fresh_for

    def _insisted(self, state: PageState) -> timedelta:
        """How young a page is good enough for a client that insists; what lies on this disk is quickly asked."""
        return self._fresh_for(state) if self._upstreams[state.upstream].local else MIN_REVALIDATION_INTERVAL

    def _unknown_for(self, upstream: str) -> timedelta:
        source = self._upstreams[upstream]
        return source.settings.fresh_for if source.local else UNKNOWN_FOR

    def _servable(self, state: PageState) -> bool:
        return self._clock() - state.validated_at <= self._upstreams[state.upstream].settings.max_stale

    async def _renew(self, upstream: str, project: ProjectName, *, revalidate: bool) -> PageState | None:
        key = (upstream, project)
        known = self._states.get(key) or await self._load(upstream, project)
        if known is not None and self._fresh(known, revalidate=revalidate):
            self._observer(CacheLookup(kind="page", hit=True))
            return await self._kept(self._as_old_as(known))
        self._observer(CacheLookup(kind="page", hit=False))
        try:
            state = await self._ask(upstream, project, known)
        except UpstreamFault:
            self._failed.put(key, self._clock())
            if known is None or not self._servable(known):
                raise
            state = self._as_old_as(self._states.get(key) or known)
        else:
            self._failed.pop(key)
        if state is None:
            self._states.pop(key)
            self._unknown.put(key, self._clock())
            if known is not None and not self._upstreams[upstream].local:
                await self._documents.delete(_document_key(upstream, project))
            return None
        return await self._kept(state)

    def _as_old_as(self, state: PageState) -> PageState:
        """The state, called stale where it is."""
        return replace(state, stale=self._clock() - state.validated_at >= self._fresh_for(state))

    async def _kept(self, state: PageState) -> PageState:
        """Keeps a page, and only then asks what memory says by now.

        In this order a digest that is fixed meanwhile is missed by nobody: either it is in memory when that is asked,
        or the page is here for `fix_digest` to find.
        """
        self._states.put((state.upstream, state.page.name), state)
        return await self._recalled(state)

    async def _ask(self, upstream: str, project: ProjectName, known: PageState | None) -> PageState | None:
        source = self._upstreams[upstream]
        answer = await source.page(project, known.validators if known else None)
        if await self._doubtful(upstream, project, answer):
            # A cache on the way may be behind: ask once more past it, then believe what is not older.
            answer = await source.page(project, None, bypass_caches=True)
            if isinstance(answer, FetchedPage) and await self._went_back(upstream, answer.page):
                raise self._gone_back(upstream, answer.page)
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
                state = replace(known, validated_at=self._clock(), stale=False)
                if not source.local:
                    await self._save(state, await _encoded(state.page))
                return state
            case FetchedPage():
                return await self._accept(upstream, answer)

    async def _doubtful(
        self, upstream: str, project: ProjectName, answer: FetchedPage | NotModified | ProjectUnknown
    ) -> bool:
        match answer:
            case FetchedPage():
                return await self._went_back(upstream, answer.page)
            case NotModified():
                return False
            case ProjectUnknown():
                return await self._ledger.recall_page(upstream, project) is not None

    async def _gone(self, upstream: str, project: ProjectName) -> None:
        """A project that was known is no longer: recorded, and told once."""
        if await self._ledger.recall_page(upstream, project) is None:
            return
        memory = await self._ledger.remember_page(upstream, project, serial=None, files=[], now=self._clock())
        if memory.vanished:
            message = (
                f"{upstream} no longer has the project {project}, of which {len(memory.vanished)} files were known"
            )
            self._observer(Alert(name="project-vanished", message=message))

    async def _went_back(self, upstream: str, page: Page) -> bool:
        highest = await self._ledger.highest_serial(upstream, page.name)
        if highest is None:
            return False
        if page.serial is None:
            message = f"{upstream} gave {page.name} with serial {highest} before and now gives none"
            self._observer(Alert(name="serial-vanished", message=message))
            return False
        return page.serial < highest

    def _gone_back(self, upstream: str, page: Page) -> UpstreamBroken:
        message = f"{upstream}: the page of {page.name} went back to serial {page.serial}"
        self._observer(Alert(name="serial-went-back", message=message))
        behind = "a cache before the index is behind, or the index was replaced; nothing older is served"
        imported = "an older bundle was imported after a newer one: import the newest again"
        return UpstreamBroken(message, remedy=imported if self._upstreams[upstream].local else behind)

    async def _accept(self, upstream: str, answer: FetchedPage) -> PageState:
        page = answer.page
        body = await _encoded(page)
        memory = await self._remember(upstream, page)
        for filename in memory.vanished:
            message = f"{upstream}: {filename} of {page.name} is no longer offered"
            self._observer(Alert(name="file-vanished", message=message))
        state = await page_state(upstream, answer, body, memory, validated_at=self._clock())
        if not self._upstreams[upstream].local:
            await self._save(state, body)
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
        state = await self._recalled(state)
        return state, state.page.file(file.filename) or file

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

    async def _remember(self, upstream: str, page: Page) -> PageMemory:
        files = [(file.filename, file.listed_sha256) for file in page.files]
        return await self._ledger.remember_page(upstream, page.name, serial=page.serial, files=files, now=self._clock())

    async def kept(self, upstream: str, project: ProjectName) -> PageState | None:
        """The page as it is kept, however old, or None; nobody is asked over the network."""
        if self._upstreams[upstream].local:
            with suppress(UpstreamFault):
                return await self.current(upstream, project)
        return self._states.get((upstream, project)) or await self._load(upstream, project)

    async def _load(self, upstream: str, project: ProjectName) -> PageState | None:
        """The stored page; None where there is none, or one older than the ledger has seen (promise P3)."""
        if self._upstreams[upstream].local:
            return None  # it is asked instead
        raw = await self._documents.get(_document_key(upstream, project))
        if raw is None:
            return None
        try:
            stored = msgspec.msgpack.decode(raw, type=_Stored)
            page = await _decoded(stored.page)
        except (msgspec.MsgspecError, ValueError):
            return None  # another version's document: fetched anew
        memory = await self._ledger.recall_page(upstream, project)
        if memory is None:
            memory = await self._remember(upstream, page)
        if page.serial is not None and memory.highest_serial is not None and page.serial < memory.highest_serial:
            message = f"the cached page of {project} at {upstream} is older than one seen before; fetched anew"
            self._observer(Alert(name="cached-page-went-back", message=message))
            return None
        validators = Validators(etag=stored.etag, last_modified=stored.last_modified)
        fetched = FetchedPage(page=page, validators=validators, received=stored.validated_at)
        return await page_state(upstream, fetched, stored.page, memory, validated_at=stored.validated_at)

    async def _save(self, state: PageState, body: bytes) -> None:
        stored = _Stored(state.validated_at, state.validators.etag, state.validators.last_modified, body)
        await self._documents.put(_document_key(state.upstream, state.page.name), msgspec.msgpack.encode(stored))

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()


def _document_key(upstream: str, project: ProjectName) -> str:
    return f"page/{upstream}/{project}"


async def _encoded(page: Page) -> bytes:
    return await off_loop(len(page.files), encode_page, page)


async def _decoded(body: bytes) -> Page:
    if len(body) > LARGE_PAGE_BYTES:
        return await asyncio.to_thread(decode_page, body)
    return decode_page(body)
