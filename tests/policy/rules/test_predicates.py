from __future__ import annotations

import pytest

from inbond.model.evidence import VerifiedAttestation
from inbond.model.publisher import Forge, PublisherPattern, SigningIdentity
from inbond.policy.demands import PREDICATES
from inbond.policy.rules import predicates
from policy.cases import UNSUPPORTED, attestation, case_of, identity_of, policy, verified

SLSA = PREDICATES["slsa"]
GOOGLE = SigningIdentity(forge=Forge.GOOGLE, issuer="https://accounts.google.com", subject="build@acme.example")


def slsa(identity: SigningIdentity | None = None) -> VerifiedAttestation:
    return attestation(identity, publish=False, predicate_type=SLSA)


def test_what_is_asked_for_and_there_passes() -> None:
    settings = policy(predicates=(SLSA,))
    evidence = verified(attestation(), slsa(identity_of(workflow="build.yml")))

    assert predicates.judge(case_of(evidence=evidence, settings=settings)) is None


@pytest.mark.parametrize(
    "beside",
    [
        (),
        (attestation(publish=False, predicate_type="https://predicate.example/other/v1"),),
        (slsa(identity_of("stranger/demo")),),
        (slsa(identity_of(issuer="https://token.example")),),
        (slsa(GOOGLE),),
        UNSUPPORTED.attestations,
    ],
    ids=["nothing", "another kind", "of another repository", "of another issuer", "of another forge", "not judged"],
)
def test_what_is_missing_or_not_by_the_file_s_publisher_is_denied(beside: tuple[VerifiedAttestation, ...]) -> None:
    found = predicates.judge(case_of(evidence=verified(attestation(), *beside), settings=policy(predicates=(SLSA,))))

    assert found is not None
    assert found.message == "no attestation of kind slsa by the file's publisher"
    assert found.remedy == "use a version that has it, or relax `predicates`"


def test_under_a_pin_it_must_be_by_a_pinned_publisher() -> None:
    pins = (PublisherPattern.parse("github:acme/*"),)
    both = (attestation(), attestation(identity_of("stranger/demo")))
    settings = policy(predicates=(SLSA,), publishers=pins)

    by_stranger = predicates.judge(
        case_of(evidence=verified(*both, slsa(identity_of("stranger/demo"))), settings=settings)
    )
    by_pinned = predicates.judge(case_of(evidence=verified(*both, slsa()), settings=settings))

    assert by_stranger is not None
    assert by_pinned is None
