"""With which keys of a trusted root provenance was signed: asked of what has been verified, and of nothing else."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
from cryptography import x509
from pypi_attestations import Attestation
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.root import key_uses
from inbond.model.trust import KeyUse


def signing_keys(provenance: bytes) -> tuple[tuple[KeyUse, ...], ...]:
    """For each attestation of a provenance object that was found to be `Verified`, in order, the keys that signed it.

    Attestations that the finding calls unsupported give none. Raises nothing for what was verified.
    """
    bundles = msgspec.json.decode(provenance)["attestation_bundles"]
    return tuple(_keys(raw) for bundle in bundles for raw in bundle["attestations"])


def _keys(raw: Any) -> tuple[KeyUse, ...]:
    try:
        material = Attestation.model_validate(raw).verification_material
        (entry,) = map(TransparencyLogEntry.from_dict, material.transparency_entries)
        certificate = x509.load_der_x509_certificate(material.certificate)
        signed_at = datetime.fromtimestamp(entry.integrated_time or 0, tz=UTC)
        return key_uses(certificate, log_id=entry.log_id.key_id, signed_at=signed_at)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001 (one that nobody could judge may be anything)
        return ()
