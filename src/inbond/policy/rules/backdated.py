"""Upload times before the signature (`backdated`): nobody can sign before the file is there and upload it earlier.

The log time is signed by the transparency log, the upload time is the index's word. Which of them counts is settled:
the later one (`Case.trusted_time`). This rule only says that they contradict each other.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from inbond.model.evidence import Rejected, Unsupported, Verified, VerifiedAttestation
from inbond.model.units import about
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import enact

name: Final = "backdated"

TOLERANCE: Final = timedelta(hours=1)  # clocks differ, and uploads are retried

_REMEDY: Final = "ask the index why, or use another version"


def applies(shared: PageCase) -> bool:
    """Where the policy looks at attestations, and minds."""
    policy = shared.project_policy
    return policy.asks_for_evidence and policy.backdated.outcome is not Outcome.ALLOW


def judge(case: Case) -> Finding | None:
    """The configured action on a file that was signed more than an hour after it was uploaded."""
    uploaded, evidence = case.file.upload_time, case.evidence
    if uploaded is None or not isinstance(evidence, Verified | Unsupported | Rejected) or not applies(case.shared):
        return None
    logged = _logged_at(evidence)
    if logged is None or logged - uploaded <= TOLERANCE:
        return None
    return enact(
        case.project_policy.backdated,
        rule=name,
        message=f"uploaded {_minute(uploaded)} UTC by the index, and signed {about(logged - uploaded)} later",
        remedy=_REMEDY,
        since=case.trusted_time,
        now=case.now,
        code="upload-before-log",
    )


def _logged_at(evidence: Verified | Unsupported | Rejected) -> datetime | None:
    """The latest signed log time; an attestation that is verified is about these bytes, whatever stands beside it."""
    verified = (each for each in evidence.attestations if isinstance(each, VerifiedAttestation))
    return max((each.signed_at for each in verified if each.signed_at is not None), default=None)


def _minute(time: datetime) -> str:
    return time.isoformat(" ", "minutes")[:16]
