"""The rules at work on one page: the verdicts they lead to, and what they say of the releases before a file.

Rules that cannot speak on a page are left out for all its files; findings that say the same are the same object, and
files with the same findings share a verdict: a page of 5,000 files is judged in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from packaging.version import Version

from inbond.model.evidence import Absent, EvidenceOrPending, Pending
from inbond.model.inspection import Inspection
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.verdict import Finding, Outcome, Verdict
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.history import Earlier, Representative, came_at, earlier_than, earlier_than_next, settled_before
from inbond.policy.past import Before, Denied, History
from inbond.policy.platforms import group_of
from inbond.policy.rule import Rule
from inbond.policy.rules import (
    allow,
    archive,
    backdated,
    continuity,
    cooldown,
    environments,
    filename,
    freeze,
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
    vulnerabilities,
    yanked,
)
from inbond.policy.waiving import Waiving

# They ask for a verified publish attestation whatever `attestations` says (inbond.policy.signers).
DEMANDS: Final[tuple[Rule, ...]] = (
    environments, predicates, publishers, refs, reusable_workflows, runners, triggers,
)  # fmt: skip
# "`audit` never relaxes length or digest" (docs/design.md): what a filename first stood for is its digest.
NEVER_AUDITED: Final = frozenset({filename.name, hashes.name})
# Rules whose denials say what a policy wants, not that something is wrong with a release: it stays part of the history
# of those that come after it. What they deny they would deny of the next release, too.
_ASIDE: Final = frozenset(
    {
        rule.name
        for rule in (*DEMANDS, allow, cooldown, freeze, hashes, pull_requests, sdists, status, vulnerabilities, yanked)
    }
)

# Rules that say nothing of a file without attestations, and without anything that was found in its archive: of most.
_ABOUT_MORE: Final = frozenset({archive.name, backdated.name, pull_requests.name})

# What was found in the archives that were had, by filename; files that nothing is known of are left out.
Inspections = Mapping[Filename, Inspection]
NOTHING_INSPECTED: Final[Inspections] = MappingProxyType({})


class Judging:
    """The rules that can speak on one page, and the verdicts they have led to so far."""

    def __init__(
        self,
        shared: PageCase,
        rules: Iterable[Rule],
        evidence: Mapping[Filename, EvidenceOrPending],
        inspections: Inspections,
    ) -> None:
        self._shared = shared
        self._evidence = evidence
        self._inspections = inspections
        self._waiving = Waiving(shared)
        self._has_waivers = bool(self._waiving)
        speaking = [rule for rule in rules if rule.applies(shared)]
        self._judges: tuple[Callable[[Case], Finding | None], ...] = tuple(rule.judge for rule in speaking)
        self._judges_of_bare = tuple(rule.judge for rule in speaking if rule.name not in _ABOUT_MORE)
        self._against = tuple(
            rule.judge for rule in speaking if rule.name not in _ASIDE and rule.name != continuity.name
        )
        self._denied: dict[Filename, Denied] = {}
        self._histories: dict[object, History] = {}  # files of one release that came together share theirs
        # By the findings' identities: held beside the verdict, they stay alive and their identities their own.
        self._verdicts: dict[int | tuple[int, ...], tuple[list[Finding], Verdict]] = {}
        self.has_denied = False

    def case(self, file: File) -> Case:
        """The case of a file of the page."""
        return Case(
            shared=self._shared,
            file=file,
            evidence=evidence_of(file, self._evidence),
            inspection=self._inspections.get(file.filename),
            recall=self.history,
        )

    def alone(self, file: File) -> Verdict:
        """The verdict on a file without its release."""
        case = self.case(file)
        bare = case.inspection is None and isinstance(case.evidence, Pending | Absent)
        judges = self._judges_of_bare if bare else self._judges
        findings = [finding for judge in judges if (finding := judge(case)) is not None]
        if self._has_waivers:
            findings = [self._waiving.applied(finding, file) for finding in findings]
        key = id(findings[0]) if len(findings) == 1 else tuple(map(id, findings))
        shared = self._verdicts.get(key)
        if shared is not None:
            return shared[1]
        verdict = Verdict.of(map(self._counted, findings))
        self.has_denied = self.has_denied or release.would_deny(verdict)
        self._verdicts[key] = (findings, verdict)
        return verdict

    def history(self, file: File) -> History:
        """The settled releases before a file, with what other rules say of them."""
        time = came_at(self._shared, file, evidence_of(file, self._evidence))
        key = (self._shared.page.version_of(file), group_of(file), time, came_at(self._shared, file))
        if key not in self._histories:
            self._histories[key] = self._settled(time, earlier_than(self._shared, file))
        return self._histories[key]

    def next_history(self, like: File) -> History:
        """The history that a file would have which is like this one and came now, with the next release."""
        return self._settled(self._shared.now, earlier_than_next(self._shared, like))

    def _settled(self, time: datetime, earlier: Earlier) -> History:
        def settled(representatives: Iterable[Representative]) -> tuple[Before, ...]:
            found = (self._before(version, file) for version, file in representatives)
            return tuple(one for one in found if settled_before(one.time, time))

        return History(
            time=time,
            releases=settled(earlier.releases),
            newest=settled(earlier.newest),
            wheels=settled(earlier.wheels),
            beside=tuple(evidence_of(file, self._evidence) for file in earlier.beside),
        )

    def _before(self, version: Version, file: File) -> Before:
        evidence = evidence_of(file, self._evidence)
        time = came_at(self._shared, file, evidence)
        return Before(version=version, file=file, evidence=evidence, time=time, denied=self._is_denied(file))

    def _is_denied(self, file: File) -> Denied:
        if file.filename not in self._denied:
            case = replace(self.case(file), recall=None)
            denials = [
                Denied.YES if self._counted(finding).counts else Denied.RECORDED
                for judge in self._against
                if (finding := judge(case)) is not None
                and finding.outcome is Outcome.DENY
                and self._waiving.applied(finding, file).waiver is None
            ]
            self._denied[file.filename] = max(denials, default=Denied.NO)
        return self._denied[file.filename]

    def in_release(self, file: File, verdict: Verdict, wheels: Iterable[tuple[Filename, Verdict]]) -> Verdict:
        """The verdict on a file that is not a wheel, as it stands beside the wheels of its release."""
        finding = release.judge(wheels)
        if finding is None:
            return verdict
        return Verdict.of((*verdict.findings, self._counted(self._waiving.applied(finding, file))))

    def _counted(self, finding: Finding) -> Finding:
        audited = finding.rule not in NEVER_AUDITED and self._shared.settings.audits(finding.rule)
        return replace(finding, audited=True) if audited else finding
