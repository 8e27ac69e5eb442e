"""What becomes of a file, as far as it can be told from what is known: now, or under a policy that is tried."""

from __future__ import annotations

from dataclasses import dataclass

from inbond.model.evidence import EvidenceOrPending, Pending
from inbond.model.verdict import Decision, Finding, Outcome, Verdict

_UNCHECKED = "its attestations have not been checked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of a file: `decision` is in force, `would` is the decision without `audit`.

    `stopping`: the findings that stop it, `audit` or not, the deciding one first; what is waived is not among them.
    """

    decision: Decision
    would: Decision
    stopping: tuple[Finding, ...] = ()

    @property
    def deciding(self) -> Finding | None:
        """The finding that decides `would`; None where nothing stops the file."""
        return self.stopping[0] if self.stopping else None

    @property
    def in_force(self) -> Finding | None:
        """The finding that decides `decision`; None where the file may be had."""
        return next((finding for finding in self.stopping if not finding.audited), None)

    @property
    def stops(self) -> bool:
        """Whether the file cannot be had."""
        return self.decision is not Decision.ALLOW

    @property
    def would_stop(self) -> bool:
        """Whether it could not be had if every rule were enforced."""
        return self.would is not Decision.ALLOW


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """That it cannot be told from what is known, and why."""

    reason: str


Told = Fate | Untold


def told(verdict: Verdict, evidence: EvidenceOrPending, *, asks_for_evidence: bool) -> Told:
    """What a verdict from what is known comes to.

    What passes only because nobody has checked its attestations yet is not told: they may be missing or forged.
    """
    fate = fate_of(verdict)
    if asks_for_evidence and isinstance(evidence, Pending) and not fate.would_stop:
        return Untold(reason=_UNCHECKED)
    return fate


def fate_of(verdict: Verdict) -> Fate:
    """What a verdict says, with and without `audit`."""
    stopping = [finding for finding in verdict.findings if finding.outcome >= Outcome.HOLD and finding.waiver is None]
    return Fate(
        decision=verdict.decision,
        would=verdict.would or verdict.decision,
        stopping=tuple(sorted(stopping, key=_strictest_first)),
    )


def _strictest_first(finding: Finding) -> tuple[int, float]:
    # Of several holds the longest decides, as in `Verdict.deciding`; the order is stable beyond that.
    return (-finding.outcome, -finding.until.timestamp() if finding.until else 0.0)
