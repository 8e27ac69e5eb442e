"""Attacks on the signature, and bundles spliced from genuine ones."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256 as sha256_of
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bundles.attack import Attacks, Who
from bundles.attacks_on_the_archive import members_of
from bundles.support import KEY, TRUSTED, Genuine, archive, genuine, key_of, signed
from inbond.bundles import tar
from inbond.bundles.manifest_json import encode_manifest

SIGNATURE = Attacks("The signature", Who.CARRIER)
# RFC 8032, section 5.1: the order of the group. A signature's second half counts modulo this.
ORDER = 2**252 + 27742317777372353535851937790883648493


def with_signature(bundle: Genuine, change: Callable[[dict[str, Any]], None]) -> bytes:
    """The bundle with fields of its signature changed, in good form."""
    (name, raw), *others = members_of(bundle)
    fields = json.loads(raw)
    change(fields)
    return archive([(name, compact(fields)), *others])


def compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


@SIGNATURE.told("it is signed with the attacker's own key")
def own_key(bundle: Genuine) -> bytes:
    return signed(bundle.raw, bundle.carried, key_of("an attacker"))


@SIGNATURE.told("it is signed with the attacker's own key, which is given out for the trusted one")
def own_key_under_a_trusted_id(bundle: Genuine) -> bytes:
    return with_signature(
        bundle, lambda it: it.update(signature=base64.b64encode(key_of("an attacker").sign(bundle.raw)).decode())
    )


@SIGNATURE.told("it is given out as signed with the other key that is trusted")
def another_trusted_id(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(key=TRUSTED[1].id))


@SIGNATURE.told("the manifest is changed, and the signature left as it is")
def manifest_changed(bundle: Genuine) -> bytes:
    raw = encode_manifest(replace(bundle.manifest, index="evil"))
    signature, _, *blobs = members_of(bundle)
    return archive([signature, (tar.MANIFEST_NAME, raw), *blobs])


@SIGNATURE.told("the manifest is changed, and the signature names its digest and size")
def manifest_changed_with_its_digest(bundle: Genuine) -> bytes:
    raw = encode_manifest(replace(bundle.manifest, index="evil"))
    (name, signature), _, *blobs = members_of(bundle)
    fields = json.loads(signature)
    fields.update(manifest_sha256=sha256_of(raw).hexdigest(), manifest_size=len(raw))
    return archive([(name, compact(fields)), (tar.MANIFEST_NAME, raw), *blobs])


@SIGNATURE.told("the signature is that of another genuine bundle")
def signature_of_another_bundle(bundle: Genuine) -> bytes:
    return archive([members_of(genuine("late"))[0], *members_of(bundle)[1:]])


@SIGNATURE.told("signature and manifest are those of another genuine bundle, and the files this one's")
def blobs_of_another_bundle(bundle: Genuine) -> bytes:
    return archive([*members_of(genuine("late"))[:2], *members_of(bundle)[2:]])


@SIGNATURE.told("the trusted key has signed these bytes, but as something else than a bundle's manifest")
def signed_as_something_else(bundle: Genuine) -> bytes:
    signature = Ed25519PrivateKey.from_private_bytes(KEY.raw).sign(bundle.raw)
    return with_signature(bundle, lambda it: it.update(signature=base64.b64encode(signature).decode()))


@SIGNATURE.told("the signature is turned into another one that a lenient reader takes")
def malleated(bundle: Genuine) -> bytes:
    made = KEY.sign(bundle.raw)
    second = (int.from_bytes(made[32:], "little") + ORDER).to_bytes(32, "little")
    return with_signature(bundle, lambda it: it.update(signature=base64.b64encode(made[:32] + second).decode()))


@SIGNATURE.told("the signature is empty")
def empty_signature(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(signature=""))


@SIGNATURE.told("the signature is all zeros")
def signature_of_zeros(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(signature=base64.b64encode(bytes(64)).decode()))


@SIGNATURE.told("the signature is in another spelling of base64")
def another_base64(bundle: Genuine) -> bytes:
    def respell(fields: dict[str, Any]) -> None:
        text = fields["signature"]
        fields["signature"] = text[:-3] + chr(ord(text[-3]) + 1) + "=="  # the unused bits of the last digit

    return with_signature(bundle, respell)


@SIGNATURE.told("the bundle calls itself one of another format, whose rules may be others")
def another_format(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(inbond_bundle=0))


@SIGNATURE.told("the signature has a key more")
def one_key_more(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(algorithm="none"))


@SIGNATURE.told("the signature names a digest twice, which readers take differently")
def digest_twice(bundle: Genuine) -> bytes:
    (name, raw), *others = members_of(bundle)
    twice = raw.replace(b'"manifest_sha256":', b'"manifest_sha256":"' + b"0" * 64 + b'","manifest_sha256":')
    return archive([(name, twice), *others])


@SIGNATURE.told("the manifest is said to have eight gibibytes")
def enormous_manifest(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(manifest_size=2**33))


@SIGNATURE.told("the manifest is said to have a negative size")
def negative_manifest(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(manifest_size=-1))


@SIGNATURE.told("a line that clears the screen stands for the key that signed")
def screen_cleared(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(key="\x1b[2J\x1b[1;1Hk-trusted"))


@SIGNATURE.told("the digest in the signature is the path of a file")
def digest_that_is_a_path(bundle: Genuine) -> bytes:
    return with_signature(bundle, lambda it: it.update(manifest_sha256="../../etc/passwd"))
