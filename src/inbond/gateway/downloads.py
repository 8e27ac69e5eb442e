"""The downloads under way: one for each cold file, however many ask."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.gateway.download import Download, Failed
from inbond.gateway.lru import Lru
from inbond.gateway.pages import PageState
from inbond.model.errors import DigestMismatch
from inbond.model.events import CacheLookup, DownloadChanged, Observer
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs
from inbond.upstream.index import Upstream

# Installers ask six to eight times for a file whose bytes do not match; upstream is asked once in this time.
REMEMBER_MISMATCH: Final = timedelta(seconds=30)
MAX_MISMATCHES: Final = 1_000


class Downloads:
    """Finds a file's bytes in the store, joins the download under way, or starts one."""

    def __init__(self, upstreams: Mapping[str, Upstream], blobs: Blobs, clock: Clock, observer: Observer) -> None:
        self._upstreams = upstreams
        self._blobs = blobs
        self._clock = clock
        self._observer = observer
        self._running: dict[tuple[str, str], tuple[Download, asyncio.Task[None]]] = {}
        self._mismatches: Lru[tuple[str, str], tuple[datetime, DigestMismatch]] = Lru(MAX_MISMATCHES)

    async def stored(self, sha256: str) -> Blob | None:
        """The file, if it is in the store."""
        blob = await self._blobs.find(sha256)
        self._observer(CacheLookup(kind="blob", hit=blob is not None))
        return blob

    def join(self, state: PageState, file: File, sha256: str) -> Download:
        """The download of that content under way, or a new one. Raises `DigestMismatch` while one is remembered."""
        mismatch = self.mismatch(file, sha256)
        if mismatch is not None:
            raise mismatch
        running = self._running.get((file.url, sha256))
        if running is not None:
            return running[0]
        download = Download(file, sha256)
        task = asyncio.get_running_loop().create_task(self._run(download, self._upstreams[state.upstream]))
        self._running[(file.url, sha256)] = (download, task)
        return download

    async def _run(self, download: Download, upstream: Upstream) -> None:
        self._observer(DownloadChanged(change=1))
        try:
            await download.run(upstream, self._blobs)
        finally:
            self._observer(DownloadChanged(change=-1))
            self._running.pop((download.file.url, download.sha256), None)
            if isinstance(download.outcome, Failed) and isinstance(download.outcome.error, DigestMismatch):
                key = (download.file.url, download.sha256)
                self._mismatches.put(key, (self._clock(), download.outcome.error))

    def mismatch(self, file: File, sha256: str) -> DigestMismatch | None:
        """The failed check that is still remembered for a file, if there is one."""
        remembered = self._mismatches.get((file.url, sha256))
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
