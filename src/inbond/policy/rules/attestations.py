"""Whether a file has attestations, and whether they hold (PEP 740; docs/design.md, "Evidence apart from verdict").

Pending evidence is no finding: what a page does with files not yet checked is `inbond.policy.listing`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from inbond.model.evidence import (
    Absent,
    AttestationOutcome,
    Pending,
    Rejected,
    Unavailable,
    Unsupported,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
)
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import allow, deny, enact, hold, next_retry, stamp
from inbond.policy.settings import Attestations

name: Final = "attestations"

_ABSENT: Final = allow(name, "no attestation", code="none")
_MISSING: Final = deny(
    name,
    "no attestation, and one is required",
    remedy="use an attested version, or relax `attestations`",
    code="missing",
)


def applies(_shared: PageCase) -> bool:
    """Always: that attestations are verified is told even where none is asked for."""
    return True


def judge(case: Case) -> Finding | None:
    """The table of docs/design.md, row by row; `off` judges nothing."""
    asked = case.shared.project_policy.attestations
    required = asked is Attestations.REQUIRE
    match case.evidence:
        case Verified() as evidence:
            return _verified(evidence.attestations)
        case _ if asked is Attestations.OFF:
            return None
        case Absent():
            return _MISSING if required else _ABSENT
        case Rejected(reason=reason):
            return deny(
                name,
                f"attestation rejected: {reason}",
                remedy="do not install it; ask its maintainers",
                code="rejected",
            )
        case Unsupported() as evidence:
            return _unsupported(case, evidence, required=required)
        case Unavailable() as evidence:
            return _unavailable(case, evidence, required=required)
        case Pending():  # pragma: no branch (the match is exhaustive)
            return None


def _verified(attestations: tuple[AttestationOutcome, ...]) -> Finding:
    verified = 0
    for attestation in attestations:
        verified += isinstance(attestation, VerifiedAttestation)
    return _counted(verified, len(attestations) - verified)


@lru_cache(maxsize=256)
def _counted(verified: int, unsupported: int) -> Finding:
    also = f", {unsupported} not supported" if unsupported else ""
    return allow(name, f"{verified} attestation{'' if verified == 1 else 's'} verified{also}", code="verified")


def _unsupported(case: Case, evidence: Unsupported, *, required: bool) -> Finding:
    if evidence.cause is UnsupportedCause.UNKNOWN_KEY:
        return deny(
            name,
            f"signed under a key the trusted root lacks: {evidence.reason}",
            remedy="give inbond a newer trusted root, then ask again",
            code="unknown-key",
        )
    message = f"attestation cannot be judged: {evidence.reason}"
    if required:
        return deny(name, message, remedy="upgrade inbond, or relax `attestations`", code="unsupported")
    return enact(
        case.project_policy.unsupported,
        rule=name,
        message=message,
        remedy="upgrade inbond, or relax `unsupported`",
        since=case.trusted_time,
        now=case.now,
        code="unsupported",
    )


def _unavailable(case: Case, evidence: Unavailable, *, required: bool) -> Finding:
    action = case.project_policy.unavailable
    message = f"provenance unavailable since {stamp(evidence.since)}: {evidence.reason}"
    remedy = evidence.remedy or "wait: it is asked for again within 60 s"
    # What is required is never let through unchecked: that hold is renewed, unless the policy denies outright.
    if required and action.outcome is not Outcome.DENY:
        until = next_retry(evidence.since, case.now)
        return hold(name, message, remedy=remedy, until=until, code="unavailable")
    return enact(
        action, rule=name, message=message, remedy=remedy, since=evidence.since, now=case.now, code="unavailable"
    )
