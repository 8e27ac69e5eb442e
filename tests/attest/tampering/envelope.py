"""Envelope: what exactly was signed, and with which key (DSSE)."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from typing import Any, Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

from attest.tampering.row import ACME, NAME, OURS, SHA256, Row, attested, edited, faulty, statement
from sim.sigstore_encoding import b64, new_key

_FORGED: Final = "signature is not genuine"
_MALFORMED: Final = "certificate or signature is malformed"
_ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (NIST SP 800-186)
_KEY: Final = new_key()  # a signer's, where a row signs by itself


def _changed(id_: str, done: str, reason: str, edit: Callable[[Any], Any]) -> Row:
    """A row about an honest attestation that was changed on the way."""
    return edited(id_, done, reason, lambda document: edit(document["attestation_bundles"][0]["attestations"][0]))


def _envelope(**members: Any) -> Callable[[Any], Any]:
    return lambda attestation: attestation["envelope"].update(members)


def _statement(edit: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    """Another statement stands there than was signed."""
    return lambda attestation: _envelope(statement=b64(edit(base64.b64decode(attestation["envelope"]["statement"]))))(
        attestation
    )


def _signature(edit: Callable[[bytes], bytes]) -> Callable[[Any], Any]:
    """Another signature stands there than the log took."""
    return lambda attestation: _envelope(signature=b64(edit(base64.b64decode(attestation["envelope"]["signature"]))))(
        attestation
    )


def _payload(signed: bytes) -> bytes:
    return signed.split(b" ", 4)[4]


def _typed(payload_type: bytes) -> Callable[[bytes], bytes]:
    """The same statement, signed as being of another type."""
    return lambda signed: b"DSSEv1 %d %s %d %s" % (
        len(payload_type), payload_type, len(_payload(signed)), _payload(signed),
    )  # fmt: skip


def _mirrored(signature: bytes) -> bytes:
    """The other signature that is good for the same bytes: (r, n - s)."""
    r, s = decode_dss_signature(signature)
    return encode_dss_signature(r, _ORDER - s)


def _raw(signature: bytes) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def _by_sha512(_: bytes) -> bytes:
    signed = statement()
    return _KEY.sign(b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(signed), signed), ec.ECDSA(hashes.SHA512()))


def _other_run(part: str) -> Callable[[Any], Any]:
    """A part of another run's attestation about the same file, by the same signer."""

    def edit(attestation: Any) -> None:
        other = attested()
        match part:
            case "envelope":
                attestation["envelope"] = other["envelope"]
            case "certificate":
                attestation["verification_material"]["certificate"] = other["verification_material"]["certificate"]
            case _:
                attestation["envelope"][part] = other["envelope"][part]

    return edit


def _other_file(attestation: Any) -> None:
    attestation["envelope"] = OURS.attest("gadgets-1.0.tar.gz", SHA256, ACME)["envelope"]


def _bare_statement(attestation: Any) -> None:
    envelope = attestation["envelope"]
    envelope["statement"] = json.loads(base64.b64decode(envelope["statement"]))


def _list_of_signatures(attestation: Any) -> None:
    envelope = attestation["envelope"]
    envelope["signatures"] = [{"sig": envelope.pop("signature")}]


ROWS: Final[tuple[Row, ...]] = (
    faulty("signature-forged", "one bit of the signature is flipped", _FORGED, signature="badsig"),
    faulty("signature-empty", "the signature is empty", _MALFORMED, signature="empty"),
    faulty("signature-other-key", "signed with another key than the certificate's", _FORGED, leaf_key="other"),
    faulty("signature-sha-512", "signed by another digest than the log's kind of entry has", _FORGED,
           leaf_key=_KEY, edit_signature=_by_sha512),
    faulty("signature-raw", "two numbers where DER belongs", _FORGED, edit_signature=_raw),
    faulty("signature-with-more", "bytes follow the signature", _FORGED, edit_signature=lambda raw: raw + b"\0"),
    faulty("signature-of-zeros", "r and s are 0", _FORGED, edit_signature=lambda _: encode_dss_signature(0, 0)),
    faulty("signature-of-ones", "r and s are 1", _FORGED, edit_signature=lambda _: encode_dss_signature(1, 1)),
    faulty("signature-of-the-order", "r and s are the order of the curve", _FORGED,
           edit_signature=lambda _: encode_dss_signature(_ORDER, _ORDER)),
    _changed("signature-mirrored", "the other signature that is good for the same bytes, which the log did not take",
             "log entry is about something else", _signature(_mirrored)),
    _changed("signature-of-another-run", "the signature is another run's", _FORGED, _other_run("signature")),
    _changed("certificate-of-another-run", "the certificate is another run's", _FORGED, _other_run("certificate")),
    _changed("envelope-of-another-run", "statement and signature are another run's", _FORGED, _other_run("envelope")),
    _changed("envelope-of-another-file", "statement and signature are another file's", _FORGED, _other_file),
    faulty("signed-bare", "signed without the payload's type and length", _FORGED, edit_signed=_payload),
    faulty("signed-as-json", "signed as plain JSON", _FORGED, edit_signed=_typed(b"application/json")),
    faulty("signed-untyped", "signed as being of no type", _FORGED, edit_signed=_typed(b"")),
    faulty("signed-other-version", "signed in another version of the envelope", _FORGED,
           edit_signed=lambda signed: signed.replace(b"DSSEv1", b"DSSEv2")),
    faulty("signed-other-length", "signed with another length before the payload", _FORGED,
           edit_signed=lambda signed: signed.replace(b"+json ", b"+json 0", 1)),
    faulty("signed-digest", "signed was the payload's digest", _FORGED,
           edit_signed=lambda signed: hashlib.sha256(signed).digest()),
    faulty("statement-swapped", "another statement stands there than was signed", _FORGED,
           shown_statement=statement(predicate={})),
    _changed("statement-respaced", "a space was added to the statement", _FORGED, _statement(lambda raw: raw + b" ")),
    _changed("statement-recoded", "the statement was written anew, with the same content", _FORGED,
             _statement(lambda raw: json.dumps(json.loads(raw), separators=(",", ":")).encode())),
    _changed("statement-mark-added", "a byte order mark was put before the statement", _FORGED,
             _statement(lambda raw: b"\xef\xbb\xbf" + raw)),
    _changed("statement-escaped", "a letter of the statement was written as an escape", _FORGED,
             _statement(lambda raw: raw.replace(NAME.encode(), b"\\u0077" + NAME[1:].encode()))),
    _changed("statement-missing", "there is no statement", "not an attestation object",
             lambda attestation: attestation["envelope"].pop("statement")),
    _changed("statement-an-object", "the statement stands there as it is, not as base64", "not an attestation object",
             _bare_statement),
    _changed("statement-not-base64", "the statement is not base64", "not an attestation object",
             _envelope(statement="x")),
    _changed("signatures-a-list", "there is a list of signatures, as in an envelope of DSSE's own",
             "not an attestation object",
             _list_of_signatures),
)  # fmt: skip
