"""A private Sigstore: certificate authority, certificate transparency log and Rekor log, and all their misdeeds.

Built from `cryptography` alone. The unmodified sigstore and pypi-attestations accept what it signs, so whatever is
refused in a test is refused for the one fault that was asked for:

    sigstore = Sigstore()
    verifier_root = sigstore.trusted_root()
    provenance = sigstore.provenance_for("acme-1.0.tar.gz", sha256, GitHub(repo="acme"), sct="badsig")

What is modelled: Fulcio's certificates (fulcio/docs/oid-info.md), embedded SCTs over the precertificate (RFC 6962),
DSSE envelopes, Rekor v1 `dsse` 0.0.1 entries with signed entry timestamp, inclusion proof (RFC 6962) and
checkpoint (C2SP tlog-checkpoint), the `trusted_root.json` of sigstore's protobuf-specs, and PEP 740 objects.
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, Final, Literal, Protocol, TypedDict, Unpack

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pypi_attestations import AttestationType

PUBLISH: Final[str] = AttestationType.PYPI_PUBLISH_V1.value
SLSA: Final[str] = AttestationType.SLSA_PROVENANCE_V1.value
STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
# Before the wall clock wherever the tests run: the library takes no key whose window has not begun.
DEFAULT_NOW: Final = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
CERTIFICATE_LIFETIME: Final = timedelta(minutes=10)

_FULCIO: Final = "1.3.6.1.4.1.57264.1"
_SCT_LIST: Final = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_TREE_SIZE: Final = 1 << 12

Json = dict[str, Any]
PrivateKey = ec.EllipticCurvePrivateKey
Window = tuple[datetime, datetime | None]


# --- Who signs --------------------------------------------------------------------------------------------------


class Identity(Protocol):
    """Somebody the certificate authority issues certificates to."""

    def publisher(self) -> Json:
        """The publisher object that an index would put beside this identity's attestations."""
        ...

    def names(self) -> list[x509.GeneralName]:
        """The certificate's subject alternative names."""
        ...

    def claims(self) -> dict[int, str]:
        """Fulcio's extensions by their last arc."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class GitHub:
    owner: str = "acme"
    repo: str = "widgets"
    workflow: str = "release.yml"
    ref: str = "refs/tags/v1.0"
    environment: str | None = None
    repository_id: str = "1001"
    owner_id: str = "2002"
    commit: str = "4f2c9d1e" * 5
    trigger: str = "release"
    runner: str = "github-hosted"
    called_workflow: str | None = None  # a reusable workflow that did the work: URI without the ref

    def publisher(self) -> Json:
        repository = f"{self.owner}/{self.repo}"
        return {"kind": "GitHub", "repository": repository, "workflow": self.workflow, "environment": self.environment}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[9])]

    def claims(self) -> dict[int, str]:
        home = f"https://github.com/{self.owner}"
        repository = f"{home}/{self.repo}"
        workflow = f"{repository}/.github/workflows/{self.workflow}@{self.ref}"
        claims = {
            1: "https://token.actions.githubusercontent.com",
            2: self.trigger,
            3: self.commit,
            5: f"{self.owner}/{self.repo}",
            6: self.ref,
            8: "https://token.actions.githubusercontent.com",
            9: f"{self.called_workflow}@refs/heads/main" if self.called_workflow else workflow,
            10: self.commit,
            11: self.runner,
            12: repository,
            13: self.commit,
            14: self.ref,
            15: self.repository_id,
            16: home,
            17: self.owner_id,
            18: workflow,
            19: self.commit,
            20: self.trigger,
            21: f"{repository}/actions/runs/77/attempts/1",
            22: "public",
        }
        if self.environment is not None:
            claims[23] = self.environment
            claims[24] = f"repo:{self.owner}/{self.repo}:environment:{self.environment}"
        return claims


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLab:
    project: str = "acme/tools/widgets"
    workflow_filepath: str = ".gitlab-ci.yml"
    ref: str = "refs/tags/v1.0"
    environment: str | None = None
    host: str = "https://gitlab.com"
    commit: str = "9b1de37a" * 5

    def publisher(self) -> Json:
        path = {"repository": self.project, "workflow_filepath": self.workflow_filepath}
        return {"kind": "GitLab", "environment": self.environment, **path}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[18])]

    def claims(self) -> dict[int, str]:
        repository = f"{self.host}/{self.project}"
        workflow = f"{repository}//{self.workflow_filepath}@{self.ref}"
        return {
            1: self.host,
            8: self.host,
            9: workflow,
            10: self.commit,
            11: "gitlab-hosted",
            12: repository,
            13: self.commit,
            14: self.ref,
            15: "3003",
            16: repository.rpartition("/")[0],
            17: "4004",
            18: workflow,
            19: self.commit,
            20: "push",
            21: f"{repository}/-/jobs/88",
            22: "private",
        } | ({23: self.environment} if self.environment is not None else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class Google:
    email: str = "build@acme.example"

    def publisher(self) -> Json:
        return {"kind": "Google", "email": self.email}

    def names(self) -> list[x509.GeneralName]:
        return [x509.RFC822Name(self.email)]

    def claims(self) -> dict[int, str]:
        return {1: "https://accounts.google.com", 8: "https://accounts.google.com"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CircleCI:
    project_id: str = "0d6f2f5e-2d0f-4c5f-8f6f-1a2b3c4d5e6f"
    pipeline_definition_id: str = "7c1e9d38-5b64-4f0e-9f5d-6a5b4c3d2e1f"
    vcs_origin: str = "github.com/acme/widgets"
    vcs_ref: str = "refs/heads/main"

    def publisher(self) -> Json:
        ids = {"project_id": self.project_id, "pipeline_definition_id": self.pipeline_definition_id}
        return {"kind": "CircleCI", **ids, "vcs_origin": self.vcs_origin, "vcs_ref": self.vcs_ref}

    def names(self) -> list[x509.GeneralName]:
        return [x509.UniformResourceIdentifier(self.claims()[9])]

    def claims(self) -> dict[int, str]:
        api = "https://circleci.com/api/v2"
        return {
            1: "https://oidc.circleci.com",
            8: "https://oidc.circleci.com",
            9: f"{api}/projects/{self.project_id}/pipeline-definitions/{self.pipeline_definition_id}",
            11: '""',  # what CircleCI's tokens lead to in practice
            12: self.vcs_origin,
            14: self.vcs_ref,
            18: f"{api}/pipeline/5d0c8a51-aaaa-4bbb-8ccc-0123456789ab/config",
            21: "https://app.circleci.com/workflow/99/job/1",
        }


# --- What can go wrong ------------------------------------------------------------------------------------------


class Faults(TypedDict, total=False):
    """Each key departs in one respect from what an honest Sigstore and an honest signer would do."""

    # the certificate
    ca: Sigstore  # issued by another's authority
    authority_key_id: bytes  # names this key as its issuer's, whoever signed
    issuer_name: str  # names this authority as its issuer
    issued: datetime  # when the certificate begins; the signing time otherwise
    lifetime: timedelta
    claims: Mapping[int, str | bytes | None]  # Fulcio's extensions that differ; bytes go in raw, None takes one out
    names: list[x509.GeneralName]
    usage: Literal["no-signing", "authority"]
    purpose: Literal["missing", "server"]
    certificate: bytes  # something else where the certificate belongs
    leaf_key: Literal["p384", "other"]
    # its timestamp
    sct: Literal["missing", "badsig", "twice", "junk", "othercertificate"]
    sct_by: Sigstore  # another's certificate transparency log
    sct_log_id: bytes
    sct_time: datetime
    # the log entry
    log: Sigstore  # another's log
    log_id: bytes
    kind_version: tuple[str, str]
    integrated_time: datetime | str
    set: Literal["missing", "badsig", "otherindex"]
    proof: Literal["missing", "badroot", "short", "long", "otherindex", "outside"]
    checkpoint: Literal["missing", "badsig", "otherkey", "otherroot", "unsigned", "junk"]
    body: Literal["otherpayload", "othersignature", "othercertificate", "otherkind", "junk"]
    entries: int  # how many log entries stand there
    # the envelope
    signature: Literal["badsig", "empty"]
    shown_statement: bytes  # stands in the envelope although something else was signed
    # the statement
    statement: bytes
    subjects: Sequence[Any]
    predicate_type: str
    predicate: Any
    statement_type: str
    # the attestation object
    version: object


class Windows(TypedDict, total=False):
    """Parts of a trusted root that can be written otherwise: `(start, end)` of each kind of key."""

    ca_window: Window
    ct_window: Window
    log_window: Window


# --- The services -----------------------------------------------------------------------------------------------


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
        self.ct_key = ec.generate_private_key(ec.SECP256R1())
        self.log_key = ec.generate_private_key(ec.SECP256R1())
        self._root_key = ec.generate_private_key(ec.SECP384R1())
        self._ca_key = ec.generate_private_key(ec.SECP256R1())
        self.root_certificate = _authority(self._root_key, f"{name} root", path_length=1, named=subject_key_ids)
        self.ca_certificate = _authority(
            self._ca_key, name, path_length=0, issuer=(self.root_certificate, self._root_key), named=subject_key_ids
        )
        self._log_indexes = count(10_001)

    @property
    def ct_id(self) -> bytes:
        """The key id of the certificate transparency log (RFC 6962, 3.2)."""
        return _key_id(self.ct_key)

    @property
    def log_id(self) -> bytes:
        """The key id of the transparency log."""
        return _key_id(self.log_key)

    @property
    def ca_key_id(self) -> bytes:
        """The subject key id of the issuing authority."""
        return x509.SubjectKeyIdentifier.from_public_key(self._ca_key.public_key()).digest

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
            "certChain": {"certificates": [{"rawBytes": _b64(each.public_bytes(Encoding.DER))} for each in chain]},
            "validFor": _window(window),
        }

    # --- PEP 740 objects

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
        statement = faults["statement"] if "statement" in faults else _statement(filename, sha256, faults)
        curve = ec.SECP384R1() if faults.get("leaf_key") == "p384" else ec.SECP256R1()
        key = ec.generate_private_key(curve)
        certificate = self._certify(key, identity, faults)
        signing_key = ec.generate_private_key(curve) if faults.get("leaf_key") == "other" else key
        signature = _sign(signing_key, _pae(statement))
        if "signature" in faults:
            signature = b"" if faults["signature"] == "empty" else _broken(signature)
        entries = [self._log_entry(statement, signature, certificate, faults) for _ in range(faults.get("entries", 1))]
        shown = faults.get("shown_statement", statement)
        return {
            "version": faults.get("version", 1),
            "verification_material": {
                "certificate": _b64(faults.get("certificate", certificate.public_bytes(Encoding.DER))),
                "transparency_entries": entries,
            },
            "envelope": {"statement": _b64(shown), "signature": _b64(signature)},
        }

    # --- the certificate authority

    def _certify(self, key: PrivateKey, identity: Identity, faults: Faults) -> x509.Certificate:
        ca = faults.get("ca", self)
        issued = faults.get("issued", self.now)
        issuer = ca.ca_certificate.subject
        if "issuer_name" in faults:
            issuer = _name(faults["issuer_name"])
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(issued)
            .not_valid_after(issued + faults.get("lifetime", CERTIFICATE_LIFETIME))
        )
        for extension, critical in _leaf_extensions(key, ca, identity, faults):
            builder = builder.add_extension(extension, critical=critical)
        without_sct = builder.sign(ca._ca_key, hashes.SHA256())
        if faults.get("sct") == "missing":
            return without_sct
        scts = faults.get("sct_by", self)._scts(without_sct.tbs_certificate_bytes, ca, issued, faults)
        return builder.add_extension(x509.UnrecognizedExtension(_SCT_LIST, scts), critical=False).sign(
            ca._ca_key, hashes.SHA256()
        )

    def _scts(self, precertificate: bytes, ca: Sigstore, issued: datetime, faults: Faults) -> bytes:
        """The value of the SCT list extension: RFC 6962, 3.2 and 3.3."""
        fault = faults.get("sct")
        if fault == "junk":
            return b"\x04\x02\x00\x07"
        milliseconds = int(faults.get("sct_time", issued).timestamp() * 1000)
        certified = precertificate if fault != "othercertificate" else precertificate[:-1] + b"?"
        issuer = hashlib.sha256(_spki(ca._ca_key)).digest()
        entry = issuer + len(certified).to_bytes(3, "big") + certified
        signature = _sign(self.ct_key, struct.pack("!BBQH", 0, 0, milliseconds, 1) + entry + b"\0\0")
        if fault == "badsig":
            signature = _broken(signature)
        sct = struct.pack("!B32sQHBBH", 0, faults.get("sct_log_id", self.ct_id), milliseconds, 0, 4, 3, len(signature))
        one = struct.pack("!H", len(sct) + len(signature)) + sct + signature
        listed = one * (2 if fault == "twice" else 1)
        return _octets(struct.pack("!H", len(listed)) + listed)

    # --- the transparency log

    def _log_entry(self, statement: bytes, signature: bytes, certificate: x509.Certificate, faults: Faults) -> Json:
        log = faults.get("log", self)
        log_id = faults.get("log_id", log.log_id)
        kind, version = faults.get("kind_version", ("dsse", "0.0.1"))
        body = self._entry_body(statement, signature, certificate, faults)
        index = next(log._log_indexes)
        when = faults.get("integrated_time", self.now)
        seconds = when if isinstance(when, str) else str(int(when.timestamp()))
        entry: Json = {
            "logIndex": str(index),
            "logId": {"keyId": _b64(log_id)},
            "kindVersion": {"kind": kind, "version": version},
            "integratedTime": seconds,
            "canonicalizedBody": _b64(body),
        }
        if faults.get("set") != "missing":
            entry["inclusionPromise"] = {
                "signedEntryTimestamp": _b64(log._promise(body, seconds, log_id, index, faults.get("set")))
            }
        if faults.get("proof") != "missing":
            entry["inclusionProof"] = log._prove(body, index, faults)
        return entry

    def _entry_body(self, statement: bytes, signature: bytes, certificate: x509.Certificate, faults: Faults) -> bytes:
        fault = faults.get("body")
        if fault == "junk":
            return b"not a log entry"
        if fault == "othercertificate":
            certificate = self.ca_certificate
        payload = statement if fault != "otherpayload" else b"{}"
        logged = signature if fault != "othersignature" else _broken(signature)
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(b"envelope").hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": hashlib.sha256(payload).hexdigest()},
            "signatures": [{"signature": _b64(logged), "verifier": _b64(certificate.public_bytes(Encoding.PEM))}],
        }
        return _canonical(
            {"apiVersion": "0.0.1", "kind": "hashedrekord" if fault == "otherkind" else "dsse", "spec": spec}
        )

    def _promise(self, body: bytes, seconds: str, log_id: bytes, index: int, fault: str | None) -> bytes:
        promised = {
            "body": _b64(body),
            "integratedTime": int(seconds) if seconds.isdigit() else 0,
            "logID": log_id.hex(),
            "logIndex": index + 1 if fault == "otherindex" else index,
        }
        signature = _sign(self.log_key, _canonical(promised))
        return _broken(signature) if fault == "badsig" else signature

    def _prove(self, body: bytes, index: int, faults: Faults) -> Json:
        """An inclusion proof (RFC 6962, 2.1.1) in a tree whose other leaves are padding."""
        fault = faults.get("proof")
        at = index % _TREE_SIZE
        siblings = [
            hashlib.sha256(b"padding %d %d" % (at, level)).digest() for level in range(_TREE_SIZE.bit_length() - 1)
        ]
        node = hashlib.sha256(b"\0" + body).digest()
        for level, sibling in enumerate(siblings):
            pair = sibling + node if at >> level & 1 else node + sibling
            node = hashlib.sha256(b"\1" + pair).digest()
        root = _broken(node) if fault == "badroot" else node
        shown = {"short": siblings[:-1], "long": [*siblings, node]}.get(fault or "", siblings)
        proof: Json = {
            "logIndex": str({"otherindex": at ^ 1, "outside": _TREE_SIZE}.get(fault or "", at)),
            "rootHash": _b64(root),
            "treeSize": str(_TREE_SIZE),
            "hashes": [_b64(each) for each in shown],
        }
        if faults.get("checkpoint") != "missing":
            proof["checkpoint"] = {"envelope": self._checkpoint(root, faults.get("checkpoint"))}
        return proof

    def _checkpoint(self, root: bytes, fault: str | None) -> str:
        if fault == "junk":
            return "not a signed note"
        note = f"{self.name} - 1\n{_TREE_SIZE}\n{_b64(_broken(root) if fault == 'otherroot' else root)}\n"
        if fault == "unsigned":
            return f"{note}\n"
        key = ec.generate_private_key(ec.SECP256R1()) if fault == "otherkey" else self.log_key
        signature = _sign(key, note.encode())
        shown = _broken(signature) if fault == "badsig" else signature
        return f"{note}\n\u2014 {self.name} {_b64(self.log_id[:4] + shown)}\n"


# --- Parts ------------------------------------------------------------------------------------------------------


def _statement(filename: str, sha256: str, faults: Faults) -> bytes:
    return json.dumps(
        {
            "_type": faults.get("statement_type", STATEMENT_TYPE),
            "subject": list(faults.get("subjects", [{"name": filename, "digest": {"sha256": sha256}}])),
            "predicateType": faults.get("predicate_type", PUBLISH),
            "predicate": faults.get("predicate"),
        }
    ).encode()


def _leaf_extensions(
    key: PrivateKey, ca: Sigstore, identity: Identity, faults: Faults
) -> Iterable[tuple[x509.ExtensionType, bool]]:
    usage = faults.get("usage")
    yield _usage(signing=usage != "no-signing", certifying=usage == "authority"), True
    if usage == "authority":
        yield x509.BasicConstraints(ca=True, path_length=0), True
    if faults.get("purpose") != "missing":
        server = faults.get("purpose") == "server"
        purpose = ExtendedKeyUsageOID.SERVER_AUTH if server else ExtendedKeyUsageOID.CODE_SIGNING
        yield x509.ExtendedKeyUsage([purpose]), False
    yield x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False
    authority = faults.get("authority_key_id", ca.ca_key_id)
    if authority:
        yield x509.AuthorityKeyIdentifier(authority, None, None), False
    if names := faults.get("names", identity.names()):
        yield x509.SubjectAlternativeName(names), True
    claims: dict[int, str | bytes | None] = {**identity.claims(), **faults.get("claims", {})}
    for arc, claim in sorted(claims.items()):
        if claim is not None:
            yield x509.UnrecognizedExtension(x509.ObjectIdentifier(f"{_FULCIO}.{arc}"), _claim(arc, claim)), False


def _claim(arc: int, claim: str | bytes) -> bytes:
    if isinstance(claim, bytes):
        return claim
    text = claim.encode()
    return text if arc < 7 else _der(0x0C, text)  # from .7 on: DER UTF8String


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


def _authority(
    key: PrivateKey,
    name: str,
    *,
    path_length: int,
    issuer: tuple[x509.Certificate, PrivateKey] | None = None,
    named: bool = True,
) -> x509.Certificate:
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


def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "sigstore.example"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _log(name: str, key: PrivateKey, window: Window | None) -> Json:
    return {
        "baseUrl": f"https://{name}",
        "hashAlgorithm": "SHA2_256",
        "publicKey": {
            "rawBytes": _b64(_spki(key)),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": _window(window),
        },
        "logId": {"keyId": _b64(_key_id(key))},
    }


def _window(window: Window | None) -> Json:
    start, end = window or (datetime(2021, 1, 1, tzinfo=UTC), None)
    return {"start": start.isoformat()} | ({"end": end.isoformat()} if end else {})


def _pae(statement: bytes) -> bytes:
    """The bytes that a DSSE signature covers (secure-systems-lab/dsse, protocol.md)."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(statement), statement)


def _sign(key: PrivateKey, data: bytes) -> bytes:
    return key.sign(data, ec.ECDSA(hashes.SHA256()))


def _broken(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


def _spki(key: PrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key_id(key: PrivateKey) -> bytes:
    return hashlib.sha256(_spki(key)).digest()


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _canonical(value: Json) -> bytes:
    """RFC 8785, which for ASCII strings and small integers is this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def _octets(data: bytes) -> bytes:
    return _der(0x04, data)


def _der(tag: int, data: bytes) -> bytes:
    if len(data) < 0x80:
        return bytes([tag, len(data)]) + data
    length = len(data).to_bytes((len(data).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + data
