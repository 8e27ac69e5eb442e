"""A workflow's name is read past refs that hold "@", never out of them."""

from __future__ import annotations

import pytest

from inbond.model.publisher import Forge, PublisherPattern, SigningIdentity

HOME = "https://github.com/acme/widgets"
PIN = PublisherPattern.parse("github:acme/widgets@release.yml")


def identity(workflow: str, ref: str | None, commit: str | None = None) -> SigningIdentity:
    return SigningIdentity(
        forge=Forge.GITHUB, issuer="https://i.example", repository=HOME, workflow=workflow, ref=ref, commit=commit
    )


@pytest.mark.parametrize("ref", ["refs/tags/v1", "refs/tags/pkg@1.0", "refs/heads/@", "refs/tags/a@b@c"])
def test_an_honest_ref_with_at_signs_does_not_hide_the_workflow(ref: str) -> None:
    signer = identity(f"{HOME}/.github/workflows/release.yml@{ref}", ref)
    assert signer.pattern_workflow == "release.yml"
    assert PIN.matches(signer)


def test_a_ref_cannot_pose_as_a_workflow() -> None:
    ref = "refs/heads/x/release.yml@y"
    assert not PIN.matches(identity(f"{HOME}/.github/workflows/evil.yml@{ref}", ref))


def test_a_workflow_pinned_to_a_commit_is_read_too() -> None:
    assert PIN.matches(identity(f"{HOME}/.github/workflows/release.yml@abc123", "refs/tags/v1", "abc123"))


@pytest.mark.parametrize("ref", [None, "refs/tags/v2"])
def test_a_workflow_whose_ref_is_not_the_one_proven_matches_no_pin(ref: str | None) -> None:
    assert not PIN.matches(identity(f"{HOME}/.github/workflows/release.yml@refs/tags/v1", ref))
