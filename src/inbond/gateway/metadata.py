"""Core metadata files (PEP 658): passed through once their digest is checked, and advertised only while they can be."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from inbond.gateway.lru import Lru
from inbond.gateway.pages import PageState
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import DigestMismatch, NotFound, UpstreamRefused
from inbond.model.events import CacheLookup, Observer
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Documents
from inbond.upstream.index import Upstream

MAX_LOST: Final = 10_000  # files


class MetadataKeeper:
    """Serves `.metadata` files. Raises `NotFound`, `UpstreamFault`, `DigestMismatch`."""

    def __init__(self, upstreams: Mapping[str, Upstream], documents: Documents, observer: Observer) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._observer = observer
        self._lost: Lru[tuple[str, str, str], bool] = Lru(MAX_LOST)
        self._generations: dict[tuple[str, ProjectName], int] = {}
        self._flights: SingleFlight[str, bytes] = SingleFlight()

    def generation(self, upstream: str, project: ProjectName) -> int:
        """Changes when a file of the project turns out to have no metadata after all."""
        return self._generations.get((upstream, project), 0)

    def advertised(self, state: PageState, file: File) -> bool | Mapping[str, str]:
        """What the page may say about a file's core metadata."""
        if file.core_metadata is False or self._lost.get(_lost_key(state, file)):
            return False
        digest = file.metadata_sha256
        return {"sha256": digest} if digest is not None else True

    async def read(self, state: PageState, file: File) -> bytes:
        """The metadata file's bytes."""
        if file.core_metadata is False:
            raise NotFound(f"{file.filename} has no core metadata file on its index")
        key = (
            "metadata/"
            + hashlib.sha256(
                "\0".join((state.upstream, file.filename, file.sha256 or file.url, file.metadata_sha256 or "")).encode()
            ).hexdigest()
        )
        return await self._flights.do(key, lambda: self._read(key, state, file))

    async def _read(self, key: str, state: PageState, file: File) -> bytes:
        stored = await self._documents.get(key)
        expected = file.metadata_sha256
        if stored is not None and (expected is None or hashlib.sha256(stored).hexdigest() == expected):
            self._observer(CacheLookup(kind="metadata", hit=True))
            return stored
        self._observer(CacheLookup(kind="metadata", hit=False))
        try:
            body = await self._upstreams[state.upstream].metadata(file)
        except (UpstreamRefused, DigestMismatch):
            self._lose(state, file)
            raise
        await self._documents.put(key, body)
        return body

    def _lose(self, state: PageState, file: File) -> None:
        self._lost.put(_lost_key(state, file), value=True)
        project = (state.upstream, state.page.name)
        self._generations[project] = self._generations.get(project, 0) + 1

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._flights.aclose()


def _lost_key(state: PageState, file: File) -> tuple[str, str, str]:
    return state.upstream, file.filename, file.sha256 or file.url
