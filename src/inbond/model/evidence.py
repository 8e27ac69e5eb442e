"""Evidence: what cryptography and the index said about one (filename, sha256, provenance bytes, trusted root).

It never changes and holds no decision. Five states that never collapse into one another, and *pending*, which
stands for a claim nobody has checked yet and is no evidence at all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import assert_never

from inbond.model.publisher import Publisher, SigningIdentity


class UnsupportedCause(StrEnum):
    """Why nothing could be judged. An unknown key is the graver: it may be a stale root, or another Sigstore."""

    FORMAT = "format"  # unknown publisher kind or version, Rekor v2, only other predicate types
    UNKNOWN_KEY = "unknown-key"  # certificate authority, log or CT key that the trusted root does not hold


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedAttestation:
    """An attestation that is genuine, about this file, and by the publisher the index names."""

    predicate_type: str
    publish: bool  # whether it is the *publish* attestation, which alone makes a file verified
    publisher: Publisher
    identity: SigningIdentity
    signed_at: datetime | None  # when the transparency log took it
    log_index: int | None
    trust: str  # the scope whose root vouched for it, as in [trust.public]
    state: str = "verified"
    reason: None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedAttestation:
    """An attestation that is wrong; nothing in it can be relied on, so nothing but the claim is kept."""

    reason: str
    publisher: Publisher | None = None
    predicate_type: str | None = None
    state: str = "rejected"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnsupportedAttestation:
    """An attestation that could not be judged."""

    reason: str
    cause: UnsupportedCause
    publisher: Publisher | None = None
    predicate_type: str | None = None
    state: str = "unsupported"


AttestationOutcome = VerifiedAttestation | RejectedAttestation | UnsupportedAttestation


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation:
    """What a finding about provenance was made from, and when.

    `provenance_sha256` is None where the object was over the limit and not read to its end.
    """

    provenance_sha256: str | None
    trusted_root_sha256: str
    verified_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Absent:
    """The page says null, or claims nothing and the Integrity API answered 404."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """No attestation rejected and at least one *publish* attestation verified."""

    attestations: tuple[AttestationOutcome, ...]
    derivation: Derivation

    @property
    def identities(self) -> tuple[SigningIdentity, ...]:
        """The identities that the verified publish attestations prove."""
        return tuple(a.identity for a in self.attestations if isinstance(a, VerifiedAttestation) and a.publish)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """Received whole, but wrong."""

    reason: str
    attestations: tuple[AttestationOutcome, ...]
    derivation: Derivation


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """Nothing wrong, but nothing could be judged."""

    reason: str
    cause: UnsupportedCause
    attestations: tuple[AttestationOutcome, ...]
    derivation: Derivation


@dataclass(frozen=True, slots=True, kw_only=True)
class Unavailable:
    """The provenance could not be had, or the verifier did not answer; `since` is the first failure in a row.

    `remedy`: what the operator can do where asking again will not help.
    """

    reason: str
    since: datetime
    remedy: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """Claimed, not checked yet: on pages and in metrics, never in a verdict."""


Evidence = Absent | Verified | Rejected | Unsupported | Unavailable
EvidenceOrPending = Evidence | Pending


class EvidenceState(StrEnum):
    """The states' names, as they stand in JSON, metrics and on pages."""

    ABSENT = "absent"
    VERIFIED = "verified"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    UNAVAILABLE = "unavailable"
    PENDING = "pending"


def state_of(evidence: EvidenceOrPending) -> EvidenceState:
    """The name of an evidence's state."""
    match evidence:
        case Absent():
            return EvidenceState.ABSENT
        case Verified():
            return EvidenceState.VERIFIED
        case Rejected():
            return EvidenceState.REJECTED
        case Unsupported():
            return EvidenceState.UNSUPPORTED
        case Unavailable():
            return EvidenceState.UNAVAILABLE
        case Pending():
            return EvidenceState.PENDING
        case _:
            assert_never(evidence)
