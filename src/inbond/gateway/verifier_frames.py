"""What the serving process and the verifier process say to each other: msgpack in frames of a length of four bytes.

Free of sigstore: both sides read it.
"""

from __future__ import annotations

import struct
from datetime import datetime
from typing import Final

import msgspec

from inbond.model.trust import KeyUse, RootFacts

# Above the limit of a provenance object and what stands around it; a longer frame is not one of ours.
MAX_FRAME_BYTES: Final = 2**20
# The roots of all scopes together: room for thirty of the largest size that is read, or for a thousand real ones.
MAX_SETUP_BYTES: Final = 8 * 2**20

_LENGTH: Final = struct.Struct("!I")
HEADER_BYTES: Final = _LENGTH.size


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """A trust scope: as `inbond.model.trust.TrustScope`."""

    name: str
    root: bytes
    issuers: tuple[str, ...]


class Setup(msgspec.Struct, frozen=True, kw_only=True):
    """The first frame to the verifier: all scopes, and the sets of them (by name) that it will be asked about."""

    scopes: tuple[Scope, ...]
    sets: tuple[tuple[str, ...], ...]


class Hello(msgspec.Struct, tag="hello", frozen=True, kw_only=True):
    """The first frame from the verifier: what verifies here, and against what."""

    sigstore_version: str
    pypi_attestations_version: str
    publish_predicate_type: str  # its host's parent domain is the preset index
    digests: tuple[str, ...]  # of the sets, in their order
    roots: dict[str, RootFacts]  # by scope


class Unusable(msgspec.Struct, tag="unusable", frozen=True, kw_only=True):
    """The first frame where nothing can be verified: the trusted root of a scope cannot be used."""

    scope: str
    message: str
    remedy: str | None


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """Verify one provenance object under one of the sets. `id` comes back with the answer."""

    id: int
    trust: str  # the set's digest
    filename: str
    sha256: str
    provenance: bytes
    now: datetime
    keys: bool = False  # whether to say with which keys it was signed


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence, encoded as `inbond.attest.wire` does.

    `keys`, where they were asked for and the finding is `Verified`: for each attestation, the keys that signed it.
    """

    id: int
    evidence: bytes
    keys: tuple[tuple[KeyUse, ...], ...] = ()


_ENCODER: Final = msgspec.msgpack.Encoder()


def frame(message: msgspec.Struct) -> bytes:
    """A message as it goes over a pipe."""
    body = _ENCODER.encode(message)
    return _LENGTH.pack(len(body)) + body


def body_length(header: bytes, *, limit: int = MAX_FRAME_BYTES) -> int:
    """The length in a frame's header. Raises ValueError for one that no frame of ours has."""
    if len(header) != HEADER_BYTES:
        raise ValueError("a frame that is cut")
    length: int = _LENGTH.unpack(header)[0]
    if not 0 < length <= limit:
        raise ValueError("not a frame")
    return length
