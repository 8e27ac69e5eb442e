from __future__ import annotations

import base64
import hashlib
from dataclasses import fields
from typing import Any

import pytest
from cryptography import x509
from pypi_attestations import CircleCIPublisher, GitHubPublisher, GitLabPublisher, GooglePublisher

from inbond.attest.identity import KnownPublisher, claimed_publisher, proven_identity
from inbond.attest.outcome import Wrong
from inbond.attest.verify import ProvenanceVerifier
from inbond.model.evidence import Rejected, Verified
from inbond.model.names import Filename
from inbond.model.publisher import Forge, Publisher, PublisherPattern
from sim.sigstore import CircleCI, Faults, GitHub, GitLab, Google, Identity, Sigstore

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()
OURS = Sigstore()
VERIFIER = ProvenanceVerifier.public(OURS.trusted_root())


def certificate(identity: Identity, **faults: Any) -> x509.Certificate:
    attestation = OURS.attest(NAME, SHA256, identity, **faults)
    return x509.load_der_x509_certificate(base64.b64decode(attestation["verification_material"]["certificate"]))


@pytest.mark.parametrize(
    ("signer", "written"),
    [
        (GitHub(), "github:acme/widgets@release.yml"),
        (GitHub(environment="pypi"), "github:acme/widgets@release.yml#pypi"),
        (GitLab(), "gitlab:acme/tools/widgets@.gitlab-ci.yml"),
        (
            GitLab(workflow_filepath="ci/release.yml", environment="live"),
            "gitlab:acme/tools/widgets@ci/release.yml#live",
        ),
        (Google(), "google:build@acme.example"),
        (
            CircleCI(),
            "circleci:0d6f2f5e-2d0f-4c5f-8f6f-1a2b3c4d5e6f@7c1e9d38-5b64-4f0e-9f5d-6a5b4c3d2e1f",
        ),
    ],
    ids=["github", "github-environment", "gitlab", "gitlab-environment", "google", "circleci"],
)
def test_each_forge_s_signer_is_proven_and_matches_a_pin(signer: Identity, written: str) -> None:
    provenance = OURS.provenance_for(NAME, SHA256, signer)

    finding = VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=OURS.now)

    assert isinstance(finding, Verified)
    (identity,) = finding.identities
    assert str(identity) == written
    assert PublisherPattern.parse(written).matches(identity)


def test_a_github_certificate_is_read_whole() -> None:
    identity = proven_identity(certificate(GitHub(environment="pypi", trigger="push", commit="c" * 40)))

    workflow = "https://github.com/acme/widgets/.github/workflows/release.yml@refs/tags/v1.0"
    assert identity.forge is Forge.GITHUB
    assert identity.issuer == "https://token.actions.githubusercontent.com"
    assert identity.subject == identity.workflow == identity.build_signer == workflow
    assert identity.repository == "https://github.com/acme/widgets"
    assert (identity.repository_id, identity.owner_id) == ("1001", "2002")
    assert identity.owner == "https://github.com/acme"
    assert (identity.ref, identity.commit) == ("refs/tags/v1.0", "c" * 40)
    assert (identity.runner, identity.trigger, identity.visibility) == ("github-hosted", "push", "public")
    assert identity.run_url == "https://github.com/acme/widgets/actions/runs/77/attempts/1"
    assert identity.environment == "pypi"
    assert identity.token_subject == "repo:acme/widgets:environment:pypi"
    assert identity.build_signer_digest == identity.workflow_digest == "c" * 40
    assert (identity.legacy_issuer, identity.legacy_ref) == (identity.issuer, identity.ref)
    assert (identity.legacy_trigger, identity.legacy_commit) == ("push", "c" * 40)
    assert identity.legacy_repository == "acme/widgets"


def test_every_field_of_the_certificate_has_one_here() -> None:
    # In order, each with a value of its own but for those that must agree.
    twice = {8: 1, 20: 2, 13: 3, 14: 6}
    said = {arc: f"value-{twice.get(arc, arc)}" for arc in (*range(1, 7), *range(8, 25))}
    said |= {5: "acme/widgets", 12: "https://git.acme.example/acme/widgets"}

    identity = proven_identity(certificate(Google(email="a@acme.example"), claims=said))

    values = {getattr(identity, field.name) for field in fields(identity)}
    assert values == {Forge.OIDC, "a@acme.example", *said.values()}
    named = [value for field in fields(identity) if (value := getattr(identity, field.name)) is not None]
    assert len(named) == len(said) + 2  # the forge and the subject


OLDER = {
    "issuer": (1, "https://issuer.evil.example"),
    "trigger": (2, "pull_request_target"),
    "commit": (3, "d" * 40),
    "repository": (5, "evil/widgets"),
    "ref": (6, "refs/heads/evil"),
}


@pytest.mark.parametrize("what", sorted(OLDER))
def test_a_certificate_that_says_two_things_is_rejected(what: str) -> None:
    arc, other = OLDER[what]
    provenance = OURS.provenance_for(NAME, SHA256, GitHub(), claims={arc: other})

    finding = VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=OURS.now)

    assert isinstance(finding, Rejected)
    assert finding.reason.startswith(f"its certificate names two of {what}: {other} and ")


def test_the_host_of_a_repository_stands_only_in_the_newer_form() -> None:
    repository = "https://github.acme.example/acme/widgets"

    assert proven_identity(certificate(GitHub(), claims={12: repository})).repository == repository


def test_where_the_newer_form_is_missing_the_older_stands_for_it() -> None:
    newer = {8: None, 12: None, 13: None, 14: None, 20: None}

    identity = proven_identity(certificate(GitHub(commit="c" * 40), claims=newer))

    assert identity.issuer == "https://token.actions.githubusercontent.com"
    assert (identity.trigger, identity.commit, identity.ref) == ("release", "c" * 40, "refs/tags/v1.0")
    assert identity.repository is None  # the older form names no host
    assert identity.legacy_repository == "acme/widgets"


def test_where_the_older_form_is_missing_nothing_is() -> None:
    older = dict.fromkeys(range(1, 7))

    assert proven_identity(certificate(GitHub(), claims=older)).ref == "refs/tags/v1.0"


def test_a_reusable_workflow_is_told_from_the_one_that_called_it() -> None:
    called = "https://github.com/builders/shared/.github/workflows/build.yml"

    identity = proven_identity(certificate(GitHub(called_workflow=called)))

    assert identity.build_signer == f"{called}@refs/heads/main"
    assert identity.pattern_workflow == "release.yml"


def test_an_older_certificate_names_its_issuer_in_the_old_place() -> None:
    identity = proven_identity(certificate(Google(), claims={8: None}))

    assert identity.issuer == "https://accounts.google.com"


def test_fields_that_say_nothing_are_none() -> None:
    identity = proven_identity(certificate(CircleCI(), claims={14: ""}))

    assert identity.runner is None  # two quotation marks in the certificate
    assert identity.ref is None
    assert identity.environment is None


@pytest.mark.parametrize(
    ("issuer", "forge"),
    [
        ("https://oidc.circleci.com", Forge.CIRCLECI),
        ("https://oidc.circleci.com/org/0d6f2f5e", Forge.CIRCLECI),
        ("https://oidc.circleci.com.evil.example/org/0d6f2f5e", Forge.OIDC),
        ("https://token.actions.githubusercontent.com/acme", Forge.GITHUB),
        ("https://token.actions.githubusercontent.com/acme/x", Forge.OIDC),
        ("https://token.actions.githubusercontent.com/", Forge.OIDC),
        ("https://ghes.acme.example/_services/token", Forge.OIDC),
        ("https://oidc.circleci.com/org/", Forge.OIDC),
        ("https://gitlab.acme.example", Forge.OIDC),
        ("https://agent.buildkite.com", Forge.OIDC),
    ],
)
def test_the_issuer_decides_the_forge(issuer: str, forge: Forge) -> None:
    assert proven_identity(certificate(GitHub(), claims={1: issuer, 8: issuer})).forge is forge


def test_an_own_gitlab_server_is_told_by_the_publisher_beside_it() -> None:
    own = certificate(GitLab(host="https://gitlab.acme.example"))

    assert proven_identity(own).forge is Forge.OIDC
    claimed = proven_identity(own, claimed=Forge.GITLAB)
    assert claimed.forge is Forge.GITLAB
    assert claimed.pattern_subject == "gitlab.acme.example/acme/tools/widgets"


@pytest.mark.parametrize("repository", ["https://gitlab.com/acme/tools/widgets", None], ids=["another host", "none"])
def test_an_own_gitlab_server_cannot_speak_for_another_host(repository: str | None) -> None:
    forged = certificate(GitLab(host="https://gitlab.evil.example"), claims={12: repository})

    assert proven_identity(forged, claimed=Forge.GITLAB).forge is Forge.OIDC


def on_server(host: str, **claims: str | None) -> x509.Certificate:
    """Of a GitHub server of one's own."""
    moved = {arc: text.replace("https://github.com", host) for arc, text in GitHub().claims().items()}
    issuer = f"{host}/_services/token"
    return certificate(GitHub(), claims=moved | {1: issuer, 8: issuer} | {int(arc[1:]): v for arc, v in claims.items()})


def test_an_own_github_server_is_told_by_the_publisher_beside_it() -> None:
    own = on_server("https://ghes.acme.example")

    assert proven_identity(own).forge is Forge.OIDC
    assert proven_identity(own, claimed=Forge.GITLAB).forge is Forge.OIDC
    claimed = proven_identity(own, claimed=Forge.GITHUB)
    assert str(claimed) == "github:ghes.acme.example/acme/widgets@release.yml"


@pytest.mark.parametrize("repository", ["https://github.com/acme/widgets", "https://ghes.evil.example.evil/a/b", None])
def test_an_own_github_server_cannot_speak_for_another_host(repository: str | None) -> None:
    forged = on_server("https://ghes.evil.example", _12=repository, _5=None)

    assert proven_identity(forged, claimed=Forge.GITHUB).forge is Forge.OIDC


def test_an_enterprise_s_issuer_speaks_for_the_public_host_alone() -> None:
    issuer = "https://token.actions.githubusercontent.com/acme"
    claims = {1: issuer, 8: issuer, 5: None, 12: "https://ghes.acme.example/acme/widgets"}

    assert proven_identity(certificate(GitHub(), claims=claims), claimed=Forge.GITHUB).forge is Forge.OIDC


def test_names_of_other_kinds_are_no_subject() -> None:
    named = certificate(Google(), names=[x509.DNSName("build.acme.example")])
    unnamed = certificate(Google(), names=[])

    assert proven_identity(named).subject is None
    assert proven_identity(unnamed).subject is None


@pytest.mark.parametrize(
    ("faults", "reason"),
    [
        (
            {"names": [x509.RFC822Name("a@acme.example"), x509.RFC822Name("b@acme.example")]},
            "its certificate has several subject names",
        ),
        ({"claims": {1: None, 8: None}}, "its certificate names no issuer"),
        ({"claims": {12: b"\x0c\x02\xff\xfe"}}, r"field \.12 of its certificate is not text"),
        ({"claims": {12: b"\x13\x02ab"}}, r"field \.12 of its certificate is not text"),
        ({"claims": {12: b"\x0c\x02abc"}}, r"field \.12 of its certificate is not text"),
        ({"claims": {2: b"\xff"}}, r"field \.2 of its certificate is not text"),
    ],
    ids=["two-names", "no-issuer", "not-utf-8", "another-type", "trailing-bytes", "raw-not-utf-8"],
)
def test_a_certificate_that_fulcio_would_not_write_is_refused(faults: Faults, reason: str) -> None:
    with pytest.raises(Wrong, match=reason):
        proven_identity(certificate(Google(), **faults))


def test_extensions_of_others_are_passed_over() -> None:
    identity = proven_identity(certificate(Google(), claims={7: "other", 25: "later", 99: "much later"}))

    assert identity == proven_identity(certificate(Google()))


@pytest.mark.parametrize("trigger", ["release\udc80".encode("utf-8", "surrogateescape")])
def test_a_certificate_that_cannot_be_read_makes_a_rejection(trigger: bytes) -> None:
    provenance = OURS.provenance_for(NAME, SHA256, GitHub(), claims={2: trigger})

    finding = VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=OURS.now)

    assert isinstance(finding, Rejected)
    assert finding.reason == "field .2 of its certificate is not text"


@pytest.mark.parametrize(
    ("publisher", "claimed"),
    [
        (
            GitHubPublisher(repository="acme/widgets", workflow="release.yml", environment=""),
            Publisher(forge=Forge.GITHUB, subject="acme/widgets", workflow="release.yml"),
        ),
        (
            GitLabPublisher(repository="acme/widgets", workflow_filepath="ci.yml", environment="live"),
            Publisher(forge=Forge.GITLAB, subject="acme/widgets", workflow="ci.yml", environment="live"),
        ),
        (GooglePublisher(email="a@acme.example"), Publisher(forge=Forge.GOOGLE, subject="a@acme.example")),
        (
            CircleCIPublisher(project_id="p", pipeline_definition_id="d"),
            Publisher(forge=Forge.CIRCLECI, subject="p", workflow="d"),
        ),
    ],
    ids=["github", "gitlab", "google", "circleci"],
)
def test_publisher_objects_become_publishers(publisher: KnownPublisher, claimed: Publisher) -> None:
    assert claimed_publisher(publisher) == claimed
