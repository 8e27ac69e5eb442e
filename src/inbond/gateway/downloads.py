"""The downloads under way: one for each cold file, however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.digests import NamedDigests, check_stored
from inbond.gateway.download import Complete, Download, Failed, Fix, Renew
from inbond.gateway.lru import Lru
from inbond.gateway.pages import PageState
from inbond.model.errors import DigestMismatch
from inbond.model.events import Alert, CacheLookup, DownloadChanged, Observer
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs
from inbond.upstream.index import Upstream

# Installers ask six to eight times for a file whose bytes do not match; upstream is asked once in this time.
REMEMBER_MISMATCH: Final = timedelta(seconds=30)
MAX_MISMATCHES: Final = 1_000
MAX_PROVEN: Final = 10_000  # finished downloads whose own validators are still honoured

_Key = tuple[str, str, str]  # upstream, URL, sha256 or "" where none is known


class Downloads:
    """Finds a file's bytes in the store, joins the download under way, or starts one."""

    def __init__(self, upstreams: Mapping[str, Upstream], blobs: Blobs, clock: Clock, observer: Observer) -> None:
        self._upstreams = upstreams
        self._blobs = blobs
        self._clock = clock
        self._observer = observer
        self._running: dict[_Key, tuple[Download, asyncio.Task[None]]] = {}
        self._mismatches: Lru[_Key, tuple[datetime, DigestMismatch]] = Lru(MAX_MISMATCHES)
        self._checked: Lru[tuple[str, ...], str] = Lru(MAX_PROVEN)  # stored files and what their pages named
        self._proven: Lru[str, str] = Lru(MAX_PROVEN)  # a download's own validator -> the digest it turned out to have

    async def stored(self, file: File, sha256: str) -> Blob | None:
        """The file, if it is in the store. One of another length than its page says is not: it is fetched anew.

        It stays where it is until then: either it was damaged, and is replaced, or this page lies about its size.
        """
        blob = await self._blobs.find(sha256)
        if blob is not None and file.size is not None and blob.size != file.size:
            message = f"{file.filename}: {blob.size} bytes lie in the cache, its page says {file.size}; fetched anew"
            self._observer(Alert(name="stored-file-differs", message=message))
            blob = None
        self._observer(CacheLookup(kind="blob", hit=blob is not None))
        return blob

    async def check(self, file: File, blob: Blob) -> None:
        """Compares a stored file with what its page names instead of a sha256, once. Raises `DigestMismatch`.

        Raises `FileNotFoundError` where it was evicted a moment ago.
        """
        if not NamedDigests(file):
            return
        key = _named(file, blob)
        if self._checked.get(key) is None:
            await asyncio.to_thread(check_stored, file, blob.path)
            self._checked.put(key, blob.sha256)

    def join(self, state: PageState, file: File, *, fix: Fix | None = None, renew: Renew | None = None) -> Download:
        """The download of that file under way, or a new one. Raises `DigestMismatch` while one is remembered.

        `fix` is needed for a file without a digest: it has the one that the bytes turn out to have count.
        """
        mismatch = self.mismatch(state.upstream, file)
        if mismatch is not None:
            raise mismatch
        key = (state.upstream, file.url, file.sha256 or "")
        running = self._running.get(key)
        if running is not None:
            return running[0]
        download = Download(file, fix=fix, renew=renew)
        task = asyncio.get_running_loop().create_task(self._run(key, download))
        self._running[key] = (download, task)
        return download

    async def _run(self, key: _Key, download: Download) -> None:
        self._observer(DownloadChanged(change=1))
        try:
            await download.run(self._upstreams[key[0]], self._blobs)
        finally:
            self._observer(DownloadChanged(change=-1))
            self._running.pop(key, None)
            match download.outcome:
                case Complete(blob):
                    self._checked.put(_named(download.file, blob), blob.sha256)
                    self._proven.put(download.etag, blob.sha256)
                case Failed(DigestMismatch() as error):
                    # without the traceback, which would keep the page and all that was under way in memory
                    self._mismatches.put(key, (self._clock(), error.with_traceback(None)))
                case _:
                    pass

    def proves(self, etag: str, sha256: str) -> bool:
        """Whether what was sent under this validator has turned out to be that content."""
        return self._proven.get(etag) == sha256

    def mismatch(self, upstream: str, file: File) -> DigestMismatch | None:
        """The failed check that is still remembered for a file, if there is one."""
        remembered = self._mismatches.get((upstream, file.url, file.sha256 or ""))
        if remembered is not None and self._clock() - remembered[0] < REMEMBER_MISMATCH:
            return remembered[1]
        return None

    def __len__(self) -> int:
        return len(self._running)

    async def wait(self) -> None:
        """Returns when no download is left."""
        while self._running:
            await asyncio.wait([task for _, task in self._running.values()])

    async def aclose(self) -> None:
        """Breaks off what is under way; partial files are removed."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _named(file: File, blob: Blob) -> tuple[str, ...]:
    """A file's bytes and the digests that its page names of them."""
    return (blob.sha256, *sorted(f"{name}={digest}" for name, digest in file.hashes.items()))
