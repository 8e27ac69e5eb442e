from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.model.verdict import Outcome
from inbond.policy.rules import backdated
from inbond.policy.settings import Action, Attestations
from policy.cases import (
    ABSENT,
    DAY,
    HOUR,
    NOW,
    PENDING,
    REJECTED,
    UNSUPPORTED,
    attestation,
    case_of,
    file_of,
    policy,
    verified,
)

UPLOADED = NOW - 10 * DAY
SECOND = timedelta(seconds=1)


def signed(after: timedelta | None) -> EvidenceOrPending:
    return verified(attestation(signed_at=None if after is None else UPLOADED + after))


def test_an_upload_more_than_an_hour_before_its_signature_is_told() -> None:
    found = backdated.judge(case_of(file_of(upload_time=UPLOADED), signed(3 * HOUR)))

    assert found is not None
    assert (found.id, found.outcome) == ("backdated/upload-before-log", Outcome.WARN)
    assert found.message == "uploaded 2026-11-10 12:00 UTC by the index, and signed 3 hours later"
    assert found.remedy


@pytest.mark.parametrize(
    "known",
    [signed(HOUR), signed(-DAY), signed(None), ABSENT, PENDING, REJECTED, UNSUPPORTED],
    ids=["an hour", "before", "no time", "absent", "pending", "rejected", "unsupported"],
)
def test_nothing_else_is(known: EvidenceOrPending) -> None:
    assert backdated.judge(case_of(file_of(upload_time=UPLOADED), known)) is None


def test_nothing_is_said_of_a_file_without_upload_time() -> None:
    assert backdated.judge(case_of(file_of(upload_time=None), signed(3 * HOUR))) is None


def test_the_latest_signature_counts() -> None:
    several = verified(*(attestation(signed_at=UPLOADED + after) for after in (-HOUR, HOUR + SECOND, -DAY)))

    assert backdated.judge(case_of(file_of(upload_time=UPLOADED), several)) is not None


@pytest.mark.parametrize(
    ("action", "outcome"),
    [
        ("off", None),
        ("warn", Outcome.WARN),
        ("hold 11d", Outcome.HOLD),
        ("hold 1d", Outcome.WARN),
        ("deny", Outcome.DENY),
    ],
)
def test_the_policy_says_what_follows(action: str, outcome: Outcome | None) -> None:
    case = case_of(file_of(upload_time=UPLOADED), signed(3 * HOUR), settings=policy(backdated=Action.parse(action)))
    found = backdated.judge(case)

    assert (found.outcome if found else None) is outcome
    assert backdated.applies(case.shared) is (action != "off")
    if outcome is Outcome.HOLD:
        assert found is not None
        assert found.until == UPLOADED + 3 * HOUR + 11 * DAY  # from the log time


def test_a_policy_that_asks_for_no_evidence_does_not_go_by_any() -> None:
    case = case_of(file_of(upload_time=UPLOADED), signed(3 * HOUR), settings=policy(attestations=Attestations.OFF))
    assert backdated.judge(case) is None
