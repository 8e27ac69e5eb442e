"""How the private Sigstore writes things down: base64, DER, canonical JSON, keys and their ids, signatures."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

PrivateKey = ec.EllipticCurvePrivateKey
LeafKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey


def new_key() -> PrivateKey:
    """A key as all services have them."""
    return ec.generate_private_key(ec.SECP256R1())


def sign(key: LeafKey, data: bytes) -> bytes:
    """A signature over `data`, by the one algorithm that Sigstore uses with such a key."""
    match key:
        case ec.EllipticCurvePrivateKey():
            return key.sign(data, ec.ECDSA(hashes.SHA256()))
        case ed25519.Ed25519PrivateKey():
            return key.sign(data)
        case rsa.RSAPrivateKey():
            return key.sign(data, PKCS1v15(), hashes.SHA256())


def broken(data: bytes) -> bytes:
    """The same bytes but for the last bit."""
    return data[:-1] + bytes([data[-1] ^ 1])


def spki(key: PrivateKey) -> bytes:
    """The public half (RFC 5280, 4.1.2.7)."""
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key: PrivateKey) -> bytes:
    """What logs are named by (RFC 6962, 3.2)."""
    return hashlib.sha256(spki(key)).digest()


def b64(data: bytes) -> str:
    """Base64 as JSON carries it."""
    return base64.b64encode(data).decode()


def canonical(value: Any) -> bytes:
    """RFC 8785, which for ASCII strings and small integers is this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def der(tag: int, data: bytes) -> bytes:
    """One DER element."""
    if len(data) < 0x80:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data


def octets(data: bytes) -> bytes:
    """A DER OCTET STRING."""
    return der(0x04, data)
