"""One attestation object (PEP 740): genuine, about this file, and by the publisher the index names — or why not."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Mapping
from typing import Any, Final

from cryptography import x509
from pydantic import ValidationError
from pypi_attestations import Attestation
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle

from inbond.attest.comparison import difference
from inbond.attest.identity import KnownPublisher, claimed_publisher, proven_identity
from inbond.attest.judging import DSSE, Question, best, outcome_of, ready, require_one_entry
from inbond.attest.outcome import Unjudged, Wrong
from inbond.attest.profile import require_entry, require_one_signer
from inbond.attest.scope import Scope
from inbond.attest.statement import PUBLISH, attested_type
from inbond.attest.wording import malformed
from inbond.model.evidence import AttestationOutcome, UnsupportedCause, VerifiedAttestation
from inbond.model.publisher import SigningIdentity

_VERSION: Final = 1


def judge(raw: Any, publisher: KnownPublisher, question: Question) -> AttestationOutcome:
    """The outcome of one attestation, as JSON gave it, beside the publisher that the index names."""
    return best(_judged_under(scope, raw, publisher, question) for scope in question.scopes)


def _judged_under(scope: Scope, raw: Any, publisher: KnownPublisher, question: Question) -> AttestationOutcome:
    return outcome_of(lambda: _verified(scope, raw, publisher, question), claimed_publisher(publisher))


def _verified(scope: Scope, raw: Any, publisher: KnownPublisher, question: Question) -> VerifiedAttestation:
    attestation = _parsed(raw)
    require_one_entry(attestation.verification_material.transparency_entries, DSSE)
    checked = ready(_bundle(attestation), scope, now=question.now)
    policy = _ByPublisher(publisher, scope)
    signed = checked.verifier.verify_dsse(checked.bundle, policy)
    require_entry(checked.entry, DSSE)
    assert policy.signer is not None
    kind = attested_type(*signed, filename=question.filename, sha256=question.sha256)
    return VerifiedAttestation(
        predicate_type=kind,
        publish=kind == PUBLISH,
        publisher=claimed_publisher(publisher),
        identity=policy.signer,
        signed_at=checked.signed_at,
        log_index=checked.entry.log_index,
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
