"""Syncing what was examined: plan, fetch several files at once, and the record of what is there."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any, Final

from inbond.check.report import DependencyReport
from inbond.mirror.accounting import FileKey, to_fetch
from inbond.mirror.fetching import Fetcher, Told
from inbond.mirror.outcomes import FileOutcome
from inbond.mirror.synced import SyncedFile
from inbond.model.page import File
from inbond.store.protocols import Blob, Blobs

FILES_AT_ONCE: Final = 16  # a quarter of the places that an upstream has for downloads: others want some too


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A file that was let through. `present`: whether its bytes lie here; `kept`: and did before the sync began."""

    file: File
    present: bool
    kept: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be there in the end."""

    files: Mapping[FileKey, Planned]

    @property
    def size(self) -> int:
        """Bytes of all files, as far as their pages tell."""
        return sum(one.file.size or 0 for one in self.files.values())

    @property
    def to_fetch(self) -> int:
        """Bytes that are not here yet, as far as pages tell."""
        return sum(one.file.size or 0 for one in self.files.values() if not one.present)

    @property
    def missing(self) -> int:
        """How many files are not here yet."""
        return sum(not one.present for one in self.files.values())


async def planned(rows: Sequence[DependencyReport], blobs: Blobs, *, since: float) -> Plan:
    """Every file that was let through, once. `since`: when the sync began, in seconds of the system's clock."""
    found = {key: file.judgement.file for row in rows for key, file in to_fetch(row).items()}
    return Plan(files={key: await _planned(blobs, file, since) for key, file in found.items()})


async def _planned(blobs: Blobs, file: File, since: float) -> Planned:
    blob = await blobs.find(file.sha256) if file.sha256 is not None else None
    if blob is None or file.size not in {None, blob.size}:
        return Planned(file=file, present=False, kept=False)
    return Planned(file=file, present=True, kept=await asyncio.to_thread(_is_older, blob, since))


def _is_older(blob: Blob, since: float) -> bool:
    """Whether a blob was there before: uv reads whole wheels where an index has no core metadata beside them."""
    try:
        return blob.path.stat().st_mtime < since
    except OSError:  # evicted a moment ago
        return False


@dataclass(slots=True, kw_only=True)
class Syncer:
    """Fetches a plan. `here`: what has become of files so far, also where it is interrupted."""

    fetcher: Fetcher
    blobs: Blobs
    told: Told
    here: dict[FileKey, FileOutcome] = field(default_factory=dict)

    def count(self, plan: Plan) -> int:
        """How many files are here, those not looked at yet included."""
        looked_at = sum(one.state.is_here for one in self.here.values())
        return looked_at + sum(one.present for key, one in plan.files.items() if key not in self.here)

    async def run(self, plan: Plan) -> Mapping[FileKey, FileOutcome]:
        """What became of each file. Raises `StoreUnavailable`."""
        places = asyncio.Semaphore(FILES_AT_ONCE)

        async def one(key: FileKey, wanted: Planned) -> None:
            async with places:
                _, project, filename = key
                self.here[key] = await self.fetcher.fetch(project, filename, kept=wanted.kept, told=self.told)
            self.told.file(filename)

        with ExitStack() as leases:
            for wanted in plan.files.values():
                if wanted.file.sha256 is not None:
                    leases.enter_context(self.blobs.lease(wanted.file.sha256))
            await _all(one(key, wanted) for key, wanted in plan.files.items())
        return self.here


async def _all(work: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Does everything; what is under way ends where one of it fails, or where nobody waits any more."""
    running = [asyncio.create_task(one) for one in work]
    try:
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def records_of(here: Mapping[FileKey, FileOutcome]) -> tuple[SyncedFile, ...]:
    """The files that are there, by upstream, project and filename."""
    return tuple(
        SyncedFile(
            upstream=upstream, project=str(project), filename=str(filename), sha256=outcome.sha256, size=outcome.size
        )
        for (upstream, project, filename), outcome in sorted(here.items())
        if outcome.state.is_here and outcome.sha256 is not None and outcome.size is not None
    )
