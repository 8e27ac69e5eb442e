"""The list of all projects: hundreds of thousands of names that are never parsed or held whole.

Names stream from upstream into a blob, one a line; each format and coding is rendered from it into a blob of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.coding import compress_pieces
from inbond.gateway.indexes import Index
from inbond.gateway.single_flight import SingleFlight
from inbond.model.errors import NotFound, UpstreamFault
from inbond.model.events import CacheLookup, Observer
from inbond.model.names import ProjectName
from inbond.simple.listing import HtmlNames, JsonNames, render_list_html, render_list_json
from inbond.simple.negotiate import Coding, Format
from inbond.store.protocols import Blob, Blobs, Documents
from inbond.upstream.source import Source

# After a failure the old list is served this long before upstream is asked again.
RETRY_FAILED_AFTER: Final = timedelta(seconds=10)
PIECE_BYTES: Final = 256 * 1024  # of upstream's list, parsed at a time
PIECES_AT_ONCE: Final = 16  # rendered pieces of about 64 KiB written at a time
_DUPLICATES_OF: Final = 2  # upstreams from which on a name can come twice


class _StoredList(msgspec.Struct, array_like=True):
    """Where an index's list is: blobs by digest. `variants`: format and coding -> digest."""

    fetched_at: datetime
    serial: int | None
    names: str
    variants: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyList:
    """A rendered list, ready to send; the blob's digest is its ETag."""

    blob: Blob
    form: Format
    coding: Coding
    serial: int | None


class ProjectList:
    """Answers requests for the list of projects."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        documents: Documents,
        blobs: Blobs,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._upstreams = upstreams
        self._documents = documents
        self._blobs = blobs
        self._clock = clock
        self._observer = observer
        self._failed: dict[str, datetime] = {}
        self._fetches: SingleFlight[str, _StoredList] = SingleFlight()
        self._renders: SingleFlight[tuple[str, str], Blob] = SingleFlight()

    async def ready(self, index: Index, *, form: Format, coding: Coding) -> ReadyList:
        """The list of an index in a format and coding. Raises `UpstreamFault`."""
        stored = await self._fetches.do(_key(index), lambda: self._current(index))
        variant = f"{stored.names}+{form.value}+{coding.value}"
        blob = await self._renders.do((_key(index), variant), lambda: self._variant(index, stored, form, coding))
        return ReadyList(blob=blob, form=form, coding=coding, serial=stored.serial)

    async def _current(self, index: Index) -> _StoredList:
        stored = await self._load(index)
        now = self._clock()
        settings = [self._upstreams[name].settings for name in index.upstreams]
        if stored is not None and now - stored.fetched_at < min(one.fresh_for for one in settings):
            self._observer(CacheLookup(kind="list", hit=True))
            return stored
        usable = stored is not None and now - stored.fetched_at <= min(one.max_stale for one in settings)
        failed = self._failed.get(_key(index))
        if stored is not None and usable and failed is not None and now - failed < RETRY_FAILED_AFTER:
            return stored
        self._observer(CacheLookup(kind="list", hit=False))
        try:
            fetched = await self._fetch(index, stored)
        except UpstreamFault:
            self._failed[_key(index)] = self._clock()
            if stored is not None and usable:
                return stored
            raise
        if stored is not None:
            await self._put_out(stored, keep=fetched)
        return fetched

    async def _put_out(self, stored: _StoredList, *, keep: _StoredList) -> None:
        """Removes a list's files once a newer one stands in its place: they are of no use to anybody."""
        for digest in {stored.names, *stored.variants.values()} - {keep.names, *keep.variants.values()}:
            await self._blobs.remove(digest)

    async def _load(self, index: Index) -> _StoredList | None:
        raw = await self._documents.get(_key(index))
        if raw is None:
            return None
        try:
            stored = msgspec.msgpack.decode(raw, type=_StoredList)
        except msgspec.MsgspecError:
            return None
        return stored if await self._blobs.find(stored.names) is not None else None

    async def _fetch(self, index: Index, before: _StoredList | None) -> _StoredList:
        serials: list[int | None] = []
        seen: set[int] | None = set() if len(index.upstreams) >= _DUPLICATES_OF else None
        async with self._blobs.writer() as writer:
            await writer.write(b"\n")  # a list may hold no name at all, a blob not no byte
            for upstream in index.upstreams:
                foreign = partial(_is_foreign, index, upstream) if index.ownership else None
                async with self._upstreams[upstream].project_list() as body:
                    serials.append(body.serial)
                    names = JsonNames() if body.is_json else HtmlNames()
                    gathered = bytearray()
                    async for chunk in body.chunks:
                        gathered += chunk
                        if len(gathered) >= PIECE_BYTES:
                            piece, gathered = bytes(gathered), bytearray()
                            await writer.write(await asyncio.to_thread(_lines, names, piece, seen, foreign))
                    rest = await asyncio.to_thread(_lines, names, bytes(gathered), seen, foreign, last=True)
                    await writer.write(rest)
            await writer.flush()
            blob = await writer.commit(sha256=writer.hexdigest)
        serial = serials[0] if len(serials) == 1 else None
        same = before is not None and (before.names, before.serial) == (blob.sha256, serial)
        stored = _StoredList(self._clock(), serial, blob.sha256, before.variants if before is not None and same else {})
        await self._save(index, stored)
        return stored

    async def _variant(self, index: Index, stored: _StoredList, form: Format, coding: Coding) -> Blob:
        variant = f"{form.value}+{coding.value}"
        digest = stored.variants.get(variant)
        blob = await self._blobs.find(digest) if digest is not None else None
        if blob is not None:
            return blob
        names = await self._blobs.find(stored.names)
        if names is None:
            raise NotFound("the list of projects was just removed from the cache", remedy="ask again")
        try:
            blob = await self._render(names.path, stored.serial, form, coding)
        except FileNotFoundError as error:
            raise NotFound("the list of projects was just removed from the cache", remedy="ask again") from error
        current = await self._load(index)
        if current is not None and current.names == stored.names:
            current.variants[variant] = blob.sha256
            await self._save(index, current)
        return blob

    async def _render(self, names: Path, serial: int | None, form: Format, coding: Coding) -> Blob:
        async with self._blobs.writer() as writer:
            with names.open(encoding="utf-8") as lines:
                stripped = (line.rstrip("\n") for line in lines if line != "\n")
                pieces = render_list_json(stripped, serial=serial) if form.is_json else render_list_html(stripped)
                coded = compress_pieces(pieces, coding)
                while batch := await asyncio.to_thread(_batch, coded):
                    await writer.write(b"".join(batch))
            await writer.flush()
            return await writer.commit(sha256=writer.hexdigest)

    async def _save(self, index: Index, stored: _StoredList) -> None:
        await self._documents.put(_key(index), msgspec.msgpack.encode(stored))

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._fetches.aclose()
        await self._renders.aclose()


def _batch(pieces: Iterator[bytes]) -> list[bytes]:
    return list(islice(pieces, PIECES_AT_ONCE))


def _lines(
    names: HtmlNames | JsonNames,
    piece: bytes,
    seen: set[int] | None,
    foreign: Callable[[str], bool] | None,
    *,
    last: bool = False,
) -> bytes:
    found = names.feed(piece)
    if last:
        found += names.close()
    if foreign is not None:
        found = [name for name in found if not foreign(name)]
    if seen is not None:
        fresh = []
        for name in found:
            mark = hash(name)
            if mark not in seen:
                seen.add(mark)
                fresh.append(name)
        found = fresh
    return "".join(f"{name}\n" for name in found).encode()


def _is_foreign(index: Index, upstream: str, name: str) -> bool:
    """Whether the project belongs to others, whatever this upstream lists under its name: it is not had from here."""
    return upstream not in index.upstreams_for(ProjectName(name))


def _key(index: Index) -> str:
    """Indexes over the same upstreams share their list; a list made under another ownership is not used."""
    owned = f"/{hashlib.sha256(repr(index.ownership).encode()).hexdigest()}" if index.ownership else ""
    return f"list/{','.join(index.upstreams)}{owned}"
