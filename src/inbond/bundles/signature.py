"""The first member of a bundle, `signature.json`: who signed which manifest."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from hashlib import sha256 as sha256_of
from typing import Final

import msgspec

from inbond.bundles import canonical
from inbond.bundles.canonical import EXPORT_ANEW
from inbond.bundles.keys import PublicKey, SigningKey
from inbond.bundles.limits import MAX_MANIFEST_BYTES
from inbond.model.errors import InvalidBundle
from inbond.model.names import is_sha256
from inbond.model.text import printable
from inbond.model.units import format_size

FORMAT: Final = 1
_WHAT: Final = "the signature"
_SHOWN_CHARS: Final = 40  # of a key's id, which has 18


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What stands there. `signature` in base64; `manifest_size` in bytes."""

    inbond_bundle: int
    key: str
    manifest_sha256: str
    manifest_size: int
    signature: str


class _Format(msgspec.Struct, frozen=True):
    inbond_bundle: int


_SIGNATURE: Final = canonical.reader(Signature)
_FORMAT: Final = msgspec.json.Decoder(_Format)


def make_signature(manifest: bytes, key: SigningKey) -> bytes:
    """The member for a manifest."""
    signed = Signature(
        inbond_bundle=FORMAT,
        key=key.public.id,
        manifest_sha256=sha256_of(manifest).hexdigest(),
        manifest_size=len(manifest),
        signature=base64.b64encode(key.sign(manifest)).decode(),
    )
    return canonical.encode(signed)


def check_signature(raw: bytes, keys: Sequence[PublicKey]) -> Signature:
    """The member, where one of `keys` made it. Raises `InvalidBundle`."""
    _check_format(raw)
    found = canonical.decode(raw, _SIGNATURE, what=_WHAT)
    if not is_sha256(found.manifest_sha256):
        raise InvalidBundle("the signature names no sha256 of a manifest", remedy=EXPORT_ANEW)
    _check_signed(found, keys)
    if not 0 < found.manifest_size <= MAX_MANIFEST_BYTES:
        raise InvalidBundle(
            f"the manifest is said to have {printable(str(found.manifest_size)[:20])} bytes; "
            f"at most {format_size(MAX_MANIFEST_BYTES)} are taken",
            remedy="sync less under one name, and export several bundles",
        )
    return found


def _check_format(raw: bytes) -> None:
    try:
        found = _FORMAT.decode(raw).inbond_bundle
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return  # decoding it whole says what is wrong
    if found != FORMAT:
        raise InvalidBundle(
            f"the bundle is of format {found}, and this inbond reads format {FORMAT}",
            remedy="use the same version of inbond on both sides",
        )


def _check_signed(found: Signature, keys: Sequence[PublicKey]) -> None:
    trusted = {key.id: key for key in keys}
    shown = printable(found.key[:_SHOWN_CHARS])
    if found.key not in trusted:
        raise InvalidBundle(
            f"the bundle is signed with the key {shown}, and trusted here: {', '.join(sorted(trusted)) or 'none'}",
            remedy="if that key is your sending side's, add the file of its public half to [imports] keys",
        )
    if not trusted[found.key].verify(found.manifest_sha256, _decoded(found.signature)):
        raise InvalidBundle(
            f"the signature is not one of the key {shown} over this manifest",
            remedy="the bundle was changed after it was signed: take it from its source again",
        )


def _decoded(text: str) -> bytes:
    try:
        signature = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        signature = b""
    if base64.b64encode(signature) != text.encode() or not signature:
        raise InvalidBundle("the signature is not in base64", remedy=EXPORT_ANEW)
    return signature
