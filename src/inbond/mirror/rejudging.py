"""What a bundle carries, judged by this side's own policies, before any of it is in force.

It runs on a scratch copy of the ledger in which the bundle is in force already, with the judge that serves: so a
verdict here is the one that a client will meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from inbond.bundles.manifest import BundledFile, BundledProject
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import Judge
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.mirror.import_outcome import Examined
from inbond.model.errors import StoreUnavailable, UpstreamFault
from inbond.model.evidence import state_of
from inbond.model.page import File
from inbond.model.verdict import Judgement
from inbond.store.protocols import Blobs

PROJECTS_AT_ONCE: Final = 6
# Nobody waits for a page here: verifying takes what it takes.
EVIDENCE_WITHIN: Final = 3600.0  # seconds, for one project
_NOT_HERE: Final = (
    "its bytes were left to an earlier bundle, from which they were not taken here: export it without --since"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where a bundle is judged."""

    indexes: Mapping[str, Index]
    pages: PageKeeper
    judge: Judge
    inspections: InspectionKeeper
    blobs: Blobs


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytes:
    """What is known of the blobs. `sizes` in bytes; `absent`: those that are not here after all.

    `here`: whether distribution files lie here, to be looked into; else they were only hashed.
    """

    sizes: Mapping[str, int]
    absent: frozenset[str] = frozenset()
    here: bool = True


def attested_among(projects: Sequence[BundledProject]) -> tuple[BundledProject, ...]:
    """The projects that come with provenance, of whichever release."""
    return tuple(one for one in projects if any(file.provenance is not None for file in one.files))


async def rejudged(bench: Bench, projects: Sequence[BundledProject], blobs: Bytes) -> tuple[Examined, ...]:
    """Every carried file, in the manifest's order."""
    places = asyncio.Semaphore(PROJECTS_AT_ONCE)

    async def one(project: BundledProject) -> tuple[Examined, ...]:
        async with places:
            return await _Project(bench, project, blobs).examined()

    running = [asyncio.create_task(one(project)) for project in projects]
    try:
        return tuple(file for files in await asyncio.gather(*running) for file in files)
    finally:
        for task in running:
            task.cancel()


@dataclass(frozen=True, slots=True)
class _Project:
    bench: Bench
    entry: BundledProject
    blobs: Bytes

    async def examined(self) -> tuple[Examined, ...]:
        carried = [file for file in self.entry.files if file.carried]
        takers = [one for one in self.bench.indexes.values() if self._takes(one)]
        if not takers:
            reason = self._not_taken()
            return tuple(self._unusable(file, reason) for file in carried)
        try:
            state = await self.bench.pages.current(self.entry.upstream, self.entry.project)
        except UpstreamFault as error:
            return tuple(self._unusable(file, error.message) for file in carried)
        if state is None:
            reason = f"{self.entry.upstream} has no project {self.entry.project}"
            return tuple(self._unusable(file, reason) for file in carried)
        return await self._judged(state, carried, takers)

    def _not_taken(self) -> str:
        upstream = self.entry.upstream
        if any(upstream in one.upstreams for one in self.bench.indexes.values()):
            return f"no index here takes {self.entry.project} from an upstream called {upstream}"
        return f"no index here has an upstream called {upstream}: its name must be the same on both sides"

    def _takes(self, index: Index) -> bool:
        return self.entry.upstream in index.upstreams_for(self.entry.project)

    async def _judged(
        self, state: PageState, carried: Sequence[BundledFile], takers: Sequence[Index]
    ) -> tuple[Examined, ...]:
        usable: dict[str, File] = {}
        examined: dict[str, Examined] = {}
        for bundled in carried:
            file = state.page.file(bundled.filename)
            if bundled.sha256 in self.blobs.absent:
                examined[bundled.filename] = self._unusable(bundled, _NOT_HERE)
            elif file is None or file.sha256 != bundled.sha256:
                reason = f"{bundled.filename} was first had here with another digest"
                examined[bundled.filename] = self._unusable(bundled, reason)
            else:
                usable[bundled.filename] = file
        if self.blobs.here:
            await asyncio.gather(*[self._look(state, file) for file in usable.values()])
        told = [await self._told(index, state, list(usable.values())) for index in takers]
        judged = dict(zip(usable, zip(*told, strict=True), strict=True))
        for bundled in carried:
            if bundled.filename in judged:
                examined[bundled.filename] = self._examined(bundled, judged[bundled.filename])
        return tuple(examined[bundled.filename] for bundled in carried)

    async def _told(self, index: Index, state: PageState, files: Sequence[File]) -> tuple[Judgement, ...]:
        return await self.bench.judge.files(index, state, files, within=EVIDENCE_WITHIN)

    async def _look(self, state: PageState, file: File) -> None:
        """Has it known what is in an archive, as before it is served."""
        assert file.sha256 is not None
        blob = await self.bench.blobs.find(file.sha256)
        if blob is None:
            raise StoreUnavailable(f"{file.filename} is not on this disk any more", remedy="import the bundle again")
        await self.bench.inspections.look(state, file, file.sha256, blob.path)

    def _examined(self, bundled: BundledFile, judgements: tuple[Judgement, ...]) -> Examined:
        return Examined(
            upstream=self.entry.upstream,
            project=self.entry.project,
            filename=bundled.filename,
            sha256=str(bundled.sha256),
            size=self.blobs.sizes[str(bundled.sha256)],
            judgements=judgements,
            told=bundled.evidence,
            found=str(state_of(judgements[0].evidence)),
        )

    def _unusable(self, bundled: BundledFile, reason: str) -> Examined:
        return Examined(
            upstream=self.entry.upstream,
            project=self.entry.project,
            filename=bundled.filename,
            sha256=str(bundled.sha256),
            size=self.blobs.sizes[str(bundled.sha256)],
            unusable=reason,
            told=bundled.evidence,
        )
