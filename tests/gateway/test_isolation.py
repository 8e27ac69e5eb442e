"""Hostile provenance through the real verifier process: bounded seconds, bounded memory, and the next file verified.

Nothing here is signed by anybody who counts: what gets as far as the libraries' parsers needs no key, and what gets
further only a certificate of the authority's, which it gives to anybody.
"""

from __future__ import annotations

import asyncio
import base64
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding

from gateway.trust_support import NAME, SHA256, UPSTREAM
from inbond.attest.limits import MAX_ATTESTATIONS, MAX_PROVENANCE_BYTES
from inbond.gateway.verifier import CALL_TIMEOUT, VerifierFailed, VerifierProcess, VerifierTimeout
from inbond.gateway.verifier_worker import MAX_ADDRESS_SPACE
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.trust import PUBLIC, Trust, TrustScope
from sim.sigstore import GitHub, Sigstore

# What one provenance object may cost: as long as a call may take, twice if the process dies of it, and the time that
# starting another takes on a machine that is busy with other things.
MOST_SECONDS: Final = 2 * CALL_TIMEOUT + 5.0
# What the worst of these takes where nothing kills it, on a machine that is busy; alone 0.01 to 0.6 s.
USUAL_SECONDS: Final = 4.0
# Resident, at its highest; 60 MiB are in use after the start, and no case adds more than 15.
MOST_MEMORY: Final = 200 * 2**20
# The serving loop's lateness meanwhile; on a machine with other work to do.
MOST_LAG: Final = 0.5  # seconds

OURS = Sigstore()
NOW = OURS.now + timedelta(days=1)
TRUST = Trust(scopes={PUBLIC: TrustScope(name=PUBLIC, root=OURS.trusted_root())}, by_upstream={UPSTREAM: (PUBLIC,)})
PERSON = GitHub()
GOOD = OURS.provenance_for(NAME, SHA256, PERSON)
Json = dict[str, Any]


def der(tag: int, content: bytes) -> bytes:
    if len(content) < 0x80:
        return bytes([tag, len(content)]) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def nested(tag: int, depth: int) -> bytes:
    """So many elements, each inside the one before; built from the inside out, in pieces."""
    pieces: list[bytes] = []
    length = 0
    for _ in range(depth):
        header = der(tag, b"")[:1] + _length(length)
        pieces.append(header)
        length += len(header)
    return b"".join(reversed(pieces))


def _length(length: int) -> bytes:
    if length < 0x80:
        return bytes([length])
    octets = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(octets)]) + octets


def certificate(*extensions: tuple[str, bytes], key: Any = None) -> bytes:
    """A certificate by nobody, which names our authority and our logs as far as it can."""
    own = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(OURS.ca_certificate.subject)
        .public_key(key or own.public_key())
        .serial_number(7)
        .not_valid_before(OURS.now - timedelta(minutes=5))
        .not_valid_after(OURS.now + timedelta(minutes=5))
        .add_extension(x509.AuthorityKeyIdentifier(OURS.ca_key_id, None, None), critical=False)
    )
    for oid, value in extensions:
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value), critical=False)
    return builder.sign(own, hashes.SHA256()).public_bytes(Encoding.DER)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def whole(*attestations: Any) -> bytes:
    return Sigstore.provenance([(PERSON.publisher(), list(attestations))])


def with_certificate(raw: bytes, times: int = 1) -> bytes:
    """So many attestations, honest but for their certificate; no two have one signature."""
    attestations = [OURS.attest(NAME, SHA256, PERSON) for _ in range(times)]
    for one in attestations:
        one["verification_material"]["certificate"] = b64(raw)
    return whole(*attestations)


def changed(change: Callable[[Json], None], times: int = 1) -> bytes:
    """So many attestations, genuine up to where they were changed."""
    attestations = [OURS.attest(NAME, SHA256, PERSON) for _ in range(times)]
    for one in attestations:
        change(one)
    return whole(*attestations)


def entry(attestation: Json) -> Json:
    found: Json = attestation["verification_material"]["transparency_entries"][0]
    return found


def rsa_key(bits: int) -> rsa.RSAPublicKey:
    """Of no prime factors that anybody knows: it verifies nothing, and costs as much."""
    return rsa.RSAPublicNumbers(e=2**256 + 1, n=(1 << (bits - 1)) + (1 << (bits // 2)) + 1).public_key()


SAN: Final = "2.5.29.17"
SCTS: Final = "1.3.6.1.4.1.11129.2.4.2"
FULCIO: Final = "1.3.6.1.4.1.57264.1"


def many_extensions() -> bytes:
    return with_certificate(
        certificate(*((f"1.3.6.1.4.1.57264.2.{number}", b"\x0c\x01x") for number in range(2000))), 5
    )


def many_names() -> bytes:
    return with_certificate(certificate((SAN, der(0x30, der(0x82, b"a") * 110_000))))


def many_timestamps() -> bytes:
    one = b"\x00\x2f\x00" + OURS.ct_id + b"\0" * 8 + b"\0\0" + b"\x04\x03\0\0"
    listed = one * (65_000 // len(one))
    return with_certificate(certificate((SCTS, der(0x04, len(listed).to_bytes(2, "big") + listed))), 4)


def many_signatures() -> bytes:
    """A checkpoint with thousands of signatures by the right key's id: each is tried."""

    def sign(attestation: Json) -> None:
        checkpoint = entry(attestation)["inclusionProof"]["checkpoint"]
        line = f"\u2014 {OURS.name} {b64(OURS.log_id[:4] + bytes(range(70)))}\n"
        checkpoint["envelope"] = checkpoint["envelope"].partition("\u2014")[0] + line * 480

    return changed(sign, 7)


def many_hashes() -> bytes:
    def prove(attestation: Json) -> None:
        proof = entry(attestation)["inclusionProof"]
        proof["hashes"] = proof["hashes"] * 600
        proof["treeSize"] = str(2**63 - 1)

    return changed(prove)


def deep_statement() -> bytes:
    payload = b'{"_type":"https://in-toto.io/Statement/v1","predicate":' + b"[" * 200_000 + b"]" * 150_000 + b"}"
    return whole(OURS.attest(NAME, SHA256, PERSON, statement=payload[:190_000]))


def wide_statement() -> bytes:
    subjects = [{"name": NAME, "digest": {"sha256": SHA256}}] * 3000
    return whole(OURS.attest(NAME, SHA256, PERSON, subjects=subjects))


def compressed_name() -> bytes:
    tags = ".".join(f"p{number}" for number in range(60))
    name = f"widgets-1.0-{tags}-{tags}-{tags}.whl"  # 216,000 tags, multiplied out
    return whole(OURS.attest(NAME, SHA256, PERSON, subjects=[{"name": name, "digest": {"sha256": SHA256}}]))


def set_member(name: str, value: Any) -> Callable[[], bytes]:
    return lambda: changed(lambda attestation: entry(attestation).update({name: value}))


CASES: Final[dict[str, Callable[[], bytes]]] = {
    "nothing but brackets": lambda: b"[" * MAX_PROVENANCE_BYTES,
    "nothing but objects": lambda: (b'{"a":' * MAX_PROVENANCE_BYTES)[:MAX_PROVENANCE_BYTES],
    "a bundle nested without end": lambda: (
        b'{"version":1,"attestation_bundles":[{"publisher":{"kind":"GitHub"},"attestations":[' + b"[" * 500_000
    ),
    "half a million members": lambda: b'{"version":1,' + b",".join(b'"%x":0' % n for n in range(50_000)) + b"}",
    "as many attestations as fit": lambda: whole(*({} for _ in range(120_000))),
    "a number of 400,000 digits": lambda: b'{"version":' + b"9" * 400_000 + b"}",
    "a time of 100,000 digits": set_member("integratedTime", "9" * 100_000),
    "an index of 100,000 digits": set_member("logIndex", "9" * 100_000),
    "an id of 300 kB": set_member("logId", {"keyId": b64(b"x" * 300_000)}),
    "a body of 300 kB, nested": set_member("canonicalizedBody", b64(b"[" * 300_000)),
    "RSA keys of 16,384 bits": lambda: with_certificate(certificate(key=rsa_key(16_384)), MAX_ATTESTATIONS),
    "an RSA key of 120,000 bits": lambda: with_certificate(certificate(key=rsa_key(120_000)), MAX_ATTESTATIONS),
    "10,000 extensions": many_extensions,
    "110,000 names": many_names,
    "thousands of timestamps": many_timestamps,
    "deep ASN.1 for a certificate": lambda: with_certificate(nested(0x30, 60_000)),
    "deep ASN.1 in the names": lambda: with_certificate(certificate((SAN, nested(0x30, 50_000)))),
    "deep ASN.1 in a claim": lambda: with_certificate(certificate((f"{FULCIO}.8", nested(0x30, 50_000)))),
    "a giant object identifier": lambda: with_certificate(
        certificate((SAN, der(0x30, der(0x88, b"\x2a" + b"\xff" * 200_000 + b"\x7f"))))
    ),
    "a claim of 300 kB": lambda: with_certificate(certificate((f"{FULCIO}.8", der(0x0C, b"x" * 300_000)))),
    "thousands of signatures of a checkpoint": many_signatures,
    "thousands of hashes of a proof": many_hashes,
    "a statement nested without end": deep_statement,
    "a statement about thousands of files": wide_statement,
    "a wheel's name that stands for 216,000": compressed_name,
}


def memory_of(pid: int) -> int:
    """The most that was ever resident, in bytes."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


async def latest(seconds: list[float]) -> None:
    """How late the loop is, measured until cancelled."""
    loop = asyncio.get_running_loop()
    while True:
        due = loop.time() + 0.01
        await asyncio.sleep(0.01)
        seconds.append(loop.time() - due)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
@pytest.mark.parametrize("names", [list(CASES)[start::5] for start in range(5)], ids=lambda names: names[0])
async def test_hostile_provenance_costs_little_and_stalls_nobody(names: list[str]) -> None:
    provenances = {name: CASES[name]() for name in names}
    verifier = VerifierProcess(TRUST)
    await verifier.start()
    lags: list[float] = []
    watcher = asyncio.ensure_future(latest(lags))
    loop = asyncio.get_running_loop()
    try:
        for name, provenance in provenances.items():
            assert len(provenance) <= MAX_PROVENANCE_BYTES, name
            before, started = verifier.pid, loop.time()
            bad, honest = await asyncio.gather(
                verifier.verify(provenance, upstream=UPSTREAM, filename=NAME, sha256=SHA256, now=NOW),
                verifier.verify(GOOD, upstream=UPSTREAM, filename=NAME, sha256=SHA256, now=NOW),
                return_exceptions=True,
            )
            seconds = loop.time() - started
            assert isinstance(bad, Rejected | Unsupported | VerifierTimeout | VerifierFailed), (name, bad)
            assert isinstance(honest, Verified), (name, honest)
            survived = verifier.pid == before
            assert seconds < (USUAL_SECONDS if survived else MOST_SECONDS), (name, seconds, bad)
            assert verifier.pid is not None
            assert memory_of(verifier.pid) < MOST_MEMORY, name
            assert not isinstance(bad, VerifierTimeout), name  # none of them comes near
    finally:
        watcher.cancel()
        await verifier.aclose()
    assert max(lags) < MOST_LAG


def test_the_bounds_hold_each_other() -> None:
    assert MOST_MEMORY < MAX_ADDRESS_SPACE
    assert USUAL_SECONDS < CALL_TIMEOUT
