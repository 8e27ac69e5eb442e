"""Why the libraries refuse, in our words: theirs quote what a stranger wrote, and change from version to version."""

from __future__ import annotations

import binascii
from typing import Final

from sigstore.errors import Error as SigstoreError

from inbond.attest.strict_json import RepeatedMember

# By a piece of the beginning of what the library says, in lower case. The first that fits counts.
_REFUSED: Final = (
    ("certificate chain", "its certificate does not hold under the authority it names"),
    ("verify sct", "the certificate transparency timestamp of its certificate is not genuine"),
    ("usage is not", "its certificate is not one for signing"),
    ("usage does not", "its certificate is not one for signing"),
    ("inclusion promise", "the log's signed promise to include it is not genuine"),
    ("root hash signature", "the log's checkpoint is of another tree"),
    ("inclusion proof", "the log's proof that it is included does not add up"),
    ("checkpoint", "the log's checkpoint is not genuine"),
    ("note", "the log's checkpoint is not genuine"),
    ("dsse: invalid signature", "its signature is not genuine"),
    ("signature is invalid for input", "its signature is not genuine"),
    ("log entry", "its log entry is about something else"),
)
# The same where it cannot even begin.
_MALFORMED: Final = (
    ("transparency log entry", "its log entry is malformed"),
    ("inclusion promise", "the log's signed promise to include it is missing"),
)
# What follows quotes the attestation, in which a stranger, or chance, may have written any of these pieces.
_SAID_CHARS: Final = 80


def refused(error: SigstoreError) -> str:
    """Why an attestation that could be read does not verify."""
    said = _said(error)
    return next((ours for theirs, ours in _REFUSED if theirs in said), f"it does not verify ({type(error).__name__})")


def malformed(error: Exception) -> str:
    """Why an attestation cannot be put together."""
    said = _said(error)
    return next((ours for theirs, ours in _MALFORMED if theirs in said), "its certificate or signature is malformed")


def unread(error: Exception) -> str:
    """Why an attestation cannot be read, where a library raised what is none of its own exceptions."""
    match error:
        case binascii.Error():
            return "something in it is not base64"
        case RepeatedMember():
            return "its log entry names the same member twice"
        case _:
            return f"it cannot be read ({type(error).__name__})"


def _said(error: Exception) -> str:
    return str(error)[:_SAID_CHARS].lower()
