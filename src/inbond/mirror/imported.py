"""An upstream that is fed by imports: what bundles brought, from the ledger and the mirror's blobs; nobody is asked.

What the ledger says is in force; the blobs only hold the bytes, and each is compared with its digest when it is read.
So a blob that is missing or damaged is never taken for an answer: it is *unavailable*, and the remedy is to import
the bundle again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from inbond.bundles.manifest import BundledFile, BundledProject, Claimed
from inbond.bundles.manifest_json import decode_project
from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.gateway.page_documents import LARGE_PAGE_BYTES
from inbond.mirror.joining import joined
from inbond.model.errors import (
    ConfigurationError,
    DigestMismatch,
    InvalidBundle,
    UpstreamBroken,
    UpstreamRefused,
    UpstreamUnavailable,
)
from inbond.model.imports import ImportedProject
from inbond.model.names import Filename, ProjectName, project_candidates
from inbond.model.page import Claim, File, Page
from inbond.simple.addresses import last_segment
from inbond.simple.document import decode_page
from inbond.store.ledger import Ledger
from inbond.store.protocols import Blobs
from inbond.upstream.answers import (
    FetchedPage,
    FileBody,
    ListBody,
    NotModified,
    ProjectUnknown,
    ProvenanceAbsent,
    ProvenanceFound,
    Resume,
    Validators,
)
from inbond.upstream.settings import UpstreamSettings

# How long a page is used before the ledger is looked into again: a running server sees an import this soon.
SEEN_AFTER: Final = timedelta(seconds=1)
# Decoded projects kept in memory, counted in files.
MAX_FILES_IN_MEMORY: Final = 100_000
AGAIN: Final = "import the bundle again"
_NOT_FOUND: Final = 404


@dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """A project as all names together brought it. `etag` differs whenever anything that is answered about it may."""

    etag: str
    page: str  # sha256
    as_of: datetime
    files: dict[Filename, BundledFile]
    version: int  # of the ledger when this was found to be current


class ImportedIndex:
    """A `Source`: what was imported for the upstream of this name. Raises `UpstreamFault`, `StoreUnavailable`."""

    local = True
    at_ease = False  # what lies here is had at once

    def __init__(self, settings: UpstreamSettings, ledger: Ledger, blobs: Blobs, *, clock: Clock) -> None:
        """`settings.url` counts until an import says where the pages were on the sending side."""
        self._settings = replace(settings, fresh_for=SEEN_AFTER)
        self._ledger = ledger
        self._blobs = blobs
        self._clock = clock
        self._known: Lru[ProjectName, _Project] = Lru(MAX_FILES_IN_MEMORY, lambda known: len(known.files) + 1)

    @property
    def settings(self) -> UpstreamSettings:
        """The settings, with the address that the newest import gave."""
        return self._settings

    async def page(
        self,
        project: ProjectName,
        validators: Validators | None = None,
        *,
        bypass_caches: bool = False,  # noqa: ARG002 (the protocol's: there are none)
    ) -> FetchedPage | NotModified | ProjectUnknown:
        """The page as it was carried, with the files whose bytes were."""
        known = await self._project(project)
        if known is None:
            return ProjectUnknown()
        if validators is not None and validators.etag == known.etag:
            return NotModified()
        return FetchedPage(
            page=await self._page(project, known.page),
            validators=Validators(etag=known.etag),
            received=self._clock(),
            carried=frozenset(name for name, file in known.files.items() if file.carried),
            without_metadata=frozenset(
                name for name, file in known.files.items() if file.carried and file.metadata is None
            ),
            as_of=known.as_of,
        )

    @asynccontextmanager
    async def project_list(self) -> AsyncIterator[ListBody]:
        """The projects that were imported."""
        rows = await self._ledger.imported_projects(self._settings.name)
        names = [{"name": name} for name in dict.fromkeys(str(row.project) for row in rows)]
        body = msgspec.json.encode({"meta": {"api-version": "1.0"}, "projects": names})
        yield ListBody(is_json=True, serial=None, chunks=_once(body))

    def file(
        self,
        url: str,
        resume: Resume | None = None,  # noqa: ARG002 (the protocol's)
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> AbstractAsyncContextManager[FileBody]:
        """Raises: what was carried lies among the mirror's blobs, and whoever asks here did not find it there."""
        raise UpstreamRefused(
            f"{last_segment(url)} is not among what was imported for {self._settings.name}, or not any more",
            status=_NOT_FOUND,
            remedy=f"{AGAIN} if it held this file; add it to what is synced otherwise",
        )

    async def metadata(
        self,
        file: File,
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> bytes:
        """The core metadata that was carried. Raises `UpstreamRefused` (404) where none was."""
        bundled = await self._found(file)
        if bundled is None or bundled.metadata is None:
            raise UpstreamRefused(
                f"the core metadata of {file.filename} was not carried over",
                status=_NOT_FOUND,
                remedy="sync and carry it over again",
            )
        expected = file.metadata_sha256
        if expected not in (None, bundled.metadata):
            raise DigestMismatch(f"{file.filename}.metadata", expected=str(expected), actual=bundled.metadata)
        return await self._blob(bundled.metadata, f"the core metadata of {file.filename}")

    async def provenance(
        self,
        project: ProjectName,
        version: str,  # noqa: ARG002 (the protocol's)
        file: File,
        *,
        guess: bool = False,  # noqa: ARG002 (the protocol's)
    ) -> ProvenanceFound | ProvenanceAbsent:
        """What the sending side had. Absent is only what the index itself called absent there."""
        if file.provenance is Claim.NONE:
            return ProvenanceAbsent(reason="the index says that it knows of none")
        bundled = _same(file, await self._files(project))
        if bundled is not None and bundled.claimed is Claimed.ABSENT:
            return ProvenanceAbsent(reason="the index said on the sending side that there is none")
        if bundled is None or bundled.provenance is None:
            raise UpstreamUnavailable(
                f"the provenance of {file.filename} was not carried over", remedy="sync and carry it over again"
            )
        return ProvenanceFound(body=await self._blob(bundled.provenance, f"the provenance of {file.filename}"))

    async def aclose(self) -> None:
        """Nothing is under way."""

    # --- what the ledger says

    async def _project(self, project: ProjectName) -> _Project | None:
        """The project as it is in force. The ledger is only read where anything was written to it since."""
        version = self._ledger.decisions_version()
        known = self._known.get(project)
        if known is not None and known.version == version:
            return known
        rows = await self._ledger.imported(self._settings.name, project)
        if not rows:
            self._known.pop(project)
            return None
        await self._learn_address()
        etag = _etag(self._settings.url, rows)
        if known is not None and known.etag == etag:
            known = replace(known, version=version)
        else:
            bundled = await self._joined(project, rows)
            files = {file.filename: file for file in bundled.files}
            known = _Project(etag=etag, page=bundled.page, as_of=rows[0].as_of, files=files, version=version)
        self._known.put(project, known)
        return known

    async def _joined(self, project: ProjectName, rows: Sequence[ImportedProject]) -> BundledProject:
        entries = [await _decoded(row.entry) for row in rows]
        if len(entries) == 1:
            return entries[0]
        page = await self._page(project, entries[0].page)
        return await asyncio.to_thread(joined, entries, page)

    async def _learn_address(self) -> None:
        for one in await self._ledger.imported_upstreams():
            if one.name == self._settings.name and one.url != self._settings.url:
                with suppress(ConfigurationError):  # where the other side's pages were is only for show
                    self._settings = replace(self._settings, url=one.url)

    async def _files(self, project: ProjectName) -> dict[Filename, BundledFile]:
        known = await self._project(project)
        return known.files if known is not None else {}

    async def _found(self, file: File) -> BundledFile | None:
        """What is known of a file, on the page of a project that it may be named after."""
        for project in project_candidates(file.filename):
            bundled = _same(file, await self._files(project))
            if bundled is not None:
                return bundled
        return None

    # --- what the blobs hold

    async def _page(self, project: ProjectName, sha256: str) -> Page:
        body = await self._blob(sha256, f"the page of {project}")
        try:
            page = await asyncio.to_thread(decode_page, body) if len(body) > LARGE_PAGE_BYTES else decode_page(body)
        except ValueError as error:
            raise UpstreamBroken(f"the imported page of {project} cannot be read", remedy=AGAIN) from error
        if page.name != project:
            raise UpstreamBroken(f"what was imported as the page of {project} is that of {page.name}", remedy=AGAIN)
        return page

    async def _blob(self, sha256: str, what: str) -> bytes:
        """A blob's bytes, which have this digest."""
        blob = await self._blobs.find(sha256)
        if blob is None:
            raise UpstreamUnavailable(f"{what} was imported and is not on this disk any more", remedy=AGAIN)
        try:
            body, actual = await asyncio.to_thread(_read, blob.path)
        except OSError as error:
            raise UpstreamUnavailable(f"{what} cannot be read: {error.strerror or error}", remedy=AGAIN) from error
        if actual != sha256:
            raise UpstreamBroken(f"{what} is not any more what was imported: its bytes have changed", remedy=AGAIN)
        return body


def _etag(url: str, rows: Sequence[ImportedProject]) -> str:
    told = "\n".join([url, *(f"{row.as_of.isoformat()}\n{row.entry}" for row in rows)])
    return hashlib.sha256(told.encode()).hexdigest()


async def _decoded(entry: str) -> BundledProject:
    large = len(entry) > LARGE_PAGE_BYTES
    try:
        return await asyncio.to_thread(decode_project, entry) if large else decode_project(entry)
    except InvalidBundle as error:
        raise UpstreamBroken(
            f"the ledger's record of an import cannot be read: {error.message}", remedy=AGAIN
        ) from error


def _same(file: File, files: dict[Filename, BundledFile]) -> BundledFile | None:
    """What is known of a file; nothing where it was another of that name."""
    bundled = files.get(file.filename)
    if bundled is None or None in (file.sha256, bundled.sha256):
        return bundled
    return bundled if bundled.sha256 == file.sha256 else None


def _read(path: Path) -> tuple[bytes, str]:
    body = path.read_bytes()
    return body, hashlib.sha256(body).hexdigest()


async def _once(body: bytes) -> AsyncIterator[bytes]:
    yield body
