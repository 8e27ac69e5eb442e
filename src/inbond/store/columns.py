"""How values stand in the ledger's columns: times as whole microseconds since 1970-01-01 UTC, digests as 32 bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from inbond.model.names import is_sha256

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def moment_of(time: datetime) -> int:
    """An aware time as a column holds it."""
    return (time - _EPOCH) // _MICROSECOND


def time_of(moment: int) -> datetime:
    """The time in UTC that a column holds."""
    return _EPOCH + timedelta(microseconds=moment)


def packed(sha256: str) -> bytes:
    """A digest as a column holds it. Raises ValueError for what is none."""
    if not is_sha256(sha256):
        raise ValueError(f"{sha256!r} is no sha256 digest")
    return bytes.fromhex(sha256)


def packed_or_none(sha256: str | None) -> bytes | None:
    """As `packed`; no digest stays none."""
    return None if sha256 is None else packed(sha256)
