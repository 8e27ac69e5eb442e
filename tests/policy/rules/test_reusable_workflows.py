from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from inbond.model.publisher import Forge
from inbond.policy.demands import ReusableWorkflows
from inbond.policy.rules import reusable_workflows
from policy.cases import attestation, case_of, identity_of, policy, verified

ANY, SAME, NONE = ReusableWorkflows
STARTED = identity_of().workflow
OWN = "https://github.com/acme/demo/.github/workflows/build.yml@refs/tags/v2.0"
SHARED = "https://github.com/ACME/shared/.github/workflows/build.yml@refs/heads/main"
STRANGER = "https://github.com/builders/shared/.github/workflows/build.yml@refs/tags/v2"
LOOKALIKE = "https://github.com/acme-corp/demo/.github/workflows/build.yml@main"
ELSEWHERE = "https://git.example/acme/demo/.github/workflows/build.yml@main"


@pytest.mark.parametrize(
    ("ran", "allowed"),
    [
        (STARTED, {ANY, SAME, NONE}),
        (OWN, {ANY, SAME}),
        (SHARED, {ANY, SAME}),
        (STRANGER, {ANY}),
        (LOOKALIKE, {ANY}),
        (ELSEWHERE, {ANY}),
    ],
    ids=["the started one", "own", "of the owner", "of a stranger", "a longer name", "another host"],
)
@pytest.mark.parametrize("asked", list(ReusableWorkflows))
def test_who_may_have_done_the_work(asked: ReusableWorkflows, ran: str, allowed: set[ReusableWorkflows]) -> None:
    evidence = verified(attestation(identity_of(build_signer=ran)))

    found = reusable_workflows.judge(case_of(evidence=evidence, settings=policy(reusable_workflows=asked)))

    assert (found is None) is (asked in allowed)
    assert found is None or found.message.startswith(f"built by the reusable workflow {ran}"[:100])


@pytest.mark.parametrize(
    "facts",
    [
        {"build_signer": None},
        {"build_signer": OWN, "workflow": None},
        {"build_signer": OWN, "repository": None},
        {"build_signer": OWN, "forge": Forge.CIRCLECI},
        {"build_signer": STARTED, "forge": Forge.OIDC},
    ],
    ids=["no signer", "no workflow", "no repository", "circleci", "plain oidc"],
)
@pytest.mark.parametrize("asked", [SAME, NONE])
def test_what_the_certificate_does_not_say_is_unproven(asked: ReusableWorkflows, facts: dict[str, Any]) -> None:
    evidence = verified(attestation(replace(identity_of(), **facts)))

    found = reusable_workflows.judge(case_of(evidence=evidence, settings=policy(reusable_workflows=asked)))

    assert found is not None
    assert found.message.startswith("build workflow unproven: the certificate of ")
