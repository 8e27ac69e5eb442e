"""What is mutated: genuine provenance about one file, by every kind of signer, and what is signed in it."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from inbond.attest.verify import ProvenanceVerifier
from inbond.model.evidence import Verified, VerifiedAttestation
from inbond.model.names import Filename
from inbond.model.publisher import SigningIdentity
from inbond.model.trust import PUBLIC, TrustScope
from sim.sigstore import SLSA, CircleCI, GitHub, GitLab, Google, Identity, Sigstore

NAME: Final = Filename("widgets-1.0.tar.gz")
SHA256: Final = hashlib.sha256(b"widgets").hexdigest()
_SERVER: Final = "https://gitlab.acme.example"
# Everybody who signs this file; splices of two objects may put one's attestation under another's publisher.
_SIGNERS: Final[tuple[Identity, ...]] = (GitHub(), GitHub(owner="other"), GitLab(), Google(), CircleCI())

Signed = tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Corpus:
    """Genuine objects, the scopes they are verified under, and who signed what of them. All of it can be pickled."""

    objects: tuple[bytes, ...]
    others: tuple[bytes, ...]  # as genuine, about another file
    scopes: tuple[TrustScope, ...]
    now: datetime
    signed: Mapping[Signed, SigningIdentity]


def build() -> Corpus:
    """A new one, under new keys: of the public Sigstore, and of one's own with a GitLab server of one's own."""
    sigstore, own, server = Sigstore(), Sigstore("own.example"), GitLab(host=_SERVER)
    objects = [sigstore.provenance_for(NAME, SHA256, signer) for signer in _SIGNERS]
    github = _SIGNERS[0]
    both = [
        sigstore.attest(NAME, SHA256, github, predicate_type=SLSA, predicate={"buildDefinition": {"x": [1, {}]}}),
        sigstore.attest(NAME, SHA256, github),
    ]
    objects.append(sigstore.provenance([(github.publisher(), both)]))
    objects.append(
        sigstore.provenance([(each.publisher(), [sigstore.attest(NAME, SHA256, each)]) for each in _SIGNERS[1:3]])
    )
    objects.append(own.provenance_for(NAME, SHA256, server))
    others = tuple(sigstore.provenance_for("gadgets-1.0.tar.gz", "0" * 64, signer) for signer in _SIGNERS)
    scopes = (
        TrustScope(name=PUBLIC, root=sigstore.trusted_root()),
        TrustScope(name="own", root=own.trusted_root(), issuers=(_SERVER,)),
    )
    now = sigstore.now + timedelta(days=1)
    signed = dict(_signers(ProvenanceVerifier(scopes), objects, now))
    return Corpus(objects=tuple(objects), others=others, scopes=scopes, now=now, signed=signed)


def _signers(
    verifier: ProvenanceVerifier, objects: list[bytes], now: datetime
) -> Iterator[tuple[Signed, SigningIdentity]]:
    for raw in objects:
        finding = verifier.verify(raw, filename=NAME, sha256=SHA256, now=now)
        assert isinstance(finding, Verified)
        for attestation, found in zip(attestations(raw), finding.attestations, strict=True):
            assert isinstance(found, VerifiedAttestation)
            yield signed_in(attestation), found.identity


def attestations(raw: bytes) -> list[Any]:
    """All of an object, in order."""
    return [each for bundle in json.loads(raw)["attestation_bundles"] for each in bundle["attestations"]]


def signed_in(attestation: Any) -> Signed:
    """Everything in an attestation that somebody's signature covers, as bytes and numbers, however they are written.

    The publisher's signature covers the statement; the authority's the certificate; the log's promise the body (which
    holds the publisher's signature), index and time; the log's checkpoint its own lines, root and size.
    """
    material = attestation["verification_material"]
    (entry,) = material["transparency_entries"]
    proof = entry["inclusionProof"]
    octets = (
        material["certificate"],
        attestation["envelope"]["statement"],
        attestation["envelope"]["signature"],
        entry["canonicalizedBody"],
        entry["logId"]["keyId"],
        proof["rootHash"],
        *proof["hashes"],
    )
    numbers = (entry["logIndex"], entry["integratedTime"], proof["treeSize"])
    note = proof["checkpoint"]["envelope"].partition("\n\n")[0]
    return (*map(_decoded, octets), *map(int, numbers), note)


def _decoded(text: str) -> bytes:
    """As both libraries decode, which pass over what is not of the alphabet."""
    return base64.b64decode(text.encode("utf-8", "surrogatepass"))
