from __future__ import annotations

from datetime import UTC, datetime

import pytest

from inbond.model.evidence import (
    Absent,
    Derivation,
    EvidenceOrPending,
    EvidenceState,
    Pending,
    Rejected,
    RejectedAttestation,
    Unavailable,
    Unsupported,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
    state_of,
)
from inbond.model.publisher import Forge, Publisher, SigningIdentity

NOW = datetime(2026, 1, 1, tzinfo=UTC)
DERIVED = Derivation(provenance_sha256="a" * 64, trusted_root_sha256="b" * 64, verified_at=NOW)
IDENTITY = SigningIdentity(forge=Forge.GOOGLE, issuer="https://accounts.google.com", subject="build@acme.example")
OTHER = SigningIdentity(forge=Forge.GOOGLE, issuer="https://accounts.google.com", subject="other@acme.example")


def attestation(identity: SigningIdentity, *, publish: bool) -> VerifiedAttestation:
    return VerifiedAttestation(
        predicate_type="https://slsa.example/provenance" if not publish else "publish",
        publish=publish,
        publisher=Publisher(forge=Forge.GOOGLE, subject="build@acme.example"),
        identity=identity,
        signed_at=NOW,
        log_index=1,
        trust="public",
    )


STATES: list[tuple[EvidenceOrPending, str]] = [
    (Absent(), "absent"),
    (Verified(attestations=(), derivation=DERIVED), "verified"),
    (Rejected(reason="x", attestations=(), derivation=DERIVED), "rejected"),
    (Unsupported(reason="x", cause=UnsupportedCause.FORMAT, attestations=(), derivation=DERIVED), "unsupported"),
    (Unavailable(reason="x", since=NOW), "unavailable"),
    (Pending(), "pending"),
]


@pytest.mark.parametrize(("evidence", "name"), STATES)
def test_every_state_has_its_own_name(evidence: EvidenceOrPending, name: str) -> None:
    assert state_of(evidence) == name


def test_no_two_states_collapse() -> None:
    assert [state_of(evidence) for evidence, _ in STATES] == list(EvidenceState)
    assert len({evidence for evidence, _ in STATES}) == len(STATES)


def test_only_publish_attestations_prove_who_published() -> None:
    evidence = Verified(
        attestations=(
            attestation(IDENTITY, publish=True),
            attestation(OTHER, publish=False),
            RejectedAttestation(reason="x"),
        ),
        derivation=DERIVED,
    )
    assert evidence.identities == (IDENTITY,)
