"""Time and chain: who issued the certificate, for what, in which form, and whether that was in force when it signed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from attest.tampering.row import NOW, OURS, THEIRS, UNKNOWN_KEY, Row, faulty
from sim.sigstore import DEFAULT_NOW, Sigstore
from sim.sigstore_encoding import PrivateKey, new_key

LONG_AGO: Final = datetime(2019, 6, 1, tzinfo=UTC)
_HOUR: Final = timedelta(hours=1)
_BEGAN: Final = datetime(2021, 1, 1, tzinfo=UTC)
_UNKNOWN: Final = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
_CONSTRAINED: Final = x509.NameConstraints([x509.UniformResourceIdentifier("acme.example")], None)
_KIND: Final = "key is not of a kind that signs here"
_NOT_UNDER: Final = "does not hold under the authority it names"
_V3: Final = bytes.fromhex("a003020102")


@cache
def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)  # slow to make, so made once


def _serial(octets: bytes) -> Callable[[bytes], bytes]:
    """Another serial number where the certificate has its own."""

    def edit(tbs: bytes) -> bytes:
        at = tbs.index(_V3) + len(_V3)
        head = at + 2 + tbs[at + 1]
        return _resized(tbs, tbs[tbs.index(_V3) : at] + b"\x02" + bytes([len(octets)]) + octets + tbs[head:])

    return edit


def _resized(tbs: bytes, content: bytes) -> bytes:
    assert tbs[0] == 0x30
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def _version_1(tbs: bytes) -> bytes:
    return tbs.replace(_V3, bytes.fromhex("a003020100"), 1)


def _inner_algorithm(tbs: bytes) -> bytes:
    """ecdsa-with-SHA384 inside, where the signature is by SHA-256 and says so."""
    return tbs.replace(bytes.fromhex("2a8648ce3d040302"), bytes.fromhex("2a8648ce3d040303"), 1)


def _backwards(tbs: bytes) -> bytes:
    """Begins when it should end, and the other way round (two UTCTimes in one SEQUENCE)."""
    at = tbs.index(b"\x30\x1e\x17\x0d") + 2
    return tbs[:at] + tbs[at + 15 : at + 30] + tbs[at : at + 15] + tbs[at + 30 :]


def _as_pem(raw: bytes) -> bytes:
    return x509.load_der_x509_certificate(raw).public_bytes(Encoding.PEM)


def _long_length(raw: bytes) -> bytes:
    """The outer length in three bytes where two do: BER, not DER."""
    return b"\x30\x83\x00" + raw[2:]


def _first_bit_of_signature(raw: bytes) -> bytes:
    return raw[:-40] + bytes([raw[-40] ^ 1]) + raw[-39:]


_STRANGERS_KEY: Final[PrivateKey] = new_key()
_ENDED: Final = OURS.trusted_root(ca_window=(_BEGAN, DEFAULT_NOW - _HOUR))
_YOUNG: Final = OURS.trusted_root(ca_window=(DEFAULT_NOW + _HOUR, None))
_NAMELESS: Final = Sigstore()  # another of the same name: the same words, other keys

ROWS: Final[tuple[Row, ...]] = (
    faulty("stranger", "issued by another authority", "certificate authority that the trusted root does not know",
           expected=UNKNOWN_KEY, ca=THEIRS),
    faulty("stranger-in-our-name", "issued by another authority that names ours, with our key's id",
           _NOT_UNDER,
           ca=THEIRS, authority_key_id=OURS.ca_key_id, issuer_name="sigstore.example"),
    faulty("namesake", "issued by another authority of the same name", "certificate authority that the trusted root",
           expected=UNKNOWN_KEY, ca=_NAMELESS),
    faulty("other-key-in-our-name", "issued in our authority's name and id, signed with another key",
           _NOT_UNDER,
           ca_key=_STRANGERS_KEY),
    faulty("other-issuer-name", "signed by our authority in another name", _NOT_UNDER,
           issuer_name="someone else"),
    faulty("issuer-key-id-missing", "does not say by which key it was issued", "does not say which authority",
           authority_key_id=b""),
    faulty("issuer-key-id-other", "says that a stranger's key issued it", "certificate authority that the trusted root",
           expected=UNKNOWN_KEY, authority_key_id=THEIRS.ca_key_id),
    faulty("certificate-signature-forged", "one bit of the authority's signature is flipped", _NOT_UNDER,
           edit_certificate=_first_bit_of_signature),
    faulty("expired", "it had expired when it signed", "not valid when it was signed", issued=DEFAULT_NOW - _HOUR),
    faulty("not-yet-valid", "it was not valid yet when it signed", "not valid when it was signed",
           issued=DEFAULT_NOW + timedelta(minutes=1)),
    faulty("ends-before-it-begins", "it ends before it begins", "not valid when it was signed", edit_tbs=_backwards),
    faulty("logged-a-day-late", "the log took it a day after it had expired", "not valid when it was signed",
           integrated_time=DEFAULT_NOW + timedelta(days=1)),
    faulty("dated-tomorrow", "certificate and log say tomorrow", "in the future",
           integrated_time=NOW + timedelta(days=1), issued=NOW + timedelta(days=1)),
    faulty("dated-before-the-authority", "certificate and log say a time before our authority began",
           "authority was not in force", integrated_time=LONG_AGO, issued=LONG_AGO),
    faulty("authority-ended", "our authority's time in the trusted root was over", "authority was not in force",
           root=_ENDED),
    faulty("authority-not-begun", "our authority's time in the trusted root had not begun",
           "authority was not in force",
           root=_YOUNG),
    faulty("not-for-signing", "its key may not sign", "not one for signing", usage="no-signing"),
    faulty("usage-missing", "does not say what its key may do", "not one for signing", usage="missing"),
    faulty("an-authority", "it is an authority's", _NOT_UNDER, usage="authority"),
    faulty("purpose-missing", "does not say what it is for", "not one for signing", purpose="missing"),
    faulty("purpose-servers", "it is for web servers", "not one for signing", purpose="server"),
    faulty("purpose-any", "it is for anything", "not one for signing", purpose="any"),
    faulty("unknown-critical", "has a critical extension that nobody knows", _NOT_UNDER,
           more_extensions=[(_UNKNOWN, True)]),
    faulty("name-constraints", "a leaf with constraints on names", _NOT_UNDER,
           more_extensions=[(_CONSTRAINED, True)]),
    faulty("key-ed25519", "its key is an Ed25519 one", _KIND,
           leaf_key=ed25519.Ed25519PrivateKey.generate()),
    faulty("key-rsa", "its key is an RSA one", _KIND, leaf_key=_rsa()),
    faulty("key-koblitz", "its key is on a curve that Sigstore does not use", _KIND,
           leaf_key=ec.generate_private_key(ec.SECP256K1())),
    faulty("serial-negative", "its serial number is negative", "serial number is not positive",
           edit_tbs=_serial(b"\x80\x01")),
    faulty("serial-zero", "its serial number is 0", "serial number is not positive", edit_tbs=_serial(b"\x00")),
    faulty("serial-endless", "its serial number has 40 bytes", _NOT_UNDER,
           edit_tbs=_serial(b"\x01" * 40)),
    faulty("version-1", "it is of version 1, with extensions", "malformed", edit_tbs=_version_1),
    faulty("algorithms-two", "names one signature algorithm inside and another outside", _NOT_UNDER,
           edit_tbs=_inner_algorithm),
    faulty("der-truncated", "its last bytes are missing", "malformed", edit_certificate=lambda raw: raw[:-9]),
    faulty("der-with-more", "bytes follow it", "malformed", edit_certificate=lambda raw: raw + b"\0\0"),
    faulty("der-long-length", "it is BER, not DER", "malformed", edit_certificate=_long_length),
    faulty("two-certificates", "it stands there twice in a row", "malformed", edit_certificate=lambda raw: raw * 2),
    faulty("pem", "it is PEM", "malformed", edit_certificate=_as_pem),
    faulty("base64-twice", "it is coded twice", "malformed", edit_certificate=base64.b64encode),
    faulty("junk", "something else stands in its place", "malformed", certificate=b"junk"),
    faulty("certificate-nothing", "nothing stands in its place", "malformed", certificate=b""),
    faulty("ours-itself", "our authority's own certificate stands in its place",
           "carries 0 certificate transparency timestamps",
           certificate=OURS.ca_certificate.public_bytes(Encoding.DER)),
)  # fmt: skip
