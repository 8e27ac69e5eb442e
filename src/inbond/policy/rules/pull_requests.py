"""Pull requests: what was published from one is told, held or denied (`pull_requests`; certificate .14 and .20).

In a build that a pull request started, the code or what decides over it may be a stranger's. But honest projects
publish when one is merged, so this is no demand: a warning by default, and nothing is asked of a file that has no
attestation.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.verdict import Finding, Outcome
from inbond.policy.case import Case, PageCase
from inbond.policy.rule import enact

name: Final = "pull_requests"

# GitHub's events, and GitLab's pipeline sources.
_TRIGGERS: Final = frozenset(
    {
        "pull_request",
        "pull_request_target",
        "pull_request_review",
        "pull_request_review_comment",
        "merge_request_event",
        "external_pull_request_event",
    }
)
_REFS: Final = ("refs/pull/", "refs/merge-requests/")
_REMEDY: Final = "look at what was published, or relax `pull_requests`"


def applies(shared: PageCase) -> bool:
    """Where the policy looks at attestations, and minds."""
    policy = shared.project_policy
    return policy.asks_for_evidence and policy.pull_requests.outcome is not Outcome.ALLOW


def judge(case: Case) -> Finding | None:
    """The configured action on a file of which a publish attestation was signed in a pull request's build."""
    found = _found(case.evidence) if isinstance(case.evidence, Verified) else None
    if found is None or not applies(case.shared):
        return None
    return enact(
        case.project_policy.pull_requests,
        rule=name,
        message=f"published from a pull request: {found}",
        remedy=_REMEDY,
        since=case.trusted_time,
        now=case.now,
        code="from-pull-request",
    )


def _found(evidence: Verified) -> str | None:
    # Asked of every verified file of every page, by default: a loop is twice as fast as `evidence.identities`.
    for each in evidence.attestations:
        if isinstance(each, VerifiedAttestation) and each.publish:
            sign = _sign(each.identity.ref, each.identity.trigger)
            if sign is not None:
                return sign
    return None


@lru_cache(maxsize=1024)
def _sign(ref: str | None, trigger: str | None) -> str | None:
    if ref is not None and ref.startswith(_REFS):
        return f"its ref is {ref}"
    if trigger is not None and trigger.lower() in _TRIGGERS:
        return f"its trigger is {trigger}"
    return None
