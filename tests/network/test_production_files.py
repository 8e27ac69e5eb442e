"""What PyPI really serves: files signed in production on every kind of publisher, verified with the bundled root."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.gateway.trust import bundled_root_path
from inbond.model.evidence import Rejected, Unsupported, UnsupportedCause, Verified, VerifiedAttestation
from inbond.model.names import Filename
from inbond.model.publisher import PublisherPattern
from sim.production import (
    ProductionFile,
    download_assets,
    file_with_only_slsa,
    file_with_slsa,
    production_files,
    staging_files,
)

pytestmark = [pytest.mark.network, pytest.mark.timeout(300)]

KINDS = ["github", "github-older", "gitlab", "google", "circleci"]


@pytest.fixture(scope="module")
def assets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return download_assets(tmp_path_factory.mktemp("assets"))


@pytest.fixture(scope="module")
def verifier() -> ProvenanceVerifier:
    return ProvenanceVerifier.public(bundled_root_path().read_bytes())


@pytest.fixture(params=range(len(KINDS)), ids=KINDS)
def real(assets: Path, request: pytest.FixtureRequest) -> ProductionFile:
    at: int = request.param
    return production_files(assets)[at]


def verify(
    verifier: ProvenanceVerifier, file: ProductionFile, *, filename: str | None = None, sha256: str | None = None
) -> Finding:
    return verifier.verify(
        file.provenance,
        filename=Filename(filename or file.filename),
        sha256=sha256 or file.sha256,
        now=datetime.now(UTC),
    )


def test_a_real_file_is_verified_with_the_right_identity(verifier: ProvenanceVerifier, real: ProductionFile) -> None:
    finding = verify(verifier, real)

    assert isinstance(finding, Verified)
    (attestation,) = finding.attestations
    assert isinstance(attestation, VerifiedAttestation)
    assert str(attestation.identity) == str(attestation.publisher) == real.signer
    assert attestation.identity.issuer == real.issuer
    assert PublisherPattern.parse(real.signer).matches(attestation.identity)
    assert attestation.signed_at is not None
    assert datetime(2024, 6, 1, tzinfo=UTC) < attestation.signed_at < datetime(2026, 3, 1, tzinfo=UTC)


def test_the_same_provenance_beside_other_bytes_is_rejected(verifier: ProvenanceVerifier, real: ProductionFile) -> None:
    finding = verify(verifier, real, sha256=hashlib.sha256(b"other bytes").hexdigest())

    assert isinstance(finding, Rejected)
    assert "other bytes" in finding.reason


def test_the_same_provenance_beside_another_filename_is_rejected(
    verifier: ProvenanceVerifier, real: ProductionFile
) -> None:
    finding = verify(verifier, real, filename="sampleproject-4.0.0.tar.gz")

    assert isinstance(finding, Rejected)
    assert "another file" in finding.reason


@pytest.mark.parametrize(
    "publisher",
    [
        {"kind": "GitHub", "repository": "evil/pypi-attestations", "workflow": "release.yml"},
        {"kind": "GitLab", "repository": "evil/project", "workflow_filepath": ".gitlab-ci.yml"},
        {"kind": "Google", "email": "evil@developer.gserviceaccount.com"},
        {"kind": "CircleCI", "project_id": "evil", "pipeline_definition_id": "evil"},
    ],
    ids=["github", "gitlab", "google", "circleci"],
)
def test_the_same_provenance_of_another_publisher_is_rejected(
    verifier: ProvenanceVerifier, real: ProductionFile, publisher: dict[str, str]
) -> None:
    document = json.loads(real.provenance)
    document["attestation_bundles"][0]["publisher"] = publisher

    finding = verifier.verify(
        json.dumps(document).encode(), filename=Filename(real.filename), sha256=real.sha256, now=datetime.now(UTC)
    )

    assert isinstance(finding, Rejected)
    assert f"signed by {real.signer}" in finding.reason


def test_what_the_staging_sigstore_signed_is_of_an_unknown_key(verifier: ProvenanceVerifier, assets: Path) -> None:
    findings = [verify(verifier, file) for file in staging_files(assets)]

    assert len(findings) == 2
    for finding in findings:
        assert isinstance(finding, Unsupported)
        assert finding.cause is UnsupportedCause.UNKNOWN_KEY


def test_slsa_provenance_counts_beside_a_publish_attestation_and_not_alone(
    verifier: ProvenanceVerifier, assets: Path
) -> None:
    both = verify(verifier, file_with_slsa(assets))
    alone = verify(verifier, file_with_only_slsa(assets))

    assert isinstance(both, Verified)
    assert len(both.attestations) == 2
    assert len(both.identities) == 1
    assert isinstance(alone, Unsupported)
    assert alone.cause is UnsupportedCause.FORMAT
