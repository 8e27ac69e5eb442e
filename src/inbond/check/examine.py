"""Examining a lock: its entries' pages are fetched, the files it means judged, a few projects at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from packaging.version import Version

from inbond.check import selection
from inbond.check.files import JudgedFile, UnlistedFile
from inbond.check.report import DependencyReport, Untold
from inbond.check.selection import Selection
from inbond.gateway.clock import Clock
from inbond.gateway.indexes import Index, find_page
from inbond.gateway.judging import Judge
from inbond.gateway.pages import PageKeeper, PageState
from inbond.locks.lock import Dependency, FromIndex, FromPath, FromUrl, FromVcs
from inbond.model.errors import UpstreamFault
from inbond.model.verdict import Finding, Judgement
from inbond.policy.case import Case, PageCase

PROJECTS_AT_ONCE: Final = 6
# Nobody's installer waits here: a slow Integrity API gets the time it needs.
EVIDENCE_WITHIN: Final = 120.0  # seconds, for one project
# Versions of an open requirement that are tried before it is given up.
CANDIDATES: Final = 5

Progress = Callable[[Dependency], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Examiner:
    """Asks one index about the entries of locks. `python`: the Python version that open requirements are chosen for."""

    pages: PageKeeper
    judge: Judge
    index: Index
    clock: Clock
    python: str

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
        if untold := _elsewhere(dependency):
            return DependencyReport(dependency=dependency, version=_text(dependency.version), untold=untold)
        try:
            state = await find_page(self.pages, self.index, dependency.project)
        except UpstreamFault as error:
            untold = Untold(reason=error.message, remedy=error.remedy)
            return DependencyReport(dependency=dependency, version=_text(dependency.version), untold=untold)
        if not isinstance(dependency.source, FromIndex) and not _on(state, dependency):
            untold = Untold(reason=f"it comes from {_origin(dependency)}, and the index has no file with its digest")
            return DependencyReport(dependency=dependency, version=_text(dependency.version), untold=untold)
        if state is None:
            missing = selection.unknown_project(dependency, self.index.name)
            return DependencyReport(dependency=dependency, version=_text(dependency.version), findings=(missing,))
        if dependency.files:
            return await self._selected(dependency, state, selection.locked_files(state.page, dependency))
        if dependency.version is not None:
            pinned = selection.pinned_files(state.page, dependency, dependency.version)
            return await self._selected(dependency, state, pinned)
        return await self._open(dependency, state)

    async def _selected(
        self, dependency: Dependency, state: PageState, selected: Selection, version: Version | None = None
    ) -> DependencyReport:
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
            findings=selected.findings,
            published=self._published(state, judgements),
        )

    async def _open(self, dependency: Dependency, state: PageState) -> DependencyReport:
        """The version that an installer would take: it passes over what is stopped, where something else fits."""
        passed: list[tuple[Version, Finding]] = []
        first: DependencyReport | None = None
        for version in selection.candidates(state.page, dependency.specifier, self.python)[:CANDIDATES]:
            pinned = selection.pinned_files(state.page, dependency, version)
            report = await self._selected(dependency, state, pinned, version)
            if any(file.judgement.verdict.allowed for file in report.judged):
                return _with(report, selection.stopped_versions(passed, version))
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


def _elsewhere(dependency: Dependency) -> Untold | None:
    """Why no index can be asked about an entry; None where one can."""
    match dependency.source:
        case FromIndex():
            return None
        case FromUrl(url) | FromPath(url):
            if any(file.sha256 for file in dependency.files):
                return None  # the digest tells whether it is a file of the index
            return Untold(reason=f"it comes from {url}, without a sha256", remedy="take it from the index, or give one")
        case FromVcs(url):
            return Untold(reason=f"it comes from {url}: no index vouches for it", remedy="take a release of it")
        case _:
            assert_never(dependency.source)


def _on(state: PageState | None, dependency: Dependency) -> bool:
    digests = {file.sha256 for file in dependency.files}
    return state is not None and any(file.sha256 in digests for file in state.page.files if file.sha256)


def _origin(dependency: Dependency) -> str:
    match dependency.source:
        case FromUrl(where) | FromPath(where) | FromVcs(where):
            return where
        case FromIndex():
            return "the index"
        case _:
            assert_never(dependency.source)


def _with(report: DependencyReport, findings: tuple[Finding, ...]) -> DependencyReport:
    return DependencyReport(
        dependency=report.dependency,
        upstream=report.upstream,
        version=report.version,
        files=report.files,
        findings=(*report.findings, *findings),
        published=report.published,
    )


def _common_version(judgements: Sequence[Judgement]) -> str | None:
    versions = {judgement.version for judgement in judgements}
    return versions.pop() if len(versions) == 1 else None


def _text(version: Version | None) -> str | None:
    return str(version) if version is not None else None
