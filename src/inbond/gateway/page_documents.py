"""Pages as they are stored between two runs, and between processes that share a cache."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState, page_state
from inbond.model.events import Alert, Observer
from inbond.model.memory import PageMemory
from inbond.model.names import ProjectName
from inbond.model.page import Page
from inbond.simple.document import decode_page, encode_page
from inbond.store.ledger import Ledger
from inbond.store.protocols import Documents
from inbond.upstream.answers import FetchedPage, Validators

# A stored page above this is decoded in a thread.
LARGE_PAGE_BYTES: Final = 32_768

NO_PAGE: Final = hashlib.sha256(b"").hexdigest()  # what the ledger knows in the place of a page that is gone


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """The document's wrapping: what is known about the page but is not of it."""

    validated_at: datetime
    etag: str | None
    last_modified: str | None
    page: bytes

    @property
    def validators(self) -> Validators:
        return Validators(etag=self.etag, last_modified=self.last_modified)


class PageDocuments:
    """Reads and writes them; what cannot be read counts as missing."""

    def __init__(self, documents: Documents, ledger: Ledger, clock: Clock, observer: Observer) -> None:
        self._documents = documents
        self._ledger = ledger
        self._clock = clock
        self._observer = observer

    async def newest(self, upstream: str, project: ProjectName, known: PageState | None) -> PageState | None:
        """What is stored, where it was confirmed later than what is known here, or else that."""
        stored = await self._stored(upstream, project)
        if stored is None or (known is not None and stored.validated_at <= known.validated_at):
            return known
        if known is not None and identified(stored.page) == known.stored_id:
            return replace(known, validated_at=stored.validated_at, validators=stored.validators)
        return await self._read(upstream, project, stored) or known

    async def _stored(self, upstream: str, project: ProjectName) -> _Stored | None:
        raw = await self._documents.get(_key(upstream, project))
        if raw is None:
            return None
        try:
            return msgspec.msgpack.decode(raw, type=_Stored)
        except (msgspec.MsgspecError, ValueError):
            return None  # another version's document: fetched anew

    async def _read(self, upstream: str, project: ProjectName, stored: _Stored) -> PageState | None:
        """The stored page; None for one older than the ledger has seen (promise P3)."""
        try:
            page = await _decoded(stored.page)
        except (msgspec.MsgspecError, ValueError):
            return None
        memory = await self._ledger.recall_page(upstream, project)
        if memory is None:
            memory = await remembered(
                self._ledger, upstream, page, stored_id=identified(stored.page), now=self._clock()
            )
        if page.serial is not None and memory.highest_serial is not None and page.serial < memory.highest_serial:
            message = f"the cached page of {project} at {upstream} is older than one seen before; fetched anew"
            self._observer(Alert(name="cached-page-went-back", message=message))
            return None
        fetched = FetchedPage(page=page, validators=stored.validators, received=stored.validated_at)
        return await page_state(upstream, fetched, stored.page, memory, validated_at=stored.validated_at)

    async def save(self, state: PageState, body: bytes) -> None:
        """Stores a page. `body`: its stored form."""
        stored = _Stored(state.validated_at, state.validators.etag, state.validators.last_modified, body)
        await self._documents.put(_key(state.upstream, state.page.name), msgspec.msgpack.encode(stored))

    async def delete(self, upstream: str, project: ProjectName) -> None:
        """Forgets a page."""
        await self._documents.delete(_key(upstream, project))


def identified(body: bytes) -> str:
    """What a stored form is known by."""
    return hashlib.sha256(body).hexdigest()


async def encoded(page: Page) -> bytes:
    """A page's stored form."""
    return await off_loop(len(page.files), encode_page, page)


async def remembered(ledger: Ledger, upstream: str, page: Page, *, stored_id: str | None, now: datetime) -> PageMemory:
    """Has the ledger remember a page, and gives what it remembers of it.

    `stored_id`: by it a page without a serial is told from others; None where nobody compares them.
    """
    files = [(file.filename, file.listed_sha256) for file in page.files]
    sha256 = stored_id if page.serial is None else None
    return await ledger.remember_page(upstream, page.name, serial=page.serial, files=files, page_sha256=sha256, now=now)


async def _decoded(body: bytes) -> Page:
    if len(body) > LARGE_PAGE_BYTES:
        return await asyncio.to_thread(decode_page, body)
    return decode_page(body)


def _key(upstream: str, project: ProjectName) -> str:
    return f"page/{upstream}/{project}"
