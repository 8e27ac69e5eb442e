"""What all demands on signers have in common, whatever they are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from inbond.model.evidence import Evidence
from inbond.model.publisher import PublisherPattern
from inbond.model.verdict import Decision, Outcome
from inbond.policy.demands import PREDICATES, ReusableWorkflows, Runners
from inbond.policy.engine import DEMANDS
from inbond.policy.rule import Rule
from inbond.policy.settings import Attestations
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

KEYS: dict[str, dict[str, Any]] = {
    "environments": {"environments": ("pypi",)},
    "predicates": {"predicates": (PREDICATES["slsa"],)},
    "publishers": {"publishers": (PublisherPattern.parse("github:acme/*"),)},
    "refs": {"refs": ("refs/tags/*",)},
    "reusable_workflows": {"reusable_workflows": ReusableWorkflows.NONE},
    "runners": {"runners": Runners.HOSTED},
    "triggers": {"deny_triggers": ("workflow_run",)},
}
BY_SIGNER = [rule for rule in DEMANDS if rule.name not in {"publishers", "predicates"}]
STARTED = identity_of().workflow
GOOD = identity_of(environment="pypi", build_signer=STARTED, runner="github-hosted", trigger="release")
BAD = identity_of(
    environment="test", build_signer="https://github.com/x/y/z.yml@main", runner="self-hosted", trigger="workflow_run",
    ref="refs/heads/main",
)  # fmt: skip


def named(rule: Rule) -> str:
    return rule.name


@pytest.mark.parametrize("evidence", [ABSENT, REJECTED, UNSUPPORTED, UNKNOWN_KEY], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("asked", list(Attestations))
@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_what_proves_no_signer_is_denied_whatever_attestations_says(
    rule: Rule, asked: Attestations, evidence: Evidence
) -> None:
    verdict = verdict_on(file_of(), evidence, settings=policy(attestations=asked, **KEYS[rule.name]))

    (found,) = [finding for finding in verdict.findings if finding.rule == rule.name]
    assert verdict.decision is Decision.DENY
    assert " unproven: " in found.message
    assert found.remedy is not None
    assert found.remedy.startswith("use an attested version, or lift ")


@pytest.mark.parametrize("later", [0 * DAY, 1000 * DAY])
@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_what_is_unavailable_is_held_for_as_long_as_it_is(rule: Rule, later: timedelta) -> None:
    settings = policy(attestations=Attestations.OFF, **KEYS[rule.name])

    verdict = verdict_on(file_of(), UNAVAILABLE, settings=settings, now=NOW + later)

    assert verdict.decision is Decision.HOLD
    assert verdict.deciding is not None
    assert verdict.deciding.rule == rule.name
    assert verdict.expires_at is not None
    assert NOW + later < verdict.expires_at <= NOW + later + timedelta(seconds=60)


@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_what_nobody_has_looked_at_is_no_finding(rule: Rule) -> None:
    assert rule.judge(case_of(evidence=PENDING, settings=policy(**KEYS[rule.name]))) is None


@pytest.mark.parametrize("evidence", [VERIFIED, ABSENT, REJECTED, UNAVAILABLE], ids=lambda each: type(each).__name__)
@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_nothing_is_asked_by_default(rule: Rule, evidence: Evidence) -> None:
    case = case_of(evidence=evidence)

    assert not rule.applies(case.shared)
    assert rule.judge(case) is None


@pytest.mark.parametrize("rule", BY_SIGNER, ids=named)
def test_every_signer_must_meet_a_demand(rule: Rule) -> None:
    settings = policy(**KEYS[rule.name])
    good, bad = attestation(GOOD), attestation(BAD)

    assert rule.judge(case_of(evidence=verified(good), settings=settings)) is None
    assert rule.judge(case_of(evidence=verified(good, good), settings=settings)) is None
    for signers in ((bad,), (good, bad), (bad, good)):
        assert rule.judge(case_of(evidence=verified(*signers), settings=settings)) is not None


def test_no_two_attestations_meet_two_demands_between_them() -> None:
    settings = policy(refs=("refs/tags/*",), runners=Runners.HOSTED)
    one = attestation(identity_of(ref="refs/tags/v1", runner="self-hosted"))
    other = attestation(identity_of(ref="refs/heads/main", runner="github-hosted"))

    assert verdict_on(file_of(), verified(one, other), settings=settings).decision is Decision.DENY


def test_whom_a_pin_names_has_met_what_else_is_asked() -> None:
    settings = policy(runners=Runners.HOSTED, **KEYS["publishers"])
    pinned = attestation(identity_of("acme/demo", runner="self-hosted"))
    other = attestation(identity_of("stranger/demo", runner="github-hosted"))

    assert verdict_on(file_of(), verified(pinned, other), settings=settings).decision is Decision.DENY


@pytest.mark.parametrize("rule", BY_SIGNER, ids=named)
def test_who_signed_something_else_than_a_publish_attestation_is_not_asked(rule: Rule) -> None:
    beside = attestation(BAD, publish=False, predicate_type=PREDICATES["slsa"])

    assert rule.judge(case_of(evidence=verified(attestation(GOOD), beside), settings=policy(**KEYS[rule.name]))) is None


@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_a_demand_that_is_tried_out_stops_nothing_and_says_what_it_would(rule: Rule) -> None:
    settings = policy(audit=frozenset({rule.name}), **KEYS[rule.name])

    verdict = verdict_on(file_of(), ABSENT, settings=settings)

    assert verdict.allowed
    assert verdict.would is Decision.DENY


@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_the_same_said_of_many_files_is_one_finding(rule: Rule) -> None:
    settings = policy(**KEYS[rule.name])
    one, other = (rule.judge(case_of(file_of(f"demo-{n}.tar.gz"), ABSENT, settings=settings)) for n in (1, 2))

    assert one is not None
    assert one is other


@pytest.mark.parametrize("rule", DEMANDS, ids=named)
def test_nobody_meets_a_demand(rule: Rule) -> None:
    nobody = replace(verified(), attestations=())
    verdict = verdict_on(file_of(), nobody, settings=policy(**KEYS[rule.name]))
    assert [finding.rule for finding in verdict.findings if finding.outcome is Outcome.DENY] == [rule.name]
