from __future__ import annotations

from dataclasses import replace

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


def test_an_issuer_of_no_known_forge_speaks_for_many() -> None:
    ours = SigningIdentity(
        forge=Forge.OIDC, issuer="https://issuer.example", subject="https://git.example/acme/widgets/release",
        repository="https://git.example/acme/widgets",
    )  # fmt: skip
    settings = policy(predicates=(SLSA,))

    def judged(beside: SigningIdentity) -> object:
        return predicates.judge(case_of(evidence=verified(attestation(ours), slsa(beside)), settings=settings))

    assert judged(ours) is None
    assert judged(replace(ours, repository="https://git.example/evil/other")) is not None
    assert judged(replace(ours, subject="https://git.example/evil/other/release")) is not None


def test_neighbours_on_an_own_github_server_are_strangers() -> None:
    issuer = "https://ghes.acme.example/_services/token"
    ours = identity_of(issuer=issuer, repository="https://ghes.acme.example/acme/demo")
    theirs = identity_of(issuer=issuer, repository="https://ghes.acme.example/evil/other")
    settings = policy(predicates=(SLSA,))

    assert predicates.judge(case_of(evidence=verified(attestation(ours), slsa(ours)), settings=settings)) is None
    assert predicates.judge(case_of(evidence=verified(attestation(ours), slsa(theirs)), settings=settings)) is not None
