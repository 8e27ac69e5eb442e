"""With which keys of a trusted root provenance was signed: asked of what has been verified, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography import x509
from pypi_attestations import Attestation
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.root import key_uses
from inbond.attest.signed_form import decode_signed, is_signed_form
from inbond.model.trust import KeyUse


def signing_keys(provenance: bytes) -> tuple[tuple[KeyUse, ...], ...]:
    """For each attestation of a provenance object that was found to be `Verified`, in order, the keys that signed it.

    An attached signature counts as one. Attestations that the finding calls unsupported give none. Raises nothing for
    what was verified.
    """
    if is_signed_form(provenance):
        signed = decode_signed(provenance)
        return (_keys_of(signed.certificate, signed.entries),)
    bundles = msgspec.json.decode(provenance)["attestation_bundles"]
    return tuple(_keys(raw) for bundle in bundles for raw in bundle["attestations"])


def _keys(raw: Any) -> tuple[KeyUse, ...]:
    try:
        material = Attestation.model_validate(raw).verification_material
        return _keys_of(material.certificate, material.transparency_entries)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (one that nobody could judge may be anything)
        return ()


def _keys_of(certificate: bytes, entries: Iterable[dict[str, Any]]) -> tuple[KeyUse, ...]:
    (entry,) = map(TransparencyLogEntry.from_dict, entries)
    signed_at = datetime.fromtimestamp(entry.integrated_time or 0, tz=UTC)
    return key_uses(x509.load_der_x509_certificate(certificate), log_id=entry.log_id.key_id, signed_at=signed_at)
