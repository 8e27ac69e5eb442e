"""Evidence that operators attached to files, as a document of a bundle: canonical JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Final

import msgspec

from inbond.bundles import canonical
from inbond.bundles.canonical import EXPORT_ANEW, is_utc
from inbond.model.errors import InvalidBundle
from inbond.model.imports import Attached
from inbond.model.names import Filename, is_sha256
from inbond.model.text import printable

FORMAT: Final = 1
_WHAT: Final = "the document of attached evidence"


class _Attached(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    upstream: str
    sha256: str
    filename: Filename
    provenance: bytes
    reason: str
    by: str
    at: datetime


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    inbond_attached: int
    attached: tuple[_Attached, ...]


_READER: Final = canonical.reader(_Document)


def encode_attached(attached: Sequence[Attached]) -> bytes:
    """The bytes of what is attached, by upstream and sha256, each file once. Raises `InvalidBundle`."""
    stored = sorted(map(_stored, attached), key=_place)
    raw = canonical.encode(_Document(FORMAT, tuple(stored)))
    decode_attached(raw)
    return raw


def decode_attached(raw: bytes) -> tuple[Attached, ...]:
    """What `encode_attached` was given. Raises `InvalidBundle` for all that it does not produce."""
    document = canonical.decode(raw, _READER, what=_WHAT)
    if document.inbond_attached != FORMAT:
        raise _refused(f"is of format {document.inbond_attached}, and this inbond reads format {FORMAT}")
    if any(_place(one) >= _place(other) for one, other in pairwise(document.attached)):
        raise _refused("names a file twice, or not in its order")
    return tuple(map(_attached, document.attached))


def _place(one: _Attached) -> tuple[str, str]:
    return one.upstream, one.sha256


def _stored(one: Attached) -> _Attached:
    # Its words are shown in terminals over there.
    return _Attached(
        one.upstream,
        one.sha256,
        Filename(one.filename),
        one.provenance,
        printable(one.reason),
        printable(one.by),
        one.at,
    )


def _attached(stored: _Attached) -> Attached:
    words = (stored.upstream, stored.reason, stored.by)
    if not is_sha256(stored.sha256) or not is_utc(stored.at) or not all(map(str.isprintable, words)):
        raise _refused(f"holds something for {stored.filename} that is not written as inbond writes it")
    return Attached(
        upstream=stored.upstream,
        sha256=stored.sha256,
        filename=str(stored.filename),
        provenance=stored.provenance,
        reason=stored.reason,
        by=stored.by,
        at=stored.at,
    )


def _refused(what: str) -> InvalidBundle:
    return InvalidBundle(f"{_WHAT} {what}", remedy=EXPORT_ANEW)
