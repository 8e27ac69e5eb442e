"""From cases to verdicts, for one file and for a whole page. The two always agree (laws in tests/property).

Rules that cannot speak on a page are left out for all its files; findings that say the same are the same object, and
files with the same findings share a verdict: a page of 5,000 files is judged in a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

from packaging.version import Version

from inbond.model.evidence import EvidenceOrPending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, Kind
from inbond.model.page import File, Page
from inbond.model.standing import NOTHING_STANDS, Established, Standing
from inbond.model.verdict import Verdict
from inbond.policy.case import PageCase
from inbond.policy.judging import DEMANDS, NEVER_AUDITED, NOTHING_INSPECTED, Inspections, Judging
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
    judging = Judging(shared, rules, evidence, inspections)
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
) -> Verdict:
    """The verdict on one file of a page. `evidence` should name all of `judged_with_all` that can have any."""
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = Judging(shared, rules, evidence, inspections)
    wheels = [(wheel.filename, judging.alone(wheel)) for wheel in wheels_beside(page, file)]
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
) -> Mapping[Filename, Verdict]:
    """As `judge_file`, for some files of a page. `evidence` should name all of `judged_with_all` that can have any."""
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = Judging(shared, rules, evidence, inspections)
    beside = wheels_beside_all(page, files)
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
) -> tuple[Established, ...]:
    """The repositories by which these files show a project to be published, as far as memory does not know them.

    They are those of the releases that the next one would be compared with: what nobody would compare with any more
    must not speak against what came since. And those that a finding of these files rests on, which is to last.
    """
    shared = PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now, standing=standing)
    judging = Judging(shared, rules, evidence, inspections)
    strangers = _by_strangers(shared, files, evidence) if continuity.applies(shared) else []
    of_each_kind = {group_of(file): file for file in strangers[::-1]}.values()
    found: dict[tuple[str, str], Established] = {}
    for one in (
        *(one for file in strangers for one in continuity.rests_on(judging.case(file))),
        *(one for file in of_each_kind for one in _of_the_next(judging, file)),
    ):
        found.setdefault((one.repository, one.repository_id), one)
    return tuple(found[key] for key in sorted(found))


def _of_the_next(judging: Judging, file: File) -> tuple[Established, ...]:
    return continuity.established_by(judging.case(file), judging.next_history(file))


def _by_strangers(
    shared: PageCase, files: Iterable[File], evidence: Mapping[Filename, EvidenceOrPending]
) -> list[File]:
    """The files that a repository published which memory does not know."""
    known = {(one.repository, one.repository_id) for one in shared.standing.established}
    return [
        file
        for file in files
        if any(
            signer.identity.repository_id is not None and (signer.place, signer.identity.repository_id) not in known
            for signer in signers_of(evidence.get(file.filename))
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
