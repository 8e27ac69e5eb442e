"""What was found in archives: kept by their digest and name, so that none is looked into twice, also after a restart.

A wheel's METADATA is kept too where its index offers none, under its own digest, so that inbond can.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, assert_never

import msgspec

from inbond.archive.inspect import Inspected
from inbond.gateway.look import Looker
from inbond.gateway.lru import Lru
from inbond.gateway.off_loop import off_loop
from inbond.gateway.page_state import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.model.events import CacheLookup, Observer
from inbond.model.inspection import FORMAT, Inspection, NotInspected, Odd, Sane, inspectable
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.store.protocols import Documents

MAX_KNOWN: Final = 100_000  # files
MAX_LOADED: Final = 100_000  # pages
MAX_SERVED: Final = 10_000  # core metadata files that came without a digest

# Told of a project about whose files something has become known that its page should show.
News = Callable[[str, ProjectName], None]
_Key = tuple[str, Filename]  # sha256 and name: all that an inspection depends on


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """An inspection as it is stored: reasons where it is odd, and none where it is sane."""

    metadata_sha256: str | None
    reasons: tuple[str, ...]


class InspectionKeeper:
    """Knows what is in every archive that was had."""

    def __init__(self, documents: Documents, observer: Observer, *, news: News) -> None:
        self._documents = documents
        self._observer = observer
        self._news = news
        self._looker = Looker()
        self._known: Lru[_Key, Inspection] = Lru(MAX_KNOWN)
        self._served: Lru[tuple[str, ProjectName, Filename], str] = Lru(MAX_SERVED)
        self._loaded: Lru[tuple[str, ProjectName], str] = Lru(MAX_LOADED)
        self._flights: SingleFlight[tuple[str, ProjectName, _Key], None] = SingleFlight()

    # --- what is known

    def known(self, state: PageState, files: Sequence[File]) -> dict[Filename, Inspection]:
        """What is known of these files of a page; the others are left out."""
        found = {file.filename: self.known_of(state, file) for file in files}
        return {name: inspection for name, inspection in found.items() if inspection is not None}

    def known_of(self, state: PageState, file: File) -> Inspection | None:
        """What is known of one file, beside the core metadata that its index sent for it."""
        known = self._known.get((file.sha256, file.filename)) if file.sha256 is not None else None
        if isinstance(known, Sane) and file.core_metadata is not False and known.metadata_sha256 is not None:
            served = self._served.get((state.upstream, state.page.name, file.filename))
            if file.metadata_sha256 is None and served not in (None, known.metadata_sha256):
                return Odd(reasons=("its METADATA is not the .metadata that its index sends",))
        return known

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

    async def load(self, state: PageState) -> None:
        """Finds what is stored about a page's files, once for each version of the page."""
        key = (state.upstream, state.page.name)
        if self._loaded.get(key) != state.document_id:
            await self.load_some(state.page.files)
            self._loaded.put(key, state.document_id)

    async def load_some(self, files: Sequence[File]) -> None:
        """Finds what is stored about some files."""
        wanted = await off_loop(len(files), self._unknown, files)
        for document, raw in (await self._documents.get_many(list(wanted))).items():
            inspection = _decoded(raw)
            if inspection is not None:
                self._known.put(wanted[document], inspection)

    def _unknown(self, files: Sequence[File]) -> dict[str, _Key]:
        keys = [(file.sha256, file.filename) for file in files if file.sha256 and inspectable(file.filename)]
        return {_document(key): key for key in keys if self._known.get(key) is None}

    # --- finding it out

    async def look(self, state: PageState, file: File, sha256: str, path: Path, *, within: float | None = None) -> bool:
        """Has it known what is in a file with these bytes, and waits so many seconds for it; whether it is known.

        What is not done by then goes on behind. Raises `FileNotFoundError` where the bytes were evicted a moment ago.
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

    async def _find_out(self, key: _Key, state: PageState, file: File, path: Path) -> None:
        raw = await self._documents.get(_document(key))
        found = _decoded(raw) if raw is not None else None
        self._observer(CacheLookup(kind="inspection", hit=found is not None))
        if found is None:
            looked = await self._looker.look(path, file.filename)
            found = looked.inspection
            await self._keep(key, looked, keep_metadata=file.core_metadata is False)
        self._known.put(key, found)
        if file.sha256 is None or self._bears_on_page(state, file):
            self._news(state.upstream, state.page.name)

    async def _keep(self, key: _Key, found: Inspected, *, keep_metadata: bool) -> None:
        inspection, metadata = found.inspection, found.metadata
        if isinstance(inspection, NotInspected):
            return  # a machine that was busy once says nothing of the file: the next run looks again
        if keep_metadata and metadata is not None:
            await self._documents.put(_metadata_document(hashlib.sha256(metadata).hexdigest()), metadata)
        await self._documents.put(_document(key), _encoded(inspection))

    # --- core metadata

    async def metadata(self, digest: str) -> bytes | None:
        """The METADATA of that digest, where it was kept."""
        body = await self._documents.get(_metadata_document(digest))
        return body if body is not None and hashlib.sha256(body).hexdigest() == digest else None

    async def extract(self, file: File, path: Path, digest: str) -> bytes | None:
        """The METADATA of that digest once more from its wheel. Raises `FileNotFoundError`."""
        found = await self._looker.look(path, file.filename)
        if found.metadata is None or hashlib.sha256(found.metadata).hexdigest() != digest:
            return None
        await self._documents.put(_metadata_document(digest), found.metadata)
        return found.metadata

    def served(self, state: PageState, file: File, body: bytes) -> bool:
        """Notes core metadata that came without a digest; whether its wheel, where it was had, holds the same."""
        key = (state.upstream, state.page.name, file.filename)
        digest = hashlib.sha256(body).hexdigest()
        if self._served.get(key) != digest:
            self._served.put(key, digest)
            if isinstance(self.known_of(state, file), Odd):
                self._news(state.upstream, state.page.name)
        return not isinstance(self.known_of(state, file), Odd)

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()
        await self._looker.aclose()


def _document(key: _Key) -> str:
    sha256, filename = key
    return f"inspection/{FORMAT}/{sha256}/{filename}"


def _metadata_document(digest: str) -> str:
    return f"extracted/{digest}"


def _encoded(inspection: Sane | Odd) -> bytes:
    match inspection:
        case Sane(metadata_sha256=digest):
            return msgspec.msgpack.encode(_Stored(digest, ()))
        case Odd(reasons=reasons):
            return msgspec.msgpack.encode(_Stored(None, reasons))
        case _:
            assert_never(inspection)


def _decoded(raw: bytes) -> Inspection | None:
    """An inspection as it is stored; None for what is none of this version."""
    try:
        stored = msgspec.msgpack.decode(raw, type=_Stored)
    except msgspec.MsgspecError:
        return None
    return Odd(reasons=stored.reasons) if stored.reasons else Sane(metadata_sha256=stored.metadata_sha256)
