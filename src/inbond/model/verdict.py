"""Findings of rules and the verdict they add up to. A verdict is derived, cheap and disposable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Self

from inbond.model.decisions import Waiver
from inbond.model.evidence import EvidenceOrPending
from inbond.model.imports import AttachedNote
from inbond.model.names import ProjectName
from inbond.model.page import File


class Outcome(IntEnum):
    """What one rule says, ordered by strictness: deny beats hold beats warn beats allow."""

    ALLOW = 0
    WARN = 1
    HOLD = 2
    DENY = 3

    def __str__(self) -> str:
        return self.name.lower()


class Decision(StrEnum):
    """What becomes of a request. A hold is a denial that ends by itself."""

    ALLOW = "allow"
    HOLD = "hold"
    DENY = "deny"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one rule found about one file. `until` is set for holds, and only for them.

    `code` is a word for what was found, stable across versions; with the rule it makes the finding's `id`.
    """

    rule: str
    outcome: Outcome
    message: str
    remedy: str | None = None
    until: datetime | None = None
    audited: bool = False  # recorded, but not counted
    waiver: Waiver | None = None  # lifts it: shown, but not counted
    code: str = ""

    @property
    def id(self) -> str:
        """`rule/code`, as in `cooldown/young`."""
        return f"{self.rule}/{self.code}" if self.code else self.rule

    @property
    def counts(self) -> bool:
        """Whether it bears on the decision."""
        return not self.audited and self.waiver is None


_DECISIONS = {
    Outcome.ALLOW: Decision.ALLOW,
    Outcome.WARN: Decision.ALLOW,
    Outcome.HOLD: Decision.HOLD,
    Outcome.DENY: Decision.DENY,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The sum of all findings about one file under one policy at one moment.

    `would` is what the decision had been without `audit`; None where that is the same. `expires_at` is when
    the hold ends, and None for all else. `changes_at` is when time alone may make it another verdict: that hold ends,
    or one that is only recorded, or a waiver does.
    """

    decision: Decision
    findings: tuple[Finding, ...]
    would: Decision | None = None
    expires_at: datetime | None = None
    changes_at: datetime | None = None

    @classmethod
    def of(cls, findings: Iterable[Finding]) -> Self:
        """Adds findings up: strictest first, whatever their order was (laws in tests/property)."""
        ordered = tuple(sorted(findings, key=lambda f: (-f.outcome, f.rule, f.message)))
        decision, until = _strictest(finding for finding in ordered if finding.counts)
        would, recorded = _strictest(finding for finding in ordered if finding.waiver is None)
        ends = [finding.waiver.until for finding in ordered if finding.waiver is not None]
        return cls(
            decision=decision,
            findings=ordered,
            would=would if would is not decision else None,
            expires_at=until,
            changes_at=min((one for one in (*ends, until, recorded) if one is not None), default=None),
        )

    @property
    def deciding(self) -> Finding | None:
        """The finding that stops the file, or None where nothing does. Of several holds, the longest."""
        wanted = {Decision.DENY: Outcome.DENY, Decision.HOLD: Outcome.HOLD}.get(self.decision)
        if wanted is None:
            return None
        stops = [f for f in self.findings if f.outcome is wanted and f.counts]
        return max(stops, key=lambda f: f.until.timestamp() if f.until else 0.0)

    @property
    def allowed(self) -> bool:
        """Whether bytes may leave now."""
        return self.decision is Decision.ALLOW


def _strictest(findings: Iterable[Finding]) -> tuple[Decision, datetime | None]:
    found = list(findings)
    outcome = max((finding.outcome for finding in found), default=Outcome.ALLOW)
    untils = [finding.until for finding in found if finding.outcome is Outcome.HOLD and finding.until is not None]
    until = max(untils, default=None) if outcome is Outcome.HOLD else None
    return _DECISIONS[outcome], until


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with all that explaining it needs. `at`: when it was reached; None where nobody needs to know."""

    index: str
    project: ProjectName
    file: File
    version: str | None
    evidence: EvidenceOrPending
    verdict: Verdict
    newest_allowed: str | None = None  # another version of the project that is allowed now
    support_url: str | None = None
    at: datetime | None = None
    advisories: tuple[str, ...] = ()  # the ids of those that the file may be meant by
    carried: bool = (
        True  # whether its bytes can be had: on the far side of an air gap, those that no bundle brought can't
    )

    attached: AttachedNote | None = None  # where the evidence is not the index's own: who attached it
    policy: str | None = None  # by which it was judged: its name and digest, as the index tells them

    @property
    def headline(self) -> str:
        """One sentence: what was stopped, by which rule, and why; or that the file is allowed."""
        finding = self.verdict.deciding
        if finding is None:
            lifted = " and ".join(dict.fromkeys(one.rule for one in self.verdict.findings if one.waiver is not None))
            return f"{self.file.filename} is allowed" + (f": a waiver lifts {lifted}" if lifted else "")
        verb = "held" if self.verdict.decision is Decision.HOLD else "denied"
        return f"{self.file.filename} is {verb} by rule {finding.rule}: {finding.message}"
