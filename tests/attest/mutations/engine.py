"""One mutation after another, each from its own seed, and the law that they are held to."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from attest.mutations import inside, members, octets
from attest.mutations.corpus import NAME, SHA256, Corpus, attestations, signed_in
from inbond.attest.verify import Finding, ProvenanceVerifier
from inbond.model.evidence import Rejected, Unsupported, Verified, VerifiedAttestation, state_of

MAX_SECONDS: Final = 1.0  # of processor time, for one object: a thousand times what an honest one takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """A mutated object and how it came about."""

    how: str
    provenance: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What became of a mutant; `wrong` says which law it broke."""

    state: str
    reason: str
    wrong: str | None = None


class Engine:
    """Mutates and judges, from a seed: the same corpus and seed give the same mutants."""

    def __init__(self, corpus: Corpus) -> None:
        self._corpus = corpus
        self._verifier = ProvenanceVerifier(corpus.scopes)

    def mutant(self, seed: str) -> Mutant:
        """One of them: mostly changed in one respect, sometimes in up to three."""
        random = Random(seed)
        raw = random.choice(self._corpus.objects)
        hows = []
        for _ in range(random.choice([1, 1, 1, 2, 3])):
            how, raw = self._changed(random, raw)
            hows.append(how)
        return Mutant(how=", ".join(hows), provenance=raw)

    def _changed(self, random: Random, raw: bytes) -> tuple[str, bytes]:
        way = random.random()
        if way < 0.15:
            mutation = random.choice(octets.BYTES)
            return mutation.__name__, mutation(random, raw or b"\0")
        if way < 0.2:
            return "splice", octets.splice(random, raw or b"\0", random.choice(self._all))
        try:
            document = json.loads(raw)
            if way < 0.55:
                how = members.changed(random, document)
            elif way < 0.65:
                how = self._graft(random, document)
            else:
                how = inside.changed(random, document)
        except Exception:  # noqa: BLE001 (an object that was mutated before may be anything)
            return "flip", octets.flip(random, raw or b"\0")
        return how, members.written(random, document)

    @property
    def _all(self) -> tuple[bytes, ...]:
        return self._corpus.objects + self._corpus.others

    def _graft(self, random: Random, document: Any) -> str:
        """A member of another genuine object, in the place of the one that this has there."""
        other = json.loads(random.choice(self._all))
        there = set(members.places(other))
        path = random.choice([path for path in members.places(document) if path in there])
        members.parent(document, path)[path[-1]] = members.parent(other, path)[path[-1]]
        return "graft"

    def judge(self, mutant: Mutant) -> Judged:
        """What it comes to, and whether that may be."""
        began = time.process_time()
        try:
            finding = self._verifier.verify(mutant.provenance, filename=NAME, sha256=SHA256, now=self._corpus.now)
        except Exception as error:  # noqa: BLE001 (that nothing is raised is the law)
            return Judged(state="raised", reason=repr(error), wrong=f"raised {error!r}")
        took = time.process_time() - began
        wrong = self._broken(finding, mutant.provenance)
        if took > MAX_SECONDS:
            wrong = f"took {took:.1f} s"
        reason = finding.reason if isinstance(finding, Rejected | Unsupported) else ""
        return Judged(state=str(state_of(finding)), reason=reason, wrong=wrong)

    def _broken(self, finding: Finding, raw: bytes) -> str | None:
        """The law: who is verified signed this file, and all that was signed stands there as it was."""
        if not isinstance(finding, Verified):
            return None
        for attestation, found in zip(attestations(raw), finding.attestations, strict=True):
            if not isinstance(found, VerifiedAttestation):
                continue
            signer = self._corpus.signed.get(signed_in(attestation))
            if signer is None:
                return "verified, but what was signed is not there as it was"
            if signer != found.identity:
                return f"verified as {found.identity}, but {signer} signed it"
        return None
