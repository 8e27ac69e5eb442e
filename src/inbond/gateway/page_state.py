"""A page as it is known now: upstream's, completed by what memory holds of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from inbond.gateway.off_loop import off_loop
from inbond.gateway.paths import published_path
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import File, Page
from inbond.upstream.answers import Validators

_STATE_BYTES: Final = 1024  # what a state weighs besides its page


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """A page as it is known now, with what memory says of it."""

    upstream: str
    page: Page  # with the digests that memory holds where upstream's page gives none
    stored_id: str  # sha256 of the stored document, which is upstream's page as it is
    document_id: str  # changes exactly when `page` does
    validators: Validators
    validated_at: datetime
    memory: PageMemory
    paths: Mapping[str, File]
    lacks_digests: bool  # whether a file is on it of which neither upstream nor memory gave a digest
    weight: int  # bytes of the stored form
    stale: bool = False
    # Where the page was imported: the files that can be had, and since when the page is not known to be current.
    carried: frozenset[Filename] | None = None  # None: all
    as_of: datetime | None = None

    def offers(self, file: File) -> bool:
        """Whether the file's bytes can be had at all, whatever the policy says."""
        return self.carried is None or file.filename in self.carried


async def page_state(
    upstream: str, page: Page, body: bytes, memory: PageMemory, validators: Validators, *, validated_at: datetime
) -> PageState:
    """The state of a page. `body`: its stored form."""
    stored_id = hashlib.sha256(body).hexdigest()
    told = await off_loop(len(page.files), _told, stored_id, page, memory)
    return PageState(
        upstream=upstream,
        page=told.page,
        stored_id=stored_id,
        document_id=told.document_id,
        validators=validators,
        validated_at=validated_at,
        memory=memory,
        paths=told.paths,
        lacks_digests=told.lacks_digests,
        weight=len(body) + _STATE_BYTES,
    )


async def with_memory(state: PageState, memory: PageMemory) -> PageState:
    """The same page with what memory says by now."""
    told = await off_loop(len(state.page.files), _told, state.stored_id, state.page, memory)
    return replace(
        state,
        page=told.page,
        document_id=told.document_id,
        memory=memory,
        paths=told.paths,
        lacks_digests=told.lacks_digests,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What a state says of its page besides upstream."""

    page: Page
    document_id: str
    paths: Mapping[str, File]
    lacks_digests: bool


def _told(stored_id: str, page: Page, memory: PageMemory) -> _Told:
    page, lacking = _completed(page, memory)
    return _Told(
        page=page,
        document_id=_document_id(stored_id, page),
        paths={published_path(file): file for file in page.files},
        lacks_digests=lacking,
    )


def _completed(page: Page, memory: PageMemory) -> tuple[Page, bool]:
    """The page with the digests under which its files were first had, where it gives none; whether some have none."""
    known = memory.first_digest
    without = {file.filename for file in page.files if file.listed_sha256 is None}
    remembered = {name for name in without if name in known}
    if remembered:
        files = tuple(
            replace(file, remembered=known[file.filename]) if file.filename in remembered else file
            for file in page.files
        )
        page = replace(page, files=files)
    return page, len(remembered) < len(without)


def _document_id(stored_id: str, page: Page) -> str:
    remembered = [f"{file.filename} {file.remembered}" for file in page.files if file.remembered is not None]
    if not remembered:
        return stored_id
    return hashlib.sha256("\n".join([stored_id, *remembered]).encode()).hexdigest()
