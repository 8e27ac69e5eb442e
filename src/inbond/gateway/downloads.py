"""The downloads under way: one for each cold file, however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.digests import NamedDigests, check_stored
from inbond.gateway.download import Complete, Download, Failed, Fix, Renew
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.lru import Lru, LruSet
from inbond.gateway.page_state import PageState
from inbond.gateway.stored_bytes import StoredBytes
from inbond.model.errors import DigestMismatch, UpstreamRefused
from inbond.model.events import Alert, CacheLookup, DownloadChanged, Observer
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs
from inbond.upstream.limits import DOWNLOADS_AT_ONCE
from inbond.upstream.source import Source

# Installers ask six to eight times for a file whose bytes do not match; upstream is asked once in this time.
REMEMBER_MISMATCH: Final = timedelta(seconds=30)
MAX_MISMATCHES: Final = 1_000
# A file that its page lists and its index has not: believed this long, as the page is asked anew each time.
REMEMBER_GONE: Final = timedelta(seconds=30)
MAX_GONE: Final = 10_000
MAX_PROVEN: Final = 10_000  # finished downloads whose own validators are still honoured
# One in so many of an upstream's download places is for files without digest. Nothing says how long these are, and
# each is fetched whole before anybody gets a byte: they must not take all places from the others.
UNDIGESTED_SHARE: Final = 4
# One in so many is for files that may turn out to be for nobody, and none where half of the places are taken.
AHEAD_SHARE: Final = 4

# Upstream, project, filename, and sha256 or "" where none is known: what a file is, whatever its address. Some indexes
# sign addresses anew for every load of a page.
_Key = tuple[str, str, str, str]


class Downloads:
    """Finds a file's bytes in the store, joins the download under way, or starts one."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        blobs: Blobs,
        inspections: InspectionKeeper,
        clock: Clock,
        observer: Observer,
        *,
        stored_bytes: StoredBytes,
        at_once: int = DOWNLOADS_AT_ONCE,
    ) -> None:
        """`at_once`: how many downloads each upstream has places for."""
        self._upstreams = upstreams
        self._blobs = blobs
        self._inspections = inspections
        self._clock = clock
        self._observer = observer
        self._stored_bytes = stored_bytes
        self._running: dict[_Key, tuple[Download, asyncio.Task[None]]] = {}
        self._broken_off: set[asyncio.Task[None]] = set()  # until they have ended
        self._mismatches: Lru[_Key, tuple[datetime, DigestMismatch]] = Lru(MAX_MISMATCHES)
        self._gone: Lru[_Key, tuple[datetime, UpstreamRefused]] = Lru(MAX_GONE)
        self._at_once = at_once
        share = max(1, at_once // UNDIGESTED_SHARE)
        self._undigested = {name: asyncio.Semaphore(share) for name in upstreams}
        self._checked: LruSet[tuple[str, ...]] = LruSet(MAX_PROVEN)  # stored files and what their pages named
        self._proven: Lru[str, str] = Lru(MAX_PROVEN)  # a download's own validator -> the digest it turned out to have

    async def stored(self, file: File, sha256: str) -> Blob | None:
        """The file, if it is in the store. One of another length than its page says is not: it is fetched anew.

        It stays where it is until then: either it was damaged, and is replaced, or this page lies about its size.
        """
        blob = await self._blobs.find(sha256)
        differs = blob is not None and file.size is not None and blob.size != file.size
        if blob is not None and differs and not self._stored_bytes.imported(blob):  # of those the digest decides
            message = f"{file.filename}: {blob.size} bytes lie in the cache, its page says {file.size}; fetched anew"
            self._observer(Alert(name="stored-file-differs", message=message))
            blob = None
        self._observer(CacheLookup(kind="blob", hit=blob is not None))
        return blob

    async def check(self, file: File, blob: Blob, *, until: float) -> None:
        """Compares a stored file with its sha256, and with what its page names instead of one, where that is not known.

        Raises `DigestMismatch`, `FileNotFoundError` where it was evicted a moment ago or is damaged, `BytesLost` where
        the disk does not give an imported one. `until`: by when the answer is wanted, on the event loop's clock;
        `NotYet` where it takes longer.
        """
        if not await self._stored_bytes.whole(file.filename, blob, until=until):
            raise FileNotFoundError(blob.path)
        if not NamedDigests(file):
            return
        key = _named(file, blob)
        if key not in self._checked:
            await asyncio.to_thread(check_stored, file, blob.path)
            self._checked.add(key)

    def doubt(self, blob: Blob) -> None:
        """Has a stored file whose bytes could not be read while they were sent compared before it leaves again."""
        self._stored_bytes.doubt(blob.path)

    def join(self, state: PageState, file: File, *, fix: Fix | None = None, renew: Renew | None = None) -> Download:
        """The download of that file under way, or a new one. Raises `DigestMismatch` while one is remembered.

        Raises `UpstreamRefused` while it is remembered that upstream has it no more. `fix` is needed for a file without
        a digest: it has the one that the bytes turn out to have count.
        """
        download = self._joined(state, file, fix, renew)
        download.follow()
        return download

    def ahead(self, state: PageState, file: File, *, renew: Renew, beginning: int | None) -> Download | None:
        """The same for who does not know yet whether the file may leave; None where places are short.

        Whoever may have it then says so with `follow`, who may not calls `break_off`. `beginning`: so many bytes come
        until then; None: all.
        """
        known = self._found(_key(state, file), file)
        if known is None and not self._has_room(state.upstream):
            return None
        download = self._joined(state, file, None, renew)
        if known is None:
            download.beginning = beginning
        download.guessed = False
        return download

    def guess(self, state: PageState, file: File, *, renew: Renew, beginning: int | None) -> Download | None:
        """A new one for nobody; None where there is one, or places are short. Nothing is remembered of its failure.

        See `ahead`.
        """
        if self._found(_key(state, file), file) is not None or not self._has_room(state.upstream):
            return None
        download = self._joined(state, file, None, renew)
        download.guessed, download.beginning = True, beginning
        return download

    def _has_room(self, upstream: str) -> bool:
        taking = [one for key, (one, _) in self._running.items() if key[0] == upstream and not one.received]
        ahead = sum(not one.followed for one in taking)
        return 2 * (len(taking) + 1) <= self._at_once and ahead < max(1, self._at_once // AHEAD_SHARE)

    def _joined(self, state: PageState, file: File, fix: Fix | None, renew: Renew | None) -> Download:
        mismatch = self.mismatch(state, file)
        if mismatch is not None:
            raise mismatch.anew()
        key = _key(state, file)
        gone = self._gone.get(key)
        if gone is not None and self._clock() - gone[0] < REMEMBER_GONE:
            raise gone[1].anew()
        running = self._found(key, file)
        if running is not None:
            return running
        download = Download(
            file, fix=fix, look=lambda sha256, path: self._inspections.look(state, file, sha256, path), renew=renew
        )
        task = asyncio.get_running_loop().create_task(self._run(key, download))
        self._running[key] = (download, task)
        return download

    def _found(self, key: _Key, file: File) -> Download | None:
        running = self._running.get(key)
        if running is None and file.listed_sha256 is None:  # it may have fixed the digest, and is not stored yet
            running = self._running.get((*key[:3], ""))
        return running[0] if running is not None else None

    def break_off(self, state: PageState, download: Download) -> None:
        """Ends a transfer that nobody follows; what came of it is removed. What is whole is checked, and stored."""
        key = _key(state, download.file)
        running = self._running.get(key)
        if running is None or running[0] is not download or download.followed or download.received:
            return
        del self._running[key]  # who asks from now on has it begin anew
        self._broken_off.add(running[1])
        running[1].add_done_callback(self._broken_off.discard)
        running[1].cancel()

    async def _run(self, key: _Key, download: Download) -> None:
        self._observer(DownloadChanged(change=1))
        try:
            await download.run(self._upstreams[key[0]], self._blobs, self._place(key))
        finally:
            self._observer(DownloadChanged(change=-1))
            if (running := self._running.get(key)) is not None and running[0] is download:
                del self._running[key]
            match download.outcome:
                case Complete(blob):
                    self._stored_bytes.committed(blob)
                    if download.doubted:
                        self.doubt(blob)
                    if NamedDigests(download.file):
                        self._checked.add(_named(download.file, blob))
                    self._proven.put(download.etag, blob.sha256)
                case Failed() if download.guessed:
                    pass  # whoever asks has it asked for anew
                case Failed(DigestMismatch() as error):
                    # not the one that was raised, which keeps the page and all that was under way in memory
                    self._mismatches.put(key, (self._clock(), error.anew()))
                case Failed(UpstreamRefused(status=HTTPStatus.NOT_FOUND | HTTPStatus.GONE) as refused):
                    self._gone.put(key, (self._clock(), refused.anew()))
                case _:
                    pass

    def _place(self, key: _Key) -> AbstractAsyncContextManager[None]:
        upstream, _, _, sha256 = key
        return nullcontext() if sha256 else self._undigested[upstream]

    def waits_for_place(self, upstream: str, download: Download) -> bool:
        """Whether a download of that upstream has not begun because others take all places that it could have."""
        if download.begun:
            return False
        begun = sum(one.begun and not one.received for key, (one, _) in self._running.items() if key[0] == upstream)
        return download.queued or begun >= self._at_once

    def proves(self, etag: str, sha256: str) -> bool:
        """Whether what was sent under this validator has turned out to be that content."""
        return self._proven.get(etag) == sha256

    def mismatch(self, state: PageState, file: File) -> DigestMismatch | None:
        """The failed check that is still remembered for a file, if there is one."""
        remembered = self._mismatches.get(_key(state, file))
        if remembered is not None and self._clock() - remembered[0] < REMEMBER_MISMATCH:
            return remembered[1]
        return None

    def __len__(self) -> int:
        return len(self._running)

    async def wait(self) -> None:
        """Returns when no download is left that anybody may be waiting for."""
        while tasks := [*self._broken_off, *(task for one, task in self._running.values() if one.followed)]:
            await asyncio.wait(tasks)

    async def aclose(self) -> None:
        """Breaks off what is under way; partial files are removed."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, *self._broken_off, return_exceptions=True)
        await self._stored_bytes.aclose()


def _key(state: PageState, file: File) -> _Key:
    return state.upstream, state.page.name, file.filename, file.sha256 or ""


def _named(file: File, blob: Blob) -> tuple[str, ...]:
    """A file's bytes and the digests that its page names of them."""
    return (blob.sha256, *sorted(f"{name}={digest}" for name, digest in file.hashes.items()))
