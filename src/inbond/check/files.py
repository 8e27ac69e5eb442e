"""What became of one file of a lock, and how results add up."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from inbond.locks.lock import LockedFile
from inbond.model.evidence import Pending, Unavailable
from inbond.model.names import Kind
from inbond.model.verdict import Decision, Finding, Judgement, Outcome
from inbond.policy.engine import ABOUT_EVIDENCE


class Result(StrEnum):
    """What a check came to. The worst of several counts: denied, could not tell, held, warned, clear."""

    CLEAR = "clear"
    WARNED = "warned"
    HELD = "held"
    UNTOLD = "could-not-tell"  # neither a pass nor a denial: asking again may tell
    DENIED = "denied"


_SEVERITY = {result: number for number, result in enumerate(Result)}
RESULT_OF = {
    Outcome.ALLOW: Result.CLEAR,
    Outcome.WARN: Result.WARNED,
    Outcome.HOLD: Result.HELD,
    Outcome.DENY: Result.DENIED,
}


def worst(results: Iterable[Result]) -> Result:
    """The result of a whole, from those of its parts."""
    return max(results, key=lambda result: _SEVERITY[result], default=Result.CLEAR)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedFile:
    """A file that the index lists, with its verdict. `locked` is None where the lock leaves the files open."""

    judgement: Judgement
    locked: LockedFile | None = None
    findings: tuple[Finding, ...] = ()  # of the lock against the page, besides the verdict's own

    @property
    def result(self) -> Result:
        """What the policy says, except where the evidence it needs could not be had."""
        return worst([self._policy_result, *(RESULT_OF[finding.outcome] for finding in self.findings)])

    @property
    def proven(self) -> bool:
        """Whether installers get the bytes that were judged: nothing is to be said of the lock against the page."""
        return not self.findings

    @property
    def _policy_result(self) -> Result:
        verdict = self.judgement.verdict
        match verdict.decision:
            case Decision.DENY:
                return Result.DENIED
            case Decision.HOLD if self._unavailable:
                return Result.UNTOLD
            case Decision.HOLD:
                return Result.HELD
            case Decision.ALLOW:
                warned = any(finding.outcome is Outcome.WARN and finding.counts for finding in verdict.findings)
                return Result.WARNED if warned else Result.CLEAR
            case _:
                assert_never(verdict.decision)

    @property
    def _unavailable(self) -> bool:
        deciding = self.judgement.verdict.deciding
        unknown = isinstance(self.judgement.evidence, Pending | Unavailable)
        return unknown and deciding is not None and deciding.rule in ABOUT_EVIDENCE


@dataclass(frozen=True, slots=True, kw_only=True)
class UnlistedFile:
    """A file that the lock names and the index does not list, or not with this digest."""

    locked: LockedFile
    finding: Finding

    @property
    def result(self) -> Result:
        """What the finding says."""
        return RESULT_OF[self.finding.outcome]


FileReport = JudgedFile | UnlistedFile


def is_clear_wheel(file: FileReport) -> bool:
    """Whether that is a wheel that may be had."""
    if not isinstance(file, JudgedFile) or not file.judgement.verdict.allowed:
        return False
    return file.judgement.file.kind is Kind.WHEEL


def findings_behind(file: FileReport, wanted: Result) -> list[Finding]:
    """The findings that a result comes from, if this file has it."""
    match file:
        case UnlistedFile():
            return [file.finding] if file.result is wanted else []
        case JudgedFile():
            own = [finding for finding in file.findings if RESULT_OF[finding.outcome] is wanted]
            verdict = file.judgement.verdict
            if wanted is Result.WARNED:
                warned = [f for f in verdict.findings if f.outcome is Outcome.WARN and f.counts]
                return [*own, *warned, *([verdict.deciding] if verdict.deciding else [])]
            return [*own, *([verdict.deciding] if file.result is wanted and verdict.deciding else [])]
        case _:
            assert_never(file)
