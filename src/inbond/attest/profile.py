"""What must hold beside the cryptography and what the libraries leave open: the profile of an honest attestation.

Nothing here could be forged without an authority's or a log's key. It holds these to what they say of themselves: a
key that leaked, or a service that is made to sign two things, is not worth more than what honest files need.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from sigstore_models.rekor.v1 import TransparencyLogEntry

from inbond.attest.limits import MAX_CLOCK_SKEW
from inbond.attest.outcome import Wrong
from inbond.attest.strict_json import strict_json
from inbond.model.publisher import Forge, SigningIdentity

# Fulcio's, as far as the log's `dsse` entries know them (fulcio/docs/certificate-specification.md).
_CURVES: Final = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_MAX_LOG_INDEX: Final = 2**53 - 1  # the largest number of canonical JSON (RFC 8785), in which the log promises it
# Where Fulcio writes the workflow that signs into the alternative name and once more into .9.
_TWICE_NAMED: Final = frozenset({Forge.GITHUB, Forge.GITLAB})


def require_leaf(certificate: x509.Certificate) -> None:
    """Raises Wrong for a certificate whose key or number is not as Sigstore's are (RFC 5280, 4.1.2.2)."""
    try:
        key: object = certificate.public_key()
    except (UnsupportedAlgorithm, ValueError):
        key = None
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, _CURVES):
        raise Wrong("its certificate's key is not of a kind that signs here")
    if certificate.serial_number <= 0:
        raise Wrong("its certificate's serial number is not positive")


def require_timely(sct_time: datetime, certificate: x509.Certificate, *, signed_at: datetime) -> None:
    """Raises Wrong for a timestamp that is not from when the certificate was issued, which is before it signed.

    Its time says which of a log's keys were in force: without this, a key long retired could sign for any day.
    """
    if not certificate.not_valid_before_utc - MAX_CLOCK_SKEW <= sct_time <= signed_at + MAX_CLOCK_SKEW:
        raise Wrong(
            f"the certificate transparency timestamp of its certificate is dated {sct_time:%Y-%m-%d %H:%M} UTC, "
            "not when the certificate was issued"
        )


def require_one_signer(signer: SigningIdentity) -> None:
    """Raises Wrong where the alternative name and the build signer (.9), one thing for a forge's workflows, differ.

    Both must be there: pins and rules go by what stands beside .9, the libraries look at neither.
    """
    named, built = signer.subject, signer.build_signer
    if signer.forge not in _TWICE_NAMED or (built is not None and built == named):
        return
    if built is None:
        raise Wrong("its certificate does not name the workflow that signs (.9)")
    raise Wrong(f"its certificate names two signers: {named or 'one that is no workflow'} and {built}")


def require_entry(entry: TransparencyLogEntry, kind: tuple[str, str]) -> None:
    """Raises Wrong for a log entry of that kind and version whose parts, each genuine, do not say one thing.

    To be asked once the entry was verified: it reads what the log signed.
    """
    body = strict_json(entry.canonicalized_body)
    if (body.get("kind"), body.get("apiVersion")) != kind:
        raise Wrong("its log entry is about something else")
    proof = entry.inclusion_proof
    note = proof.checkpoint.envelope if proof.checkpoint else ""
    if note.split("\n")[1:2] != [str(proof.tree_size)]:
        raise Wrong("the log's checkpoint is of a tree of another size")


def require_index(entry: TransparencyLogEntry) -> None:
    """Raises Wrong for an index that the log's promise could not name."""
    if entry.log_index > _MAX_LOG_INDEX:
        raise Wrong("its log entry is malformed")
