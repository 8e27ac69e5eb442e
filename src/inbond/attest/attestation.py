"""One attestation object (PEP 740): genuine, about this file, and by the publisher the index names — or why not.

Fails closed: whatever is raised on the way, by the libraries too, is a rejection with a reason of our own wording.
Only what says nothing about the attestation, running out of memory, is passed on.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography import x509
from pydantic import ValidationError
from pypi_attestations import Attestation
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.comparison import difference
from inbond.attest.identity import KnownPublisher, claimed_publisher, proven_identity
from inbond.attest.limits import MAX_CLOCK_SKEW
from inbond.attest.outcome import Unjudged, Wrong
from inbond.attest.profile import require_entry, require_index, require_leaf, require_one_signer
from inbond.attest.scope import Scope
from inbond.attest.statement import PUBLISH, attested_type
from inbond.attest.wording import malformed, refused, unread
from inbond.model.evidence import (
    AttestationOutcome,
    RejectedAttestation,
    UnsupportedAttestation,
    UnsupportedCause,
    VerifiedAttestation,
)
from inbond.model.names import Filename
from inbond.model.publisher import SigningIdentity

_VERSION: Final = 1
_REKOR_V1: Final = ("dsse", "0.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of an attestation: this file, those who may vouch for it, and the time now."""

    filename: Filename
    sha256: str
    scopes: tuple[Scope, ...]  # at least one
    now: datetime


def judge(raw: Any, publisher: KnownPublisher, question: Question) -> AttestationOutcome:
    """The outcome of one attestation, as JSON gave it, beside the publisher that the index names.

    The best that any scope alone comes to; that one scope does not know a key says nothing where another does.
    """
    outcomes = [_judged_under(scope, raw, publisher, question) for scope in question.scopes]
    return min(outcomes, key=_preference)


def _preference(outcome: AttestationOutcome) -> int:
    match outcome:
        case VerifiedAttestation():
            return 0
        case RejectedAttestation():
            return 1
        case UnsupportedAttestation(cause=UnsupportedCause.FORMAT):
            return 2
        case UnsupportedAttestation():  # pragma: no branch (the match is exhaustive)
            return 3


def _judged_under(scope: Scope, raw: Any, publisher: KnownPublisher, question: Question) -> AttestationOutcome:
    claimed = claimed_publisher(publisher)
    try:
        return _verified(scope, raw, publisher, question)
    except Unjudged as error:
        return UnsupportedAttestation(
            reason=error.reason, cause=error.cause, publisher=claimed, predicate_type=error.predicate_type
        )
    except Wrong as error:
        reason = error.reason
    except MemoryError:
        raise
    except SigstoreError as error:
        reason = refused(error)
    except x509.ExtensionNotFound:
        reason = "its certificate is not one for signing"
    except Exception as error:  # noqa: BLE001 (hostile input makes the libraries raise almost anything)
        reason = unread(error)
    return RejectedAttestation(reason=reason, publisher=claimed)


def _verified(scope: Scope, raw: Any, publisher: KnownPublisher, question: Question) -> VerifiedAttestation:
    attestation = _parsed(raw)
    _require_one_entry(attestation)
    bundle = _bundle(attestation)
    entry = bundle.log_entry._inner  # noqa: SLF001 (parsing it once more would cost a tenth of all)
    require_index(entry)
    signed_at = _signing_time(entry, question.now)
    certificate = bundle.signing_certificate
    require_leaf(certificate)
    if not certificate.not_valid_before_utc <= signed_at <= certificate.not_valid_after_utc:
        raise Wrong("its certificate was not valid when it was signed")
    verifier = scope.root.verifier_for(certificate, log_id=entry.log_id.key_id, signed_at=signed_at)
    policy = _ByPublisher(publisher, scope)
    signed = verifier.verify_dsse(bundle, policy)
    require_entry(entry)
    assert policy.signer is not None
    kind = attested_type(*signed, filename=question.filename, sha256=question.sha256)
    claimed = claimed_publisher(publisher)
    return VerifiedAttestation(
        predicate_type=kind,
        publish=kind == PUBLISH,
        publisher=claimed,
        identity=policy.signer,
        signed_at=signed_at,
        log_index=entry.log_index,
        trust=scope.name,
    )


def _parsed(raw: Any) -> Attestation:
    if not isinstance(raw, Mapping):
        raise Wrong("it is not an attestation object")
    version = raw.get("version")
    if type(version) is int and version != _VERSION:
        raise Unjudged(f"attestation version {version} is not known here", cause=UnsupportedCause.FORMAT)
    try:
        return Attestation.model_validate(raw)
    except ValidationError as error:
        raise Wrong("it is not an attestation object") from error


def _require_one_entry(attestation: Attestation) -> None:
    """One log entry, of a kind that PEP 740's version 1 can carry.

    The library looks at the first and lets the others pass unseen; with several, nobody here can say what they prove.
    """
    entries = attestation.verification_material.transparency_entries
    if len(entries) != 1:
        raise Unjudged(f"it carries {len(entries)} log entries, one is understood", cause=UnsupportedCause.FORMAT)
    kind, version = _kind_version(entries[0])
    if (kind, version) != _REKOR_V1:
        raise Unjudged(f"log entries of kind {kind} {version} are not understood", cause=UnsupportedCause.FORMAT)


def _kind_version(entry: Mapping[str, Any]) -> tuple[str, str]:
    match entry.get("kindVersion"):
        case {"kind": str(kind), "version": str(version)}:
            return kind, version
        case _:
            raise Wrong("its log entry is malformed")


def _signing_time(entry: TransparencyLogEntry, now: datetime) -> datetime:
    """When the log says it took the entry; the log's promise, checked later, signs that."""
    if not entry.integrated_time:
        raise Wrong("its log entry has no time")
    try:
        signed_at = datetime.fromtimestamp(entry.integrated_time, tz=UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise Wrong("its log entry is dated beyond the calendar") from error
    if signed_at > now + MAX_CLOCK_SKEW:
        raise Wrong(f"it is dated {signed_at:%Y-%m-%d %H:%M} UTC, which is in the future")
    return signed_at


def _bundle(attestation: Attestation) -> Bundle:
    try:
        bundle = attestation.to_bundle()
        _ = bundle.signing_certificate.extensions  # they are parsed only now
    except (SigstoreError, ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Wrong(malformed(error)) from error
    return bundle


class _ByPublisher:
    """sigstore's policy interface: the certificate is the publisher's. Asked after the certificate was verified."""

    def __init__(self, publisher: KnownPublisher, scope: Scope) -> None:
        self._publisher = publisher
        self._scope = scope
        self.signer: SigningIdentity | None = None  # once it was asked

    def verify(self, cert: x509.Certificate) -> None:
        self.signer = self._scope.remembered(self._publisher, cert)
        if self.signer is not None:
            return
        self.signer = signer = proven_identity(cert, claimed=claimed_publisher(self._publisher).forge)
        try:
            self._scope.compare(self._publisher, signer, cert)
        except (Wrong, MemoryError):
            raise
        except Exception as error:
            raise Wrong(difference(self._publisher, signer)) from error
        require_one_signer(signer)
        self._scope.remember(self._publisher, cert, signer)


def fingerprint(raw: Any) -> bytes | None:
    """What tells one attestation from another, its signature; None where none can be read."""
    match raw:
        case {"envelope": {"signature": str(signature)}}:
            with contextlib.suppress(ValueError):
                return base64.b64decode(signature)
    return None
