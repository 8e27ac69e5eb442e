"""A page as it is known now: upstream's, completed by what memory holds of its files."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import structs
from packaging.version import Version

from inbond.gateway.off_loop import off_loop
from inbond.gateway.paths import published_path
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, is_version
from inbond.model.page import File, Page
from inbond.upstream.answers import FetchedPage, Validators

_STATE_BYTES: Final = 1024  # what a state weighs besides its page


class PageFreshness(StrEnum):
    """What a page is to whoever is given it."""

    FRESH = "fresh"  # upstream has confirmed it lately
    REVALIDATING = "revalidating"  # a little older, and upstream is being asked
    STALE = "stale"  # upstream did not answer, or not soon enough


@dataclass(frozen=True, slots=True, kw_only=True)
class PageState:
    """A page as it is known now, with what memory says of it."""

    upstream: str
    page: Page  # with the digests that memory holds where upstream's page gives none
    stored_id: str  # sha256 of the stored document, which is upstream's page as it is
    basis: str  # changes exactly when upstream's page does, or which of its files were carried here
    document_id: str  # changes exactly when the basis or `page` does
    validators: Validators
    validated_at: datetime
    memory: PageMemory
    paths: Mapping[str, File]
    lacks_digests: bool  # whether a file is on it of which neither upstream nor memory gave a digest
    weight: int  # bytes of the stored form
    freshness: PageFreshness = PageFreshness.FRESH  # as it was given to whoever asked
    # Where the page was imported: the files that can be had, those of them without their core metadata, and when the
    # page was last known to be current.
    carried: frozenset[Filename] | None = None  # None: all
    without_metadata: frozenset[Filename] = frozenset()
    as_of: datetime | None = None

    def offers(self, file: File) -> bool:
        """Whether the file's bytes can be had at all, whatever the policy says."""
        return self.carried is None or file.filename in self.carried

    @property
    def offered(self) -> Page:
        """The page with the files that can be had, and with their releases; all are judged all the same."""
        if self.carried is None:
            return self.page
        files = tuple(file for file in self.page.files if self.offers(file))
        return replace(self.page, files=files, versions=_versions_of(self.page, files))


async def page_state(
    upstream: str, fetched: FetchedPage, body: bytes, memory: PageMemory, *, validated_at: datetime
) -> PageState:
    """The state of a page. `body`: its stored form."""
    page = fetched.page
    stored_id = hashlib.sha256(body).hexdigest()
    basis = await off_loop(len(fetched.carried or ()), _basis, stored_id, fetched)
    told = await off_loop(len(page.files), _told, basis, page, memory)
    return PageState(
        upstream=upstream,
        page=told.page,
        stored_id=stored_id,
        basis=basis,
        document_id=told.document_id,
        validators=fetched.validators,
        validated_at=validated_at,
        memory=memory,
        paths=told.paths,
        lacks_digests=told.lacks_digests,
        weight=len(body) + _STATE_BYTES,
        carried=fetched.carried,
        without_metadata=fetched.without_metadata,
        as_of=fetched.as_of,
    )


async def with_memory(state: PageState, memory: PageMemory) -> PageState:
    """The same page with what memory says by now."""
    told = await off_loop(len(state.page.files), _told, state.basis, state.page, memory)
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


def _told(basis: str, page: Page, memory: PageMemory) -> _Told:
    page, lacking = _completed(page, memory)
    return _Told(
        page=page,
        document_id=_document_id(basis, page),
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
            structs.replace(file, remembered=known[file.filename]) if file.filename in remembered else file
            for file in page.files
        )
        page = replace(page, files=files)
    return page, len(remembered) < len(without)


def _versions_of(page: Page, files: Sequence[File]) -> tuple[str, ...] | None:
    """Those of the versions that upstream lists that any of these files belongs to."""
    if page.versions is None:
        return None
    found = {page.version_of(file) for file in files}
    return tuple(text for text in page.versions if is_version(text) and Version(text) in found)


def _basis(stored_id: str, fetched: FetchedPage) -> str:
    if fetched.carried is None:
        return stored_id
    named = ["carried", *sorted(fetched.carried), "without metadata", *sorted(fetched.without_metadata)]
    return hashlib.sha256("\n".join([stored_id, *named]).encode()).hexdigest()


def _document_id(basis: str, page: Page) -> str:
    remembered = [f"{file.filename} {file.remembered}" for file in page.files if file.remembered is not None]
    if not remembered:
        return basis
    return hashlib.sha256("\n".join([basis, *remembered]).encode()).hexdigest()
