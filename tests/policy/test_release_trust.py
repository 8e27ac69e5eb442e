from __future__ import annotations

import pytest

from inbond.model.evidence import EvidenceOrPending
from inbond.policy.release_trust import ReleaseTrust, release_trust
from policy.cases import (
    ABSENT,
    PENDING,
    REJECTED,
    UNAVAILABLE,
    UNSUPPORTED,
    VERIFIED,
    attestation,
    identity_of,
    verified,
)

OTHER = verified(attestation(identity_of("evil/demo")))


@pytest.mark.parametrize(
    ("files", "trust"),
    [
        ([ABSENT], ReleaseTrust.NO),
        ([ABSENT, REJECTED], ReleaseTrust.NO),
        ([VERIFIED], ReleaseTrust.FULL),
        ([VERIFIED, VERIFIED], ReleaseTrust.FULL),
        ([VERIFIED, ABSENT], ReleaseTrust.PARTIAL),
        ([VERIFIED, REJECTED], ReleaseTrust.PARTIAL),
        ([VERIFIED, OTHER], ReleaseTrust.INCONSISTENT),
        ([VERIFIED, OTHER, PENDING], ReleaseTrust.INCONSISTENT),
        ([PENDING], None),
        ([VERIFIED, PENDING], None),
        ([ABSENT, UNAVAILABLE], None),
        ([VERIFIED, UNSUPPORTED], None),
    ],
)
def test_a_release_in_one_word(files: list[EvidenceOrPending], trust: ReleaseTrust | None) -> None:
    assert release_trust(files) is trust
