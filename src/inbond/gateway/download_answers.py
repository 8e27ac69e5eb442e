"""Carries out downloads for the other processes, and tells them how these go.

Whoever asks names a file as its own page does; it is found on this process's page, and nothing is fetched but from the
address that stands there. A file that is not found is told to be unknown, and whoever asks fetches it without us.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from inbond.gateway.downloads import Downloads
from inbond.gateway.error_told import told
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.remote_download import DownloadTold, complete, state_of
from inbond.model.errors import InbondError, InvalidName
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Blob

# A state is told at least so often: whoever hears nothing for much longer takes this process for gone.
TELL_EVERY: Final = 1.0  # seconds
# What a stored file's check may take before whoever asks is told to come back, and thinks of this process as gone.
CHECK_WITHIN: Final = 8.0  # seconds


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


class DownloadAnswers:
    """Answers to `Wanted`: states of the download, one a line; `null` where there is no such file here."""

    def __init__(self, pages: PageKeeper, downloads: Downloads) -> None:
        self._pages = pages
        self._downloads = downloads

    async def __call__(self, facts: bytes) -> AsyncIterator[bytes]:
        """See `inbond.gateway.peer_server.Answer`."""
        wanted = _WANTED.decode(facts)
        found = await self._found(wanted)
        if found is None:
            yield _UNKNOWN
            return
        async for said in self._told(*found):
            yield msgspec.json.encode(said)

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

    async def _told(self, state: PageState, file: File) -> AsyncIterator[DownloadTold]:
        try:
            blob = await self._stored(file)
            if blob is not None:
                yield complete(blob)
                return
            download = self._downloads.join(
                state,
                file,
                fix=None if file.sha256 else lambda sha256: self._pages.fix_digest(state, file, sha256),
                renew=lambda: self._pages.other_url(state, file),
            )
        except InbondError as error:
            yield DownloadTold(error=told(error))
            return
        while True:
            waits = self._downloads.waits_for_place(state.upstream, download)
            said = state_of(download, waits=waits)
            yield said
            if said.ended:
                return
            if state_of(download, waits=waits) == said:  # else it changed while it was told
                await download.progress(TELL_EVERY)

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
