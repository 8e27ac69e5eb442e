"""Whatever is done to a good provenance object, it is judged, and never verified for what it does not prove.

Hypothesis looks for the smallest that breaks the law; the engine of `make mutations` is asked for a few hundred, and
whether it would notice.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from attest.mutations import members
from attest.mutations.corpus import Corpus, build
from attest.mutations.engine import Engine, Mutant
from attest.mutations.octets import BYTES, splice
from attest.mutations.run import portion, report
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import (
    Rejected,
    RejectedAttestation,
    Unsupported,
    UnsupportedAttestation,
    UnsupportedCause,
    Verified,
)
from inbond.model.names import Filename
from inbond.model.publisher import SigningIdentity
from sim.sigstore import SLSA, GitHub, Sigstore

NAME = Filename("widgets-1.0.tar.gz")
SHA256 = hashlib.sha256(b"widgets").hexdigest()
OURS = Sigstore()
VERIFIER = ProvenanceVerifier.public(OURS.trusted_root())
GOOD = OURS.provenance(
    [
        (
            GitHub().publisher(),
            [OURS.attest(NAME, SHA256, GitHub(), predicate_type=SLSA), OURS.attest(NAME, SHA256, GitHub())],
        )
    ]
)
JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=5,
)


def verify(provenance: bytes) -> Finding:
    return VERIFIER.verify(provenance, filename=NAME, sha256=SHA256, now=OURS.now + timedelta(days=1))


def signer() -> SigningIdentity:
    finding = verify(GOOD)
    assert isinstance(finding, Verified)
    return finding.identities[0]


SIGNER = signer()


def holds(finding: Finding) -> None:
    """The law: judged; and if verified, then for the signature that is really there."""
    assert isinstance(finding, Verified | Rejected | Unsupported)
    if isinstance(finding, Verified):
        assert set(finding.identities) == {SIGNER}


PLACES = list(members.places(json.loads(GOOD)))


@given(data=st.data())
@settings(max_examples=150, deadline=None)
def test_bytes_changed_anywhere(data: st.DataObject) -> None:
    mutated = bytearray(GOOD)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "insert"])):
            case "flip":
                mutated[at] ^= data.draw(st.integers(1, 255))
            case "cut":
                del mutated[at : at + data.draw(st.integers(1, 40))]
            case _:
                mutated[at:at] = data.draw(st.binary(min_size=1, max_size=8))

    holds(verify(bytes(mutated)))


@given(path=st.sampled_from(PLACES), junk=JUNK)
@settings(max_examples=200, deadline=None)
def test_any_member_replaced(path: tuple[Any, ...], junk: Any) -> None:
    document = json.loads(GOOD)
    members.parent(document, path)[path[-1]] = junk

    holds(verify(json.dumps(document).encode()))


@given(path=st.sampled_from(PLACES))
@settings(max_examples=100, deadline=None)
def test_any_member_missing(path: tuple[Any, ...]) -> None:
    document = json.loads(GOOD)
    del members.parent(document, path)[path[-1]]

    holds(verify(json.dumps(document).encode()))


ENCODED = [
    path
    for path in PLACES
    if path[-1] in {"certificate", "statement", "signature", "canonicalizedBody", "signedEntryTimestamp", "rootHash"}
]


@given(path=st.sampled_from(ENCODED), data=st.data())
@settings(max_examples=200, deadline=None)
def test_an_attestation_with_one_byte_changed_in_what_is_signed_is_not_verified(
    path: tuple[Any, ...], data: st.DataObject
) -> None:
    document = json.loads(GOOD)
    held = members.parent(document, path)
    raw = bytearray(base64.b64decode(held[path[-1]]))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    held[path[-1]] = base64.b64encode(raw).decode()

    finding = verify(json.dumps(document).encode())

    # A changed key id is an unknown key; beside the other, genuine attestation that takes nothing away.
    changed = finding.attestations[path[3]]
    assert isinstance(changed, RejectedAttestation | UnsupportedAttestation)
    if isinstance(changed, UnsupportedAttestation):
        assert changed.cause is UnsupportedCause.UNKNOWN_KEY


@given(junk=st.binary(max_size=300) | JUNK.map(lambda value: json.dumps(value).encode()))
@settings(max_examples=100, deadline=None)
def test_anything_else_is_rejected(junk: bytes) -> None:
    finding = verify(junk)

    assert isinstance(finding, Rejected | Unsupported)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return build()


@pytest.mark.filterwarnings("ignore:Parsed a serial number")  # cryptography's, of what it will refuse one day
@pytest.mark.filterwarnings("ignore:The parsed certificate")
def test_the_engine_s_mutants_obey_the_law(corpus: Corpus) -> None:
    tally = portion(corpus, "test", 0, 300)

    assert tally.broken == []
    assert tally.count == 300
    assert tally.states["rejected"] > 150
    assert report(tally).startswith("300 mutations, 0 accepted, 0 exceptions")


def test_the_corpus_has_signers_of_every_scope(corpus: Corpus) -> None:
    assert {signer.issuer for signer in corpus.signed.values()} >= {"https://gitlab.acme.example", "https://gitlab.com"}
    for raw in corpus.objects:
        assert Engine(corpus).judge(Mutant(how="nothing", provenance=raw)).state == "verified"


def test_a_seed_makes_the_same_mutants_again(corpus: Corpus) -> None:
    engine = Engine(corpus)

    assert [engine.mutant(f"x/{number}") for number in range(20)] == [engine.mutant(f"x/{n}") for n in range(20)]
    assert len({engine.mutant(f"x/{number}").provenance for number in range(50)}) > 40


def test_the_law_notices_what_nobody_signed_and_who_did_not_sign_it(corpus: Corpus) -> None:
    honest = Mutant(how="nothing", provenance=corpus.objects[0])
    nobody = replace(corpus, signed={})
    stranger = replace(corpus, signed=dict.fromkeys(corpus.signed, list(corpus.signed.values())[-1]))

    assert Engine(corpus).judge(honest).wrong is None
    assert Engine(nobody).judge(honest).wrong == "verified, but what was signed is not there as it was"
    assert "signed it" in str(Engine(stranger).judge(honest).wrong)


def test_the_law_notices_what_is_raised(corpus: Corpus, monkeypatch: pytest.MonkeyPatch) -> None:
    def raising(*_: object, **__: object) -> Finding:
        raise RuntimeError("leaked")

    monkeypatch.setattr(ProvenanceVerifier, "verify", raising)
    judged = Engine(corpus).judge(Mutant(how="nothing", provenance=corpus.objects[0]))

    assert (judged.state, judged.wrong) == ("raised", "raised RuntimeError('leaked')")


@given(st.binary(min_size=1), st.binary(min_size=1), st.integers())
def test_mutations_of_bytes_take_anything(data: bytes, other: bytes, seed: int) -> None:
    random = Random(seed)

    assert all(isinstance(mutation(random, data), bytes) for mutation in BYTES)
    assert isinstance(splice(random, data, other), bytes)
