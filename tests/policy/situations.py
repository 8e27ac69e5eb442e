"""What presets are tried on: attacks, and ordinary releases, each a page with what is known about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from packaging.version import Version

from inbond.model.advisory import Advisory, AffectedRange, Severity
from inbond.model.evidence import EvidenceOrPending, Unavailable
from inbond.model.inspection import Inspection, Odd
from inbond.model.memory import PageMemory
from inbond.model.names import Filename
from inbond.model.page import File, Page, Status
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.model.verdict import Decision, Outcome, Verdict
from inbond.policy.engine import judge_page
from inbond.policy.settings import PolicySettings
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    REJECTED,
    UNKNOWN_KEY,
    UNSUPPORTED,
    attestation,
    file_of,
    identity_of,
    memory_of,
    page_of,
    verified,
)

LONGEST = timedelta(days=60)  # of a hold that is waited for
TRUE = identity_of(repository_id="1", owner_id="10", trigger="release", runner="github-hosted")


@dataclass(frozen=True, kw_only=True)
class Situation:
    """Something that happens: `file` is what somebody wants to install."""

    name: str
    attack: bool
    page: Page
    file: File
    evidence: Mapping[Filename, EvidenceOrPending]
    memory: PageMemory | None = None
    inspections: Mapping[Filename, Inspection] = field(default_factory=dict)
    standing: Standing = NOTHING_STANDS

    def verdict(self, settings: PolicySettings, now: datetime = NOW) -> Verdict:
        """What a policy makes of the file."""
        return judge_page(
            index="root",
            page=self.page,
            memory=self.memory,
            settings=settings,
            evidence=self.evidence,
            inspections=self.inspections,
            standing=self.standing,
            now=now,
        )[self.file.filename]


def held_for(situation: Situation, settings: PolicySettings) -> timedelta | None:
    """How long the file is held, until it is let through by itself; None where it is denied, or held for ever."""
    now = NOW
    while (verdict := situation.verdict(settings, now)).decision is Decision.HOLD and now - NOW < LONGEST:
        assert verdict.expires_at is not None
        now = verdict.expires_at
    return now - NOW if verdict.allowed else None


def warned(verdict: Verdict) -> bool:
    """Whether something is told of a file that is let through."""
    return any(finding.outcome is Outcome.WARN for finding in verdict.findings)


def _situation(
    name: str,
    *,
    attack: bool,
    age: timedelta | None = 2 * DAY,
    evidence: EvidenceOrPending = ABSENT,
    before: EvidenceOrPending = ABSENT,
    kind: str = "-py3-none-any.whl",
    standing: Standing = NOTHING_STANDS,
    memory: PageMemory | None = None,
    odd: bool = False,
    status: Status = Status.ACTIVE,
    **changes: Any,
) -> Situation:
    """A release 2.5 that is `age` old, after five that are months apart."""
    uploaded = None if age is None else NOW - age
    file = file_of(f"demo-2.5{kind}", **{"upload_time": uploaded, **changes})
    files = [
        file_of(f"demo-2.{number}-py3-none-any.whl", upload_time=NOW - (400 - 60 * number) * DAY) for number in range(5)
    ]
    known = {one.filename: before for one in files}
    return Situation(
        name=name,
        attack=attack,
        page=page_of(*files, file, status=status),
        file=file,
        evidence={**known, file.filename: evidence},
        memory=memory,
        inspections={file.filename: Odd(reasons=("two files of one name",))} if odd else {},
        standing=standing,
    )


def _known(severity: Severity, *, fixed: str | None = None, malicious: bool = False) -> Standing:
    affected = AffectedRange(introduced=Version("2.0"), fixed=None if fixed is None else Version(fixed))
    advisory = Advisory(
        id="MAL-1" if malicious else "GHSA-1",
        malicious=malicious,
        severity=severity,
        ranges=(affected,),
        published=NOW - 300 * DAY,
    )
    return Standing(advisories=(advisory,))


def situations() -> Iterator[Situation]:
    """All of them, attacks first."""
    signed = verified(attestation(TRUE, signed_at=NOW - 2 * DAY))
    mine = verified(attestation(TRUE))
    evil = identity_of("stranger/demo", repository_id="7", owner_id="70")
    by_evil = verified(attestation(evil, signed_at=NOW - HOUR))
    from_request = verified(attestation(identity_of(ref="refs/pull/7/merge"), signed_at=NOW - 2 * DAY))
    late = verified(attestation(TRUE, signed_at=NOW - 2 * DAY))

    def attack(name: str, **facts: Any) -> Situation:
        return _situation(name, attack=True, **facts)

    def ordinary(name: str, **facts: Any) -> Situation:
        return _situation(name, attack=False, **facts)

    yield attack("a forged attestation", evidence=REJECTED, age=30 * DAY)
    yield attack("an attestation by a key that nobody knows", evidence=UNKNOWN_KEY, age=30 * DAY)
    yield attack("a stolen token uploads without attestation", before=mine, age=HOUR)
    yield attack("a stolen account publishes from another repository", before=mine, evidence=by_evil, age=HOUR)
    yield attack("a bad release of an unattested project, an hour old", age=HOUR)
    yield attack("the same, after two days", age=2 * DAY)
    yield attack(
        "a release that an advisory calls malware", age=30 * DAY, standing=_known(Severity.UNKNOWN, malicious=True)
    )
    yield attack("an upload dated back to before its signature", evidence=late, before=mine, age=200 * DAY)
    yield attack(
        "other bytes under a known filename",
        age=30 * DAY,
        memory=memory_of({}, digests={"demo-2.5-py3-none-any.whl": "f" * 64}),
    )
    yield attack("a wheel that can be read in two ways", odd=True, age=30 * DAY)
    yield attack("a release built from a stranger's pull request", evidence=from_request)
    yield attack(
        "the index hides what would convict a file", evidence=Unavailable(reason="503", since=NOW), age=30 * DAY
    )
    yield attack("a project that its index has quarantined", status=Status.QUARANTINED, age=30 * DAY)
    yield attack("a sdist that runs its own code, a month old", kind=".tar.gz", age=30 * DAY)

    yield ordinary(
        "an attested release, a month old",
        before=mine,
        evidence=verified(attestation(TRUE, signed_at=NOW - 30 * DAY)),
        age=30 * DAY,
    )
    yield ordinary("an attested release, two days old", before=mine, evidence=signed)
    yield ordinary("an unattested release, a month old", age=30 * DAY)
    yield ordinary("an unattested release, five days old", age=5 * DAY)
    yield ordinary("an unattested release, an hour old", age=HOUR)
    yield ordinary("a first attested release, two days old", evidence=signed)
    yield ordinary("attestations that ended with a change of tools, two days ago", before=mine)
    yield ordinary(
        "a renamed workflow, two days ago",
        before=mine,
        evidence=verified(
            attestation(identity_of(workflow="publish.yml", repository_id="1", owner_id="10"), signed_at=NOW - 2 * DAY)
        ),
    )
    yield ordinary(
        "a repository that moved to another owner, two days ago",
        before=mine,
        evidence=verified(
            attestation(identity_of("team/demo", repository_id="1", owner_id="20"), signed_at=NOW - 2 * DAY)
        ),
    )
    yield ordinary("a publisher of a kind that cannot be judged", evidence=UNSUPPORTED, age=30 * DAY)
    yield ordinary(
        "an index that does not answer for an hour", evidence=Unavailable(reason="503", since=NOW), age=40 * DAY
    )
    yield ordinary(
        "a fix for a known vulnerability, an hour old", age=HOUR, standing=_known(Severity.HIGH, fixed="2.5")
    )
    yield ordinary("a release with a low vulnerability", age=30 * DAY, standing=_known(Severity.LOW))
    yield ordinary("a release with a critical vulnerability", age=30 * DAY, standing=_known(Severity.CRITICAL))
    yield ordinary("a release with a vulnerability that nobody rated", age=30 * DAY, standing=_known(Severity.UNKNOWN))
    yield ordinary("a sdist, a month old", kind=".tar.gz", age=30 * DAY)
    yield ordinary("a release that its maintainers yanked", age=30 * DAY, yanked="broken")
    yield ordinary("a mirror that gives no upload times", age=None)
