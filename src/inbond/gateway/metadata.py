"""Core metadata files (PEP 658): passed through once their digest is checked, and advertised only while they can be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.lru import Lru
from inbond.gateway.page_state import PageState
from inbond.gateway.paths import published_path
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import DigestMismatch, NotFound, UpstreamRefused
from inbond.model.events import CacheLookup, Observer
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Documents
from inbond.upstream.source import Source

MAX_LOST: Final = 10_000  # projects
LOST_FOR: Final = timedelta(minutes=5)
# That upstream has not what it claims is believed this long, without asking again.
MISSING_FOR: Final = timedelta(seconds=30)
MAX_MISSING: Final = 10_000  # files
_NOT_THERE: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})


NOTHING_LOST: Final[frozenset[str]] = frozenset()


class MetadataKeeper:
    """Serves `.metadata` files. Raises `NotFound`, `UpstreamFault`, `DigestMismatch`."""

    def __init__(self, upstreams: Mapping[str, Source], documents: Documents, clock: Clock, observer: Observer) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._clock = clock
        self._observer = observer
        self._lost: Lru[tuple[str, ProjectName], dict[str, datetime]] = Lru(MAX_LOST)
        self._missing: Lru[str, tuple[datetime, UpstreamRefused]] = Lru(MAX_MISSING)
        self._flights: SingleFlight[str, bytes] = SingleFlight()
        self._guesses: SingleFlight[str, bytes] = SingleFlight()

    def lost(self, upstream: str, project: ProjectName) -> frozenset[str]:
        """The files of a project whose core metadata is claimed and could not be had a moment ago.

        Pages do not advertise it meanwhile: installers stop hard where it is promised and fails.
        """
        failed = self._lost.get((upstream, project))
        if not failed:
            return NOTHING_LOST
        now = self._clock()
        return frozenset(filename for filename, until in failed.items() if now < until)

    async def read(self, state: PageState, file: File) -> bytes:
        """The metadata file's bytes."""
        if file.core_metadata is False:
            raise NotFound(f"{file.filename} has no core metadata file on its index")
        key = _document_key(state, file)
        await self._guesses.after(key)
        return await self._flights.do(key, lambda: self._read(key, state, file))

    async def guess(self, state: PageState, file: File) -> bytes | None:
        """The bytes, before anybody asks; None where they are being asked for, or could not be had a moment ago.

        Nothing is kept of a failure: whoever asks meanwhile waits for it, and has them asked for anew. Raises as
        `read` does.
        """
        key = _document_key(state, file)
        if key in self._flights or file.filename in self.lost(state.upstream, state.page.name):
            return None
        return await self._guesses.do(key, lambda: self._guess(key, state, file))

    async def _guess(self, key: str, state: PageState, file: File) -> bytes:
        self._observer(CacheLookup(kind="metadata", hit=False))
        body = await self._upstreams[state.upstream].metadata(file, guess=True)
        await self._documents.put_soon(key, body)
        return body

    async def _read(self, key: str, state: PageState, file: File) -> bytes:
        stored = await self.kept(state, file)
        if stored is not None:
            self._observer(CacheLookup(kind="metadata", hit=True))
            return stored
        missing = self._missing.get(key)
        if missing is not None and self._clock() - missing[0] < MISSING_FOR:
            raise missing[1].with_traceback(None)
        self._observer(CacheLookup(kind="metadata", hit=False))
        try:
            body = await self._upstreams[state.upstream].metadata(file)
        except (UpstreamRefused, DigestMismatch) as error:
            self._lost_of(state)[file.filename] = self._clock() + LOST_FOR
            if isinstance(error, UpstreamRefused) and error.status in _NOT_THERE:
                self._missing.put(key, (self._clock(), error.with_traceback(None)))
            raise
        self._lost_of(state).pop(file.filename, None)
        await self._documents.put_soon(key, body)
        return body

    async def kept(self, state: PageState, file: File) -> bytes | None:
        """What is stored of the metadata file, with the digest that its page gives; nobody is asked."""
        stored = await self._documents.get(_document_key(state, file))
        expected = file.metadata_sha256
        return stored if stored is not None and expected in (None, hashlib.sha256(stored).hexdigest()) else None

    def _lost_of(self, state: PageState) -> dict[str, datetime]:
        key = (state.upstream, state.page.name)
        failed = self._lost.get(key)
        if failed is None:
            failed = {}
            self._lost.put(key, failed)
        return failed

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._guesses.aclose()
        await self._flights.aclose()


def _document_key(state: PageState, file: File) -> str:
    """By what the file is; where its page gives no digest by where it is, without what signs that address."""
    what = file.sha256 or published_path(file)
    parts = (state.upstream, state.page.name, file.filename, what, file.metadata_sha256 or "")
    return "metadata/" + hashlib.sha256("\0".join(parts).encode()).hexdigest()
