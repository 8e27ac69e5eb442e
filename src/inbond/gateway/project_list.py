"""The list of all projects of an index, put together from its upstreams' lists and never held whole.

Each format and coding is rendered into a blob of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.coding import compress_pieces
from inbond.gateway.indexes import Index
from inbond.gateway.single_flight import SingleFlight
from inbond.gateway.upstream_names import Names, UpstreamNames
from inbond.model.errors import NotFound
from inbond.model.events import Observer
from inbond.model.names import ProjectName
from inbond.simple.listing import render_list_html, render_list_json
from inbond.simple.negotiate import Coding, Format
from inbond.store.memory_blob import MemoryBlob
from inbond.store.protocols import Blob, Blobs, Documents
from inbond.upstream.source import Source

PIECES_AT_ONCE: Final = 16  # rendered pieces of about 64 KiB written at a time
NAMES_AT_ONCE: Final = 10_000  # of a list, put beside others at a time


class _StoredList(msgspec.Struct, array_like=True):
    """Where an index's list is: blobs by digest. `sources`: the lists of the upstreams that it was made from.

    `variants`: format and coding -> digest.
    """

    sources: list[str]
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


class _Current(NamedTuple):
    """An index's list, and its upstreams' lists as they were found just before."""

    stored: _StoredList
    lists: Sequence[Names]


class _Given(NamedTuple):
    """A rendered list as it was given. `seen`: its file then."""

    ready: ReadyList
    lists: Sequence[Names]
    seen: tuple[int, ...]


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
        self._names = UpstreamNames(upstreams, documents, blobs, clock, observer)
        self._documents = documents
        self._blobs = blobs
        self._made: SingleFlight[str, _Current] = SingleFlight()
        self._renders: SingleFlight[tuple[str, str], Blob] = SingleFlight()
        self._given: dict[tuple[str, Format, Coding], _Given] = {}  # last, of each index
        self._doubted: dict[tuple[str, Format, Coding], str] = {}  # digests, of each list

    async def ready(self, index: Index, *, form: Format, coding: Coding) -> ReadyList:
        """The list of an index in a format and coding. Raises `UpstreamFault`."""
        key = self._key(index)
        stored, lists = await self._made.do(key, lambda: self._current(index))
        variant = f"{stored.names}+{form.value}+{coding.value}"
        blob = await self._renders.do((key, variant), lambda: self._variant(index, stored, form, coding))
        ready = ReadyList(blob=blob, form=form, coding=coding, serial=stored.serial)
        # What could not be stored is in memory only as long as the store keeps it, or somebody reads it.
        seen = None if isinstance(blob, MemoryBlob) else _seen(blob)
        if seen is not None:
            self._given[index.name, form, coding] = _Given(ready, lists, seen)
        else:
            self._given.pop((index.name, form, coding), None)
        return ready

    def at_hand(self, index: Index, *, form: Format, coding: Coding) -> ReadyList | None:
        """What `ready` gave last, where it would give it again without asking upstream; tells nobody."""
        given = self._given.get((index.name, form, coding))
        if given is None or _seen(given.ready.blob) != given.seen:
            return None
        fresh = all(map(self._names.is_fresh, index.upstreams, given.lists))
        return given.ready if fresh else None

    def doubt(self, index: Index, ready: ReadyList) -> None:
        """Has a list whose file could not be read while it was sent rendered anew, for whoever asks next."""
        self._given = {key: given for key, given in self._given.items() if given.ready.blob != ready.blob}
        self._doubted[self._key(index), ready.form, ready.coding] = ready.blob.sha256

    def given(self, index: Index, count: int) -> None:
        """Tells that a list that was at hand was given so many times."""
        self._names.given(count * len(index.upstreams))

    async def _current(self, index: Index) -> _Current:
        lists = [await self._names.current(upstream) for upstream in index.upstreams]
        stored = await self._load(index)
        serial = lists[0].serial if len(lists) == 1 else None
        sources = [one.blob for one in lists]
        same = stored is not None and (stored.sources, stored.serial) == (sources, serial)
        if stored is not None and same and await self._blobs.find(stored.names) is not None:
            return _Current(stored, lists)
        names = await self._put_together(index, lists)
        same = stored is not None and (stored.names, stored.serial) == (names, serial)
        made = _StoredList(sources, serial, names, stored.variants if stored is not None and same else {})
        await self._save(index, made)
        if stored is not None:
            await self._put_out(stored, keep=made)
        return _Current(made, lists)

    async def _put_out(self, stored: _StoredList, *, keep: _StoredList) -> None:
        """Removes a list's files once a newer one stands in its place: they are of no use to anybody."""
        kept = {keep.names, *keep.sources, *keep.variants.values()}
        for digest in {stored.names, *stored.variants.values()} - kept:
            await self._blobs.remove(digest)

    async def _load(self, index: Index) -> _StoredList | None:
        raw = await self._documents.get(self._key(index))
        if raw is None:
            return None
        try:
            return msgspec.msgpack.decode(raw, type=_StoredList)
        except msgspec.MsgspecError:
            return None

    async def _put_together(self, index: Index, lists: Sequence[Names]) -> str:
        """The digest of a list of all names that can be had, each once."""
        if len(lists) == 1 and not index.ownership:
            return lists[0].blob
        paths = [(await self._found(one.blob)).path for one in lists]
        lines = _lines(index, self._names.fed, paths)
        async with self._blobs.writer() as writer:
            await writer.write(b"\n")  # there may be no name at all, and a blob has at least one byte
            try:
                while batch := await asyncio.to_thread(lambda: "".join(islice(lines, NAMES_AT_ONCE))):
                    await writer.write(batch.encode())
            except FileNotFoundError as error:
                raise _gone() from error
            await writer.flush()
            return (await writer.commit(sha256=writer.hexdigest)).sha256

    async def _found(self, digest: str) -> Blob:
        blob = await self._blobs.find(digest)
        if blob is None:
            raise _gone()
        return blob

    async def _variant(self, index: Index, stored: _StoredList, form: Format, coding: Coding) -> Blob:
        variant = f"{form.value}+{coding.value}"
        digest = stored.variants.get(variant)
        doubted = self._doubted.pop((self._key(index), form, coding), None)
        if doubted is not None:
            await self._blobs.remove(doubted)
        blob = await self._blobs.find(digest) if digest is not None else None
        if blob is not None:
            return blob
        names = await self._found(stored.names)
        try:
            blob = await self._render(names.path, stored.serial, form, coding)
        except FileNotFoundError as error:
            raise _gone() from error
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
        await self._documents.put(self._key(index), msgspec.msgpack.encode(stored))

    def _key(self, index: Index) -> str:
        """Indexes over the same upstreams share their list; one that other names could be had from is not used."""
        fed = sorted(self._names.fed.intersection(index.upstreams))
        told = f"{index.ownership!r} {fed}" if index.ownership or fed else ""
        return f"list/{','.join(index.upstreams)}" + (f"/{hashlib.sha256(told.encode()).hexdigest()}" if told else "")

    async def aclose(self) -> None:
        """Ends what is under way."""
        await self._names.aclose()
        await self._made.aclose()
        await self._renders.aclose()


def _batch(pieces: Iterator[bytes]) -> list[bytes]:
    return list(islice(pieces, PIECES_AT_ONCE))


def _lines(index: Index, fed: frozenset[str], paths: Sequence[Path]) -> Iterator[str]:
    """The names, a line each. Blocks. Raises `FileNotFoundError`."""
    seen: set[int] = set()
    for upstream, path in zip(index.upstreams, paths, strict=True):
        with path.open(encoding="utf-8") as lines:
            for line in lines:
                name = line.rstrip("\n")
                mark = hash(name)
                # What belongs to others is not had from here, whatever this upstream lists.
                if name and mark not in seen and upstream in index.sought_at(ProjectName(name), fed):
                    seen.add(mark)
                    yield line


def _seen(blob: Blob) -> tuple[int, ...] | None:
    """What tells the file of a blob from another, or from itself before it was changed; None where there is none."""
    try:
        status = os.lstat(blob.path)
    except OSError:
        return None
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def _gone() -> NotFound:
    return NotFound("the list of projects was just removed from the cache", remedy="ask again")
