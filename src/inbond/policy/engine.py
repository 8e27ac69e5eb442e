"""From cases to verdicts, for one file and for a whole page. The two always agree (laws in tests/property).

Rules that cannot speak on a page are left out for all its files; findings that say the same are the same object, and
files with the same findings share a verdict: a page of 5,000 files is judged in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from packaging.version import Version

from inbond.model.evidence import Absent, EvidenceOrPending, Pending
from inbond.model.inspection import Inspection
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, Kind, stated_version
from inbond.model.page import Claim, File, Page
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.model.verdict import Finding, Verdict
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import Rule
from inbond.policy.rules import (
    allow,
    archive,
    attestations,
    cooldown,
    deny,
    environments,
    filename,
    hashes,
    predicates,
    publishers,
    pull_requests,
    refs,
    release,
    reusable_workflows,
    runners,
    sdists,
    status,
    triggers,
    yanked,
)
from inbond.policy.settings import PolicySettings
from inbond.policy.waiving import Waiving

# They ask for a verified publish attestation whatever `attestations` says (inbond.policy.signers).
DEMANDS: Final[tuple[Rule, ...]] = (
    environments, predicates, publishers, refs, reusable_workflows, runners, triggers,
)  # fmt: skip
RULES: Final[tuple[Rule, ...]] = (
    allow, archive, attestations, cooldown, deny, filename, hashes, pull_requests, sdists, status, yanked, *DEMANDS,
)  # fmt: skip
RULE_NAMES: Final = frozenset({*(rule.name for rule in RULES), release.name})
# The rules whose holds say, where there is no evidence, that it could not be had.
ABOUT_EVIDENCE: Final = frozenset({attestations.name, *(rule.name for rule in DEMANDS)})
# "`audit` never relaxes length or digest" (docs/design.md): what a filename first stood for is its digest.
NEVER_AUDITED: Final = frozenset({filename.name, hashes.name})

# What was found in the archives that were had, by filename; files that nothing is known of are left out.
Inspections = Mapping[Filename, Inspection]
NOTHING_INSPECTED: Final[Inspections] = MappingProxyType({})

_ABSENT: Final = Absent()
_PENDING: Final = Pending()


def judge_page(
    *,
    index: str,
    page: Page,
    memory: PageMemory | None,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    now: datetime,
    inspections: Inspections = NOTHING_INSPECTED,
    standing: Standing = NOTHING_STANDS,
    rules: tuple[Rule, ...] = RULES,
) -> Mapping[Filename, Verdict]:
    """The verdict on every file of a page, by filename, from what is known.

    A file that `evidence` does not name is absent where the page says so, and pending otherwise.
    """
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = _Judging(shared, rules, inspections)
    verdicts = {file.filename: judging.alone(file, evidence) for file in page.files}
    if judging.has_denied:
        _spread(judging, page, verdicts)
    return verdicts


def judge_file(
    *,
    index: str,
    page: Page,
    file: File,
    memory: PageMemory | None,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    now: datetime,
    inspections: Inspections = NOTHING_INSPECTED,
    standing: Standing = NOTHING_STANDS,
    rules: tuple[Rule, ...] = RULES,
) -> Verdict:
    """The verdict on one file of a page. `evidence` should name all of `judged_with` that can have any."""
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = _Judging(shared, rules, inspections)
    verdict = judging.alone(file, evidence)
    wheels = [(wheel.filename, judging.alone(wheel, evidence)) for wheel in judged_with(page, file)[1:]]
    return judging.in_release(file, verdict, wheels)


def judge_files(
    *,
    index: str,
    page: Page,
    files: Sequence[File],
    memory: PageMemory | None,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    now: datetime,
    inspections: Inspections = NOTHING_INSPECTED,
    standing: Standing = NOTHING_STANDS,
    rules: tuple[Rule, ...] = RULES,
) -> Mapping[Filename, Verdict]:
    """As `judge_file`, for some files of a page. `evidence` should name all of `judged_with_all` that can have any."""
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = _Judging(shared, rules, inspections)
    beside = _wheels_beside(page, files)
    found: dict[Filename, Verdict] = {}
    for file in files:
        verdict = judging.alone(file, evidence)
        wheels = () if release.spreads(file) else beside.get(page.version_of(file), ())
        found[file.filename] = judging.in_release(
            file, verdict, [(wheel.filename, judging.alone(wheel, evidence)) for wheel in wheels]
        )
    return found


def judged_with_all(page: Page, files: Sequence[File]) -> tuple[File, ...]:
    """The files whose evidence bears on the verdicts on these: themselves, and their releases' wheels; each once."""
    beside = _wheels_beside(page, files).values()
    found = {file.filename: file for file in (*files, *(wheel for wheels in beside for wheel in wheels))}
    return tuple(found.values())


def _wheels_beside(page: Page, files: Iterable[File]) -> Mapping[Version | None, list[File]]:
    """The wheels of the releases of those files that are not wheels themselves, found in one pass over the page."""
    wanted = {page.version_of(file) for file in files if not release.spreads(file)}
    found: dict[Version | None, list[File]] = {}
    for other in page.files if wanted else ():
        stated = stated_version(other.filename, page.name)
        if stated is not None and stated not in wanted:
            continue  # without reading the whole name: pages list thousands
        if release.spreads(other) and (version := page.version_of(other)) in wanted:
            found.setdefault(version, []).append(other)
    return found


def judged_with(page: Page, file: File) -> tuple[File, ...]:
    """The files whose evidence bears on the verdict on `file`: itself first; its release's wheels unless it is one."""
    if release.spreads(file):
        return (file,)
    version = page.version_of(file)
    return (file, *(other for other in page.files if release.spreads(other) and page.version_of(other) == version))


def evidence_of(file: File, evidence: Mapping[Filename, EvidenceOrPending]) -> EvidenceOrPending:
    """What is known of a file's provenance: what was established, or else what its page says."""
    known = evidence.get(file.filename)
    if known is not None:
        return known
    return _ABSENT if file.provenance is Claim.NONE else _PENDING


def newest_allowed(page: Page, verdicts: Mapping[Filename, Verdict], file: File) -> str | None:
    """The newest other version with an allowed wheel or sdist; final releases first, nothing upstream yanked."""
    own = page.version_of(file)
    offered = {
        version
        for other in page.files
        if verdicts[other.filename].allowed and other.yanked is False and other.kind is not Kind.LEGACY
        if (version := page.version_of(other)) is not None and version != own
    }
    newest = max(offered, key=lambda version: (not version.is_prerelease, version), default=None)
    return None if newest is None else str(newest)


def next_change(verdicts: Mapping[Filename, Verdict]) -> datetime | None:
    """When the first hold ends, and with it what the page says; None where time alone changes nothing."""
    return min((verdict.expires_at for verdict in verdicts.values() if verdict.expires_at is not None), default=None)


class _Judging:
    """The rules that can speak on one page, and the verdicts they have led to so far."""

    def __init__(self, shared: PageCase, rules: Iterable[Rule], inspections: Inspections) -> None:
        self._shared = shared
        self._inspections = inspections
        self._waiving = Waiving(shared)
        self._judges: tuple[Callable[[Case], Finding | None], ...] = tuple(
            rule.judge for rule in rules if rule.applies(shared)
        )
        # By the findings' identities: held beside the verdict, they stay alive and their identities their own.
        self._verdicts: dict[int | tuple[int, ...], tuple[list[Finding], Verdict]] = {}
        self.has_denied = False

    def alone(self, file: File, evidence: Mapping[Filename, EvidenceOrPending]) -> Verdict:
        """The verdict on a file without its release."""
        inspection = self._inspections.get(file.filename)
        case = Case(shared=self._shared, file=file, evidence=evidence_of(file, evidence), inspection=inspection)
        findings = []
        for judge in self._judges:
            finding = judge(case)
            if finding is not None:
                findings.append(self._waiving.applied(finding, file))
        key = id(findings[0]) if len(findings) == 1 else tuple(map(id, findings))
        shared = self._verdicts.get(key)
        if shared is not None:
            return shared[1]
        verdict = Verdict.of(map(self._counted, findings))
        self.has_denied = self.has_denied or release.would_deny(verdict)
        self._verdicts[key] = (findings, verdict)
        return verdict

    def in_release(self, file: File, verdict: Verdict, wheels: Iterable[tuple[Filename, Verdict]]) -> Verdict:
        """The verdict on a file that is not a wheel, as it stands beside the wheels of its release."""
        finding = release.judge(wheels)
        if finding is None:
            return verdict
        return Verdict.of((*verdict.findings, self._counted(self._waiving.applied(finding, file))))

    def _counted(self, finding: Finding) -> Finding:
        audited = finding.rule not in NEVER_AUDITED and self._shared.settings.audits(finding.rule)
        return replace(finding, audited=True) if audited else finding


def _spread(judging: _Judging, page: Page, verdicts: dict[Filename, Verdict]) -> None:
    # The second pass, entered only where something is denied.
    denied: dict[Version | None, list[tuple[Filename, Verdict]]] = {}
    for file in page.files:
        verdict = verdicts[file.filename]
        if release.spreads(file) and release.would_deny(verdict):
            denied.setdefault(page.version_of(file), []).append((file.filename, verdict))
    for file in page.files if denied else ():
        if not release.spreads(file):
            wheels = denied.get(page.version_of(file), ())
            verdicts[file.filename] = judging.in_release(file, verdicts[file.filename], wheels)
