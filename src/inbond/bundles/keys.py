"""The keys that bundles are signed with: Ed25519 (RFC 8032), in the PEM files that openssl reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256 as sha256_of
from typing import Final, Self

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from inbond.bundles.limits import MAX_KEY_FILE_BYTES
from inbond.model.errors import InvalidBundle

ID_DIGITS: Final = 16
_MAKE_ONE: Final = "make a pair with inbond bundle keygen, and name the public half in [imports] keys"


def signed_text(manifest_sha256: str) -> bytes:
    """What a signature is made over. The words keep it from being taken for a signature over anything else."""
    return f"inbond bundle, format 1\nmanifest sha256 {manifest_sha256}\n".encode()


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Who may have signed a bundle."""

    raw: bytes  # 32 bytes

    @classmethod
    def parse(cls, pem: bytes) -> Self:
        """Reads a PEM file (SubjectPublicKeyInfo). Raises `InvalidBundle`."""
        if b"PRIVATE KEY" in pem:
            raise InvalidBundle(
                "this is a private key, and the public half is what is asked for",
                remedy="openssl pkey -in KEY -pubout writes it; whoever has the private one can sign bundles",
            )
        try:
            key = load_pem_public_key(_within_limit(pem))
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidBundle("this is no public key in PEM", remedy=_MAKE_ONE) from error
        if not isinstance(key, Ed25519PublicKey):
            raise InvalidBundle("this is a public key of another kind than Ed25519", remedy=_MAKE_ONE)
        return cls(key.public_bytes_raw())

    @property
    def pem(self) -> bytes:
        """The PEM file, as openssl writes it."""
        return self._key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    @property
    def id(self) -> str:
        """`k-` and sixteen hexadecimal digits."""
        return f"k-{sha256_of(self.raw).hexdigest()[:ID_DIGITS]}"

    def verify(self, manifest_sha256: str, signature: bytes) -> bool:
        """Whether this key signed the manifest that has this digest."""
        try:
            self._key.verify(signature, signed_text(manifest_sha256))
        except InvalidSignature:
            return False
        return True

    @property
    def _key(self) -> Ed25519PublicKey:
        return Ed25519PublicKey.from_public_bytes(self.raw)


@dataclass(frozen=True, slots=True, repr=False)
class SigningKey:
    """What signs bundles; it never shows itself but in `pem`."""

    raw: bytes  # 32 bytes

    @classmethod
    def generate(cls) -> Self:
        """A new key."""
        return cls(Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, pem: bytes) -> Self:
        """Reads a PEM file (PKCS #8) without a password. Raises `InvalidBundle`."""
        try:
            key = load_pem_private_key(_within_limit(pem), password=None)
        except TypeError as error:  # the library's word for a password that is not there
            raise InvalidBundle(
                "this private key is locked with a password, and nobody is there to type it",
                remedy="openssl pkey -in KEY -out OTHER writes it without; keep that file to yourself",
            ) from error
        except (ValueError, UnsupportedAlgorithm) as error:
            raise InvalidBundle("this is no private key in PEM", remedy=_MAKE_ONE) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise InvalidBundle("this is a private key of another kind than Ed25519", remedy=_MAKE_ONE)
        return cls(key.private_bytes_raw())

    @property
    def pem(self) -> bytes:
        """The PEM file, as openssl writes it. Who reads it can sign."""
        return self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    @property
    def public(self) -> PublicKey:
        """The half that the receiving side has."""
        return PublicKey(self._key.public_key().public_bytes_raw())

    def sign(self, manifest: bytes) -> bytes:
        """The signature of a manifest, of 64 bytes; always the same for the same."""
        return self._key.sign(signed_text(sha256_of(manifest).hexdigest()))

    @property
    def _key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(self.raw)


def _within_limit(pem: bytes) -> bytes:
    if len(pem) > MAX_KEY_FILE_BYTES:
        raise ValueError("larger than any key")
    return pem
