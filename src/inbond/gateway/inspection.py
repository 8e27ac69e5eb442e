"""What was found in archives: kept by their digest and name, so that none is looked into twice, also after a restart.

A wheel's METADATA is kept too where its index offers none, under its own digest, so that inbond can.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from inbond.archive.inspect import Inspected
from inbond.gateway.generations import Generations
from inbond.gateway.inspection_documents import (
    Key,
    ServedKey,
    comes_without_digest,
    decoded,
    document,
    encoded,
    metadata_document,
    served_document,
    served_key,
)
from inbond.gateway.look import Looker
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.model.events import CacheLookup, Observer
from inbond.model.inspection import Inspection, NotInspected, Odd, Sane, inspectable
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.store.protocols import Documents

MAX_KNOWN: Final = 100_000  # files
MAX_LOADED: Final = 100_000  # pages
MAX_SERVED: Final = 10_000  # core metadata files that came without a digest

# Told of a project about whose files something has become known that its page should show.
News = Callable[[str, ProjectName], None]


class _Known(NamedTuple):
    inspection: Inspection
    since: int  # which of all that became known, counted


class InspectionKeeper:
    """Knows what is in every archive that was had."""

    def __init__(self, documents: Documents, observer: Observer, *, news: News) -> None:
        self._documents = documents
        self._observer = observer
        self._news = news
        self._looker = Looker()
        self._known: Lru[Key, _Known] = Lru(MAX_KNOWN)
        self._learnt = 0  # how often something became known
        self._changes: Generations = Generations()  # the same of each project
        self._shown: Lru[tuple[str, str, ProjectName], int] = Lru(MAX_LOADED)  # what an index's page was made with
        self._served: Lru[ServedKey, str] = Lru(MAX_SERVED)
        self._loaded: Lru[tuple[str, ProjectName], str] = Lru(MAX_LOADED)
        self._flights: SingleFlight[tuple[str, ProjectName, Key], None] = SingleFlight()
        self._extractions: SingleFlight[Key, bytes | None] = SingleFlight()

    # --- what is known

    def known(self, state: PageState, files: Sequence[File]) -> dict[Filename, Inspection]:
        """What is known of these files of a page; the others are left out."""
        found = {file.filename: self.known_of(state, file) for file in files}
        return {name: inspection for name, inspection in found.items() if inspection is not None}

    def known_on_page(self, index: str, state: PageState) -> dict[Filename, Inspection]:
        """The same of all files of a page that an index is about to show."""
        self._shown.put((index, state.upstream, state.page.name), self._learnt)
        return self.known(state, state.page.files)

    def known_of(self, state: PageState, file: File) -> Inspection | None:
        """What is known of one file, beside the core metadata that its index sent for it."""
        found = self._known.get((file.sha256, file.filename)) if file.sha256 is not None else None
        known = found.inspection if found is not None else None
        if isinstance(known, Sane) and file.core_metadata is not False and known.metadata_sha256 is not None:
            served = self._served.get(served_key(state, file))
            if file.metadata_sha256 is None and served not in (None, known.metadata_sha256):
                return Odd(reasons=("its METADATA is not the .metadata that its index sends",))
        return known

    def is_known(self, file: File) -> bool:
        """Whether a file was looked into, or is of no kind that is."""
        return not inspectable(file.filename) or self._known.get((file.sha256 or "", file.filename)) is not None

    def may_stop(self, state: PageState, file: File) -> bool:
        """Whether what is known of a file is such that a policy may stop it."""
        match self.known_of(state, file):
            case None:
                return False
            case Sane(metadata_sha256=digest):
                return None not in (digest, file.metadata_sha256) and digest != file.metadata_sha256
            case _:
                return True

    def _bears_on_page(self, state: PageState, file: File) -> bool:
        known = self.known_of(state, file)
        offers = isinstance(known, Sane) and known.metadata_sha256 is not None and file.core_metadata is False
        return offers or self.may_stop(state, file)

    def learnt(self, project: ProjectName) -> int:
        """Changes whenever something becomes known of a file of the project, wherever it is listed."""
        return self._changes.of(project)

    def refresh(self, index: str, state: PageState, file: File) -> None:
        """Has an index's page made anew where it was made before this became known, of the same bytes elsewhere."""
        page = (index, state.upstream, state.page.name)
        shown = self._shown.get(page)
        known = self._known.get((file.sha256, file.filename)) if file.sha256 is not None else None
        if shown is None or known is None or known.since <= shown:
            return
        if self._bears_on_page(state, file):
            self._shown.put(page, self._learnt)
            self._news(state.upstream, state.page.name)

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page."""
        key = (state.upstream, state.page.name)
        if self._loaded.get(key) != state.document_id:
            await self.load_some(state, state.page.files)
            self._loaded.put(key, state.document_id)

    async def load_some(self, state: PageState, files: Sequence[File]) -> None:
        """Finds what is stored about some files of a page."""
        wanted, sent = await off_loop(len(files), self._unknown, state, files)
        for name, raw in (await self._documents.get_many([*wanted, *sent])).items():
            if name in sent:
                self._served.put(sent[name], raw.decode("ascii", "replace"))
                self._changes.advance(state.page.name)
            elif (inspection := decoded(raw)) is not None:
                self._learn(state.page.name, wanted[name], inspection)

    def _unknown(self, state: PageState, files: Sequence[File]) -> tuple[dict[str, Key], dict[str, ServedKey]]:
        """Documents that may hold something new: inspections, and digests of core metadata that came without one."""
        keys = [(file.sha256, file.filename) for file in files if file.sha256 and inspectable(file.filename)]
        served = [served_key(state, file) for file in files if comes_without_digest(file)]
        return (
            {document(key): key for key in keys if self._known.get(key) is None},
            {served_document(key): key for key in served if self._served.get(key) is None},
        )

    def _learn(self, project: ProjectName, key: Key, inspection: Inspection) -> None:
        self._learnt += 1
        self._changes.advance(project)
        self._known.put(key, _Known(inspection, self._learnt))

    # --- finding it out

    async def look(self, state: PageState, file: File, sha256: str, path: Path, *, within: float | None = None) -> bool:
        """Has it known what is in a file with these bytes, and waits so many seconds for it; whether it is known.

        What is not done by then goes on behind. Raises `FileNotFoundError` where the bytes were evicted a moment ago,
        `StoreUnavailable` where they cannot be read; nothing is remembered of either.
        """
        key = (sha256, file.filename)
        if not inspectable(file.filename) or self._known.get(key) is not None:
            return True
        flight = self._flights.start(
            (state.upstream, state.page.name, key), lambda: self._find_out(key, state, file, path)
        )
        await asyncio.wait([flight], timeout=within)
        if flight.done():
            flight.result()
        return flight.done()

    async def _find_out(self, key: Key, state: PageState, file: File, path: Path) -> None:
        raw = await self._documents.get(document(key))
        found = decoded(raw) if raw is not None else None
        self._observer(CacheLookup(kind="inspection", hit=found is not None))
        if found is None:
            looked = await self._looker.look(path, file.filename, group=(state.upstream, state.page.name))
            found = looked.inspection
            await self._keep(key, looked, keep_metadata=file.core_metadata is False)
        self._learn(state.page.name, key, found)
        if file.sha256 is None or self._bears_on_page(state, file):
            self._news(state.upstream, state.page.name)

    async def _keep(self, key: Key, found: Inspected, *, keep_metadata: bool) -> None:
        inspection, metadata = found.inspection, found.metadata
        if isinstance(inspection, NotInspected):
            return  # a machine that was busy once says nothing of the file: the next run looks again
        if keep_metadata and metadata is not None:  # which pages promise from now on
            await self._documents.put_soon(metadata_document(hashlib.sha256(metadata).hexdigest()), metadata)
            await self._documents.put(document(key), encoded(inspection))
        else:  # what a process that is killed takes along is found out again before the file leaves
            await self._documents.put_soon(document(key), encoded(inspection))

    # --- core metadata

    async def metadata(self, digest: str) -> bytes | None:
        """The METADATA of that digest, where it was kept."""
        body = await self._documents.get(metadata_document(digest))
        return body if body is not None and hashlib.sha256(body).hexdigest() == digest else None

    async def extract(self, state: PageState, file: File, path: Path, digest: str, *, within: float) -> bytes | None:
        """The METADATA of that digest once more from its wheel; None where it is not had in so many seconds.

        Raises `FileNotFoundError`, `StoreUnavailable`.
        """
        flight = self._extractions.start((digest, file.filename), lambda: self._extract(state, file, path, digest))
        await asyncio.wait([flight], timeout=within)
        return flight.result() if flight.done() else None

    async def _extract(self, state: PageState, file: File, path: Path, digest: str) -> bytes | None:
        found = await self._looker.look(path, file.filename, group=(state.upstream, state.page.name))
        if found.metadata is None or hashlib.sha256(found.metadata).hexdigest() != digest:
            return None
        await self._documents.put(metadata_document(digest), found.metadata)
        return found.metadata

    async def served(self, state: PageState, file: File, body: bytes) -> bool:
        """Notes core metadata that came without a digest; whether its wheel, where it was had, holds the same.

        The digest is stored: a wheel that was denied for it is denied after a restart too.
        """
        key = served_key(state, file)
        digest = hashlib.sha256(body).hexdigest()
        if self._served.get(key) != digest:
            self._served.put(key, digest)
            self._changes.advance(state.page.name)
            await self._documents.put(served_document(key), digest.encode())
            if isinstance(self.known_of(state, file), Odd):
                self._news(state.upstream, state.page.name)
        return not isinstance(self.known_of(state, file), Odd)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
        await self._extractions.aclose()
        await self._looker.aclose()
