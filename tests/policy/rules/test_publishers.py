from __future__ import annotations

from datetime import timedelta

import pytest

from inbond.model.evidence import Evidence
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Decision, Outcome
from inbond.policy.rules import publishers
from inbond.policy.settings import Attestations, PolicySettings
from policy.cases import (
    ABSENT,
    DAY,
    NOW,
    PENDING,
    REJECTED,
    UNAVAILABLE,
    UNKNOWN_KEY,
    UNSUPPORTED,
    VERIFIED,
    attestation,
    case_of,
    file_of,
    identity_of,
    policy,
    verdict_on,
    verified,
)


def pinned(*patterns: str, attestations: Attestations = Attestations.IF_PRESENT) -> PolicySettings:
    return policy(publishers=tuple(map(PublisherPattern.parse, patterns)), attestations=attestations)


ACME = pinned("github:acme/*")


def test_a_file_by_a_pinned_publisher_passes() -> None:
    assert publishers.judge(case_of(evidence=VERIFIED, settings=ACME)) is None


def test_one_of_several_pins_is_enough() -> None:
    settings = pinned("gitlab:acme/tools", "github:ACME/demo@release.yml")

    assert publishers.judge(case_of(evidence=VERIFIED, settings=settings)) is None


def test_one_of_several_publish_attestations_is_enough() -> None:
    evidence = verified(attestation(identity_of("stranger/demo")), attestation(identity_of("acme/demo")))

    assert publishers.judge(case_of(evidence=evidence, settings=ACME)) is None


def test_a_file_by_somebody_else_is_denied_and_names_them() -> None:
    found = publishers.judge(case_of(evidence=verified(attestation(identity_of("stranger/demo"))), settings=ACME))

    assert found is not None
    assert found.outcome is Outcome.DENY
    assert found.message == "published by github:stranger/demo@release.yml, which no pin names"
    assert found.remedy


def test_only_the_publish_attestation_proves_a_publisher() -> None:
    evidence = verified(attestation(identity_of("acme/demo"), publish=False))

    found = publishers.judge(case_of(evidence=evidence, settings=ACME))

    assert found is not None
    assert found.message == "published by nobody, which no pin names"


@pytest.mark.parametrize("evidence", [ABSENT, REJECTED, UNSUPPORTED, UNKNOWN_KEY])
@pytest.mark.parametrize("asked", list(Attestations))
def test_a_pinned_project_denies_what_proves_no_publisher(evidence: Evidence, asked: Attestations) -> None:
    verdict = verdict_on(file_of(), evidence, settings=pinned("github:acme/*", attestations=asked))

    assert verdict.decision is Decision.DENY
    assert any(f.rule == "publishers" and f.message.startswith("publisher unproven") for f in verdict.findings)


@pytest.mark.parametrize("later", [0 * DAY, DAY, 1000 * DAY])
def test_under_a_pin_the_unavailable_is_held_for_as_long_as_it_is(later: timedelta) -> None:
    settings = pinned("github:acme/*", attestations=Attestations.OFF)

    verdict = verdict_on(file_of(), UNAVAILABLE, settings=settings, now=NOW + later)

    assert verdict.decision is Decision.HOLD
    assert verdict.expires_at is not None
    assert NOW + later < verdict.expires_at <= NOW + later + timedelta(seconds=60)


def test_pending_is_no_finding_under_a_pin() -> None:
    assert publishers.judge(case_of(evidence=PENDING, settings=ACME)) is None


@pytest.mark.parametrize("evidence", [VERIFIED, ABSENT, REJECTED, UNAVAILABLE])
def test_without_pins_there_is_nothing_to_say(evidence: Evidence) -> None:
    case = case_of(evidence=evidence)

    assert not publishers.applies(case.shared)
    assert publishers.judge(case) is None
