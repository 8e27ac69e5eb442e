"""A signature over a whole file, as an operator attached it: the form in which it stands where provenance would.

PEP 740 has none for it: what `cosign sign-blob` and `sigstore sign` sign is the file's digest and no statement, so
nothing in it names the file. That these bytes are this file, the operator says who attached it; so name and digest
stand here, and the form is taken from the ledger alone, never from an index. It begins as no JSON does. Free of
sigstore, so that the serving process can tell it.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from inbond.attest.outcome import Wrong

_BEGINNING: Final = b"inbond signed file 1\n"


class SignedFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A file and its signature. `certificate` is DER, `entries` are the log's as Sigstore's JSON has them."""

    filename: str
    sha256: str
    certificate: bytes
    signature: bytes
    entries: list[dict[str, Any]]


_DECODER: Final = msgspec.json.Decoder(SignedFile)


def is_signed_form(provenance: bytes) -> bool:
    """Whether bytes begin as this form does."""
    return provenance.startswith(_BEGINNING)


def encode_signed(signed: SignedFile) -> bytes:
    """The form; the same signature gives the same bytes."""
    return _BEGINNING + msgspec.json.encode(signed, order="deterministic")


def decode_signed(provenance: bytes) -> SignedFile:
    """What `encode_signed` was given. Raises Wrong for all that it does not produce."""
    try:
        signed = _DECODER.decode(provenance.removeprefix(_BEGINNING))
        if encode_signed(signed) == provenance:  # whatever a lenient decoder reads over shows here
            return signed
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        pass
    raise Wrong("the attached signature was not written by this program")
