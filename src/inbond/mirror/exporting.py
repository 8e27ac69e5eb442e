"""What a bundle is made of: a sync's record, with all that is known of its projects, read from cache and ledger.

Nobody is asked over a network, and every file is judged once more: what was let through when it was synced may be
known for bad by now. Equal content gives an equal manifest: its time is the sync's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Final

from inbond.bundles.attached import encode_attached
from inbond.bundles.decisions import encode_pins, encode_repositories
from inbond.bundles.manifest import (
    BundledBlob,
    BundledDocument,
    BundledFile,
    BundledProject,
    BundledUpstream,
    Claimed,
    DocumentKind,
    Manifest,
)
from inbond.bundles.memory import encode_memory
from inbond.gateway.indexes import Index
from inbond.gateway.judging import Judge
from inbond.gateway.metadata import MetadataKeeper
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.mirror.carried_memory import as_of
from inbond.mirror.known_provenance import KnownOf, KnownProvenance
from inbond.mirror.references import documents_of
from inbond.mirror.spool import Spool
from inbond.mirror.synced import Synced, SyncedFile
from inbond.model.decisions import Decided, Pin
from inbond.model.errors import OperatorFault, UpstreamFault
from inbond.model.evidence import state_of
from inbond.model.imports import Attached
from inbond.model.names import Filename, ProjectName
from inbond.model.page import File
from inbond.model.standing import Established
from inbond.model.verdict import Judgement
from inbond.simple.document import encode_page
from inbond.store.ledger import Ledger
from inbond.store.protocols import Blobs
from inbond.upstream.source import Source

# Evidence is kept: this is for judging it again where the trusted root has changed since.
EVIDENCE_WITHIN: Final = 600.0  # seconds, for one project


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """A file that was synced and is not exported, and why."""

    upstream: str
    project: ProjectName
    filename: Filename
    reason: str
    judgement: Judgement | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A document that belongs to no project: advisories, a root, the policy. `content`: the bytes, or their file."""

    kind: DocumentKind
    name: str
    content: bytes | Path
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What is to be written. `judgements` of the files that are carried."""

    manifest: Manifest
    left_out: tuple[LeftOut, ...]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Project:
    """A project's part of a bundle."""

    entry: BundledProject
    established: tuple[Established, ...]
    attached: tuple[Attached, ...]  # to any file of the page: continuity compares with releases that nobody wants
    left_out: tuple[LeftOut, ...]
    judgements: tuple[Judgement, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exporter:
    """Gathers what a sync brought. Raises `OperatorFault` for what is no longer here."""

    index: Index
    pages: PageKeeper
    judge: Judge
    metadata: MetadataKeeper
    provenance: KnownProvenance
    upstreams: Mapping[str, Source]
    ledger: Ledger
    blobs: Blobs
    spool: Spool
    configured: Sequence[Decided] = ()

    async def gather(
        self, synced: Synced, extras: Sequence[Extra] = (), *, base: str | None = None, there: frozenset[str]
    ) -> Gathered:
        """Puts everything into the spool and says what it is.

        `base`: the digest of an earlier manifest; the blobs that it lists are `there`, and not carried again.
        """
        attached = _latest(await self.ledger.all_attached())
        parts = [
            await self._project(synced, upstream, ProjectName(project), list(files), attached)
            for (upstream, project), files in groupby(synced.files, key=lambda file: (file.upstream, file.project))
        ]
        kept = [part for part in parts if part.judgements]
        if not kept:
            raise _nothing(synced, [one for part in parts for one in part.left_out])
        documents = [*[await self._extra(synced, extra) for extra in extras], *await self._decisions(synced, kept)]
        projects = tuple(part.entry for part in kept)
        manifest = Manifest(
            name=synced.name,
            created_at=synced.at,
            index=synced.index,
            upstreams=tuple(
                BundledUpstream(name=name, url=self.upstreams[name].settings.url)
                for name in sorted({project.upstream for project in projects})
            ),
            projects=projects,
            documents=tuple(sorted(documents, key=lambda one: (one.kind, one.name))),
            blobs=self._blobs(projects, documents, there),
            base=base,
        )
        return Gathered(
            manifest=manifest,
            left_out=tuple(one for part in parts for one in part.left_out),
            judgements=tuple(one for part in kept for one in part.judgements),
        )

    async def _project(
        self,
        synced: Synced,
        upstream: str,
        project: ProjectName,
        wanted: Sequence[SyncedFile],
        attached: Mapping[tuple[str, str, str], Attached],
    ) -> _Project:
        state = await self._page(synced, upstream, project)
        there, left_out = _still_there(state, wanted)
        judged = await self.judge.files(self.index, state, there, within=EVIDENCE_WITHIN)
        let_through = tuple(one for one in judged if one.verdict.allowed)
        left_out += [
            _left_out(state, one.file.filename, one.headline, one) for one in judged if not one.verdict.allowed
        ]
        for judgement in let_through:
            await self._refer(synced, judgement.file)
        known = await self.provenance.of_page(state) if let_through else {}
        files = [await self._carried(state, judgement, known) for judgement in let_through]
        names = {file.filename for file in files}
        files += [await self._history(state, name, one) for name, one in known.items() if name not in names]
        return _Project(
            entry=BundledProject(
                upstream=upstream,
                project=project,
                page=await self._put(encode_page(state.page)),
                memory=await self._memory(state, synced.at),
                # A server may have asked again since: older than it is does no harm, and the bundle stays the same.
                validated_at=min(synced.at, state.as_of or state.validated_at),
                files=tuple(sorted(files, key=lambda file: file.filename)),
            ),
            established=await self.ledger.established(upstream, project),
            attached=tuple(
                attached[key]
                for key in {(upstream, file.filename, file.sha256 or ""): None for file in state.page.files}
                if key in attached
            ),
            left_out=tuple(left_out),
            judgements=let_through,
        )

    async def _page(self, synced: Synced, upstream: str, project: ProjectName) -> PageState:
        missing = f"the page of {project} at {upstream} is no longer in the cache"
        try:
            state = await self.pages.kept(upstream, project) or await self.pages.current(upstream, project)
        except (UpstreamFault, KeyError):
            state = None
        if state is None:
            raise OperatorFault(missing, remedy=_again(synced))
        return state

    async def _refer(self, synced: Synced, file: File) -> None:
        """Has a distribution file written from where it lies."""
        assert file.sha256 is not None
        blob = await self.blobs.find(file.sha256)
        if blob is None:
            raise OperatorFault(f"{file.filename} is no longer in the cache", remedy=_again(synced))
        self.spool.refer(blob.sha256, blob.path, blob.size)

    async def _carried(self, state: PageState, judgement: Judgement, known: Mapping[Filename, KnownOf]) -> BundledFile:
        file = judgement.file
        found = known.get(file.filename, KnownOf(Claimed.UNKNOWN))
        metadata = await self._metadata(state, file)
        return BundledFile(
            filename=file.filename,
            sha256=file.sha256,
            carried=True,
            metadata=await self._put(metadata) if metadata else None,
            claimed=found.claimed,
            provenance=await self._put(found.provenance) if found.provenance is not None else None,
            evidence=str(state_of(judgement.evidence)),
        )

    async def _metadata(self, state: PageState, file: File) -> bytes | None:
        if file.core_metadata is False:
            return None
        found = await self.metadata.kept(state, file)
        source = self.upstreams[state.upstream]
        if found is not None or not source.local:
            return found
        try:
            return await source.metadata(file)
        except UpstreamFault:
            return None

    async def _history(self, state: PageState, filename: Filename, known: KnownOf) -> BundledFile:
        file = state.page.file(filename)
        return BundledFile(
            filename=filename,
            sha256=file.sha256 if file is not None else None,
            carried=False,
            claimed=known.claimed,
            provenance=await self._put(known.provenance) if known.provenance is not None else None,
        )

    async def _memory(self, state: PageState, made_at: datetime) -> str:
        upstream, project = state.upstream, state.page.name
        record = await self.ledger.page_record(upstream, project)
        if record is None:  # a page that was judged has been remembered
            raise OperatorFault(f"the ledger does not know {project} at {upstream}", remedy="sync it once more")
        return await self._put(encode_memory(as_of(record, made_at, state.page.serial)))

    async def _decisions(self, synced: Synced, parts: Sequence[_Project]) -> list[BundledDocument]:
        """Pins, repositories and attached evidence that bear on what is carried."""
        projects = {part.entry.project for part in parts}
        decided = [*await self.ledger.decisions(), *self.configured]
        pins = {one.id: one for one in decided if isinstance(one, Pin) and one.project in projects}
        established = [(part.entry.upstream, part.entry.project, part.established) for part in parts]
        documents = []
        if pins:
            content = encode_pins([pins[id_] for id_ in sorted(pins)])
            extra = Extra(kind=DocumentKind.PINS, name=str(DocumentKind.PINS), content=content, as_of=synced.at)
            documents.append(await self._extra(synced, extra))
        if any(found for _, _, found in established):
            content = encode_repositories([one for one in established if one[2]])
            name = str(DocumentKind.REPOSITORIES)
            extra = Extra(kind=DocumentKind.REPOSITORIES, name=name, content=content, as_of=synced.at)
            documents.append(await self._extra(synced, extra))
        attached = {(one.upstream, one.sha256): one for part in parts for one in part.attached}
        if attached:
            content = encode_attached(list(attached.values()))
            extra = Extra(kind=DocumentKind.ATTACHED, name=str(DocumentKind.ATTACHED), content=content, as_of=synced.at)
            documents.append(await self._extra(synced, extra))
        return documents

    async def _extra(self, synced: Synced, extra: Extra) -> BundledDocument:
        return BundledDocument(
            kind=extra.kind,
            name=extra.name,
            sha256=await self._put(extra.content),
            as_of=min(synced.at, extra.as_of),  # as with pages
        )

    async def _put(self, content: bytes | Path) -> str:
        put = self.spool.put_file if isinstance(content, Path) else self.spool.put
        return await asyncio.to_thread(put, content)  # type: ignore[arg-type]

    def _blobs(
        self, projects: Sequence[BundledProject], documents: Sequence[BundledDocument], there: frozenset[str]
    ) -> tuple[BundledBlob, ...]:
        """All that the bundle stands for; the spool may hold more, of projects of which nothing is left."""
        carried = {file.sha256 for project in projects for file in project.files if file.carried and file.sha256}
        order = [*sorted(documents_of(projects, documents) - carried), *sorted(carried)]
        return tuple(
            BundledBlob(sha256=sha256, size=self.spool.sizes[sha256], carried=sha256 not in there) for sha256 in order
        )


def _still_there(state: PageState, wanted: Sequence[SyncedFile]) -> tuple[list[File], list[LeftOut]]:
    """The files that the page has as they were synced."""
    there: list[File] = []
    left_out: list[LeftOut] = []
    for one in wanted:
        file = state.page.file(one.filename)
        if file is None:
            left_out.append(_left_out(state, Filename(one.filename), "it is no longer on its page"))
        elif file.sha256 != one.sha256:
            left_out.append(_left_out(state, file.filename, "its page gives another digest than when it was synced"))
        else:
            there.append(file)
    return there, left_out


def _left_out(state: PageState, filename: Filename, reason: str, judgement: Judgement | None = None) -> LeftOut:
    return LeftOut(
        upstream=state.upstream, project=state.page.name, filename=filename, reason=reason, judgement=judgement
    )


def _nothing(synced: Synced, left_out: Sequence[LeftOut]) -> OperatorFault:
    first = f": {left_out[0].filename}: {left_out[0].reason}" if left_out else ", as nothing was synced"
    return OperatorFault(
        f"no file of {synced.name} can be exported{first}", remedy="inbond why tells more; then sync again"
    )


def _again(synced: Synced) -> str:
    return f"run inbond sync --name {synced.name} again: what is there already is not fetched twice"


def _latest(attached: Sequence[Attached]) -> dict[tuple[str, str, str], Attached]:
    """What counts for each file, by its upstream, name and sha256; the latest stands first."""
    counts: dict[tuple[str, str], Attached] = {}
    for one in attached:
        counts.setdefault((one.upstream, one.sha256), one)
    return {(one.upstream, one.filename, one.sha256): one for one in counts.values()}
