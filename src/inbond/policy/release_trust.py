"""How far a release as a whole is attested, in one word."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from inbond.model.evidence import EvidenceOrPending, Pending, Unavailable, Unsupported, Verified


class ReleaseTrust(StrEnum):
    """The words for it; what nobody could look at has none."""

    NO = "no"
    FULL = "full"
    PARTIAL = "partial"  # some of its files are verified
    INCONSISTENT = "inconsistent"  # its files are verified, by different publishers


def release_trust(files: Sequence[EvidenceOrPending]) -> ReleaseTrust | None:
    """The word for a release, from the evidence about its files; None where not all of them could be judged."""
    verified = [known for known in files if isinstance(known, Verified)]
    if len({frozenset(map(str, known.identities)) for known in verified}) > 1:
        return ReleaseTrust.INCONSISTENT
    if any(isinstance(known, Pending | Unavailable | Unsupported) for known in files):
        return None
    if not verified:
        return ReleaseTrust.NO
    return ReleaseTrust.FULL if len(verified) == len(files) else ReleaseTrust.PARTIAL
