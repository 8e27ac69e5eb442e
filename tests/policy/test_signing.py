from __future__ import annotations

import pytest

from inbond.model.publisher import Forge, PublisherPattern, SigningIdentity
from inbond.policy.signing import RefKind, signers_of
from policy.cases import ABSENT, REJECTED, attestation, identity_of, verified
from policy.histories.language import By


@pytest.mark.parametrize(
    ("identity", "publisher", "place"),
    [
        (identity_of("Acme/Demo"), "github:Acme/Demo@release.yml", "github:acme/demo"),
        (
            By(repository="Acme/tools/Demo", workflow=".gitlab-ci.yml", forge=Forge.GITLAB).identity("1.0"),
            "gitlab:Acme/tools/Demo@.gitlab-ci.yml",
            "gitlab:acme/tools/demo",
        ),
        (
            By(repository="Build@acme.example", forge=Forge.GOOGLE).identity("1.0"),
            "google:Build@acme.example",
            "google:build@acme.example",
        ),
        (identity_of(workflow="*.yml"), "github:acme/demo@[*].yml", "github:acme/demo"),
        (
            SigningIdentity(forge=Forge.OIDC, issuer="https://ci.example", subject="Job-1"),
            "oidc:https://ci.example#Job-1",
            "oidc:https://ci.example#Job-1",
        ),
        (
            SigningIdentity(forge=Forge.OIDC, issuer="https://ci.example"),
            "oidc:https://ci.example#",
            "oidc:https://ci.example#",
        ),
    ],
)
def test_a_signer_is_named_as_pins_name_him(identity: SigningIdentity, publisher: str, place: str) -> None:
    (signer,) = signers_of(verified(attestation(identity)))

    assert (signer.publisher, signer.place) == (publisher, place)


def test_a_pin_of_a_workflow_that_is_named_like_a_pattern_accepts_no_other() -> None:
    (signer,) = signers_of(verified(attestation(odd := identity_of(workflow="*.yml"))))
    pin = PublisherPattern.parse(signer.publisher)

    assert pin.matches(odd)
    assert not pin.matches(identity_of(workflow="evil.yml"))


@pytest.mark.parametrize(
    ("ref", "kind"),
    [
        ("refs/tags/v1.0", RefKind.TAG),
        ("refs/heads/tags/v1.0", RefKind.BRANCH),
        ("refs/pull/7/merge", RefKind.PULL_REQUEST),
        ("refs/merge-requests/7/head", RefKind.PULL_REQUEST),
        ("v1.0", RefKind.NONE),
        (None, RefKind.NONE),
    ],
)
def test_refs_are_of_four_kinds(ref: str | None, kind: RefKind) -> None:
    (signer,) = signers_of(verified(attestation(identity_of(ref=ref))))

    assert signer.ref_kind is kind


def test_only_verified_publish_attestations_have_signers() -> None:
    assert signers_of(ABSENT) == signers_of(REJECTED) == signers_of(None) == ()
    assert signers_of(verified(attestation(publish=False))) == ()
