"""A private certificate authority, and what servers on 127.0.0.1 show that it signed."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """An authority whose certificate is at `bundle`, in PEM."""

    def __init__(self, place: Path, name: str = "Acme root") -> None:
        self._place = place
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.KeyUsage(
            digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
            key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
        )  # fmt: skip
        certificate = (
            self._begun(self._name, self._key.public_key(), timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, SHA256())
        )
        self.bundle = place / f"{name.lower().replace(' ', '-')}.pem"
        self.bundle.write_bytes(b"# what people write above\n" + certificate.public_bytes(Encoding.PEM))

    def server(self, *names: str, lasts: timedelta = timedelta(days=1)) -> ssl.SSLContext:
        """What a server on 127.0.0.1, reached by these names too, speaks TLS with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate(*names, lasts=lasts))
        return context

    def certificate(self, *names: str, lasts: timedelta = timedelta(days=1)) -> Path:
        """A key and the certificate for it, in one file, for a server on 127.0.0.1 that has these names too."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "server")])
        known = [x509.IPAddress(IPv4Address("127.0.0.1")), *map(x509.DNSName, names)]
        authority_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        certificate = (
            self._begun(subject, key.public_key(), lasts)
            .add_extension(x509.SubjectAlternativeName(known), critical=False)
            .add_extension(authority_key, critical=False)
            .sign(self._key, SHA256())
        )
        pem = self._place / f"server-{certificate.serial_number}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        pem.write_bytes(private + certificate.public_bytes(Encoding.PEM))
        pem.chmod(0o600)
        return pem

    def revocations(self) -> Path:
        """A list of what the authority revoked, in PEM."""
        now = datetime.now(UTC)
        issued = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self._name)
            .last_update(now)
            .next_update(now + timedelta(days=1))
            .sign(self._key, SHA256())
        )
        pem = self._place / "revoked.pem"
        pem.write_bytes(issued.public_bytes(Encoding.PEM))
        return pem

    def _begun(self, subject: x509.Name, key: ec.EllipticCurvePublicKey, lasts: timedelta) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=2))
            .not_valid_after(now + lasts)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        )
