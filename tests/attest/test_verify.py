"""What is verified, what that proves, and how honest provenance may look; tampering is in test_tampering.py."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from typing import Any, Final

import pytest

from attest.tampering.row import ACME, NAME, NOW, OURS, ROOT, SHA256, THEIRS, attested
from inbond.attest.scope import Scope
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import Rejected, UnsupportedAttestation, Verified, VerifiedAttestation
from inbond.model.names import Filename
from sim.sigstore import DEFAULT_NOW, PUBLISH, SLSA

VERIFIER: Final = ProvenanceVerifier.public(ROOT)


def verify(provenance: bytes, *, filename: str = NAME, sha256: str = SHA256) -> Finding:
    return VERIFIER.verify(provenance, filename=Filename(filename), sha256=sha256, now=NOW)


def bundled(*bundles: tuple[Any, list[Any]]) -> bytes:
    return OURS.provenance(bundles)


@pytest.mark.parametrize(
    ("signed", "served"),
    [
        ("Widgets-1.0.tar.gz", "widgets-1.0.tar.gz"),
        ("acme.widgets-1.0.tar.gz", "acme_widgets-1.0.tar.gz"),
        ("widgets-1.0.0.tar.gz", "widgets-1.0.tar.gz"),
        ("widgets-1.0.zip", "widgets-1.0.zip"),
        ("Acme_Widgets-1.0-py3-none-any.whl", "acme_widgets-1.0-py3-none-any.whl"),
        (
            "widgets-1.0-cp310-cp310-manylinux2014_x86_64.manylinux_2_17_x86_64.whl",
            "widgets-1.0-cp310-cp310-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
        ),
    ],
)
def test_a_subject_may_spell_the_same_file_otherwise(signed: str, served: str) -> None:
    assert isinstance(verify(OURS.provenance_for(signed, SHA256, ACME), filename=served), Verified)


@pytest.mark.parametrize(
    ("signed", "served"),
    [
        ("widgets-1.0-py3-none-any.whl", "widgets-1.0-py2-none-any.whl"),
        ("widgets-1.0-1-py3-none-any.whl", "widgets-1.0-py3-none-any.whl"),
        ("widgets-1.0+local.tar.gz", "widgets-1.0.tar.gz"),
        ("widgets-1.0rc1.tar.gz", "widgets-1.0.tar.gz"),
    ],
)
def test_a_subject_that_is_nearly_the_file_is_rejected(signed: str, served: str) -> None:
    assert isinstance(verify(OURS.provenance_for(signed, SHA256, ACME), filename=served), Rejected)


def test_an_honest_attestation_is_verified_with_all_that_it_proves() -> None:
    finding = verify(OURS.provenance_for(NAME, SHA256, ACME))

    assert isinstance(finding, Verified)
    (attestation,) = finding.attestations
    assert isinstance(attestation, VerifiedAttestation)
    assert attestation.publish
    assert attestation.predicate_type == PUBLISH
    assert attestation.signed_at == DEFAULT_NOW
    assert attestation.log_index is not None
    assert str(attestation.publisher) == str(attestation.identity) == "github:acme/widgets@release.yml"
    assert finding.identities == (attestation.identity,)


def test_evidence_says_what_it_was_made_from() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    made_from = verify(provenance).derivation

    assert made_from.provenance_sha256 == hashlib.sha256(provenance).hexdigest()
    assert made_from.trusted_root_sha256 == VERIFIER.trusted_root_sha256
    assert made_from.verified_at == NOW


@pytest.mark.parametrize("predicate", [None, {}], ids=["null", "empty"])
def test_a_publish_predicate_says_nothing(predicate: Any) -> None:
    assert isinstance(verify(OURS.provenance_for(NAME, SHA256, ACME, predicate=predicate)), Verified)


def test_a_provenance_object_may_leave_its_version_out() -> None:
    document = json.loads(OURS.provenance_for(NAME, SHA256, ACME))
    del document["version"]

    assert isinstance(verify(json.dumps(document).encode()), Verified)


def test_slsa_provenance_beside_a_publish_attestation_is_verified_too() -> None:
    slsa = attested(predicate_type=SLSA, predicate={"buildDefinition": {}})

    finding = verify(bundled((ACME.publisher(), [slsa, attested()])))

    assert isinstance(finding, Verified)
    assert [each.publish for each in finding.attestations if isinstance(each, VerifiedAttestation)] == [False, True]


def test_what_cannot_be_judged_does_not_hide_what_is_verified() -> None:
    finding = verify(bundled(({"kind": "Forgejo"}, [attested()]), (ACME.publisher(), [attested()])))

    assert isinstance(finding, Verified)
    assert [type(each) for each in finding.attestations] == [UnsupportedAttestation, VerifiedAttestation]


def test_an_unknown_key_beside_a_verified_publish_attestation_takes_nothing_away() -> None:
    finding = verify(bundled((ACME.publisher(), [attested(predicate_type=SLSA, ca=THEIRS), attested()])))

    assert isinstance(finding, Verified)
    assert [type(each) for each in finding.attestations] == [UnsupportedAttestation, VerifiedAttestation]
    assert len(finding.identities) == 1


def test_two_runs_may_attest_to_the_same_file() -> None:
    assert isinstance(verify(bundled((ACME.publisher(), [attested(), attested()]))), Verified)


def test_a_clock_that_is_a_little_behind_rejects_nothing() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)
    just_before = DEFAULT_NOW - timedelta(minutes=4)

    finding = VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=just_before)

    assert isinstance(finding, Verified)


def test_a_repeated_member_of_the_unsigned_object_changes_nothing() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    assert isinstance(verify(provenance[:-1] + b', "version": 1}'), Verified)


def test_a_question_that_cannot_be_asked_is_the_caller_s_mistake() -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    with pytest.raises(ValueError, match="not a sha256 digest"):
        verify(provenance, sha256=SHA256.upper())
    with pytest.raises(ValueError, match="without a zone"):
        VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=NOW.replace(tzinfo=None))


def test_running_out_of_memory_is_not_taken_for_a_forgery(monkeypatch: pytest.MonkeyPatch) -> None:
    provenance = OURS.provenance_for(NAME, SHA256, ACME)

    def exhausted(*_: object, **__: object) -> bytes:
        raise MemoryError

    monkeypatch.setattr(json, "loads", exhausted)
    with pytest.raises(MemoryError):
        verify(provenance)


def test_nor_while_publishers_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*_: object, **__: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Scope, "compare", exhausted)
    with pytest.raises(MemoryError):
        verify(OURS.provenance_for(NAME, SHA256, ACME))
