"""Fetching one file as a client would get it: cleared, whole, looked into, with its core metadata; told to nobody."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Final, Protocol

from inbond.gateway.asking import Asking
from inbond.gateway.download import Complete, Download, Failed
from inbond.gateway.file_service import FileService
from inbond.gateway.indexes import Index, require_page
from inbond.gateway.located import Located
from inbond.gateway.pages import PageKeeper
from inbond.mirror.outcomes import FileOutcome, State, Trouble
from inbond.model.errors import (
    Denied,
    DigestMismatch,
    InbondError,
    NotFound,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamFault,
    UpstreamUnavailable,
)
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision, Judgement
from inbond.store.protocols import Blob

JUDGED_WITHIN: Final = 120.0  # seconds for a file's verdict, and for looking into it: nobody's installer waits
TRIES: Final = 3  # of a transfer that breaks off
MORE_ROOM: Final = "let the cache keep more: max_size under [storage]"


class Told(Protocol):
    """Hears how a fetch gets on."""

    def bytes(self, count: int) -> None:
        """So many bytes more; fewer than none where some must be sent again."""
        ...

    def file(self, name: str) -> None:
        """A file of that name is done."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches files of one index."""

    files: FileService
    pages: PageKeeper
    index: Index

    async def fetch(self, project: ProjectName, filename: Filename, *, kept: bool, told: Told) -> FileOutcome:
        """What became of a file that was let through. `kept`: its bytes lay here before.

        Raises `StoreUnavailable`: where the disk refuses, no other file will do better.
        """
        try:
            blob, judgement = await self._whole(project, filename, told)
        except Denied as error:
            return stopped(error.judgement)
        except StoreUnavailable:
            raise
        except FileNotFoundError:
            return _missing(filename, NotFound("it was evicted while it was fetched", remedy=MORE_ROOM))
        except InbondError as error:
            return _missing(filename, error)
        trouble = await self._metadata(project, filename)
        return FileOutcome(
            filename=str(judgement.file.filename),
            sha256=blob.sha256,
            size=blob.size,
            state=State.KEPT if kept else State.FETCHED,
            trouble=trouble,
        )

    async def _whole(self, project: ProjectName, filename: Filename, told: Told) -> tuple[Blob, Judgement]:
        """The file's bytes, checked and stored; tried again where the transfer breaks off in the middle."""
        tried = 0
        while True:
            located, judgement = await self._cleared(project, filename)
            content = await self.files.content(located, until=_soon())
            if not isinstance(content, Download):
                return content, judgement
            outcome = await _watched(content, told)
            tried += 1
            if tried == TRIES or not _broke_off(content, outcome):
                return await self._had(located, outcome), judgement

    async def _cleared(self, project: ProjectName, filename: Filename) -> tuple[Located, Judgement]:
        return await self.files.clear(await self._located(project, filename), until=_soon())

    async def _located(self, project: ProjectName, filename: Filename) -> Located:
        state = await require_page(self.pages, self.index, project)
        file = state.page.file(filename)
        if file is None:
            raise NotFound(f"the page of {project} lists {filename} no more", remedy="it was removed a moment ago")
        return Located(index=self.index, state=state, file=file, asking=Asking(stopped=True))

    async def _had(self, located: Located, outcome: Complete | Failed) -> Blob:
        match outcome:
            case Complete(blob):
                await self.files.inspected(located, blob, until=_soon())
                return blob
            case Failed(DigestMismatch() as error):
                raise await self.files.mismatched(located, error, until=_soon()) from error
            case Failed(error):
                raise error

    async def _metadata(self, project: ProjectName, filename: Filename) -> Trouble | None:
        """Has the core metadata that the index offers beside a file; why it could not be had."""
        try:
            located = await self._located(project, filename)
            if located.file.core_metadata is not False:
                await self.files.core_metadata(located, until=_soon())
        except (UpstreamFault, Denied, NotFound) as error:
            return Trouble(reason=f"without its core metadata: {error.message}", remedy=error.remedy)
        return None


def stopped(judgement: Judgement) -> FileOutcome:
    """A file that the policy stops."""
    verdict, file = judgement.verdict, judgement.file
    deciding = verdict.deciding
    return FileOutcome(
        filename=str(file.filename),
        sha256=file.sha256,
        size=file.size,
        state=State.HELD if verdict.decision is Decision.HOLD else State.DENIED,
        trouble=Trouble(
            reason=judgement.headline, remedy=deciding.remedy if deciding else None, until=verdict.expires_at
        ),
    )


def _missing(filename: Filename, error: InbondError) -> FileOutcome:
    trouble = Trouble(reason=error.message, remedy=error.remedy)
    return FileOutcome(filename=str(filename), sha256=None, size=None, state=State.MISSING, trouble=trouble)


async def _watched(download: Download, told: Told) -> Complete | Failed:
    """The outcome of a download, whose limits are the upstream's."""
    seen = 0
    while (outcome := download.outcome) is None:
        await download.progress(JUDGED_WITHIN)
        told.bytes(download.arrived - seen)
        seen = download.arrived
    match outcome:
        case Complete(blob):
            told.bytes(blob.size - seen)
        case Failed():
            told.bytes(-seen)
    return outcome


def _broke_off(download: Download, outcome: Complete | Failed) -> bool:
    """Whether a transfer ended in the middle. What upstream does not begin to send was asked for often enough."""
    match outcome:
        case Failed(DigestMismatch()) | Complete():
            return False
        case Failed(error):
            return download.begun and isinstance(error, UpstreamBroken | UpstreamUnavailable)


def _soon() -> float:
    return asyncio.get_running_loop().time() + JUDGED_WITHIN
