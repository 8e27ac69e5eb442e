"""The rules at work on one page: the verdicts they lead to, and what they say of the releases before a file.

Rules that cannot speak on a page are left out for all its files; findings that say the same are the same object, and
files with the same findings share a verdict: a page of 5,000 files is judged in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Final

from packaging.version import Version

from inbond.model.evidence import Absent, EvidenceOrPending, Pending
from inbond.model.inspection import Inspection
from inbond.model.names import Filename
from inbond.model.page import File
from inbond.model.standing import Established
from inbond.model.verdict import Finding, Outcome, Verdict
from inbond.policy.case import Case, PageCase, evidence_of
from inbond.policy.history import (
    Earlier,
    Representative,
    came_at,
    earlier_than,
    earlier_than_next,
    next_settled,
    settled_before,
)
from inbond.policy.kept import Ends, Kept, Known, Stands
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


_Judge = Callable[[Case], Finding | None]
_SPEAKING: Final = "rules that can speak"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Speaking:
    """Of some rules, those that can speak on a page; of those, what is asked of whom."""

    rules: tuple[Rule, ...]
    judges: tuple[_Judge, ...]
    of_bare: tuple[_Judge, ...]
    against: tuple[_Judge, ...]

    @classmethod
    def of(cls, rules: tuple[Rule, ...], shared: PageCase) -> _Speaking:
        """Found once for all judgings of a page that is kept."""
        found: _Speaking | None = shared.kept.get(_SPEAKING)
        if found is None or found.rules is not rules:
            speaking = [rule for rule in rules if rule.applies(shared)]
            against = [rule for rule in speaking if rule.name not in _ASIDE and rule.name != continuity.name]
            found = shared.kept[_SPEAKING] = cls(
                rules=rules,
                judges=tuple(rule.judge for rule in speaking),
                of_bare=tuple(rule.judge for rule in speaking if rule.name not in _ABOUT_MORE),
                against=tuple(rule.judge for rule in against),
            )
        return found


class Judging:
    """The rules that can speak on one page, and the verdicts they have led to so far.

    `kept`: where what is worked out is found again, if all that it rests on is unchanged.
    """

    def __init__(
        self,
        shared: PageCase,
        rules: tuple[Rule, ...],
        evidence: Mapping[Filename, EvidenceOrPending],
        inspections: Inspections,
        kept: Kept | None = None,
    ) -> None:
        self.shared = shared
        self._now = shared.now
        self._evidence = evidence
        self._inspections = inspections
        self._waiving = Waiving(shared)
        self._has_waivers = bool(self._waiving)
        self._speaking = _Speaking.of(rules, shared)
        self._denied: dict[Filename, Denied] = {}
        # Files of one release that came together share theirs; beside it, what was looked at for it.
        self._histories: dict[object, tuple[History, Earlier]] = {}
        self._looked_at: Earlier | None = None  # for what is being worked out
        # By the findings' identities: held beside the verdict, they stay alive and their identities their own.
        self._verdicts: dict[int | tuple[int, ...], tuple[list[Finding], Verdict, datetime]] = {}
        self._found: dict[Hashable, Stands] = kept.found if kept is not None else {}
        self._ends = Ends(shared) if kept is not None else None
        self._alike: dict[tuple[int, int, datetime], Stands] = {}
        self._looked_up: dict[Filename, Known] = {}
        self._again: dict[int, Verdict] = {}  # those that stand, by their identities
        self.has_denied = False

    def case(self, file: File) -> Case:
        """The case of a file of the page."""
        return Case(
            shared=self.shared,
            file=file,
            evidence=evidence_of(file, self._evidence),
            inspection=self._inspections.get(file.filename),
            recall=self.history,
        )

    def alone(self, file: File) -> Verdict:
        """The verdict on a file without its release."""
        stands = self._standing(file.filename, file)
        if stands is not None:
            verdict: Verdict = stands.value
            if id(verdict) not in self._again:
                self._again[id(verdict)] = verdict
                self.has_denied = self.has_denied or release.would_deny(verdict)
            return verdict
        case = self.case(file)
        self._looked_at = None
        bare = case.inspection is None and isinstance(case.evidence, Pending | Absent)
        judges = self._speaking.of_bare if bare else self._speaking.judges
        findings = [finding for judge in judges if (finding := judge(case)) is not None]
        if self._has_waivers:
            findings = [self._waiving.applied(finding, file) for finding in findings]
        verdict, until = self._verdict(findings)
        self._keep(file.filename, case, verdict, until)
        return verdict

    def _verdict(self, findings: list[Finding]) -> tuple[Verdict, datetime]:
        """The verdict that findings add up to, and when the first ends; files of which the same is found share it."""
        key = id(findings[0]) if len(findings) == 1 else tuple(map(id, findings))
        shared = self._verdicts.get(key)
        if shared is not None:
            return shared[1:]
        verdict = Verdict.of(map(self._counted, findings))
        self.has_denied = self.has_denied or release.would_deny(verdict)
        until = self._ends.of_findings(findings) if self._ends is not None else self._now
        self._verdicts[key] = (findings, verdict, until)
        return verdict, until

    def rests_on(self, file: File) -> tuple[Established, ...]:
        """The repositories that a finding about a file rests on (`continuity.rests_on`)."""
        key = ("rests on", file.filename)
        stands = self._standing(key, file)
        if stands is not None:
            known: tuple[Established, ...] = stands.value
            return known
        case = self.case(file)
        self._looked_at = None
        found = continuity.rests_on(case)
        self._keep(key, case, found, self._ends.first if self._ends is not None else self._now)
        return found

    def established_by_next(self, like: File) -> tuple[Established, ...]:
        """The repositories of the releases that the next one is compared with, where it is like this file."""
        key = ("next", group_of(like))
        stands = self._standing(key, None)
        if stands is not None:
            known: tuple[Established, ...] = stands.value
            return known
        earlier = earlier_than_next(self.shared, like)
        history = self._settled(self._now, earlier)
        found = continuity.established_by(self.case(like), history)
        if self._ends is not None:
            compared = self._known_of(earlier)
            until = min(self._ends.first, next_settled(self.shared, (evidence for _, evidence, _ in compared)))
            self._found[key] = Stands(found, self._now, until, compared=compared)
        return found

    def _standing(self, key: Hashable, file: File | None) -> Stands | None:
        """What is kept under a key, about a file or none, where all that it rests on is unchanged."""
        stands = self._found.get(key)
        if stands is None or not stands.since <= self._now < stands.until:
            return None
        if file is not None and (
            evidence_of(file, self._evidence) is not stands.evidence
            or self._inspections.get(file.filename) is not stands.inspection
        ):
            return None
        return stands if not stands.compared or all(map(self._is_as, stands.compared)) else None

    def _is_as(self, known: Known) -> bool:
        file, evidence, inspection = known
        return evidence_of(file, self._evidence) is evidence and self._inspections.get(file.filename) is inspection

    def _keep(self, key: Hashable, case: Case, value: object, first: datetime) -> None:
        """Keeps what was worked out about a file. `first`: when the first of its findings ends."""
        until = self._ends.of(case, first) if self._ends is not None else None
        if until is None:
            return
        if self._looked_at is not None:
            compared = self._known_of(self._looked_at)
            self._found[key] = Stands(value, self._now, until, case.evidence, case.inspection, compared)
            return
        alike = (id(value), id(case.evidence), until)
        stands = self._alike.get(alike)
        if stands is None or stands.inspection is not case.inspection:
            stands = self._alike[alike] = Stands(value, self._now, until, case.evidence, case.inspection)
        self._found[key] = stands

    def _known_of(self, earlier: Earlier) -> tuple[Known, ...]:
        """What is known of all files that were looked at for a history; of many histories they are the same."""
        return tuple(map(self._known, earlier.files))

    def _known(self, file: File) -> Known:
        found = self._looked_up.get(file.filename)
        if found is None:
            known = evidence_of(file, self._evidence), self._inspections.get(file.filename)
            found = self._looked_up[file.filename] = file, *known
        return found

    def history(self, file: File) -> History:
        """The settled releases before a file, with what other rules say of them."""
        time = came_at(self.shared, file, evidence_of(file, self._evidence))
        key = (self.shared.page.version_of(file), group_of(file), time, came_at(self.shared, file))
        if key not in self._histories:
            earlier = earlier_than(self.shared, file)
            self._histories[key] = self._settled(time, earlier), earlier
        history, self._looked_at = self._histories[key]
        return history

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
        time = came_at(self.shared, file, evidence)
        return Before(version=version, file=file, evidence=evidence, time=time, denied=self._is_denied(file))

    def _is_denied(self, file: File) -> Denied:
        if file.filename not in self._denied:
            case = replace(self.case(file), recall=None)
            denials = [
                Denied.YES if self._counted(finding).counts else Denied.RECORDED
                for judge in self._speaking.against
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
        audited = finding.rule not in NEVER_AUDITED and self.shared.settings.audits(finding.rule)
        return replace(finding, audited=True) if audited else finding
