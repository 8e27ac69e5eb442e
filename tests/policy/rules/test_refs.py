from __future__ import annotations

import pytest

from inbond.policy.rules import refs
from policy.cases import attestation, case_of, identity_of, policy, verified


@pytest.mark.parametrize(
    ("patterns", "ref", "message"),
    [
        (("refs/tags/*",), "refs/tags/v1.0", None),
        (("refs/tags/*",), "refs/tags/rel/1.0", "built from refs/tags/rel/1.0, which no pattern of `refs` names"),
        (("refs/tags/**",), "refs/tags/rel/1.0", None),
        (("refs/tags/*",), "refs/heads/main", "built from refs/heads/main, which no pattern of `refs` names"),
        (("refs/tags/*", "refs/heads/main"), "refs/heads/main", None),
        (("refs/tags/v*",), "refs/tags/V1", "built from refs/tags/V1, which no pattern of `refs` names"),
        (("**",), "refs/pull/7/merge", None),
        (("**",), None, "ref unproven: the certificate of github:acme/demo names none"),
    ],
)
def test_the_ref_that_was_built_must_match(patterns: tuple[str, ...], ref: str | None, message: str | None) -> None:
    evidence = verified(attestation(identity_of(ref=ref)))

    found = refs.judge(case_of(evidence=evidence, settings=policy(refs=patterns)))

    assert (found and found.message) == message
    assert found is None or found.remedy == "use a version built from another ref, or add it to `refs`"
