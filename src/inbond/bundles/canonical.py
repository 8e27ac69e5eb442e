"""JSON that has one spelling: what is read must be byte for byte what this program would write.

So a document says one thing to every reader. Whitespace, keys that are unknown, repeated or in another order, numbers
and texts in another spelling, and times that are not in UTC all show as a difference.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from inbond.model.errors import InvalidBundle
from inbond.model.names import Filename, ProjectName
from inbond.model.text import printable

_T = TypeVar("_T")
EXPORT_ANEW: Final = "export the bundle anew with inbond bundle export; do not edit what it writes"

_ENCODER: Final = msgspec.json.Encoder(enc_hook=str)


def reader(kind: type[_T]) -> msgspec.json.Decoder[_T]:
    """A decoder of values that hold names."""
    return msgspec.json.Decoder(kind, strict=True, dec_hook=_name)


def encode(value: object) -> bytes:
    """The one spelling of a value: no whitespace, all fields in their order, texts in UTF-8, times in UTC."""
    return _ENCODER.encode(value)


def decode(raw: bytes, kind: msgspec.json.Decoder[_T], *, what: str) -> _T:
    """The value that is written there. Raises `InvalidBundle` that names it as `what` wherever `encode` differs."""
    try:
        value = kind.decode(raw)
        again = encode(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise InvalidBundle(f"{what} cannot be read: {printable(str(error))}", remedy=EXPORT_ANEW) from error
    if again != raw:
        raise InvalidBundle(
            f"{what} is not written as inbond writes it: whitespace, a key that is unknown, repeated or out of order, "
            "or a value in another spelling",
            remedy=EXPORT_ANEW,
        )
    return value


def is_utc(time: datetime) -> bool:
    """Whether a time is an instant, told in UTC."""
    return time.utcoffset() == timedelta(0)


def _name(kind: type[Any], raw: object) -> Any:
    if kind not in (ProjectName, Filename) or not isinstance(raw, str):
        raise TypeError("not a name")
    return kind(raw)
