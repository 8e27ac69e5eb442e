"""The use case "a page": find it, settle what is young, judge, render, and keep the ready bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from inbond.gateway.ahead import Ahead
from inbond.gateway.clock import Clock
from inbond.gateway.coding import compress, expand
from inbond.gateway.entries import Entries, published_page
from inbond.gateway.indexes import Index, page_at_hand, require_page
from inbond.gateway.judging import Generation, Judge, Judged
from inbond.gateway.lru import Lru
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.off_loop import SMALL_PAGE_FILES, off_loop
from inbond.gateway.page_state import PageFreshness, PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.settling import Settler
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.why import WhyBook
from inbond.model.events import CacheLookup, Observer
from inbond.model.names import ProjectName
from inbond.model.page import Page
from inbond.simple.negotiate import Coding, Format
from inbond.simple.render import render_html, render_json

RENDERED_BYTES: Final = 128 * 2**20  # ready pages kept in memory
# Verdicts as listed, kept to render them in other formats and codings; counted in files.
LISTED_FILES: Final = 60_000
# Denied files of one page whose "why" links are made to outlive a restart.
MAX_KEPT_WHYS: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """A response's body and all that its headers say. `etag` is quoted and strong."""

    body: bytes
    etag: str
    content_type: str
    coding: Coding
    serial: int | None
    basis: _Basis
    expires_at: datetime | None
    as_of: datetime | None = None  # where the page was imported: when it was last known to be current
    freshness: PageFreshness = PageFreshness.FRESH
    age: timedelta | None = None  # since upstream last confirmed the page; None where it was imported


# What a page was made from: the document, the policy, what was known, what metadata cannot be had, and of when it is.
_Basis = tuple[str, str, Generation, frozenset[str], datetime | None]
_RenderKey = tuple[str, ProjectName, Format, Coding, str]


class PageService:
    """Answers requests for project pages."""

    def __init__(
        self,
        *,
        pages: PageKeeper,
        judge: Judge,
        settler: Settler,
        metadata: MetadataKeeper,
        ahead: Ahead,
        why: WhyBook,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._pages = pages
        self._judge = judge
        self._settler = settler
        self._metadata = metadata
        self._ahead = ahead
        self._why = why
        self._clock = clock
        self._observer = observer
        self._rendered: Lru[_RenderKey, Ready] = Lru(RENDERED_BYTES, lambda ready: len(ready.body) + 1024)
        self._listed: Lru[tuple[str, ProjectName], Judged] = Lru(LISTED_FILES, lambda judged: len(judged.verdicts) + 1)
        self._flights: SingleFlight[tuple[_RenderKey, _Basis], Ready] = SingleFlight()
        self._keeping: SingleFlight[tuple[str, ProjectName], None] = SingleFlight()

    async def page(
        self,
        index: Index,
        project: ProjectName,
        *,
        form: Format,
        coding: Coding,
        origin: str,
        revalidate: bool = False,
    ) -> Ready:
        """The project's page, ready to send. `origin`: scheme and host for absolute links, without a slash.

        Raises `NotFound` and `UpstreamFault`.
        """
        ready = self.at_hand(index, project, form=form, coding=coding, origin=origin, revalidate=revalidate)
        if ready is not None:
            self.given(1)
            return ready
        state = await require_page(self._pages, index, project, revalidate=revalidate)
        key = (index.name, project, form, coding, origin)
        ready = self._kept(key, index, state)
        if ready is not None:
            self._observer(CacheLookup(kind="rendered", hit=True))
            return self._dated(ready, state)
        self._observer(CacheLookup(kind="rendered", hit=False))
        judged = await self._judged(index, state)
        basis = self._basis(index, state, judged)
        if len(state.page.files) <= SMALL_PAGE_FILES:  # made at once: nobody can ask for it meanwhile
            ready = self._rendered.get(key)  # who waited with others for the verdicts finds it made
            if ready is None or (ready.basis, ready.expires_at) != (basis, judged.expires_at):
                ready = await self._make(key, index, state, judged, basis)
            return self._dated(ready, state)
        made = await self._flights.do((key, basis), lambda: self._make(key, index, state, judged, basis))
        return self._dated(made, state)

    async def as_listed(self, index: Index, project: ProjectName) -> tuple[PageState, Judged]:
        """The project's page with the verdicts that it is listed with, for people who look at it. Raises as `page`."""
        state = await require_page(self._pages, index, project)
        return state, await self._judged(index, state)

    def at_hand(
        self,
        index: Index,
        project: ProjectName,
        *,
        form: Format,
        coding: Coding,
        origin: str,
        revalidate: bool = False,
    ) -> Ready | None:
        """What `page` gives at once, where it has to wait for nothing; tells nobody. Raises `StoreUnavailable`."""
        state = page_at_hand(self._pages, index, project, revalidate=revalidate)
        if state is None:
            return None
        ready = self._kept((index.name, project, form, coding, origin), index, state)
        return None if ready is None else self._dated(ready, state)

    def still(self, ready: Ready, index: Index, project: ProjectName, *, revalidate: bool = False) -> PageState | None:
        """The project's page where `page` gives these very bytes of it at once; tells nobody. As `at_hand`.

        Cheaper than that: what was given once is asked about before it is given again, thousands of times a second.
        """
        state = page_at_hand(self._pages, index, project, revalidate=revalidate)
        return state if state is not None and self._holds(ready, index, state) else None

    def given(self, count: int) -> None:
        """Tells that a page that was at hand was given so many times."""
        for kind in ("page", "rendered"):
            self._observer(CacheLookup(kind=kind, hit=True, count=count))

    def _kept(self, key: _RenderKey, index: Index, state: PageState) -> Ready | None:
        """The rendered page, where all that it was made from is as it was, and no hold has ended."""
        ready = self._rendered.get(key)
        return ready if ready is not None and self._holds(ready, index, state) else None

    def _holds(self, ready: Ready, index: Index, state: PageState) -> bool:
        return ready.basis == self._basis(index, state) and self._lasts(ready.expires_at)

    def _dated(self, ready: Ready, state: PageState) -> Ready:
        """A page with how old it is now."""
        return replace(ready, freshness=state.freshness, age=self.age(state))

    def age(self, state: PageState) -> timedelta | None:
        """Since upstream last confirmed a page; None where it was imported."""
        return None if state.as_of is not None else max(timedelta(0), self._clock() - state.validated_at)

    def _basis(self, index: Index, state: PageState, judged: Judged | None = None) -> _Basis:
        """What a page would be made from now, or was, where it has been judged already."""
        upstream, project = state.upstream, state.page.name
        known = judged.generation if judged is not None else self._judge.generation(state)
        lost = self._metadata.lost(upstream, project)
        return state.document_id, index.policy_digest, known, lost, state.as_of

    def _lasts(self, expires_at: datetime | None) -> bool:
        return expires_at is None or self._clock() < expires_at

    async def _make(self, key: _RenderKey, index: Index, state: PageState, judged: Judged, basis: _Basis) -> Ready:
        _, _, form, coding, origin = key
        other = self._in_other_coding(key, judged, basis)
        if other is not None:
            ready = await off_loop(len(state.page.files), _recoded, other, coding)
            self._rendered.put(key, ready)
            return ready
        page = await off_loop(len(state.page.files), lambda: state.offered)
        page = published_page(page, at=self._pages.address(state), owned=bool(index.owners_of(state.page.name)))
        entries = Entries(index=index, state=state, judged=judged, origin=origin, lost=basis[3], why=self._why)
        ready = await off_loop(len(state.page.files), _render, page, entries, form, coding, basis)
        self._rendered.put(key, ready)
        # A store that is busy keeps no page waiting: until they are kept, the links are known to this process.
        if stopped := entries.stopped[:MAX_KEPT_WHYS]:
            self._keeping.start((index.name, state.page.name), lambda: self._why.keep(stopped))
        return ready

    def _in_other_coding(self, key: _RenderKey, judged: Judged, basis: _Basis) -> Ready | None:
        """The very same page in another content coding: it need not be rendered, only compressed anew."""
        index, project, form, _, origin = key
        for coding in Coding:
            ready = self._rendered.get((index, project, form, coding, origin))
            if ready is not None and (ready.basis, ready.expires_at) == (basis, judged.expires_at):
                return ready
        return None

    async def _judged(self, index: Index, state: PageState) -> Judged:
        key = (index.name, state.page.name)
        kept = self._listed.get(key)
        if kept is not None and self._lasts(kept.expires_at):
            known = self._judge.generation(state)
            if (kept.document_id, kept.policy_digest, kept.generation) == (
                state.document_id,
                index.policy_digest,
                known,
            ):
                return kept
        judged = await self._settler.judged(index, state, partial(self._ahead.meanwhile, index, state))
        self._ahead.begin(index, state, judged)
        self._listed.put(key, judged)
        return judged

    async def aclose(self) -> None:
        """Ends what is under way, but for links that are being kept."""
        await self._flights.aclose()
        await self._keeping.wait()


def _recoded(ready: Ready, coding: Coding) -> Ready:
    body = compress(expand(ready.body, ready.coding), coding)
    return replace(ready, body=body, etag=_etag(body), coding=coding)


def _etag(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()}"'


def _render(page: Page, entries: Entries, form: Format, coding: Coding, basis: _Basis) -> Ready:
    state = entries.state
    render = render_json if form.is_json else render_html
    body = compress(render(page, entries.made()), coding)
    return Ready(
        body=body,
        etag=_etag(body),
        content_type=form.content_type,
        coding=coding,
        serial=state.page.serial,
        basis=basis,
        expires_at=entries.judged.expires_at,
        as_of=state.as_of,
    )
