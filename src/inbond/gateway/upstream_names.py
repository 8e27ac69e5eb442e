"""Each upstream's list of projects, kept by itself: hundreds of thousands of names that are never held whole.

Names stream from upstream into a blob, one a line. Each list is as old as its own upstream lets it be: one that is
looked at every second, as imports are, has no other fetched again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import UpstreamFault
from inbond.model.events import CacheLookup, Observer
from inbond.simple.listing import HtmlNames, JsonNames
from inbond.store.protocols import Blobs, BlobWriter, Documents
from inbond.upstream.answers import ListBody
from inbond.upstream.source import Source

# After a failure the old list is served this long before upstream is asked again.
RETRY_FAILED_AFTER: Final = timedelta(seconds=10)
PIECE_BYTES: Final = 256 * 1024  # of upstream's list, parsed at a time


class Names(msgspec.Struct, array_like=True, frozen=True):
    """Where an upstream's list is. `blob`: its digest."""

    fetched_at: datetime
    serial: int | None
    blob: str


class UpstreamNames:
    """Knows every upstream's list."""

    def __init__(
        self, upstreams: Mapping[str, Source], documents: Documents, blobs: Blobs, clock: Clock, observer: Observer
    ) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._blobs = blobs
        self._clock = clock
        self._observer = observer
        self._failed: dict[str, datetime] = {}
        self._fetches: SingleFlight[str, Names] = SingleFlight()

    @property
    def fed(self) -> frozenset[str]:
        """The upstreams that imports answer for."""
        return frozenset(name for name, source in self._upstreams.items() if source.local)

    async def current(self, upstream: str) -> Names:
        """An upstream's list, an older one while it cannot be had. Raises `UpstreamFault`."""
        return await self._fetches.do(upstream, lambda: self._current(upstream))

    def is_fresh(self, upstream: str, names: Names) -> bool:
        """Whether a list is young enough to be given unasked."""
        return self._clock() - names.fetched_at < self._upstreams[upstream].settings.fresh_for

    def given(self, count: int) -> None:
        """Tells that lists that were at hand were given so many times."""
        self._observer(CacheLookup(kind="list", hit=True, count=count))

    async def _current(self, upstream: str) -> Names:
        stored = await self._load(upstream)
        settings = self._upstreams[upstream].settings
        if stored is not None and self.is_fresh(upstream, stored):
            self.given(1)
            return stored
        now = self._clock()
        usable = stored is not None and now - stored.fetched_at <= settings.max_stale
        failed = self._failed.get(upstream)
        if stored is not None and usable and failed is not None and now - failed < RETRY_FAILED_AFTER:
            return stored
        self._observer(CacheLookup(kind="list", hit=False))
        try:
            fetched = await self._fetch(upstream)
        except UpstreamFault:
            self._failed[upstream] = self._clock()
            if stored is not None and usable:
                return stored
            raise
        if stored is not None and stored.blob != fetched.blob:
            await self._blobs.remove(stored.blob)
        return fetched

    async def _load(self, upstream: str) -> Names | None:
        raw = await self._documents.get(_key(upstream))
        if raw is None:
            return None
        try:
            stored = msgspec.msgpack.decode(raw, type=Names)
        except msgspec.MsgspecError:
            return None
        return stored if await self._blobs.find(stored.blob) is not None else None

    async def _fetch(self, upstream: str) -> Names:
        async with self._blobs.writer() as writer:
            await writer.write(b"\n")  # a list may hold no name at all, a blob not no byte
            async with self._upstreams[upstream].project_list() as body:
                await _receive(body, writer)
            await writer.flush()
            blob = await writer.commit(sha256=writer.hexdigest)
        fetched = Names(self._clock(), body.serial, blob.sha256)
        await self._documents.put(_key(upstream), msgspec.msgpack.encode(fetched))
        return fetched

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._fetches.aclose()


async def _receive(body: ListBody, writer: BlobWriter) -> None:
    names = JsonNames() if body.is_json else HtmlNames()
    gathered = bytearray()
    async for chunk in body.chunks:
        gathered += chunk
        if len(gathered) >= PIECE_BYTES:
            piece, gathered = bytes(gathered), bytearray()
            await writer.write(await asyncio.to_thread(_lines, names, piece))
    await writer.write(await asyncio.to_thread(_lines, names, bytes(gathered), last=True))


def _lines(names: HtmlNames | JsonNames, piece: bytes, *, last: bool = False) -> bytes:
    found = names.feed(piece)
    if last:
        found += names.close()
    return "".join(f"{name}\n" for name in found).encode()


def _key(upstream: str) -> str:
    return f"names/{upstream}"
