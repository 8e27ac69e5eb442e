"""Evidence as bytes: for the store, and between the verifier process and the serving one, which imports no sigstore.

A message is msgpack, `[format, state, fields]`. Decoding takes back exactly what encoding gives and nothing else:
evidence decides over files, so a row that somebody else wrote is no evidence.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, TypeVar, assert_never

import msgspec

from inbond.model.evidence import (
    Absent,
    AttestationOutcome,
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
    state_of,
)

_T = TypeVar("_T")
# Goes up whenever a field changes its meaning: stored evidence of another format counts as none.
_FORMAT: Final = 3
_ATTESTATIONS: Final[dict[str, type[AttestationOutcome]]] = {
    "verified": VerifiedAttestation,
    "rejected": RejectedAttestation,
    "unsupported": UnsupportedAttestation,
}


class _Message(msgspec.Struct, array_like=True, forbid_unknown_fields=True):
    format: int
    state: str
    fields: msgspec.Raw


class _State(msgspec.Struct):
    state: str


class _Found(msgspec.Struct, forbid_unknown_fields=True):
    attestations: list[msgspec.Raw]
    derivation: Derivation


class _Refused(_Found, forbid_unknown_fields=True):
    reason: str


class _Unjudged(_Refused, forbid_unknown_fields=True):
    cause: UnsupportedCause


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(_Message)


def encode_evidence(evidence: Evidence) -> bytes:
    """Evidence as bytes. Times must be aware."""
    fields = msgspec.Raw(_ENCODER.encode(evidence))
    return _ENCODER.encode(_Message(format=_FORMAT, state=str(state_of(evidence)), fields=fields))


def decode_evidence(data: bytes) -> Evidence:
    """What `encode_evidence` was given. Raises ValueError for all that it does not produce."""
    try:
        message = _DECODER.decode(data)
        if message.format != _FORMAT:
            raise ValueError(f"evidence of format {message.format}, not {_FORMAT}")
        evidence = _evidence(message.state, message.fields)
        # Whatever a lenient decoder reads over — unknown keys, another spelling of a value — shows here.
        if not _aware(evidence) or encode_evidence(evidence) != data:
            raise ValueError("evidence that was not written by this program")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"not evidence: {error}") from error
    return evidence


def _evidence(state: str, fields: msgspec.Raw) -> Evidence:
    match state:
        case "absent":
            return _decoded(fields, Absent)
        case "unavailable":
            return _decoded(fields, Unavailable)
        case "verified":
            found = _decoded(fields, _Found)
            return Verified(attestations=_outcomes(found), derivation=found.derivation)
        case "rejected":
            refused = _decoded(fields, _Refused)
            return Rejected(reason=refused.reason, attestations=_outcomes(refused), derivation=refused.derivation)
        case "unsupported":
            unjudged = _decoded(fields, _Unjudged)
            return Unsupported(
                reason=unjudged.reason,
                cause=unjudged.cause,
                attestations=_outcomes(unjudged),
                derivation=unjudged.derivation,
            )
        case _:
            raise ValueError("evidence of no known state")


def _outcomes(found: _Found) -> tuple[AttestationOutcome, ...]:
    return tuple(_outcome(raw) for raw in found.attestations)


def _outcome(raw: msgspec.Raw) -> AttestationOutcome:
    state = _decoded(raw, _State).state
    if state not in _ATTESTATIONS:
        raise ValueError("an attestation of no known state")
    return _decoded(raw, _ATTESTATIONS[state])


def _decoded(raw: msgspec.Raw, kind: type[_T]) -> _T:
    return msgspec.msgpack.decode(raw, type=kind)


def _aware(evidence: Evidence) -> bool:
    return all(time is None or time.tzinfo is not None for time in _times(evidence))


def _times(evidence: Evidence) -> Iterable[datetime | None]:
    match evidence:
        case Absent():
            return
        case Unavailable():
            yield evidence.since
        case Verified() | Rejected() | Unsupported():
            yield evidence.derivation.verified_at
            for attestation in evidence.attestations:
                if isinstance(attestation, VerifiedAttestation):
                    yield attestation.signed_at
        case _:
            assert_never(evidence)
