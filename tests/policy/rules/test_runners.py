from __future__ import annotations

import pytest

from inbond.model.publisher import Forge
from inbond.policy.demands import Runners
from inbond.policy.rules import runners
from policy.cases import attestation, case_of, identity_of, policy, verified

NOT_OWN = "built on a runner that is not the forge's own: {}"


@pytest.mark.parametrize(
    ("forge", "runner", "message"),
    [
        (Forge.GITHUB, "github-hosted", None),
        (Forge.GITHUB, "self-hosted", NOT_OWN.format("self-hosted")),
        (Forge.GITHUB, "gitlab-hosted", NOT_OWN.format("gitlab-hosted")),
        (Forge.GITHUB, "GitHub-Hosted", NOT_OWN.format("GitHub-Hosted")),
        (Forge.GITLAB, "gitlab-hosted", None),
        (Forge.GITLAB, "self-hosted", NOT_OWN.format("self-hosted")),
        (Forge.CIRCLECI, "ssh-rerun", NOT_OWN.format("ssh-rerun")),
        (Forge.CIRCLECI, "github-hosted", NOT_OWN.format("github-hosted")),
        (Forge.OIDC, "github-hosted", NOT_OWN.format("github-hosted")),
        (Forge.CIRCLECI, None, "runner unproven: the certificate of circleci: names none"),
        (Forge.GITHUB, None, "runner unproven: the certificate of github:acme/demo@release.yml names none"),
    ],
)
def test_only_the_forge_s_own_runners_count(forge: Forge, runner: str | None, message: str | None) -> None:
    evidence = verified(attestation(identity_of(forge=forge, runner=runner)))

    found = runners.judge(case_of(evidence=evidence, settings=policy(runners=Runners.HOSTED)))

    assert (found and found.message) == message
    assert runners.judge(case_of(evidence=evidence, settings=policy(runners=Runners.ANY))) is None
