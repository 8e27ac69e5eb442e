"""One download for each cold file over all processes: one of them carries it out, and the others are told of it.

Whose turn it is follows from the file's name and digest (`Peers.ranked`), so nobody has to agree on anything. Where
that process has ended, does not answer, or knows no such file, it is the next one's turn, and this one's at the latest:
what goes wrong costs a second download, never a wrong byte. One that ends in the middle ends its downloads too; clients
ask again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

import msgspec

from inbond.gateway.clock import Clock
from inbond.gateway.download import Complete, Download, Failed, Fix, Renew
from inbond.gateway.download_answers import TELL_EVERY, Wanted
from inbond.gateway.downloads import MAX_MISMATCHES, MAX_PROVEN, REMEMBER_MISMATCH, Downloads
from inbond.gateway.lru import Lru
from inbond.gateway.page_state import PageState
from inbond.gateway.peer_server import asking
from inbond.gateway.peers import PeerGone, Peers, PeerSilent
from inbond.gateway.remote_download import DownloadTold, RemoteDownload, state_of
from inbond.model.errors import DigestMismatch, InbondError, UpstreamBroken
from inbond.model.events import Alert, Observer
from inbond.model.page import File
from inbond.store.protocols import Blob

DOWNLOAD: Final = "download"  # what the others are asked about
# Seconds without a word. Before a byte has left another may do it, while whoever asks still waits.
SILENT_AFTER: Final = 3 * TELL_EVERY
CUT_AFTER: Final = 10 * TELL_EVERY
REMEMBER_SILENT: Final = timedelta(seconds=30)  # for as long it is not asked: each file would wait for it anew
_TOLD: Final = msgspec.json.Decoder(DownloadTold | None)


class SharedDownloads:
    """`inbond.gateway.fetching.Fetching` over several processes. Close it with `aclose`, before its own downloads."""

    def __init__(self, own: Downloads, peers: Peers, clock: Clock, observer: Observer) -> None:
        self._own = own
        self._peers = peers
        self._clock = clock
        self._observer = observer
        self._silent: dict[int, datetime] = {}  # which processes did not answer, and when
        self._remote: dict[str, tuple[RemoteDownload, asyncio.Task[None]]] = {}
        self._mismatches: Lru[str, tuple[datetime, DigestMismatch]] = Lru(MAX_MISMATCHES)
        self._proven: Lru[str, str] = Lru(MAX_PROVEN)

    async def stored(self, file: File, sha256: str) -> Blob | None:
        """See `Downloads.stored`."""
        return await self._own.stored(file, sha256)

    async def check(self, file: File, blob: Blob, *, until: float) -> None:
        """See `Downloads.check`."""
        await self._own.check(file, blob, until=until)

    def doubt(self, blob: Blob) -> None:
        """See `Downloads.doubt`."""
        self._own.doubt(blob)

    def join(self, state: PageState, file: File, *, fix: Fix | None = None, renew: Renew | None = None) -> Download:
        """See `Downloads.join`."""
        mismatch = self.mismatch(state, file)
        if mismatch is not None:
            raise mismatch.anew()
        wanted = _wanted(state, file)
        running = self._remote.get(wanted.key)
        if running is not None:
            return running[0]
        turns = self._turns(state, file)
        if turns[0] == self._peers.number:
            return self._own.join(state, file, fix=fix, renew=renew)
        download = RemoteDownload(file)
        task = asyncio.get_running_loop().create_task(
            self._run(turns, wanted, download, lambda: self._own.join(state, file, fix=fix, renew=renew))
        )
        self._remote[wanted.key] = (download, task)
        return download

    def _turns(self, state: PageState, file: File) -> tuple[int, ...]:
        """Whose turn it is. By what the page names: a digest may be remembered while its download is under way."""
        ranked = self._peers.ranked(f"{state.upstream} {state.page.name} {file.filename} {file.listed_sha256 or ''}")
        return tuple(number for number in ranked if not self._is_silent(number))

    async def _run(
        self, turns: tuple[int, ...], wanted: Wanted, download: RemoteDownload, join: Callable[[], Download]
    ) -> None:
        try:
            for number in turns:
                if number == self._peers.number:
                    await self._here(wanted.upstream, download, join)
                elif self._is_silent(number) or not await self._there(number, wanted, download):
                    continue
                break
        finally:
            message = f"the transfer of {download.file.filename} was broken off: the process that fetched it has ended"
            download.fail(UpstreamBroken(message, remedy="try again: it is fetched anew"))
            self._remote.pop(wanted.key, None)
            self._remember(wanted, download)

    async def _there(self, number: int, wanted: Wanted, download: RemoteDownload) -> bool:
        """Has another carry it out; False where it does not, and no byte has left by what it said."""
        try:
            async with self._peers.asked(number, asking(DOWNLOAD, wanted)) as lines:
                while download.outcome is None:
                    said = _TOLD.decode(await lines.next(within=CUT_AFTER if download.begun else SILENT_AFTER))
                    if said is None:
                        return False
                    await download.take(said)
        except PeerSilent:
            self._fell_silent(number)
        except (PeerGone, ValueError, OSError):
            pass
        return download.outcome is not None or download.begun

    def _fell_silent(self, number: int) -> None:
        if not self._is_silent(number):
            message = f"worker {number} does not answer: the others fetch its files for {REMEMBER_SILENT.seconds} s"
            self._observer(Alert(name="worker-silent", message=f"{message}. If it stays, restart inbond"))
        self._silent[number] = self._clock()

    def _is_silent(self, number: int) -> bool:
        since = self._silent.get(number)
        return since is not None and self._clock() - since < REMEMBER_SILENT

    async def _here(self, upstream: str, download: RemoteDownload, join: Callable[[], Download]) -> None:
        """Carries it out after all."""
        try:
            own = join()
        except InbondError as error:
            download.fail(error)
            return
        while download.outcome is None:
            said = state_of(own, waits=self._own.waits_for_place(upstream, own))
            await download.take(said)
            if not said.ended:
                await own.progress(TELL_EVERY)

    def _remember(self, wanted: Wanted, download: RemoteDownload) -> None:
        match download.outcome:
            case Complete(blob):
                if download.doubted:  # by a reader here: whoever carried it out does not know of that
                    self.doubt(blob)
                self._proven.put(download.etag, blob.sha256)
            case Failed(DigestMismatch() as error):
                self._mismatches.put(wanted.key, (self._clock(), error.anew()))
            case _:
                pass

    def waits_for_place(self, upstream: str, download: Download) -> bool:
        """See `Downloads.waits_for_place`."""
        if isinstance(download, RemoteDownload):
            return download.waits and not download.begun
        return self._own.waits_for_place(upstream, download)

    def proves(self, etag: str, sha256: str) -> bool:
        """See `Downloads.proves`: what others have sent is not known here, and is sent anew, whole."""
        return self._proven.get(etag) == sha256 or self._own.proves(etag, sha256)

    def mismatch(self, state: PageState, file: File) -> DigestMismatch | None:
        """See `Downloads.mismatch`."""
        remembered = self._mismatches.get(_wanted(state, file).key)
        if remembered is not None and self._clock() - remembered[0] < REMEMBER_MISMATCH:
            return remembered[1]
        return self._own.mismatch(state, file)

    async def aclose(self) -> None:
        """Waits for nobody any more."""
        tasks = [task for _, task in self._remote.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _wanted(state: PageState, file: File) -> Wanted:
    return Wanted(
        upstream=state.upstream,
        project=str(state.page.name),
        filename=str(file.filename),
        sha256=file.sha256 or "",
    )
