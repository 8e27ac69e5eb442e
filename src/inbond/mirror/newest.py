"""The newest releases of a project that an index lets through."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from packaging.version import Version

from inbond.check.examine import CANDIDATES, Examiner
from inbond.check.report import DependencyReport
from inbond.check.selection import candidates, stopped_versions
from inbond.gateway.indexes import find_page
from inbond.locks.facts import exactly
from inbond.locks.lock import Dependency
from inbond.mirror.accounting import to_fetch
from inbond.model.errors import UpstreamFault
from inbond.model.page import Page
from inbond.model.verdict import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """Tries a project's releases, the newest first. `pythons`: "3.12"; releases for none of them do not count."""

    examiner: Examiner
    pythons: tuple[str, ...] = ()

    async def of(self, dependency: Dependency, count: int) -> tuple[DependencyReport, ...]:
        """Reports on so many releases that fit the requirement and may be had.

        What is passed over on the way is a note on the first of them; where none may be had, the newest is reported.
        """
        found: list[DependencyReport] = []
        passed: list[DependencyReport] = []
        for version in (await self._versions(dependency))[: count + CANDIDATES]:
            report = await self._examined(replace(dependency, version=version, specifier=exactly(version)))
            if to_fetch(report) or report.untold is not None:
                found.append(report)
            elif report.files:
                passed.append(report)
            if len(found) == count:
                break
        if found:
            return (_with_passed(found[0], passed), *found[1:])
        return (passed[0],) if passed else (await self._examined(dependency),)

    async def _examined(self, dependency: Dependency) -> DependencyReport:
        (report,) = await self.examiner.examine([dependency], lambda _: None)
        return report

    async def _versions(self, dependency: Dependency) -> tuple[Version, ...]:
        """The newest first; none where the page cannot be had, which the examiner tells better."""
        try:
            state = await find_page(self.examiner.pages, self.examiner.index, dependency.project)
        except UpstreamFault:
            return ()
        return self._fitting(state.page, dependency) if state is not None else ()

    def _fitting(self, page: Page, dependency: Dependency) -> tuple[Version, ...]:
        # as the last patch release of each Python would choose
        pythons: tuple[str | None, ...] = tuple(f"{python}.99" for python in self.pythons) or (None,)
        fitting = {version for python in pythons for version in candidates(page, dependency.specifier, python)}
        return tuple(sorted(fitting, reverse=True))


def _with_passed(report: DependencyReport, passed: Iterable[DependencyReport]) -> DependencyReport:
    told: list[tuple[Version, Finding]] = [
        (Version(one.version), one.deciding) for one in passed if one.version is not None and one.deciding is not None
    ]
    if report.version is None or not told:
        return report
    return replace(report, findings=(*report.findings, *stopped_versions(told, Version(report.version))))
