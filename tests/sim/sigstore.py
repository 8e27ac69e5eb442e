"""A private Sigstore: certificate authority, certificate transparency log and Rekor log, and all their misdeeds.

Built from `cryptography` alone. The unmodified sigstore and pypi-attestations accept what it signs, so whatever is
refused in a test is refused for the one fault that was asked for:

    sigstore = Sigstore()
    verifier_root = sigstore.trusted_root()
    provenance = sigstore.provenance_for("acme-1.0.tar.gz", sha256, GitHub(repo="acme"), sct="badsig")

What is modelled: Fulcio's certificates with embedded SCTs (`sigstore_authority`), for the forges that PyPI takes
(`sigstore_identities`); DSSE envelopes; Rekor v1 entries (`sigstore_log`); the `trusted_root.json` of sigstore's
protobuf-specs; PEP 740 objects. What can go wrong is in `sigstore_faults`; many files at once are in `attested`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from itertools import count
from typing import Any, Final, Unpack

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from pypi_attestations import AttestationType

from sim.sigstore_authority import CERTIFICATE_LIFETIME, authority, certify
from sim.sigstore_encoding import LeafKey, PrivateKey, b64, broken, key_id, new_key, sign, spki
from sim.sigstore_faults import Faults, SctFields, Window, Windows
from sim.sigstore_identities import CircleCI, GitHub, GitLab, Google, Identity, Json
from sim.sigstore_log import file_entry, log_entry

__all__ = [
    "BUNDLE", "CERTIFICATE_LIFETIME", "DEFAULT_NOW", "PAYLOAD_TYPE", "PUBLISH", "SLSA", "STATEMENT_TYPE", "CircleCI",
    "Faults", "GitHub", "GitLab", "Google", "Identity", "SctFields", "Signer", "Sigstore", "Window", "Windows",
]  # fmt: skip

PUBLISH: Final[str] = AttestationType.PYPI_PUBLISH_V1.value
SLSA: Final[str] = AttestationType.SLSA_PROVENANCE_V1.value
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
BUNDLE: Final = "application/vnd.dev.sigstore.bundle.v0.3+json"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
# Before the wall clock wherever the tests run: the library takes no key whose window has not begun.
DEFAULT_NOW: Final = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)


class Sigstore:
    """One Sigstore: its keys, its clock and its logs.

    `now` is when things are signed unless a fault says otherwise; without `subject_key_ids` its authorities'
    certificates do not name their keys.
    """

    def __init__(
        self, name: str = "sigstore.example", *, now: datetime = DEFAULT_NOW, subject_key_ids: bool = True
    ) -> None:
        self.name = name
        self.now = now
        self.ct_key, self.log_key, self.ca_key = new_key(), new_key(), new_key()
        self._root_key = ec.generate_private_key(ec.SECP384R1())
        self.root_certificate = authority(self._root_key, f"{name} root", path_length=1, named=subject_key_ids)
        self.ca_certificate = authority(
            self.ca_key, name, path_length=0, issuer=(self.root_certificate, self._root_key), named=subject_key_ids
        )
        self.log_indexes = count(10_001)

    @cached_property
    def ct_id(self) -> bytes:
        """The key id of the certificate transparency log (RFC 6962, 3.2)."""
        return key_id(self.ct_key)

    @cached_property
    def log_id(self) -> bytes:
        """The key id of the transparency log."""
        return key_id(self.log_key)

    @cached_property
    def ca_key_id(self) -> bytes:
        """The subject key id of the issuing authority."""
        return x509.SubjectKeyIdentifier.from_public_key(self.ca_key.public_key()).digest

    @cached_property
    def ca_pem(self) -> bytes:
        """The issuing authority's certificate."""
        return self.ca_certificate.public_bytes(Encoding.PEM)

    def trusted_root(self, *also: Sigstore, **windows: Unpack[Windows]) -> bytes:
        """A `trusted_root.json` that names this Sigstore's keys, and those of others on request."""
        everyone = (self, *also)
        root = {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [_log(each.name, each.log_key, windows.get("log_window")) for each in everyone],
            "certificateAuthorities": [each._as_authority(windows.get("ca_window")) for each in everyone],
            "ctlogs": [_log(f"ctfe.{each.name}", each.ct_key, windows.get("ct_window")) for each in everyone],
            "timestampAuthorities": [],
        }
        return json.dumps(root, indent=1).encode()

    def _as_authority(self, window: Window | None) -> Json:
        chain = (self.ca_certificate, self.root_certificate)
        return {
            "subject": {"organization": self.name, "commonName": self.name},
            "uri": f"https://fulcio.{self.name}",
            "certChain": {"certificates": [{"rawBytes": b64(each.public_bytes(Encoding.DER))} for each in chain]},
            "validFor": _window(window),
        }

    def provenance_for(self, filename: str, sha256: str, identity: Identity, **faults: Unpack[Faults]) -> bytes:
        """A provenance object with one bundle of one attestation."""
        return self.provenance([(identity.publisher(), [self.attest(filename, sha256, identity, **faults)])])

    @staticmethod
    def provenance(bundles: Iterable[tuple[Any, Sequence[Any]]]) -> bytes:
        """A provenance object of bundles, each a publisher and its attestations."""
        listed = [{"publisher": publisher, "attestations": list(attestations)} for publisher, attestations in bundles]
        return json.dumps({"version": 1, "attestation_bundles": listed}).encode()

    def attest(self, filename: str, sha256: str, identity: Identity, **faults: Unpack[Faults]) -> Json:
        """An attestation object about one file, signed by `identity`."""
        return self.signer(identity, **faults).attest(filename, sha256)

    def signer(self, identity: Identity, **faults: Unpack[Faults]) -> Signer:
        """One key with its certificate, to sign any number of files with: some 2,500 a second."""
        key = _leaf_key(faults)
        certificate = certify(self, key, identity, faults)
        if faults.get("leaf_key") == "other":
            key = new_key()
        return Signer(sigstore=self, identity=identity, key=key, certificate=certificate, faults=faults)


@dataclass(frozen=True, kw_only=True)
class Signer:
    """One run of somebody's workflow: a key, its certificate (DER), and whatever is signed with it."""

    sigstore: Sigstore
    identity: Identity
    key: LeafKey
    certificate: bytes
    faults: Faults

    @cached_property
    def _pem(self) -> bytes:
        text = b64(self.certificate)
        lines = [text[at : at + 64] for at in range(0, len(text), 64)]
        return "\n".join(["-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""]).encode()

    def provenance(self, filename: str, sha256: str) -> bytes:
        """A provenance object with one bundle of one attestation."""
        return self.sigstore.provenance([(self.identity.publisher(), [self.attest(filename, sha256)])])

    def attest(self, filename: str, sha256: str) -> Json:
        """An attestation object about one file."""
        faults = self.faults
        statement = faults["statement"] if "statement" in faults else _statement(filename, sha256, faults)
        signature = self._signature(_pae(statement))
        entries = [
            log_entry(self.sigstore, statement, signature, self._pem, faults) for _ in range(faults.get("entries", 1))
        ]
        return {
            "version": faults.get("version", 1),
            "verification_material": {
                "certificate": b64(faults.get("certificate", self.certificate)),
                "transparency_entries": entries,
            },
            "envelope": {"statement": b64(faults.get("shown_statement", statement)), "signature": b64(signature)},
        }

    def bundle(self, content: bytes) -> Json:
        """A Sigstore bundle with a signature over a file of this content, as `cosign sign-blob` writes it."""
        faults = self.faults
        sha256 = hashlib.sha256(content).digest()
        signature = self._signature(content)
        entries = [
            file_entry(self.sigstore, sha256.hex(), signature, self._pem, faults)
            for _ in range(faults.get("entries", 1))
        ]
        signed = {
            "messageDigest": {"algorithm": "SHA2_256", "digest": b64(sha256)},
            "signature": b64(signature),
        }
        return self._bundle(entries) | {"messageSignature": signed}

    def attested_bundle(self, filename: str, sha256: str) -> Json:
        """The same with an attestation about a file."""
        attested = self.attest(filename, sha256)
        envelope = attested["envelope"]
        signed = {
            "payload": envelope["statement"],
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"sig": envelope["signature"]}],
        }
        return self._bundle(attested["verification_material"]["transparency_entries"]) | {"dsseEnvelope": signed}

    def _bundle(self, entries: Sequence[Json]) -> Json:
        material = {
            "certificate": {"rawBytes": b64(self.faults.get("certificate", self.certificate))},
            "tlogEntries": list(entries),
        }
        return {"mediaType": BUNDLE, "verificationMaterial": material}

    def _signature(self, signed: bytes) -> bytes:
        faults = self.faults
        signature = sign(self.key, faults.get("edit_signed", bytes)(signed))
        match faults.get("signature"):
            case "empty":
                signature = b""
            case "badsig":
                signature = broken(signature)
            case None:
                pass
        return faults.get("edit_signature", bytes)(signature)


def _leaf_key(faults: Faults) -> LeafKey:
    match faults.get("leaf_key"):
        case None | "other":
            return new_key()
        case "p384":
            return ec.generate_private_key(ec.SECP384R1())
        case key:
            return key


def _statement(filename: str, sha256: str, faults: Faults) -> bytes:
    return json.dumps(
        {
            "_type": faults.get("statement_type", STATEMENT_TYPE),
            "subject": list(faults.get("subjects", [{"name": filename, "digest": {"sha256": sha256}}])),
            "predicateType": faults.get("predicate_type", PUBLISH),
            "predicate": faults.get("predicate"),
        }
    ).encode()


def _pae(statement: bytes) -> bytes:
    """The bytes that a DSSE signature covers (secure-systems-lab/dsse, protocol.md)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(statement), statement)


def _log(name: str, key: PrivateKey, window: Window | None) -> Json:
    return {
        "baseUrl": f"https://{name}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": b64(spki(key)),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": _window(window),
        },
        "logId": {"keyId": b64(key_id(key))},
    }


def _window(window: Window | None) -> Json:
    start, end = window or (datetime(2021, 1, 1, tzinfo=UTC), None)
    return {"start": start.isoformat()} | ({"end": end.isoformat()} if end else {})
