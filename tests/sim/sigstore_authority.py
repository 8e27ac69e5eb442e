"""The private Sigstore's certificates: its authorities', and those it issues, with their embedded timestamp.

Fulcio's profile (fulcio/docs/certificate-specification.md) and RFC 6962, 3.2 and 3.3.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sim.sigstore_encoding import LeafKey, PrivateKey, broken, der, octets, sign, spki
from sim.sigstore_faults import Faults, SctFields
from sim.sigstore_identities import Identity

if TYPE_CHECKING:
    from sim.sigstore import Sigstore

CERTIFICATE_LIFETIME: Final = timedelta(minutes=10)
_FULCIO: Final = "1.3.6.1.4.1.57264.1"
_SCT_LIST: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_ECDSA_WITH_SHA256: Final = bytes.fromhex("300a06082a8648ce3d040302")
_PURPOSES: Final = {
    None: ExtendedKeyUsageOID.CODE_SIGNING,
    "server": ExtendedKeyUsageOID.SERVER_AUTH,
    "any": ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,
}
_NO_FIELDS: Final = SctFields()


def certify(sigstore: Sigstore, key: LeafKey, identity: Identity, faults: Faults) -> bytes:
    """A signing certificate (DER) with the timestamp of a certificate transparency log."""
    ca = faults.get("ca", sigstore)
    signing_key = faults.get("ca_key", ca.ca_key)
    edit = faults.get("edit_tbs", bytes)
    builder = _leaf(key, ca, identity, faults, issued=faults.get("issued", sigstore.now))
    certificate = builder.sign(signing_key, hashes.SHA256())
    if faults.get("sct") != "missing":
        scts = _timestamps(sigstore, edit(certificate.tbs_certificate_bytes), ca, faults)
        extension = x509.UnrecognizedExtension(_SCT_LIST, scts)
        certificate = builder.add_extension(extension, critical=False).sign(signing_key, hashes.SHA256())
    raw = certificate.public_bytes(Encoding.DER)
    if "edit_tbs" in faults:
        raw = _reissued(edit(certificate.tbs_certificate_bytes), signing_key)
    return faults.get("edit_certificate", bytes)(raw)


def authority(
    key: PrivateKey,
    name: str,
    *,
    path_length: int,
    issuer: tuple[x509.Certificate, PrivateKey] | None = None,
    named: bool = True,
) -> x509.Certificate:
    """An authority's own certificate, by itself or by another; unless `named` it says no key ids."""
    subject = _name(name)
    signing_key = issuer[1] if issuer else key
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2045, 1, 1, tzinfo=UTC))
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_usage(signing=False, certifying=True), critical=True)
    )
    if named:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
    if issuer:
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key())
        builder = builder.add_extension(above, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
    return builder.sign(signing_key, hashes.SHA384())


def _leaf(
    key: LeafKey, ca: Sigstore, identity: Identity, faults: Faults, *, issued: datetime
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(_name(faults["issuer_name"]) if "issuer_name" in faults else ca.ca_certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(issued)
        .not_valid_after(issued + faults.get("lifetime", CERTIFICATE_LIFETIME))
    )
    for extension, critical in _leaf_extensions(key, ca, identity, faults):
        builder = builder.add_extension(extension, critical=critical)
    return builder


def _leaf_extensions(
    key: LeafKey, ca: Sigstore, identity: Identity, faults: Faults
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    usage = faults.get("usage")
    if usage != "missing":
        yield _usage(signing=usage != "no-signing", certifying=usage == "authority"), True
    if usage == "authority":
        yield x509.BasicConstraints(ca=True, path_length=0), True
    purpose = faults.get("purpose")
    if purpose != "missing":
        yield x509.ExtendedKeyUsage([_PURPOSES[purpose]]), False
    yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    above = faults.get("authority_key_id", ca.ca_key_id)
    if above:
        yield x509.AuthorityKeyIdentifier(above, None, None), False
    if names := faults.get("names", identity.names()):
        yield x509.SubjectAlternativeName(names), True
    claims: dict[int, str | bytes | None] = {**identity.claims(), **faults.get("claims", {})}
    for arc, claim in sorted(claims.items()):
        if claim is not None:
            yield x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_FULCIO}.{arc}"), _claim(arc, claim)), False
    yield from faults.get("more_extensions", ())


def _claim(arc: int, claim: str | bytes) -> bytes:
    if isinstance(claim, bytes):
        return claim
    text = claim.encode()
    return text if arc < 7 else der(0x0C, text)  # from .7 on: DER UTF8String


def _timestamps(sigstore: Sigstore, precertificate: bytes, ca: Sigstore, faults: Faults) -> bytes:
    """The value of the SCT list extension."""
    fault = faults.get("sct")
    if fault == "junk":
        return b"\x04\x02\x00\x07"
    one = _timestamp(sigstore, precertificate, ca, faults)
    listed = struct.pack("!H", len(one)) + one
    listed *= {"twice": 2, "none": 0}.get(fault or "", 1)
    return octets(struct.pack("!H", len(listed)) + listed)


def _timestamp(sigstore: Sigstore, precertificate: bytes, ca: Sigstore, faults: Faults) -> bytes:
    fault = faults.get("sct")
    log = faults.get("sct_by", sigstore)
    fields = faults.get("sct_fields", _NO_FIELDS)
    moment = faults.get("sct_time", faults.get("issued", sigstore.now))
    milliseconds = int(moment.timestamp() * 1000)
    certified = precertificate if fault != "othercertificate" else precertificate[:-1] + b"?"
    issuer = fields.issuer or hashlib.sha256(spki(ca.ca_key)).digest()
    signed = fields.extensions if fields.signed_extensions is None else fields.signed_extensions
    signature = sign(
        log.ct_key,
        struct.pack("!BBQH", fields.version, 0, milliseconds, fields.entry_type)
        + (issuer if fields.entry_type == 1 else b"")
        + len(certified).to_bytes(3, "big") + certified + struct.pack("!H", len(signed)) + signed,
    )  # fmt: skip
    shown = broken(signature) if fault == "badsig" else signature
    log_id = faults.get("sct_log_id", log.ct_id)
    head = struct.pack("!B32sQH", fields.version, log_id, milliseconds, len(fields.extensions))
    return head + fields.extensions + struct.pack("!BBH", *fields.algorithms, len(shown)) + shown


def _reissued(tbs: bytes, key: PrivateKey) -> bytes:
    """A certificate of these contents, whatever a builder would say to them (RFC 5280, 4.1)."""
    return der(0x30, tbs + _ECDSA_WITH_SHA256 + der(0x03, b"\0" + sign(key, tbs)))


def _usage(*, signing: bool, certifying: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signing,
        key_cert_sign=certifying,
        crl_sign=certifying,
        content_commitment=False,
        key_encipherment=not signing and not certifying,  # some usage must stand there
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstore.example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )
