"""An index that swaps a file's bytes and takes away, or blurs, the provenance that would tell (threat IDX-17)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from attest.decided.decision import judged
from attest.tampering.row import FORMAT, REJECTED, Attempt, honest, inbond, outcome
from inbond.attest.verify import Finding
from inbond.model.evidence import Absent
from inbond.model.verdict import Outcome

OTHER_BYTES = hashlib.sha256(b"other bytes").hexdigest()


def found(edit: Callable[[Any], object]) -> Finding:
    document = json.loads(honest())
    edit(document)
    return inbond(Attempt(provenance=json.dumps(document).encode(), sha256=OTHER_BYTES))


def _bundle(document: Any) -> Any:
    return document["attestation_bundles"][0]


def _entries(document: Any) -> Any:
    return _bundle(document)["attestations"][0]["verification_material"]["transparency_entries"]


BLURRED: dict[str, Callable[[Any], object]] = {
    "object-of-another-version": lambda document: document.update(version=2),
    "attestation-of-another-version": lambda document: _bundle(document)["attestations"][0].update(version=2),
    "unknown-kind": lambda document: _bundle(document)["publisher"].update(kind="Forgejo"),
    "second-log-entry": lambda document: _entries(document).append(_entries(document)[0]),
}


def test_provenance_that_is_left_as_it_was_tells_of_other_bytes() -> None:
    finding = found(lambda _: None)

    assert outcome(finding) == REJECTED
    assert judged(finding) is Outcome.DENY


@pytest.mark.parametrize("how", BLURRED)
def test_what_is_blurred_is_only_warned_of_unless_more_is_asked(how: str) -> None:
    finding = found(BLURRED[how])

    assert outcome(finding) == FORMAT
    assert judged(finding) is Outcome.WARN
    for key in ('attestations = "require"', 'publishers = ["github:acme/widgets"]', 'unsupported = "deny"'):
        assert judged(finding, key) is Outcome.DENY


def test_what_is_taken_away_is_let_through_unless_it_is_asked_for() -> None:
    assert judged(Absent()) is Outcome.ALLOW
    assert judged(Absent(), 'unsupported = "deny"') is Outcome.ALLOW
    for key in ('attestations = "require"', 'publishers = ["github:acme/widgets"]'):
        assert judged(Absent(), key) is Outcome.DENY
