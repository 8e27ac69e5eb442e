from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Outcome
from inbond.policy.rules import pull_requests
from inbond.policy.settings import Action, Attestations
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    REJECTED,
    UNAVAILABLE,
    UNSUPPORTED,
    attestation,
    case_of,
    file_of,
    identity_of,
    policy,
    verified,
)

FROM_ONE = verified(attestation(identity_of(trigger="pull_request_target")))


@pytest.mark.parametrize(
    ("ref", "trigger", "sign"),
    [
        ("refs/tags/v1", "release", None),
        ("refs/tags/v1", None, None),
        (None, None, None),
        ("refs/heads/refs/pull/7", "push", None),
        ("refs/pull/7/merge", "pull_request", "its ref is refs/pull/7/merge"),
        ("refs/pull/7/head", None, "its ref is refs/pull/7/head"),
        ("refs/merge-requests/7/head", "push", "its ref is refs/merge-requests/7/head"),
        ("refs/heads/main", "pull_request_target", "its trigger is pull_request_target"),
        ("refs/heads/main", "Pull_Request", "its trigger is Pull_Request"),
        (None, "merge_request_event", "its trigger is merge_request_event"),
    ],
)
def test_a_pull_request_is_told_by_its_ref_or_its_trigger(
    ref: str | None, trigger: str | None, sign: str | None
) -> None:
    evidence = verified(attestation(), attestation(identity_of(ref=ref, trigger=trigger)))

    found = pull_requests.judge(case_of(evidence=evidence))

    assert (found and found.message) == (sign and f"published from a pull request: {sign}")
    assert found is None or found.outcome is Outcome.WARN


@pytest.mark.parametrize(("action", "outcome"), [("warn", Outcome.WARN), ("deny", Outcome.DENY), ("off", None)])
def test_the_policy_says_what_becomes_of_it(action: str, outcome: Outcome | None) -> None:
    found = pull_requests.judge(case_of(evidence=FROM_ONE, settings=policy(pull_requests=Action.parse(action))))

    assert (found and found.outcome) == outcome


@pytest.mark.parametrize(("age", "outcome"), [(HOUR, Outcome.HOLD), (8 * DAY, Outcome.WARN)])
def test_a_hold_counts_from_trusted_time_and_leaves_a_warning(age: timedelta, outcome: Outcome) -> None:
    settings = policy(pull_requests=Action.parse("hold 7d"))

    found = pull_requests.judge(case_of(file_of(upload_time=NOW - age), FROM_ONE, settings=settings))

    assert found is not None
    assert found.outcome is outcome
    assert found.until == (NOW - age + 7 * DAY if outcome is Outcome.HOLD else None)


@pytest.mark.parametrize("evidence", [ABSENT, PENDING, REJECTED, UNSUPPORTED, UNAVAILABLE])
def test_nothing_is_asked_of_what_proves_no_signer(evidence: EvidenceOrPending) -> None:
    assert pull_requests.judge(case_of(evidence=evidence, settings=policy(pull_requests=Action.parse("deny")))) is None


def test_a_policy_that_looks_at_no_attestation_does_not_decide_by_what_others_brought_in() -> None:
    off = policy(attestations=Attestations.OFF)
    pinned = policy(attestations=Attestations.OFF, publishers=(PublisherPattern.parse("github:acme/*"),))

    assert pull_requests.judge(case_of(evidence=FROM_ONE, settings=off)) is None
    assert pull_requests.judge(case_of(evidence=FROM_ONE, settings=pinned)) is not None


def test_only_publish_attestations_tell() -> None:
    beside = attestation(identity_of(ref="refs/pull/7/merge"), publish=False)

    assert pull_requests.judge(case_of(evidence=verified(attestation(), beside))) is None
