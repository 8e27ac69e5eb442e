"""The use case "a file": find which file a path means, judge it, and give its bytes from the store or from upstream."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import Final

from inbond.gateway.asking import Asking, asked_of
from inbond.gateway.background import Background, ProjectBackground, background_of, project_background
from inbond.gateway.blobs_at_hand import AtHand, BlobsAtHand
from inbond.gateway.clearances import Clearances
from inbond.gateway.clock import Clock
from inbond.gateway.download import Complete, Download, Failed
from inbond.gateway.early import EarlyDownloads
from inbond.gateway.evidence import EvidenceKeeper
from inbond.gateway.fetching import Fetching
from inbond.gateway.files_ahead import FilesAhead
from inbond.gateway.indexes import Index, find_page, page_at_hand, require_page
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge
from inbond.gateway.located import Basis, Clearance, Cleared, Located
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.gateway.paths import METADATA_SUFFIX
from inbond.model.errors import (
    BytesLost,
    Denied,
    DigestMismatch,
    InvalidFilename,
    NotFound,
    NotYet,
    Overloaded,
)
from inbond.model.events import CacheLookup, FileAsked, Observer
from inbond.model.evidence import Pending
from inbond.model.history import Asked
from inbond.model.inspection import Sane
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.verdict import Judgement
from inbond.policy.rule import stamp
from inbond.store.protocols import Blob

# A filename can be split into project and version at every "-"; so many of the splits are tried.
MAX_CANDIDATES: Final = 8
# What is left for a verdict by digest where the first download took all the time there was: a hold only because that
# was short would end an installation that is nearly done.
LEFT_TO_JUDGE: Final = 2.0  # seconds


class FileService:
    """Answers requests for files, their metadata, provenance and verdicts."""

    def __init__(
        self,
        *,
        pages: PageKeeper,
        evidence: EvidenceKeeper,
        inspections: InspectionKeeper,
        judge: Judge,
        downloads: Fetching,
        metadata: MetadataKeeper,
        at_hand: BlobsAtHand,
        early: EarlyDownloads | None = None,
        ahead: FilesAhead | None = None,
        clock: Clock,
        observer: Observer,
    ) -> None:
        self._pages = pages
        self._evidence = evidence
        self._inspections = inspections
        self._judge = judge
        self._downloads = downloads
        self._metadata = metadata
        self._at_hand = at_hand
        self._early = early
        self._ahead = ahead
        self._clearances = Clearances(judge, evidence, inspections, mismatches=downloads, clock=clock)
        self._clock = clock
        self._observer = observer

    async def locate(self, index: Index, path: str, *, client: str = "", who: str = "") -> Located:
        """The file that an index publishes under a decoded path below it. Raises `NotFound`.

        `client` and `who`: the address that asks, and the principal, for the audit trail.
        """
        asking = Asking(client, who)
        name = path.rpartition("/")[2]
        if name.endswith(METADATA_SUFFIX):
            bare = path.removesuffix(METADATA_SUFFIX)
            found = await self._on_a_page(index, bare, name.removesuffix(METADATA_SUFFIX))
            if found is not None:
                state, file = found
                itself = state.paths.get(path)  # a file may really be named so
                _require_carried(state, itself or file)
                return Located(index=index, state=state, file=itself or file, metadata=itself is None, asking=asking)
        found = await self._on_a_page(index, path, name)
        if found is None:
            raise NotFound(
                f"no page of index {index.name} lists a file under this path",
                remedy="it may have been removed or quarantined upstream; look at the project's page",
            )
        _require_carried(*found)
        return Located(index=index, state=found[0], file=found[1], asking=asking)

    async def _on_a_page(self, index: Index, path: str, name: str) -> tuple[PageState, File] | None:
        try:
            filename = Filename(name)
        except InvalidFilename:
            return None
        for project in index.projects_for(filename)[:MAX_CANDIDATES]:
            state = await find_page(self._pages, index, project)
            file = state.paths.get(path) if state is not None else None
            if state is not None and file is not None:
                return state, file
        return None

    async def named(self, index: Index, project: ProjectName, filename: str) -> Located:
        """The file of that name on a project's page. Raises `NotFound`."""
        state = await require_page(self._pages, index, project)
        file = state.page.file(filename)
        if file is None:
            raise NotFound(f"the page of {project} on index {index.name} lists no such file")
        return Located(index=index, state=state, file=file)

    async def judgement(self, located: Located) -> Judgement:
        """The verdict that a request for the file meets, with the whole story."""
        judgement = await self._judge.file(located.index, located.state, located.file, thorough=True)
        self._inspections.refresh(located.index.name, located.state, located.file)
        return judgement

    async def background(self, located: Located, judgement: Judgement) -> Background:
        """What a person wants to know of the file's project beside its verdict."""
        return await background_of(self._judge, located.index, located.state, judgement)

    async def project(self, index: Index, state: PageState) -> ProjectBackground:
        """The same of a project whose page is there."""
        return await project_background(self._judge, index, state)

    async def clear(self, located: Located, *, until: float, whole: bool = False) -> tuple[Located, Judgement]:
        """The file with the verdict on it as far as it bears on the decision; raises `Denied` where it may not leave.

        A file whose page gives no digest is downloaded first, whole; then it has one, by which it is judged again.
        `until`: by when the answer is wanted, on the event loop's clock. Raises `NotYet` where it takes longer.
        `whole`: its bytes are wanted besides, and may be on their way meanwhile.
        """
        cleared = self._clearances.of(located)
        basis = self._clearances.basis(located.index, located.state)
        if cleared is not None:
            return self._cleared_again(located, cleared)
        if not whole or self._early is None:
            return await self._judged(located, basis, until=until)
        async with self._early.meanwhile(located) as early:
            located, judgement = await self._judged(located, basis, until=until)
        return replace(located, early=early), judgement

    async def _judged(self, located: Located, basis: Basis, *, until: float) -> tuple[Located, Judgement]:
        known = self._inspections.known_of(located.state, located.file)
        judgement = await self._judge.file(located.index, located.state, located.file, until=until)
        if judgement.verdict.allowed and _hangs_on_bytes(located, judgement):
            located = await self._first_had(located, until=until)
            until = max(until, asyncio.get_running_loop().time() + LEFT_TO_JUDGE)
            known = self._inspections.known_of(located.state, located.file)
            judgement = await self._judge.file(located.index, located.state, located.file, until=until)
            if judgement.verdict.allowed and _is_unsettled(located, judgement):
                raise NotYet(f"{located.file.filename} is not checked yet", remedy="try again in a few seconds")
        self._judge.tell(judgement)
        self._inspections.refresh(located.index.name, located.state, located.file)
        if not judgement.verdict.allowed:
            raise self._denied(located, judgement)
        kept = self._clearances.keep(located, judgement, known, basis)
        return replace(located, inspection=known, clearance=kept), judgement

    def _cleared_again(self, located: Located, cleared: Clearance) -> tuple[Located, Judgement]:
        """The same answer as a moment ago, told like any other."""
        self._tell_again(located.index, cleared.judgement)
        self._inspections.refresh(located.index.name, located.state, located.file)
        return replace(located, inspection=cleared.inspection, clearance=cleared), cleared.judgement

    def _tell_again(self, index: Index, judgement: Judgement, count: int = 1) -> None:
        if index.policy.for_project(judgement.project).asks_for_evidence:
            self._observer(CacheLookup(kind="evidence", hit=True, count=count))
        self._judge.tell(judgement, count)

    def given_again(self, cleared: Cleared, *, asking: Asking, count: int, leaves: bool) -> None:
        """Tells of so many requests that were answered like one for this cleared file.

        `leaves`: by those who have something of it then.
        """
        judgement = cleared.clearance.judgement
        self._observer(CacheLookup(kind="page", hit=True, count=count))
        self._tell_again(cleared.index, judgement, count)
        if leaves:
            asked = self._as_asked(cleared.upstream, judgement, asking, metadata=cleared.metadata)
            self._observer(FileAsked(asked=asked, count=count))

    def still(self, cleared: Cleared) -> Located | None:
        """The file, where it would be located and cleared the same way now, without waiting.

        Raises `StoreUnavailable`.
        """
        state = page_at_hand(self._pages, cleared.index, cleared.project)
        if state is None or state.upstream != cleared.upstream or state.freshness is not cleared.freshness:
            return None
        clearance, file = cleared.clearance, cleared.file
        if not self._clearances.holds(clearance, cleared.index, state, file):
            return None
        return Located(
            index=cleared.index,
            state=state,
            file=file,
            metadata=cleared.metadata,
            inspection=clearance.inspection,
            clearance=clearance,
        )

    def at_hand(self, located: Located) -> AtHand | None:
        """The stored bytes of a file that was cleared, where they are known and nothing is to be looked after first."""
        file = located.file
        found = self._at_hand.get(file.listed_sha256) if file.listed_sha256 is not None else None
        if found is None or file.size not in {None, found.blob.size}:
            return None
        return found if self._inspections.is_known(file) and self._is_as_cleared(located) else None

    async def taken(self, blob: Blob) -> AtHand:
        """A stored file that `content` gave, at hand from now on. Raises `FileNotFoundError` as `content` does."""
        return await self._at_hand.take(blob)

    def let_through(self, located: Located, judgement: Judgement) -> None:
        """Tells the audit trail that a cleared file leaves: before its first byte, so that a long download is known.

        An answer that the client, upstream or a failed check cuts off counts as well: whoever asks who got a file asks
        for too many rather than too few. What carries no byte of it, as HEAD, does not; 304 does (`held_already`).
        """
        self._asked(located, judgement)
        if self._ahead is None:
            return
        if located.metadata:
            self._ahead.begin(located.state, located.file)
        else:
            self._ahead.taken(located.state, located.file)

    def held_already(self, located: Located, judgement: Judgement) -> None:
        """Tells the audit trail of a client that has the bytes of a cleared file and may go on using them.

        It had them from another index, before the trail began, or from a front that keeps copies and gives one now.
        """
        self._asked(located, judgement)

    def _denied(self, located: Located, judgement: Judgement) -> Denied:
        """The denial, told to the audit trail."""
        self._asked(located, judgement)
        located.asking.stopped = True
        return Denied(judgement)

    def _asked(self, located: Located, judgement: Judgement) -> None:
        if not located.asking.stopped:
            asked = self._as_asked(located.state.upstream, judgement, located.asking, metadata=located.metadata)
            self._observer(FileAsked(asked=asked))

    def _as_asked(self, upstream: str, judgement: Judgement, asking: Asking, *, metadata: bool) -> Asked:
        return asked_of(upstream, judgement, client=asking.client, who=asking.who, metadata=metadata, now=self._clock())

    async def _first_had(self, located: Located, *, until: float) -> Located:
        """The file under the digest that its first download fixes, once that is done."""
        state, file = await self._pages.recalled(located.state, located.file)
        if file.sha256 is None:
            await self._fixed(located, until=until)
            state, file = await self._pages.recalled(state, file)
        return replace(located, state=state, file=file)

    async def _fixed(self, located: Located, *, until: float) -> None:
        state, file = located.state, located.file
        self._require_source(located)
        try:
            download = self._downloads.join(
                state,
                file,
                fix=lambda sha256: self._pages.fix_digest(state, file, sha256),
                renew=lambda: self._pages.other_url(state, file),
            )
            outcome = await download.ended(until)
            if isinstance(outcome, Failed):
                raise outcome.error
        except DigestMismatch as error:
            raise await self.mismatched(located, error, until=until) from error
        if outcome is None:
            self.check_place(located, download)
            raise _not_whole(download)

    async def content(self, located: Located, *, until: float) -> Blob | Download:
        """The bytes of a file that was cleared: whole from the store, or growing from upstream.

        `until`: by when the answer is wanted, on the event loop's clock. Raises `Denied` while a failed digest check
        is remembered, and where a stored archive is looked into for the first time and found wanting; `BytesLost` where
        it was imported and is damaged, `NotYet` where telling that takes longer.
        """
        sha256 = located.file.sha256
        if sha256 is None:
            raise NotFound(f"{located.file.filename} has no digest by which its bytes could be told from others")
        if located.early is not None and located.early.outcome is None:  # one that has ended is found in the store
            self._observer(CacheLookup(kind="blob", hit=False))
            return located.early
        try:
            blob = await self._downloads.stored(located.file, sha256)
            if blob is not None:
                with suppress(FileNotFoundError):
                    await self._downloads.check(located.file, blob, until=until)
                    await self.inspected(located, blob, until=until)
                    return blob
            self._require_source(located)
            return self._downloads.join(
                located.state, located.file, renew=lambda: self._pages.other_url(located.state, located.file)
            )
        except DigestMismatch as error:
            raise await self.mismatched(located, error, until=until) from error

    def _require_source(self, located: Located) -> None:
        """Raises where nobody could give a file that is not here: it was imported, or was not carried over at all."""
        if located.state.upstream not in self._pages.fed:
            return
        _require_carried(located.state, located.file)
        raise BytesLost(
            f"{located.file.filename} was imported, and its bytes here are damaged or gone",
            remedy="import the bundle that held it again",
        )

    def doubt(self, blob: Blob) -> None:
        """Has a stored file whose bytes could not be read while they were sent compared before it leaves again."""
        self._downloads.doubt(blob)

    async def inspected(self, located: Located, blob: Blob, *, until: float) -> None:
        """Judges a whole file once more where what is in it has become known since it was cleared.

        To be awaited before the last bytes leave.

        `until` as in `content`. Raises `Denied`; `NotYet` where looking into it takes longer; `StoreUnavailable` where
        it cannot be read; `FileNotFoundError` where it was evicted a moment ago.
        """
        state, file = located.state, located.file
        if not await self._inspections.look(state, file, blob.sha256, blob.path, within=_left(until)):
            raise still_looked_into(file)
        if not self._is_as_cleared(located):
            await self._denied_by_now(located, until=until)

    def _is_as_cleared(self, located: Located) -> bool:
        """Whether nothing has become known of a file since it was cleared that may stop it."""
        state, file = located.state, located.file
        return self._inspections.known_of(state, file) == located.inspection or not self._inspections.may_stop(
            state, file
        )

    async def _denied_by_now(self, located: Located, *, until: float) -> None:
        """Raises `Denied` where what has become known since the file was cleared stops it."""
        judgement = await self._judge.file(located.index, located.state, located.file, until=until)
        self._inspections.refresh(located.index.name, located.state, located.file)
        if not judgement.verdict.allowed:
            self._judge.tell(judgement)
            raise self._denied(located, judgement)

    def check_place(self, located: Located, download: Download) -> None:
        """Raises `Overloaded` where a download that was waited for has not begun because others take its place."""
        if self._downloads.waits_for_place(located.state.upstream, download):
            raise Overloaded(
                f"the download of {located.file.filename} has not begun: others take all places",
                remedy="try again in a few seconds",
            )

    def holds(self, located: Located, etag: str) -> bool:
        """Whether a validator, with its quotes, can only stand for this file's own bytes."""
        sha256 = located.file.sha256
        return sha256 is not None and (etag == f'"{sha256}"' or self._downloads.proves(etag, sha256))

    async def mismatched(self, located: Located, error: DigestMismatch, *, until: float) -> Denied:
        """What a failed digest check means to the client."""
        denied = await self._judge.mismatch(located.index, located.state, located.file, error, until=until)
        self._judge.tell(denied.judgement)
        return self._denied(located, denied.judgement)

    async def core_metadata(self, located: Located, *, until: float) -> bytes:
        """The file's core metadata: upstream's, or where it has none the METADATA of a wheel that was had.

        `until` as in `content`. Raises `Denied`, `NotFound`, `NotYet`, `UpstreamFault`.
        """
        if located.file.core_metadata is False:
            return await self._extracted(located, until=until)
        try:
            body = await self._metadata.read(located.state, located.file)
        except DigestMismatch as error:
            raise await self.mismatched(located, error, until=until) from error
        if located.file.metadata_sha256 is not None or await self._inspections.served(
            located.state, located.file, body
        ):
            return body
        await self._denied_by_now(located, until=until)
        return body

    async def _extracted(self, located: Located, *, until: float) -> bytes:
        match self._inspections.known_of(located.state, located.file):
            case Sane(metadata_sha256=str() as digest):
                body = await self._inspections.metadata(digest)
                return body if body is not None else await self._extracted_anew(located, digest, until=until)
            case _:
                raise NotFound(f"{located.file.filename} has no core metadata file on its index")

    async def _extracted_anew(self, located: Located, digest: str, *, until: float) -> bytes:
        """METADATA was promised and is not kept any more: out of the wheel, which is fetched where it is not either."""
        content = await self.content(located, until=until)
        outcome = await content.ended(until) if isinstance(content, Download) else Complete(content)
        if isinstance(outcome, Failed):
            raise outcome.error
        if outcome is None:
            raise NotYet(f"{located.file.filename} is being fetched anew", remedy="try again in a few seconds")
        body = await self._inspections.extract(
            located.state, located.file, outcome.blob.path, digest, within=_left(until)
        )
        if body is None:
            raise NotYet(f"{located.file.filename} could not be looked into", remedy="try again in a few seconds")
        return body

    async def provenance(self, located: Located) -> bytes:
        """Upstream's provenance object, unchanged. Raises `NotFound` where there is none, `UpstreamFault`."""
        body = await self._evidence.provenance(located.state, located.file)
        if body is None:
            raise NotFound(f"{located.file.filename} has no provenance")
        return body


def _require_carried(state: PageState, file: File) -> None:
    """Raises `NotFound` for a file that is listed and judged, and whose bytes no bundle brought."""
    if state.offers(file):
        return
    newest = f" (the newest is of {stamp(state.as_of)})" if state.as_of is not None else ""
    raise NotFound(
        f"{file.filename} was not carried over with the bundles imported so far{newest}",
        remedy="add it to what is synced on the other side, and import the bundle that is made then",
    )


def still_looked_into(file: File) -> NotYet:
    """Its bytes are here, and may not leave before it is known what is in them."""
    return NotYet(f"{file.filename} is still being looked into", remedy="try again in a few seconds")


def _left(until: float) -> float:
    """Seconds until then, and some in any case."""
    return max(LEFT_TO_JUDGE, until - asyncio.get_running_loop().time())


def _not_whole(download: Download) -> NotYet:
    name = download.file.filename
    if download.received:
        return still_looked_into(download.file)
    if download.begun:
        return NotYet(
            f"{name} is being fetched whole: its index gives no sha256",
            remedy="try again in a few seconds: the download goes on",
        )
    return NotYet(
        f"{name} must be fetched whole, its index gives no sha256, and upstream has not begun to send it",
        remedy="try again in a few seconds",
    )


def _hangs_on_bytes(located: Located, judgement: Judgement) -> bool:
    """Whether only the bytes can tell more: the file itself, or what stands under the verdict on its provenance."""
    if located.file.sha256 is not None or not located.metadata:
        return located.file.sha256 is None
    return _waits_for_evidence(located, judgement)


def _is_unsettled(located: Located, judgement: Judgement) -> bool:
    """Whether after the first download something is still missing by which the file could be told from others."""
    return located.file.sha256 is None or _waits_for_evidence(located, judgement)


def _waits_for_evidence(located: Located, judgement: Judgement) -> bool:
    asks = located.index.policy.for_project(located.state.page.name).asks_for_evidence
    return asks and isinstance(judgement.evidence, Pending)
