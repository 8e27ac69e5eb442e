"""Limits on what is handed to the library, and what becomes of provenance that is over them.

Free of sigstore, so that the serving process can ask before it sends.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from hashlib import sha256 as sha256_of
from typing import Final

from inbond.model.evidence import Derivation, Rejected
from inbond.model.names import is_sha256

# A real attestation takes 5.7 to 10.4 kB. Memory is what this guards: a validly signed statement of 12 MB costs the
# library 0.6 s and 528 MB.
MAX_PROVENANCE_BYTES: Final = 512 * 1024
# In all bundles together. PyPI takes two a file; at about 1 ms each these cost 8 ms.
MAX_ATTESTATIONS: Final = 8
# Which checks these are. One more with every change in attest/ after which any file may be found other than before:
# stored findings of earlier ones do not count.
CHECKS: Final = 1
# How far a log's clock may be ahead of this machine's.
MAX_CLOCK_SKEW: Final = timedelta(minutes=5)
# A reason stands in a status line of 200 characters together with a URL.
MAX_REASON_CHARS: Final = 160


def check_question(*, sha256: str, now: datetime) -> None:
    """Raises ValueError for a digest or a time as no caller should have them: with them all would seem forged."""
    if not is_sha256(sha256):
        raise ValueError("not a sha256 digest")
    if now.tzinfo is None:
        raise ValueError("a time without a zone")


def derivation(provenance: bytes, *, trusted_root_sha256: str, now: datetime) -> Derivation:
    """What a finding made now, from these bytes and that root, was made from."""
    return Derivation(
        provenance_sha256=sha256_of(provenance).hexdigest(), trusted_root_sha256=trusted_root_sha256, verified_at=now
    )


def over_limit(provenance: bytes, *, trusted_root_sha256: str, now: datetime) -> Rejected | None:
    """The finding about provenance that is too large to be read; None where it is not."""
    if len(provenance) <= MAX_PROVENANCE_BYTES:
        return None
    return Rejected(
        reason=f"the provenance object is larger than {MAX_PROVENANCE_BYTES // 1024} KiB",
        attestations=(),
        derivation=derivation(provenance, trusted_root_sha256=trusted_root_sha256, now=now),
    )
