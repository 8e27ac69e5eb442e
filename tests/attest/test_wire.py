from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inbond.attest.wire import decode_evidence, encode_evidence
from inbond.model.evidence import (
    Absent,
    Derivation,
    Evidence,
    Rejected,
    RejectedAttestation,
    Unavailable,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
    VerifiedAttestation,
)
from inbond.model.publisher import Forge, Publisher, SigningIdentity

TEXT = st.text(max_size=20)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
TIMES = st.datetimes(timezones=st.just(UTC))
PUBLISHERS = st.builds(
    Publisher, forge=st.sampled_from(Forge), subject=TEXT, workflow=st.none() | TEXT, environment=st.none() | TEXT
)
IDENTITIES = st.builds(
    SigningIdentity,
    forge=st.sampled_from(Forge),
    issuer=TEXT,
    **{name: st.none() | TEXT for name in ("subject", "repository", "workflow", "ref", "environment", "token_subject")},
)
OUTCOMES = st.one_of(
    st.builds(
        VerifiedAttestation,
        predicate_type=TEXT,
        publish=st.booleans(),
        publisher=PUBLISHERS,
        identity=IDENTITIES,
        signed_at=st.none() | TIMES,
        log_index=st.none() | st.integers(0, 2**63),
        trust=st.text(min_size=1, max_size=8),
        state=st.just("verified"),
        reason=st.none(),
    ),
    st.builds(
        RejectedAttestation,
        reason=TEXT,
        publisher=st.none() | PUBLISHERS,
        predicate_type=st.none() | TEXT,
        state=st.just("rejected"),
    ),
    st.builds(
        UnsupportedAttestation,
        reason=TEXT,
        cause=st.sampled_from(UnsupportedCause),
        publisher=st.none() | PUBLISHERS,
        predicate_type=st.none() | TEXT,
        state=st.just("unsupported"),
    ),
)
ATTESTATIONS = st.lists(OUTCOMES, max_size=3).map(tuple)
DERIVATIONS = st.builds(Derivation, provenance_sha256=DIGESTS, trusted_root_sha256=DIGESTS, verified_at=TIMES)
EVIDENCE: st.SearchStrategy[Evidence] = st.one_of(
    st.just(Absent()),
    st.builds(Unavailable, reason=TEXT, since=TIMES),
    st.builds(Verified, attestations=ATTESTATIONS, derivation=DERIVATIONS),
    st.builds(Rejected, reason=TEXT, attestations=ATTESTATIONS, derivation=DERIVATIONS),
    st.builds(
        Unsupported,
        reason=TEXT,
        cause=st.sampled_from(UnsupportedCause),
        attestations=ATTESTATIONS,
        derivation=DERIVATIONS,
    ),
)


@given(evidence=EVIDENCE)
def test_evidence_survives_being_written_and_read(evidence: Evidence) -> None:
    assert decode_evidence(encode_evidence(evidence)) == evidence


@given(evidence=EVIDENCE, data=st.data())
def test_a_changed_byte_is_either_refused_or_another_message_of_ours(evidence: Evidence, data: st.DataObject) -> None:
    written = bytearray(encode_evidence(evidence))
    at = data.draw(st.integers(0, len(written) - 1))
    written[at] ^= data.draw(st.integers(1, 255))

    try:
        read = decode_evidence(bytes(written))
    except ValueError:
        return
    assert encode_evidence(read) == bytes(written)


@given(junk=st.binary(max_size=200))
@example(junk=b"\x93\x00\xa5\x00\x00\x00\x00\x80")  # a text that is not UTF-8
def test_junk_is_a_value_error(junk: bytes) -> None:
    with pytest.raises(ValueError, match="evidence"):
        decode_evidence(junk)


NOW = datetime(2026, 1, 1, tzinfo=UTC)
ABSENT = encode_evidence(Absent())
MADE_FROM = {"provenance_sha256": "0" * 64, "trusted_root_sha256": "1" * 64, "verified_at": NOW}


def message(*parts: object) -> bytes:
    return msgspec.msgpack.encode(parts)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        ABSENT[:-1],
        ABSENT + b"\x00",
        b"\x91" * 5000,
        message(2, "absent", {}),
        message(3, "pending", {}),
        message(3, "present", {}),
        message(3, "absent", {"surprise": 1}),
        message(3, "absent", {}, "surprise"),
        message(3, "unavailable", {"reason": "x"}),
        message(3, "unavailable", {"reason": "x", "since": "2026-01-01T00:00:00"}),
        message(3, "unavailable", {"reason": "x", "since": "2026-01-01T00:00:00Z"}),
        message(3, "verified", {"attestations": [{"state": "pending"}], "derivation": MADE_FROM}),
        message(3, "verified", {"attestations": [{}], "derivation": MADE_FROM}),
        message(3, "rejected", {"attestations": [], "derivation": MADE_FROM}),
        message(3, "unsupported", {"attestations": [], "derivation": MADE_FROM, "reason": "x", "cause": "mood"}),
        message(3, "verified", {"attestations": [], "derivation": MADE_FROM | {"verified_at": "2026-01-01T00:00:00"}}),
    ],
    ids=[
        "empty", "cut", "longer", "nested-without-end", "another-format", "pending", "unknown-state",
        "unknown-field", "unknown-part", "missing-field", "time-without-zone", "time-in-another-spelling",
        "attestation-of-unknown-state", "attestation-without-state", "without-reason", "unknown-cause",
        "derivation-without-zone",
    ],
)  # fmt: skip
def test_what_this_program_does_not_write_it_does_not_read(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"evidence|attestation"):
        decode_evidence(data)


def test_the_serving_process_reads_evidence_without_sigstore() -> None:
    script = (
        "import sys, inbond.attest.wire, inbond.attest.limits;"
        "print(sorted({'sigstore', 'pypi_attestations', 'cryptography', 'pydantic'} & set(sys.modules)))"
    )

    printed = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert printed.strip() == "[]"
