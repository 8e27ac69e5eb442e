"""A hostile object costs a bounded amount of time and memory, whatever is large in it (docs/threat-model.md)."""

from __future__ import annotations

import base64
import json
import time
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest
from cryptography import x509

from attest.tampering.row import ACME, NAME, OURS, SHA256, Attempt, attested, honest, inbond, statement, subject
from inbond.attest.limits import MAX_PROVENANCE_BYTES
from inbond.model.evidence import Verified

MAX_SECONDS: Final = 2.0  # of processor time; what is slowest here takes a tenth of one on an idle machine
MAX_MEMORY: Final = 64 << 20  # bytes of Python's, at the peak: the largest object allowed has half a MiB


def extensions(count: int) -> list[tuple[x509.ExtensionType, bool]]:
    names = (x509.ObjectIdentifier(f"1.3.6.1.4.1.99999.{number}") for number in range(1, count + 1))
    return [(x509.UnrecognizedExtension(name, b"\x05\x00"), False) for name in names]


def with_proof(**members: Any) -> bytes:
    document = json.loads(honest())
    attestation = document["attestation_bundles"][0]["attestations"][0]
    attestation["verification_material"]["transparency_entries"][0]["inclusionProof"] |= members
    return json.dumps(document, ensure_ascii=False).encode()


SIGNATURES: Final = "a\n1\nAAAA\n\n" + "\u2014 a AAAAAAAAAAAA\n" * 20_000
HASHES: Final = [base64.b64encode(bytes(32)).decode()] * 8_000
TAGS: Final = f"{'.'.join(f'py{n}' for n in range(200))}-{'.'.join(f'a{n}' for n in range(200))}-any"


def one(**faults: Any) -> Callable[[], bytes]:
    return lambda: OURS.provenance_for(NAME, SHA256, ACME, **faults)


@pytest.mark.parametrize(
    "make",
    [
        one(more_extensions=extensions(6_000)),
        one(claims={21: "x" * 100_000}),
        one(claims={18: b"\x2c\x80" * 30_000}),
        one(names=[x509.UniformResourceIdentifier(f"https://a.example/{n}") for n in range(4_000)]),
        lambda: with_proof(hashes=HASHES, treeSize=str(2**64 - 1)),
        lambda: with_proof(checkpoint={"envelope": SIGNATURES}),
        one(predicate={"x": [{}] * 80_000}),
        one(statement=statement(**{f"k{n}": 0 for n in range(20_000)})),
        one(subjects=[subject()] * 3_000),
        one(subjects=[subject(f"widgets-1.0-{TAGS}.whl")]),
        lambda: OURS.provenance([(ACME.publisher(), [attested() for _ in range(8)])]),
        lambda: b'{"attestation_bundles":' + b"[" * 260_000 + b"]" * 260_000 + b"}",
        lambda: b'{"version":' + b"9" * 500_000 + b"}",
        lambda: OURS.provenance([(ACME.publisher() | {"repository": "a" * 500_000}, [attested()])]),
    ],
    ids=[
        "extensions", "long-claim", "nested-claim", "names", "hashes", "signatures-of-a-checkpoint", "predicate",
        "members", "subjects", "tags", "as-many-as-may-be", "nested", "digits", "long-publisher",
    ],
)  # fmt: skip
def test_what_is_large_costs_little(make: Callable[[], bytes]) -> None:
    attempt = Attempt(provenance=make())
    assert len(attempt.provenance) < MAX_PROVENANCE_BYTES

    tracemalloc.start()
    inbond(attempt)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    began = time.process_time()
    finding = inbond(attempt)

    assert time.process_time() - began < MAX_SECONDS
    assert peak < MAX_MEMORY
    assert not isinstance(finding, Verified) or finding.identities
