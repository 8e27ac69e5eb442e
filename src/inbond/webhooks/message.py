"""The message that a webhook is sent, and its signature: Standard Webhooks 1.0.0 (https://www.standardwebhooks.com).

Signed is `id.timestamp.body`. The id is made of the occurrence's key, so every attempt and every replica has the same:
whoever receives twice can tell. The timestamp is that of the attempt.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

import msgspec

from inbond.model.occurrence import Occurrence

ID_DIGITS: Final = 32
CONTENT_TYPE: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message, whoever it is sent to. No dot stands in `id`, or two messages could be signed alike."""

    id: str
    body: bytes

    @classmethod
    def of(cls, occurrence: Occurrence) -> Self:
        """The message of an occurrence."""
        return cls.telling(
            key=occurrence.key,
            kind=str(occurrence.kind),
            at=occurrence.at,
            data={
                "key": occurrence.key,
                "message": occurrence.message,
                "index": occurrence.index,
                "upstream": occurrence.upstream,
                "project": occurrence.project,
                "filename": occurrence.filename,
                "detail": dict(sorted(occurrence.detail.items())),
            },
        )

    @classmethod
    def telling(cls, *, key: str, kind: str, at: datetime, data: dict[str, object]) -> Self:
        """A message of any kind; what is None in `data` is left out."""
        said = {name: value for name, value in data.items() if value is not None}
        body = msgspec.json.encode({"type": kind, "timestamp": at, "data": said}, enc_hook=str)
        return cls(id=f"msg_{hashlib.sha256(key.encode()).hexdigest()[:ID_DIGITS]}", body=body)

    def headers(self, keys: Sequence[bytes], now: datetime) -> dict[str, str]:
        """The headers of an attempt to send it: one signature for each key."""
        timestamp = str(int(now.timestamp()))
        signed = b".".join((self.id.encode(), timestamp.encode(), self.body))
        return {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": self.id,
            "webhook-timestamp": timestamp,
            "webhook-signature": " ".join(f"v1,{_signature(key, signed)}" for key in keys),
        }


def _signature(key: bytes, signed: bytes) -> str:
    return base64.b64encode(hmac.digest(key, signed, "sha256")).decode("ascii")
