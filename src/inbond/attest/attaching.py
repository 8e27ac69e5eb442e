"""A Sigstore bundle as signing tools write it beside a file, made into what stands where provenance would.

One with an in-toto statement becomes a provenance object (PEP 740), by the publisher that its certificate proves. One
with a signature over the file, for which PEP 740 has no form, becomes a `SignedFile`. Nothing is verified here: what
comes out is judged as everything is.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec
from pypi_attestations import Attestation
from sigstore.errors import Error as SigstoreError
from sigstore.models import Bundle
from sigstore_models.common.v1 import HashAlgorithm, MessageSignature

from inbond.attest.limits import MAX_PROVENANCE_BYTES
from inbond.attest.outcome import Wrong, clean
from inbond.attest.publishers import publisher_of, signer_of
from inbond.attest.signed_form import SignedFile, encode_signed
from inbond.attest.strict_json import strict_json
from inbond.model.errors import InbondError
from inbond.model.names import Filename

_MEDIA_TYPES: Final = (
    "application/vnd.dev.sigstore.bundle.v0.3+json",
    "application/vnd.dev.sigstore.bundle+json;version=0.3",
)
_WRITE_NEW: Final = (
    "sign with a tool that writes bundles of version 0.3: 'cosign sign-blob --new-bundle-format --bundle'"
)
_SIGN_FILE: Final = "sign the file itself, as 'cosign sign-blob --bundle' and 'sigstore sign' do"


class NotAttachable(InbondError):
    """A bundle that nothing can be made of, or that is about another file."""


def provenance_of(raw: bytes, *, filename: Filename, sha256: str) -> bytes:
    """What a bundle becomes beside that file. Raises NotAttachable, and MemoryError."""
    if len(raw) > MAX_PROVENANCE_BYTES:
        raise NotAttachable(f"the bundle is larger than {MAX_PROVENANCE_BYTES // 1024} KiB")
    bundle = _bundle(raw)
    signature = bundle._inner.message_signature  # noqa: SLF001 (the library has no public name for what was signed)
    try:
        if signature is None:
            return _attested(bundle)
        return encode_signed(_signed(bundle, signature, filename, sha256))
    except Wrong as error:
        raise NotAttachable(f"the bundle cannot be used: {error.reason}") from error


def _bundle(raw: bytes) -> Bundle:
    try:
        document = strict_json(raw)
    except ValueError as error:
        raise NotAttachable("the bundle is not JSON that says one thing", remedy=_WRITE_NEW) from error
    kind = document.get("mediaType") if isinstance(document, dict) else None
    if kind not in _MEDIA_TYPES:
        raise NotAttachable(f"the bundle is not a Sigstore bundle of version 0.3: {_shown(kind)}", remedy=_WRITE_NEW)
    if isinstance(material := document.get("verificationMaterial"), dict) and "publicKey" in material:
        raise NotAttachable(
            "the bundle is signed with a bare key, which proves nobody's identity",
            remedy="sign without --key, with an identity: a workflow's or a person's",
        )
    try:
        return Bundle.from_json(raw)
    except MemoryError:
        raise
    except Exception as error:
        said = clean(str(error)) if isinstance(error, SigstoreError) else type(error).__name__
        raise NotAttachable(f"the bundle cannot be read: {said}", remedy=_WRITE_NEW) from error


def _shown(kind: object) -> str:
    return f"its mediaType is {clean(kind)!a}" if isinstance(kind, str) else "it has no mediaType"


def _signed(bundle: Bundle, signature: MessageSignature, filename: Filename, sha256: str) -> SignedFile:
    told = signature.message_digest
    if told is not None and told.algorithm is not HashAlgorithm.SHA2_256:
        raise Wrong("it signs a digest that is not sha256")
    if told is not None and told.digest.hex() != sha256:
        raise NotAttachable(f"the bundle is about another file: it signs {told.digest.hex()}, {filename} has {sha256}")
    return SignedFile(
        filename=str(filename),
        sha256=sha256,
        certificate=_certificate(bundle),
        signature=signature.signature,
        entries=[bundle.log_entry._inner.to_dict()],  # noqa: SLF001 (as pypi-attestations does)
    )


def _certificate(bundle: Bundle) -> bytes:
    certificate = bundle._inner.verification_material.certificate  # noqa: SLF001 (as it was written, not encoded anew)
    assert certificate is not None  # a bundle of version 0.3 has no other
    return certificate.raw_bytes


def _attested(bundle: Bundle) -> bytes:
    try:
        attestation = Attestation.from_bundle(bundle)
        signer = signer_of(bundle.signing_certificate)
    except (Wrong, MemoryError):
        raise
    except Exception as error:
        raise Wrong(f"no attestation can be made of it ({type(error).__name__})") from error
    publisher = publisher_of(signer)
    if publisher is None:
        raise NotAttachable(
            f"the bundle holds an attestation by {signer}, for whom provenance (PEP 740) has no kind of publisher",
            remedy=_SIGN_FILE,
        )
    return _object(publisher.model_dump(mode="json"), attestation.model_dump(mode="json"))


def _object(publisher: dict[str, Any], attestation: dict[str, Any]) -> bytes:
    """A provenance object; the same parts give the same bytes."""
    bundle = {"publisher": publisher, "attestations": [attestation]}
    return msgspec.json.encode({"version": 1, "attestation_bundles": [bundle]}, order="deterministic")
