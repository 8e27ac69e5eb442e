"""Examining a lock: its entries' pages are fetched, the files it means judged, a few projects at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, assert_never

from packaging.version import Version

from inbond.check import selection
from inbond.check.addresses import Addresses, where
from inbond.check.files import JudgedFile, Result, UnlistedFile
from inbond.check.report import DependencyReport, Untold
from inbond.check.selection import Selection
from inbond.gateway.clock import Clock
from inbond.gateway.indexes import Index, find_page, not_found
from inbond.gateway.judging import Judge
from inbond.gateway.page_state import PageState
from inbond.gateway.pages import PageKeeper
from inbond.locks.lock import Dependency, FromDirectory, FromFile, FromIndex, FromUrl, FromVcs
from inbond.model.errors import UpstreamFault
from inbond.model.verdict import Finding, Judgement
from inbond.policy.case import Case, PageCase

PROJECTS_AT_ONCE: Final = 6
# Nobody's installer waits here: a slow Integrity API gets the time it needs.
EVIDENCE_WITHIN: Final = 120.0  # seconds, for one project
# Versions of an open requirement that are tried before it is given up.
CANDIDATES: Final = 5

Progress = Callable[[Dependency], None]
# What is looked at of what an entry means.
Narrowing = Callable[[Dependency, Selection], Selection]


def whole(_: Dependency, selected: Selection) -> Selection:
    """All that an entry means."""
    return selected


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Asks one index about the entries of a lock.

    `python`: the Python version that open requirements are chosen for. `elsewhere`: an index that installers ask
    besides this one, because the lock says so. `narrowing`: which of an entry's files are judged.
    """

    pages: PageKeeper
    judge: Judge
    index: Index
    clock: Clock
    python: str
    addresses: Addresses
    elsewhere: str | None = None
    narrowing: Narrowing = whole

    async def examine(self, dependencies: Sequence[Dependency], progress: Progress) -> tuple[DependencyReport, ...]:
        """A report for each entry, in their order; `progress` is told of each that is done."""
        places = asyncio.Semaphore(PROJECTS_AT_ONCE)

        async def one(dependency: Dependency) -> DependencyReport:
            async with places:
                report = await self._examined(dependency)
            progress(dependency)
            return report

        running = [asyncio.create_task(one(dependency)) for dependency in dependencies]
        try:
            return tuple(await asyncio.gather(*running))
        finally:
            for task in running:
                task.cancel()

    async def _examined(self, dependency: Dependency) -> DependencyReport:
        report = DependencyReport(dependency=dependency, version=_text(dependency.version))
        if untold := self._unanswerable(dependency):
            return replace(report, untold=untold)
        try:
            state = await find_page(self.pages, self.index, dependency.project)
        except UpstreamFault as error:
            return replace(report, untold=Untold(reason=error.message, remedy=error.remedy))
        if not isinstance(dependency.source, FromIndex) and not _is_on(state, dependency):
            reason = f"it comes from {where(dependency)}, and the index has no file with its digest"
            return replace(report, untold=Untold(reason=reason, remedy="take it from the index"))
        if state is None:
            why = not_found(self.pages.fed, self.index, dependency.project) if self.pages.fed else None
            return replace(report, findings=(selection.unknown_project(dependency, self.index.name, why),))
        if dependency.files:
            elsewhere = self._asked_elsewhere(dependency) is not None
            chosen = selection.locked_files(state.page, dependency, self.addresses, elsewhere=elsewhere)
            return await self._selected(dependency, state, chosen)
        if dependency.version is not None:
            pinned = selection.pinned_files(state.page, dependency, dependency.version)
            return await self._selected(dependency, state, pinned)
        return await self._open(dependency, state)

    def _asked_elsewhere(self, dependency: Dependency) -> str | None:
        """Another index that installers may take an entry from."""
        source = dependency.source
        if isinstance(source, FromIndex) and not self.addresses.stands_for(source.url):
            return source.url
        return self.elsewhere

    def _unanswerable(self, dependency: Dependency) -> Untold | None:
        """Why what this index says would tell nothing of an entry; None where it tells."""
        pinned = bool(dependency.files) and all(file.sha256 for file in dependency.files)
        match dependency.source:
            case FromIndex():
                other = self._asked_elsewhere(dependency)
                if other is None or any(file.digests for file in dependency.files):
                    return None
                reason = f"installers may take it from {other}, which was not asked, and no digest says what they get"
                return Untold(reason=reason, remedy="let the lock name inbond alone, and give digests")
            case FromUrl() | FromFile() if pinned:
                return None  # the digests tell whether they are files of the index
            case FromUrl() | FromFile():
                reason = f"it comes from {where(dependency)}, without a sha256 of every file"
                return Untold(reason=reason, remedy="take it from the index, or give the digests")
            case FromVcs() | FromDirectory():
                reason = f"it comes from {where(dependency)}: no index vouches for it"
                return Untold(reason=reason, remedy="take a release of it from the index")
            case _:
                assert_never(dependency.source)

    async def _selected(
        self, dependency: Dependency, state: PageState, selected: Selection, version: Version | None = None
    ) -> DependencyReport:
        selected = self.narrowing(dependency, selected)
        judgements = await self.judge.files(
            self.index, state, [one.file for one in selected.chosen], within=EVIDENCE_WITHIN
        )
        judged = tuple(
            JudgedFile(judgement=judgement, locked=one.locked, findings=one.findings)
            for one, judgement in zip(selected.chosen, judgements, strict=True)
        )
        missing = tuple(UnlistedFile(locked=one.locked, finding=one.finding) for one in selected.unlisted)
        return DependencyReport(
            dependency=dependency,
            upstream=state.upstream,
            version=_text(version or dependency.version) or _common_version(judgements),
            files=(*judged, *missing),
            findings=(*selected.findings, *selection.not_carried(dependency, judgements)),
            published=self._published(state, judgements),
        )

    async def _open(self, dependency: Dependency, state: PageState) -> DependencyReport:
        """The version that an installer would take: it passes over what is stopped, where something else fits."""
        passed: list[tuple[Version, Finding]] = []
        first: DependencyReport | None = None
        for version in selection.candidates(state.offered, dependency.specifier, self.python)[:CANDIDATES]:
            pinned = selection.pinned_files(state.page, dependency, version)
            report = await self._selected(dependency, state, pinned, version)
            if any(file.judgement.verdict.allowed for file in report.judged):
                return replace(report, findings=(*report.findings, *selection.stopped_versions(passed, version)))
            if report.result is Result.UNTOLD:
                return report  # whether installers take it or pass over it
            first = first or report
            passed += [(version, finding) for finding in [report.deciding] if finding is not None]
        if first is None:
            none = selection.no_candidate(dependency)
            return DependencyReport(dependency=dependency, upstream=state.upstream, findings=(none,))
        return first

    def _published(self, state: PageState, judgements: Sequence[Judgement]) -> datetime | None:
        shared = PageCase.of(
            index=self.index.name,
            page=state.page,
            memory=state.memory,
            settings=self.index.policy,
            now=self.clock(),
        )
        times = [Case(shared=shared, file=one.file, evidence=one.evidence).trusted_time for one in judgements]
        return max((time for time in times if isinstance(time, datetime)), default=None)


def _is_on(state: PageState | None, dependency: Dependency) -> bool:
    """Whether every file of an entry is on the page, by its sha256: installers go to the entry's own URL."""
    listed = {file.sha256 for file in state.page.files} if state is not None else set()
    return bool(dependency.files) and all(file.sha256 in listed for file in dependency.files)


def _common_version(judgements: Sequence[Judgement]) -> str | None:
    versions = {judgement.version for judgement in judgements}
    return versions.pop() if len(versions) == 1 else None


def _text(version: Version | None) -> str | None:
    return str(version) if version is not None else None
