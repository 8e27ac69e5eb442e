"""Keys and signatures: as openssl has them, and nothing else taken for one."""

from __future__ import annotations

import subprocess
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from bundles.support import KEY, TRUSTED
from inbond.bundles.keys import PublicKey, SigningKey, signed_text
from inbond.model.errors import InvalidBundle

DIGEST = "ab" * 32


def test_a_key_is_read_as_it_was_written() -> None:
    key = SigningKey.generate()
    assert SigningKey.parse(key.pem) == key
    assert PublicKey.parse(key.public.pem) == key.public


def test_each_key_is_another() -> None:
    assert SigningKey.generate() != SigningKey.generate()


def test_a_key_does_not_show_itself() -> None:
    assert KEY.raw.hex() not in repr(KEY)
    assert repr(KEY.raw) not in repr(KEY)


def test_an_id_is_made_of_the_key() -> None:
    assert KEY.public.id == PublicKey.parse(KEY.public.pem).id
    assert len(KEY.public.id) == len("k-0123456789abcdef")
    assert TRUSTED[0].id != TRUSTED[1].id


def test_a_signature_is_good_for_its_manifest_and_key_alone() -> None:
    manifest = b"a manifest"
    signature, digest = KEY.sign(manifest), sha256(manifest).hexdigest()
    assert KEY.sign(manifest) == signature
    assert KEY.public.verify(digest, signature)
    assert not KEY.public.verify(DIGEST, signature)
    assert not TRUSTED[1].verify(digest, signature)
    assert not KEY.public.verify(digest, b"short")


def ec_pem(*, public: bool) -> bytes:
    key = generate_private_key(SECP256R1())
    if public:
        return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def locked() -> bytes:
    key = load_pem_private_key(KEY.pem, password=None)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "no public key in PEM"),
        (b"ssh-ed25519 AAAA", "no public key in PEM"),
        (b"x" * 20_000, "no public key in PEM"),
        (ec_pem(public=True), "another kind than Ed25519"),
        (KEY.pem, "a private key, and the public half"),
    ],
)
def test_what_is_no_public_key(pem: bytes, message: str) -> None:
    with pytest.raises(InvalidBundle, match=message) as caught:
        PublicKey.parse(pem)
    assert caught.value.remedy


@pytest.mark.parametrize(
    ("pem", "message"),
    [
        (b"", "no private key in PEM"),
        (KEY.public.pem, "no private key in PEM"),
        (b"x" * 20_000, "no private key in PEM"),
        (ec_pem(public=False), "another kind than Ed25519"),
        (locked(), "locked with a password"),
    ],
)
def test_what_is_no_private_key(pem: bytes, message: str) -> None:
    with pytest.raises(InvalidBundle, match=message) as caught:
        SigningKey.parse(pem)
    assert caught.value.remedy


def test_openssl_makes_the_same_files(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_bytes(KEY.pem)
    again = subprocess.run(["openssl", "pkey", "-in", "key.pem"], cwd=tmp_path, check=True, capture_output=True)
    public = ["openssl", "pkey", "-in", "key.pem", "-pubout"]
    half = subprocess.run(public, cwd=tmp_path, check=True, capture_output=True)
    assert (again.stdout, half.stdout) == (KEY.pem, KEY.public.pem)
    new = subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519"], check=True, capture_output=True)
    assert SigningKey.parse(new.stdout).pem == new.stdout


def test_what_is_signed_says_what_it_is() -> None:
    assert signed_text(DIGEST) == f"inbond bundle, format 1\nmanifest sha256 {DIGEST}\n".encode()
