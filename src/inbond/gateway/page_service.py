"""The use case "a page": find it, settle what is young, judge, render, and keep the ready bytes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.coding import compress
from inbond.gateway.entries import Entries
from inbond.gateway.indexes import Index, require_page
from inbond.gateway.judging import Judged
from inbond.gateway.lru import Lru
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.off_loop import off_loop
from inbond.gateway.pages import PageKeeper, PageState
from inbond.gateway.provenance import RETRY_UNAVAILABLE_AFTER, EvidenceKeeper
from inbond.gateway.settling import Settler
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.why import WhyBook
from inbond.model.events import CacheLookup, Observer
from inbond.model.evidence import Unavailable
from inbond.model.names import ProjectName
from inbond.policy.engine import next_change
from inbond.simple.negotiate import Coding, Format
from inbond.simple.render import render_html, render_json

RENDERED_BYTES: Final = 128 * 2**20  # ready pages kept in memory
# Verdicts of pages kept to render them in other formats and codings; counted in pages.
JUDGED_PAGES: Final = 256
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
    stale: bool
    basis: _Basis
    expires_at: datetime | None


# What a page was made from: the document, the policy, what was known, and whether it was stale.
_Basis = tuple[str, str, tuple[str, int], int, bool]
_RenderKey = tuple[str, ProjectName, Format, Coding, str]


@dataclass(frozen=True, slots=True)
class _Verdicts:
    judged: Judged
    basis: _Basis
    expires_at: datetime | None


class PageService:
    """Answers requests for project pages."""

    def __init__(
        self,
        *,
        pages: PageKeeper,
        evidence: EvidenceKeeper,
        settler: Settler,
        metadata: MetadataKeeper,
        why: WhyBook,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._pages = pages
        self._evidence = evidence
        self._settler = settler
        self._metadata = metadata
        self._why = why
        self._clock = clock
        self._observer = observer
        self._rendered: Lru[_RenderKey, Ready] = Lru(RENDERED_BYTES, lambda ready: len(ready.body) + 1024)
        self._verdicts: Lru[tuple[str, ProjectName], _Verdicts] = Lru(JUDGED_PAGES)
        self._flights: SingleFlight[tuple[_RenderKey, _Basis], Ready] = SingleFlight()

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
        state = await require_page(self._pages, index, project, revalidate=revalidate)
        key = (index.name, project, form, coding, origin)
        basis = self._basis(index, state)
        ready = self._rendered.get(key)
        if ready is not None and ready.basis == basis and self._lasts(ready.expires_at):
            self._observer(CacheLookup(kind="rendered", hit=True))
            return ready
        self._observer(CacheLookup(kind="rendered", hit=False))
        return await self._flights.do((key, basis), lambda: self._make(key, index, state))

    def _basis(self, index: Index, state: PageState) -> _Basis:
        known = self._evidence.generation(state.upstream, state.page.name)
        lost = self._metadata.generation(state.upstream, state.page.name)
        return state.document_id, index.policy_digest, known, lost, state.stale

    def _lasts(self, expires_at: datetime | None) -> bool:
        return expires_at is None or self._clock() < expires_at

    async def _make(self, key: _RenderKey, index: Index, state: PageState) -> Ready:
        _, _, form, coding, origin = key
        verdicts = await self._judged(index, state)
        entries = Entries(
            index=index, state=state, judged=verdicts.judged, origin=origin, metadata=self._metadata, why=self._why
        )
        ready = await off_loop(len(state.page.files), _render, entries, form, coding, verdicts)
        self._rendered.put(key, ready)
        await self._why.keep(entries.fresh[:MAX_KEPT_WHYS])
        return ready

    async def _judged(self, index: Index, state: PageState) -> _Verdicts:
        key = (index.name, state.page.name)
        kept = self._verdicts.get(key)
        if kept is not None and kept.basis == self._basis(index, state) and self._lasts(kept.expires_at):
            return kept
        judged = await self._settler.judged(index, state)
        verdicts = _Verdicts(judged, self._basis(index, state), self._expiry(judged))
        self._verdicts.put(key, verdicts)
        return verdicts

    def _expiry(self, judged: Judged) -> datetime | None:
        ends = [next_change(judged.verdicts)]
        if any(isinstance(evidence, Unavailable) for evidence in judged.evidence.values()):
            ends.append(judged.at + RETRY_UNAVAILABLE_AFTER)
        return min((end for end in ends if end is not None), default=None)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()


def _render(entries: Entries, form: Format, coding: Coding, verdicts: _Verdicts) -> Ready:
    state = entries.state
    render = render_json if form.is_json else render_html
    body = compress(render(state.page, entries.made()), coding)
    return Ready(
        body=body,
        etag=f'"{hashlib.sha256(body).hexdigest()}"',
        content_type=form.content_type,
        coding=coding,
        serial=state.page.serial,
        stale=state.stale,
        basis=verdicts.basis,
        expires_at=verdicts.expires_at,
    )
