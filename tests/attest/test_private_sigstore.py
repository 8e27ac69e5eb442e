"""The private Sigstore is one to the unmodified libraries too: else everything would be refused for nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from attest.tampering.row import NAME, NOW, OURS, ROOT, SHA256, Attempt, inbond, libraries
from inbond.model.evidence import Verified, VerifiedAttestation
from sim.attested import attested_files
from sim.index import SimIndex
from sim.sigstore import CircleCI, GitHub, GitLab, Google, Identity

SIGNERS = [GitHub(), GitHub(environment="pypi"), GitLab(), GitLab(environment="release"), Google(), CircleCI()]


@pytest.mark.parametrize("signer", SIGNERS, ids=repr)
def test_the_libraries_accept_what_it_signs_for_anybody(signer: Identity) -> None:
    attempt = Attempt(provenance=OURS.provenance_for(NAME, SHA256, signer))

    assert libraries(attempt) == "accept"
    assert isinstance(inbond(attempt), Verified)


def test_many_files_of_one_run_are_each_attested() -> None:
    versions = [f"1.{number}" for number in range(30)]
    index = SimIndex()

    files = attested_files(index, OURS, "demo", versions, GitLab())

    assert [file.version for file in files] == versions
    for file in files:
        assert file.provenance is not None
        attempt = Attempt(provenance=file.provenance, filename=file.filename, sha256=file.sha256)
        assert isinstance(inbond(attempt), Verified)
        assert libraries(attempt) == "accept"
    assert len({file.provenance for file in files}) == 30


def test_files_are_signed_and_uploaded_when_one_says() -> None:
    uploaded = [datetime(2025, 7, day, tzinfo=UTC) for day in (1, 2)]
    signed = uploaded[0] - timedelta(hours=1)

    files = attested_files(SimIndex(), OURS, "demo", ["1", "2"], uploaded=uploaded, signed=signed)

    assert [file.upload_time for file in files] == uploaded
    for file in files:
        assert file.provenance is not None
        later = NOW + timedelta(days=90)
        finding = inbond(
            Attempt(provenance=file.provenance, filename=file.filename, sha256=file.sha256, root=ROOT, now=later)
        )
        assert isinstance(finding, Verified)
        (attestation,) = finding.attestations
        assert isinstance(attestation, VerifiedAttestation)
        assert attestation.signed_at == signed
