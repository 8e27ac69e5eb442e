"""What a bundle says of itself, whoever signed it: to be looked at, never to be acted upon. Blocks."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import BinaryIO

from inbond.bundles.canonical import EXPORT_ANEW
from inbond.bundles.limits import MAX_MANIFEST_BYTES, MAX_SIGNATURE_BYTES
from inbond.bundles.manifest import Manifest
from inbond.bundles.manifest_json import decode_manifest
from inbond.bundles.tar import BLOCK_BYTES, padding, stated_size
from inbond.model.errors import InvalidBundle
from inbond.model.text import printable


@dataclass(frozen=True, slots=True, kw_only=True)
class Peeked:
    """`sha256`: of the manifest; `key`: the id that the signature claims."""

    manifest: Manifest
    sha256: str
    key: str


def peek(stream: BinaryIO) -> Peeked:
    """Reads up to the blobs, and verifies nothing. Raises `InvalidBundle`."""
    signature = _member(stream, MAX_SIGNATURE_BYTES)
    raw = _member(stream, MAX_MANIFEST_BYTES)
    try:
        key = str(json.loads(signature)["key"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise InvalidBundle("this is no bundle: it does not begin with a signature", remedy=EXPORT_ANEW) from error
    return Peeked(manifest=decode_manifest(raw), sha256=hashlib.sha256(raw).hexdigest(), key=printable(key))


def _member(stream: BinaryIO, limit: int) -> bytes:
    size = stated_size(stream.read(BLOCK_BYTES))
    if size is None or not 0 < size <= limit:
        raise InvalidBundle("this is no bundle", remedy=EXPORT_ANEW)
    content = stream.read(size)
    stream.read(len(padding(size)))
    return content
