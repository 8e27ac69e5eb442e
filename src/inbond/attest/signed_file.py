"""A signature over a file that an operator attached: genuine, about this file, and by whom the scope vouches for.

No index names a publisher beside it. So whoever the certificate proves is the signer, and who of them counts is left to
the policy; the certificate is held to all that one beside a publisher is.
"""

from __future__ import annotations

import base64
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from sigstore.errors import Error as SigstoreError
from sigstore.hashes import Hashed
from sigstore.models import Bundle
from sigstore.models import TransparencyLogEntry as LogEntry
from sigstore_models.common.v1 import HashAlgorithm
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.comparison import difference
from inbond.attest.identity import claimed_publisher
from inbond.attest.judging import HASHED, Question, best, outcome_of, ready, require_one_entry
from inbond.attest.outcome import Wrong
from inbond.attest.profile import require_entry, require_one_signer
from inbond.attest.publishers import publisher_of, signer_of
from inbond.attest.scope import Scope
from inbond.attest.signed_form import SignedFile, decode_signed
from inbond.attest.strict_json import strict_json
from inbond.attest.wording import malformed
from inbond.model.evidence import AttestationOutcome, VerifiedAttestation
from inbond.model.publisher import Forge, Publisher, SigningIdentity

# Stands where an attestation has its predicate type: what was signed is the file, which is what publishing it says.
FILE_SIGNATURE: Final = "signature of the file"


def judge_signed(provenance: bytes, question: Question) -> AttestationOutcome:
    """The outcome of an attached signature."""
    return best(_judged_under(scope, provenance, question) for scope in question.scopes)


def _judged_under(scope: Scope, provenance: bytes, question: Question) -> AttestationOutcome:
    return outcome_of(lambda: _verified(scope, provenance, question))


def _verified(scope: Scope, provenance: bytes, question: Question) -> VerifiedAttestation:
    signed = decode_signed(provenance)
    if signed.filename != question.filename:
        raise Wrong(f"it was attached to another file: {signed.filename}")
    if signed.sha256 != question.sha256:
        raise Wrong("it was attached to other bytes: the digest is not this file's")
    require_one_entry(signed.entries, HASHED)
    checked = ready(_bundle(signed), scope, now=question.now)
    policy = _ByCertificate(scope)
    digest = Hashed(algorithm=HashAlgorithm.SHA2_256, digest=bytes.fromhex(signed.sha256))
    checked.verifier.verify_artifact(digest, checked.bundle, policy)
    require_entry(checked.entry, HASHED)
    _require_record(checked.entry, signed)
    assert policy.signer is not None
    assert policy.publisher is not None
    return VerifiedAttestation(
        predicate_type=FILE_SIGNATURE,
        publish=True,
        publisher=policy.publisher,
        identity=policy.signer,
        signed_at=checked.signed_at,
        log_index=checked.entry.log_index,
        trust=scope.name,
    )


def _bundle(signed: SignedFile) -> Bundle:
    try:
        certificate = x509.load_der_x509_certificate(signed.certificate)
        _ = certificate.extensions  # they are parsed only now
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as error:
        raise Wrong(malformed(error)) from error
    try:
        entry = LogEntry(TransparencyLogEntry.from_dict(signed.entries[0]))
        return Bundle.from_parts(certificate, signed.signature, entry)
    except (SigstoreError, ValueError) as error:
        raise Wrong("its log entry is malformed") from error


def _require_record(entry: TransparencyLogEntry, signed: SignedFile) -> None:
    """Raises Wrong where the log took anything else than this signature over this file by this certificate.

    The library compares what it knows of a record; here nothing else may stand in it.
    """
    body = strict_json(entry.canonicalized_body)
    pem = x509.load_der_x509_certificate(signed.certificate).public_bytes(Encoding.PEM)
    honest = {
        "data": {"hash": {"algorithm": "sha256", "value": signed.sha256}},
        "signature": {"content": _base64(signed.signature), "publicKey": {"content": _base64(pem)}},
    }
    if body != {"kind": HASHED[0], "apiVersion": HASHED[1], "spec": honest}:
        raise Wrong("its log entry is about something else")


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class _ByCertificate:
    """sigstore's policy interface: the scope vouches for the signer. Asked after the certificate was verified."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self.signer: SigningIdentity | None = None  # once it was asked
        self.publisher: Publisher | None = None

    def verify(self, cert: x509.Certificate) -> None:
        self.signer = signer = signer_of(cert)
        self.publisher = self._compared(signer, cert)
        require_one_signer(signer)

    def _compared(self, signer: SigningIdentity, certificate: x509.Certificate) -> Publisher:
        self._scope.require_issuer(signer)
        publisher = publisher_of(signer)
        if publisher is None:
            return Publisher(forge=Forge.OIDC, subject=signer.issuer, environment=signer.subject)
        try:
            self._scope.compare(publisher, signer, certificate)
        except (Wrong, MemoryError):
            raise
        except Exception as error:
            raise Wrong(difference(publisher, signer)) from error
        return claimed_publisher(publisher)
