from __future__ import annotations

import pytest

from inbond.model.publisher import Forge
from inbond.policy.rules import environments
from policy.cases import attestation, case_of, identity_of, policy, verified

OTHER = "signed in the environment {}, which `environments` does not name"


@pytest.mark.parametrize(
    ("patterns", "environment", "message"),
    [
        (("pypi",), "pypi", None),
        (("pypi",), "PyPI", None),
        (("pypi", "release-*"), "release-eu", None),
        (("pypi", "release-*"), "test", OTHER.format("test")),
        (("pypi",), "pypi2", OTHER.format("pypi2")),
        (("*",), "live/eu", OTHER.format("live/eu")),
        (("**",), "live/eu", None),
        (("**",), None, "environment unproven: the certificate of github:acme/demo@release.yml names none"),
    ],
)
def test_the_environment_of_the_job_must_match(
    patterns: tuple[str, ...], environment: str | None, message: str | None
) -> None:
    evidence = verified(attestation(identity_of(environment=environment)))

    found = environments.judge(case_of(evidence=evidence, settings=policy(environments=patterns)))

    assert (found and found.message) == message


def test_only_github_takes_capitals_for_small_letters() -> None:
    signer = identity_of(forge=Forge.GITLAB, environment="PyPI")

    found = environments.judge(case_of(evidence=verified(attestation(signer)), settings=policy(environments=("pypi",))))

    assert found is not None


def test_what_the_index_says_of_the_environment_proves_nothing() -> None:
    claimed = attestation(identity_of())
    assert claimed.publisher.environment is None

    found = environments.judge(case_of(evidence=verified(claimed), settings=policy(environments=("**",))))

    assert found is not None
