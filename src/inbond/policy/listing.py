"""What a page does about files whose provenance nobody has checked yet (`listing`; docs/design.md, "How a page flows").

Pending is no verdict. A page either settles it before it is shown, keeps the file out until it clears, or lists the
file, which is then checked before its first byte leaves.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from inbond.model.evidence import EvidenceOrPending, Pending
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import File, Page
from inbond.model.verdict import Decision, Verdict
from inbond.policy.case import Case, PageCase, Undated, evidence_of
from inbond.policy.kept import Kept
from inbond.policy.needed import compared_with
from inbond.policy.rule import hold, later
from inbond.policy.rules import attestations, continuity
from inbond.policy.settings import Attestations, Listing, PolicySettings

# A file counts as young at least this long, also where the policy holds nothing for its age: most bad releases are
# found within days, and whoever asks for a project first must not be the one to try its newest. It is as long as files
# are held by default that come by a new way.
YOUNG_AT_LEAST: Final = timedelta(days=7)
RECHECK_PENDING: Final = timedelta(seconds=60)  # when a page that holds pending files is rendered again at the latest

_CHECKING: Final = ("its provenance is still being verified", "ask again in a few seconds")
_COMPARING: Final = ("its history is still being verified", "ask again in a few seconds")
_NO_DIGEST: Final = (
    "its provenance cannot be checked before a first download: the index gives no sha256",
    'ask for exactly this file once; a page shows it under listing = "settled"',
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToSettle:
    """The pending files that a page waits for, each part youngest first: what is young, and what is not.

    `history`: by young file, the pending files of earlier releases that it is compared with.
    """

    young: tuple[File, ...] = ()
    rest: tuple[File, ...] = ()
    history: Mapping[Filename, tuple[File, ...]] = field(default_factory=dict)

    @property
    def early(self) -> tuple[File, ...]:
        """The young files and their history."""
        found = {file.filename: file for file in self.young}
        for files in self.history.values():
            found.update({file.filename: file for file in files})
        return tuple(found.values())

    @property
    def files(self) -> tuple[File, ...]:
        """All of them, in the order in which they are wanted."""
        early = self.early
        names = {file.filename for file in early}
        return (*early, *(file for file in self.rest if file.filename not in names))


def to_settle(
    *,
    index: str,
    page: Page,
    memory: PageMemory | None,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    verdicts: Mapping[Filename, Verdict],
    now: datetime,
    kept: Kept | None = None,
) -> ToSettle:
    """The pending files whose provenance a page of this policy waits for.

    Under `settled` the young ones, younger than the policy's longest hold or `YOUNG_AT_LEAST`, and the earlier files
    that young ones are compared with; under `verified` all, which it keeps out until they clear; none under `lazy`,
    and none for what is denied whatever its provenance. `kept`: with what was worked out of the page already.
    """
    facts = index, page, memory, settings
    shared = (
        kept.case(now)
        if kept is not None and kept.is_about(*facts, kept.standing)  # what stands has no part in this
        else PageCase.of(index=index, page=page, memory=memory, settings=settings, now=now)
    )
    if settings.listing is Listing.LAZY or not shared.project_policy.asks_for_evidence:
        return ToSettle()
    young_for = max(shared.project_policy.longest_hold, YOUNG_AT_LEAST)
    everything = settings.listing is Listing.VERIFIED
    young: list[tuple[datetime, File]] = []
    aged: list[tuple[datetime, File]] = []
    undated: list[File] = []
    history: dict[Filename, tuple[File, ...]] = {}
    for file in page.files:
        if verdicts[file.filename].decision is Decision.DENY:
            continue
        known = evidence_of(file, evidence)
        time = Case(shared=shared, file=file, evidence=known).trusted_time
        is_young = not isinstance(time, Undated) and later(time, young_for) > now
        if is_young or everything:
            earlier = compared_with(shared, file, evidence)
            pending = tuple(one for one in earlier if isinstance(evidence_of(one, evidence), Pending))
            if pending:
                history[file.filename] = pending
        if isinstance(known, Pending):
            if isinstance(time, Undated):
                undated.append(file)
            else:
                (young if is_young else aged).append((time, file))
    rest = (*_youngest_first(aged), *undated) if everything else ()
    return ToSettle(young=_youngest_first(young), rest=rest, history=history)


def _youngest_first(dated: list[tuple[datetime, File]]) -> tuple[File, ...]:
    return tuple(file for _, file in sorted(dated, key=lambda pair: pair[0], reverse=True))


def listed(
    verdicts: Mapping[Filename, Verdict],
    *,
    page: Page,
    settings: PolicySettings,
    evidence: Mapping[Filename, EvidenceOrPending],
    unsettled: Collection[Filename],
    now: datetime,
    uncompared: Collection[Filename] = (),
) -> Mapping[Filename, Verdict]:
    """The verdicts as the page shows them: what is still pending is held, all of it or only what is `unsettled`.

    `unsettled` names the files of `to_settle` that did not settle in time; under `verified` every pending file is
    kept out. `uncompared` names those whose history did not: they are held as well, and the earlier files are not.
    """
    if settings.listing is Listing.LAZY or not settings.for_project(page.name).asks_for_evidence:
        return verdicts
    everything = settings.listing is Listing.VERIFIED
    if not (everything or unsettled or uncompared):
        return verdicts
    # Files with one verdict share what becomes of it: pages list thousands.
    held: dict[tuple[int, str], Verdict] = {}

    def shown(file: File) -> Verdict:
        verdict = verdicts[file.filename]
        if (everything or file.filename in unsettled) and isinstance(evidence_of(file, evidence), Pending):
            key = (id(verdict), "bytes" if file.sha256 is None else "evidence")
            make = partial(held_until_cleared, page=page, file=file, settings=settings, now=now)
        elif file.filename in uncompared:
            key = (id(verdict), "history")
            make = partial(_held_until_compared, settings=settings, now=now)
        else:
            return verdict
        if key not in held:
            held[key] = make(verdict)
        return held[key]

    return {file.filename: shown(file) for file in page.files}


def _held_until_compared(verdict: Verdict, *, settings: PolicySettings, now: datetime) -> Verdict:
    """The verdict on a file that waits for its history: held by the rule that compares it."""
    message, remedy = _COMPARING
    finding = hold(continuity.name, message, remedy=remedy, until=later(now, RECHECK_PENDING), code="history-pending")
    return Verdict.of((*verdict.findings, replace(finding, audited=settings.audits(finding.rule))))


def held_until_cleared(verdict: Verdict, *, page: Page, file: File, settings: PolicySettings, now: datetime) -> Verdict:
    """The verdict on a pending file that is kept out: held by the rule that waits for its provenance."""
    policy = settings.for_project(page.name)
    own = () if policy.attestations is Attestations.OFF else (attestations.name,)
    waiting = (*own, *policy.demands)
    # One that is only recorded keeps nothing out, and must not speak for one that does.
    rule = next((name for name in waiting if not settings.audits(name)), waiting[0])
    message, remedy = _CHECKING if file.sha256 is not None else _NO_DIGEST
    code = "pending" if file.sha256 is not None else "no-sha256"
    finding = hold(rule, message, remedy=remedy, until=later(now, RECHECK_PENDING), code=code)
    return Verdict.of((*verdict.findings, replace(finding, audited=settings.audits(finding.rule))))
