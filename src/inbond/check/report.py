"""What `inbond check` found: for every entry of a lock, for every file of it, and for the lock as a whole."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from inbond.check.files import RESULT_OF, FileReport, JudgedFile, Result, findings_behind, is_clear_wheel, worst
from inbond.locks.lock import Dependency, Lock, Place
from inbond.model.evidence import Absent, Pending, Unavailable, Verified, VerifiedAttestation
from inbond.model.verdict import Finding, Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """Why nothing could be said, and what may help."""

    reason: str
    remedy: str | None = None


@dataclass(frozen=True, kw_only=True)
class DependencyReport:
    """An entry of a lock. Without slots: what is derived is derived once."""

    dependency: Dependency
    upstream: str | None = None  # where its page was found
    version: str | None = None  # as locked, or as an installer would choose
    files: tuple[FileReport, ...] = ()
    findings: tuple[Finding, ...] = ()  # about the entry itself
    published: datetime | None = None  # the latest trusted time of its files; None where the index gives none
    untold: Untold | None = None

    @cached_property
    def result(self) -> Result:
        """The worst of its files and findings. Every file counts, because any of them may be installed somewhere.

        One exception: where the policy takes no sdists and a wheel is clear, installers take the wheel.
        """
        results = [RESULT_OF[finding.outcome] for finding in self.findings]
        results += [Result.WARNED if self.passed_over(file) else file.result for file in self.files]
        return worst([*results, *([Result.UNTOLD] if self.untold else [])])

    def passed_over(self, file: FileReport) -> bool:
        """Whether that is an sdist that is denied for being one, beside a wheel that is clear."""
        if not isinstance(file, JudgedFile) or file.result is not Result.DENIED or file.findings:
            return False
        stopping = {f.rule for f in file.judgement.verdict.findings if f.outcome >= Outcome.HOLD and f.counts}
        return stopping == {"sdists"} and any(is_clear_wheel(other) for other in self.files)

    @cached_property
    def deciding(self) -> Finding | None:
        """The finding that the result comes from; None where it is clear or could not be told."""
        wanted = self.result
        if wanted is Result.CLEAR:
            return None
        found = [finding for finding in self.findings if RESULT_OF[finding.outcome] is wanted]
        for file in self.files:
            found += findings_behind(file, wanted)
        return found[0] if found else None

    @cached_property
    def waived(self) -> tuple[Finding, ...]:
        """What would stop files of it and a waiver lifts, each once."""
        found = [one for file in self.judged for one in file.judgement.verdict.findings if one.waiver is not None]
        return tuple(dict.fromkeys(found))

    @cached_property
    def judged(self) -> tuple[JudgedFile, ...]:
        """The files that the index lists."""
        return tuple(file for file in self.files if isinstance(file, JudgedFile))

    @property
    def attested(self) -> int:
        """How many files come with provenance, whatever is to be said of it."""
        return sum(not isinstance(file.judgement.evidence, Absent | Pending | Unavailable) for file in self.judged)

    @property
    def verified(self) -> int:
        """How many files have verified attestations and are those that installers get."""
        return sum(isinstance(file.judgement.evidence, Verified) for file in self.judged if file.proven)

    @property
    def unavailable(self) -> bool:
        """Whether the evidence about a file could not be had, be that of consequence or not."""
        return any(isinstance(file.judgement.evidence, Pending | Unavailable) for file in self.judged)

    @property
    def publishers(self) -> tuple[str, ...]:
        """Who signed the verified files, as certificates prove it, sorted."""
        found = {
            str(attestation.identity)
            for file in self.judged
            if file.proven and isinstance(file.judgement.evidence, Verified)
            for attestation in file.judgement.evidence.attestations
            if isinstance(attestation, VerifiedAttestation)
        }
        return tuple(sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class LockFinding:
    """A finding about the lock as a whole."""

    finding: Finding
    place: Place

    @property
    def result(self) -> Result:
        """What the finding says."""
        return RESULT_OF[self.finding.outcome]


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """A lock in numbers. Coverage counts dependencies all of whose files are verified."""

    dependencies: int
    by_result: dict[Result, int]
    files: int
    files_attested: int
    files_verified: int
    dependencies_verified: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LockReport:
    """A whole lock, checked against one index at one moment."""

    lock: Lock
    index: str
    policy: str
    at: datetime
    rows: tuple[DependencyReport, ...]
    findings: tuple[LockFinding, ...] = ()
    own: tuple[Dependency, ...] = ()  # the locked project itself, its workspace, and directories below the lock

    @property
    def result(self) -> Result:
        """The worst of all."""
        return worst([*(row.result for row in self.rows), *(finding.result for finding in self.findings)])

    @property
    def totals(self) -> Totals:
        """The lock in numbers."""
        by_result = dict.fromkeys(Result, 0)
        for row in self.rows:
            by_result[row.result] += 1
        return Totals(
            dependencies=len(self.rows),
            by_result=by_result,
            files=sum(len(row.files) for row in self.rows),
            files_attested=sum(row.attested for row in self.rows),
            files_verified=sum(row.verified for row in self.rows),
            dependencies_verified=sum(bool(row.files) and row.verified == len(row.files) for row in self.rows),
        )
