"""From cases to verdicts, for one file and for a whole page. The two always agree (laws in tests/property).

Rules that cannot speak on a page are left out for all its files; findings that say the same are the same object, and
files with the same findings share a verdict: a page of 5,000 files is judged in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending, Verified
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, Kind
from inbond.model.page import File, Page
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.model.verdict import Verdict
from inbond.policy.case import PageCase
from inbond.policy.judging import DEMANDS, NEVER_AUDITED, NOTHING_INSPECTED, Inspections, Judging
from inbond.policy.kept import Kept
from inbond.policy.needed import wheels_beside, wheels_beside_all
from inbond.policy.platforms import group_of
from inbond.policy.rule import Rule
from inbond.policy.rules import (
    allow,
    archive,
    attestations,
    backdated,
    continuity,
    cooldown,
    deny,
    filename,
    freeze,
    hashes,
    malware,
    pull_requests,
    release,
    review,
    sdists,
    status,
    vulnerabilities,
    yanked,
)
from inbond.policy.settings import PolicySettings
from inbond.policy.signing import signers_of

__all__ = [
    "ABOUT_EVIDENCE", "DEMANDS", "NEVER_AUDITED", "NOTHING_INSPECTED", "RULES", "RULE_NAMES", "Inspections",
    "established_by", "judge_file", "judge_files", "judge_page", "newest_allowed", "next_change",
]  # fmt: skip

RULES: Final[tuple[Rule, ...]] = (
    allow, archive, attestations, backdated, continuity, cooldown, deny, filename, freeze, hashes, malware,
    pull_requests, review, sdists, status, vulnerabilities, yanked, *DEMANDS,
)  # fmt: skip
RULE_NAMES: Final = frozenset({*(rule.name for rule in RULES), release.name})
# The rules whose holds say, where there is no evidence, that it could not be had.
ABOUT_EVIDENCE: Final = frozenset({attestations.name, *(rule.name for rule in DEMANDS)})


@dataclass(frozen=True, slots=True, kw_only=True)
class _Facts:
    """What a whole page is judged by, and when."""

    index: str
    page: Page
    memory: PageMemory | None
    settings: PolicySettings
    standing: Standing
    now: datetime

    def judging(
        self,
        rules: tuple[Rule, ...],
        evidence: Mapping[Filename, EvidenceOrPending],
        inspections: Inspections,
        kept: Kept | None,
    ) -> Judging:
        """The rules at work. What is kept of another page, policy or anything else is left alone."""
        whole = self.index, self.page, self.memory, self.settings, self.standing
        if kept is not None and rules is RULES and kept.is_about(*whole):
            return Judging(kept.case(self.now), rules, evidence, inspections, kept)
        shared = PageCase.of(
            index=self.index,
            page=self.page,
            memory=self.memory,
            settings=self.settings,
            now=self.now,
            standing=self.standing,
        )
        return Judging(shared, rules, evidence, inspections)


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
    kept: Kept | None = None,
) -> Mapping[Filename, Verdict]:
    """The verdict on every file of a page, by filename, from what is known.

    A file that `evidence` does not name is absent where the page says so, and pending otherwise. `kept`: what is not
    worked out again where all that it rests on is unchanged, here and below.
    """
    facts = _Facts(index=index, page=page, memory=memory, settings=settings, standing=standing, now=now)
    judging = facts.judging(rules, evidence, inspections, kept)
    verdicts = {file.filename: judging.alone(file) for file in page.files}
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
    kept: Kept | None = None,
) -> Verdict:
    """The verdict on one file of a page. `evidence` should name all of `judged_with_all` that can have any."""
    facts = _Facts(index=index, page=page, memory=memory, settings=settings, standing=standing, now=now)
    judging = facts.judging(rules, evidence, inspections, kept)
    wheels = [(wheel.filename, judging.alone(wheel)) for wheel in wheels_beside(judging.shared, file)]
    return judging.in_release(file, judging.alone(file), wheels)


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
    kept: Kept | None = None,
) -> Mapping[Filename, Verdict]:
    """As `judge_file`, for some files of a page. `evidence` should name all of `judged_with_all` that can have any."""
    facts = _Facts(index=index, page=page, memory=memory, settings=settings, standing=standing, now=now)
    judging = facts.judging(rules, evidence, inspections, kept)
    beside = wheels_beside_all(judging.shared, files)
    found: dict[Filename, Verdict] = {}
    for file in files:
        wheels = () if release.spreads(file) else beside.get(page.version_of(file), ())
        found[file.filename] = judging.in_release(
            file, judging.alone(file), [(wheel.filename, judging.alone(wheel)) for wheel in wheels]
        )
    return found


def established_by(
    *,
    index: str,
    page: Page,
    files: Iterable[File],
    memory: PageMemory | None,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    now: datetime,
    inspections: Inspections = NOTHING_INSPECTED,
    standing: Standing = NOTHING_STANDS,
    rules: tuple[Rule, ...] = RULES,
    kept: Kept | None = None,
) -> tuple[Established, ...]:
    """The repositories by which these files show a project to be published, as far as memory does not know them.

    They are those of the releases that the next one would be compared with: what nobody would compare with any more
    must not speak against what came since. And those that a finding of these files rests on, which is to last.
    """
    signed = [file for file in files if isinstance(evidence.get(file.filename), Verified)]
    strangers = _by_strangers(standing, signed, evidence)
    if not strangers:
        return ()
    facts = _Facts(index=index, page=page, memory=memory, settings=settings, standing=standing, now=now)
    judging = facts.judging(rules, evidence, inspections, kept)
    if not continuity.applies(judging.shared):
        return ()
    of_each_kind = {group_of(file): file for file in strangers[::-1]}.values()
    found: dict[tuple[str, str], Established] = {}
    for one in (
        *(one for file in strangers for one in judging.rests_on(file)),
        *(one for file in of_each_kind for one in judging.established_by_next(file)),
    ):
        found.setdefault((one.repository, one.repository_id), one)
    return tuple(found[key] for key in sorted(found))


def _by_strangers(
    standing: Standing, signed: Iterable[File], evidence: Mapping[Filename, EvidenceOrPending]
) -> list[File]:
    """The files that a repository published which memory does not know."""
    known = {(one.repository, one.repository_id) for one in standing.established}
    return [
        file
        for file in signed
        if any(
            signer.identity.repository_id is not None and (signer.place, signer.identity.repository_id) not in known
            for signer in signers_of(evidence[file.filename])
        )
    ]


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
    """When the first hold or waiver ends, and with it what the page says; None where time alone changes nothing."""
    return min((verdict.changes_at for verdict in verdicts.values() if verdict.changes_at is not None), default=None)


def _spread(judging: Judging, page: Page, verdicts: dict[Filename, Verdict]) -> None:
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
