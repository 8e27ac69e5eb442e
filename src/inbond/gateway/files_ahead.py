"""A file's bytes are on their way once its core metadata has left, or its page, where nobody asks for core metadata.

Who was given that will probably ask for the file, and joins the download then, or finds it stored. What the policy
stops by all that is known is not fetched; whoever asks is judged as ever, so that nothing leaves by this.

What nobody has asked for yet takes its room from what is fetched before its verdict (`inbond.gateway.early`): places,
and bytes a minute. A resolver that goes back over many versions has one file of a project at a time fetched, that which
it asked about last, and soon none. By a page alone only a file's beginning comes: the rest when somebody wants it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from inbond.gateway.download import BEGINNING, Download
from inbond.gateway.downloads import Downloads
from inbond.gateway.early import LARGEST, EarlyDownloads
from inbond.gateway.likely import Likely
from inbond.gateway.lru import Lru
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.model.errors import InbondError
from inbond.model.events import AskedAhead, Observer
from inbond.model.names import ProjectName
from inbond.model.page import File
from inbond.store.protocols import Blobs
from inbond.upstream.source import Source

# A transfer that nobody has asked for by then, and that is not whole, is broken off.
ABANDONED_AFTER: Final = 30.0  # seconds
OF_A_PROJECT: Final = 3  # files in a row that nobody asks for
MAX_PROJECTS: Final = 10_000  # of which that is remembered

_Project = tuple[str, ProjectName]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Had:
    """What was spent on a file that nobody has asked for yet: `size` bytes, in the minute that began at `taken`."""

    taken: datetime
    size: int


class FilesAhead:
    """Begins downloads that nobody has asked for. `begin` returns at once and raises nothing. For one process alone."""

    def __init__(
        self,
        upstreams: Mapping[str, Source],
        blobs: Blobs,
        downloads: Downloads,
        *,
        pages: PageKeeper,
        early: EarlyDownloads,
        likely: Likely,
        observer: Observer,
    ) -> None:
        self._upstreams = upstreams
        self._blobs = blobs
        self._downloads = downloads
        self._pages = pages
        self._early = early
        self._likely = likely
        self._observer = observer
        self._had: Lru[_Project, dict[str, _Had]] = Lru(MAX_PROJECTS)
        self._beginning: set[str] = set()  # the sha256 of files of which it is being looked whether they are here
        self._under_way: dict[_Project, Download] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, state: PageState, file: File, *, whole: bool = True) -> None:
        """Whoever was told of a file, which may leave by all that is known, will probably ask for it.

        `whole`: all its bytes, and not its beginning alone.
        """
        if not self._may_ask(state, file, whole=whole):
            return
        assert file.sha256 is not None  # as `_may_ask` says
        self._beginning.add(file.sha256)
        task = asyncio.get_running_loop().create_task(self._fetch(state, file, whole=whole))
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            asyncio.get_running_loop().call_exception_handler({"message": "fetching ahead failed", "exception": error})

    def _may_ask(self, state: PageState, file: File, *, whole: bool) -> bool:
        source = self._upstreams[state.upstream]
        if file.sha256 is None or file.size is None or (whole and file.size > LARGEST):
            return False
        wanted = self._likely.files if whole else self._likely.beginnings
        if not (source.settings.ahead and source.at_ease and wanted):
            return False
        had = self._had.get(_project(state)) or {}
        return len(had) < OF_A_PROJECT and file.sha256 not in had and file.sha256 not in self._beginning

    async def _fetch(self, state: PageState, file: File, *, whole: bool) -> None:
        assert file.sha256 is not None  # as `_may_ask` says
        assert file.size is not None
        try:
            found = await self._blobs.find(file.sha256)
        finally:
            self._beginning.discard(file.sha256)
        if found is not None:
            return
        size = file.size if whole else min(file.size, BEGINNING)
        beginning = size if size < file.size else None
        taken = self._early.take(state.upstream, size)
        if taken is None:
            return
        self._leave(state)
        with suppress(InbondError):  # what is remembered of it is told to whoever asks
            download = self._downloads.guess(
                state, file, renew=lambda: self._pages.other_url(state, file), beginning=beginning
            )
            if download is not None:
                (self._likely.files if whole else self._likely.beginnings).had()
                self._note(state, file.sha256, _Had(taken=taken, size=size))
                await self._watch(state, download)
                return
        self._early.give_back(state.upstream, taken, size)

    def _note(self, state: PageState, sha256: str, had: _Had) -> None:
        self._observer(AskedAhead(upstream=state.upstream, kind="file"))
        self._had.put(_project(state), {**(self._had.get(_project(state)) or {}), sha256: had})

    async def _watch(self, state: PageState, download: Download) -> None:
        """Until the transfer has ended, or may not go on any longer with nobody to wait for it."""
        self._under_way[_project(state)] = download
        try:
            await download.ended(asyncio.get_running_loop().time() + ABANDONED_AFTER)
        finally:
            if self._under_way.get(_project(state)) is download:
                self._leave(state)

    def _leave(self, state: PageState) -> None:
        """Breaks off what is under way of the project, where nobody has asked for it meanwhile."""
        download = self._under_way.pop(_project(state), None)
        if download is not None and download.guessed:
            self._downloads.break_off(state, download)

    def taken(self, state: PageState, file: File) -> None:
        """Somebody is given a file's bytes: where it was had ahead it was not for nothing."""
        had = self._had.pop(_project(state)) or {}
        if file.sha256 is not None and (own := had.get(file.sha256)) is not None:
            self._early.give_back(state.upstream, own.taken, own.size)

    async def aclose(self) -> None:
        """Ends what is under way."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _project(state: PageState) -> _Project:
    return state.upstream, state.page.name
