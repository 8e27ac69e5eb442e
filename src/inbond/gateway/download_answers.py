"""Carries out downloads for the other processes, and tells them how these go.

Whoever asks names a file as its own page does; it is found on this process's page, and nothing is fetched but from the
address that stands there. A file that is not found is told to be unknown, and whoever asks fetches it without us.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from inbond.gateway.download import Download
from inbond.gateway.downloads import Downloads
from inbond.gateway.error_told import told
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.remote_download import DownloadTold, complete, in_memory, state_of
from inbond.model.errors import InbondError, InvalidName
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Blob

# Something is told at once, and then at least so often: who hears nothing for longer takes this process for gone.
TELL_EVERY: Final = 1.0  # seconds
# What a stored file's check may take before whoever asks is told to come back.
CHECK_WITHIN: Final = 8.0  # seconds
# What is in this process's memory is kept for so long at most, for whoever asks to open and compare it.
HOLD_SECONDS: Final = 60.0


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """A file, as a page names it. `sha256`: "" where its page gives none, and none is remembered."""

    upstream: str
    project: str
    filename: str
    sha256: str

    @property
    def key(self) -> str:
        """The same as one text."""
        return f"{self.upstream} {self.project} {self.filename} {self.sha256}"


_WANTED: Final = msgspec.json.Decoder(Wanted)
_UNKNOWN: Final = msgspec.json.encode(None)
_AT_IT: Final = msgspec.json.encode(DownloadTold())


class DownloadAnswers:
    """Answers to `Wanted`: states of the download, one a line; at last `null` where there is no such file here."""

    def __init__(self, pages: PageKeeper, downloads: Downloads) -> None:
        self._pages = pages
        self._downloads = downloads

    async def __call__(self, facts: bytes) -> AsyncIterator[bytes]:
        """See `inbond.gateway.peer_server.Answer`."""
        wanted = _WANTED.decode(facts)
        beginning = asyncio.ensure_future(self._begun(wanted))
        try:
            while not beginning.done():  # a page that must be asked for, a file that must be read: we are there
                yield _AT_IT
                await asyncio.wait([beginning], timeout=TELL_EVERY)
            begun = await beginning
        finally:
            beginning.cancel()
        match begun:
            case None:
                yield _UNKNOWN
            case DownloadTold():
                yield msgspec.json.encode(begun)
            case Blob():
                async for said in _held(complete(begun)):
                    yield msgspec.json.encode(said)
            case state, download:
                async for said in self._told(state, download):
                    yield msgspec.json.encode(said)

    async def _begun(self, wanted: Wanted) -> tuple[PageState, Download] | Blob | DownloadTold | None:
        """The download, its file where that is here by now, what is wrong, or None for a file that is not found."""
        found = await self._found(wanted)
        if found is None:
            return None
        state, file = found
        try:
            blob = await self._stored(file)
            if blob is not None:
                return blob
            return state, self._downloads.join(
                state,
                file,
                fix=None if file.sha256 else lambda sha256: self._pages.fix_digest(state, file, sha256),
                renew=lambda: self._pages.other_url(state, file),
            )
        except InbondError as error:
            return DownloadTold(error=told(error))

    async def _found(self, wanted: Wanted) -> tuple[PageState, File] | None:
        try:
            state = await self._pages.current(wanted.upstream, ProjectName(wanted.project))
        except (InvalidName, KeyError, InbondError):
            return None
        file = next((one for one in state.page.files if one.filename == wanted.filename), None) if state else None
        if state is None or file is None:
            return None
        state, file = await self._pages.recalled(state, file)
        return (state, file) if wanted.sha256 in {"", file.sha256} else None

    async def _told(self, state: PageState, download: Download) -> AsyncIterator[DownloadTold]:
        while True:
            waits = self._downloads.waits_for_place(state.upstream, download)
            said = state_of(download, waits=waits)
            if said.ended:
                break
            yield said
            if state_of(download, waits=waits) == said:  # else it changed while it was told
                await download.progress(TELL_EVERY)
        async for again in _held(said):
            yield again

    async def _stored(self, file: File) -> Blob | None:
        if file.sha256 is None:
            return None
        blob = await self._downloads.stored(file, file.sha256)
        try:
            if blob is not None:
                until = asyncio.get_running_loop().time() + CHECK_WITHIN
                await self._downloads.check(file, blob, until=until)
        except FileNotFoundError:
            return None
        return blob


async def _held(said: DownloadTold) -> AsyncIterator[DownloadTold]:
    """The last word. Where the file is in memory it is said again and again until whoever asked has hung up.

    It is gone with the last who refers to it, and this process's part of that ends with the answer.
    """
    yield said
    until = asyncio.get_running_loop().time() + HOLD_SECONDS
    while said.blob is not None and in_memory(said.blob) and asyncio.get_running_loop().time() < until:
        await asyncio.sleep(TELL_EVERY)
        yield said
