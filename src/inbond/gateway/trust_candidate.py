"""Whether a trusted root may take the place of the one in force: it must be one, and accept what it should accept.

The self-test asks about files that were verified before (`inbond.gateway.trust_samples`). A sample counts if the
candidate holds every key that signed it, in force when it signed: that must still verify. One whose keys it no longer
holds says nothing about the candidate; it will be judged again, and what it proved is proven no more. Where no sample
counts, the structure alone decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_samples import Sample, counts_for
from inbond.gateway.verifier import Finding, VerifierProcess
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Verified, state_of
from inbond.model.names import Filename
from inbond.model.trust import KeyKind, RootFacts, Trust, TrustedKey, TrustScope

_REMEDY_FUTURE: Final = "see that this machine's clock is right, and wait until the root's keys have begun"
_REMEDY_TEST: Final = (
    "see that the new root was not damaged or forged on its way; a root that shall vouch for less names fewer keys"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A candidate that may come into force."""

    facts: RootFacts
    tested: int  # samples that it verified
    uncounted: int  # samples whose keys it does not hold


async def check_candidate(candidate: TrustScope, *, directory: Path, now: datetime) -> Checked:
    """Reads and self-tests a candidate in a verifier process of its own, which takes 1 to 2 s.

    `directory` is where trust is kept, `ledger_dir / "trust"`: the samples are below it. Raises OperatorFault:
    ConfigurationError, with the reason, where the candidate may not come into force.
    """
    samples = await asyncio.to_thread(TrustFiles(directory).samples, candidate.name)
    process = VerifierProcess(Trust(scopes={candidate.name: candidate}, by_upstream={}))
    try:
        await process.start()
        return await self_tested(process, candidate.name, samples, now=now)
    finally:
        await process.aclose()


async def facts_of(scopes: Iterable[TrustScope]) -> dict[str, RootFacts]:
    """What stands in the roots, by scope; one verifier process reads them. Raises OperatorFault, `UnusableRoot`."""
    process = VerifierProcess(Trust(scopes={one.name: one for one in scopes}, by_upstream={}))
    try:
        await process.start()
        return process.hello.roots
    finally:
        await process.aclose()


async def self_tested(process: VerifierProcess, scope: str, samples: Sequence[Sample], *, now: datetime) -> Checked:
    """The self-test of one scope's root, on a process that runs with it.

    Raises ConfigurationError where it fails, and VerifierTimeout or VerifierFailed where it could not be made.
    """
    facts = process.hello.roots[scope]
    if (kind := unbegun(facts, now)) is not None:
        raise ConfigurationError(
            f"[trust.{scope}] the trusted root is from the future: no {kind} of it has begun to be in force",
            remedy=_REMEDY_FUTURE,
        )
    issuers = process.trust.scopes[scope].issuers
    counted = [sample for sample in samples if counts_for(sample, facts, issuers)]
    trust = process.trust.digest([scope])
    for sample in counted:
        finding = await _judged(process, trust, sample, now)
        if not isinstance(finding, Verified):
            raise ConfigurationError(
                f"[trust.{scope}] {sample.filename}, which was verified before and whose keys the trusted root holds, "
                f"would be {state_of(finding)} under it: {finding.reason}",
                remedy=_REMEDY_TEST,
            )
    return Checked(facts=facts, tested=len(counted), uncounted=len(samples) - len(counted))


async def _judged(process: VerifierProcess, trust: str, sample: Sample, now: datetime) -> Finding:
    filename = Filename(sample.filename)
    answered = await process.ask(sample.provenance, trust=trust, filename=filename, sha256=sample.sha256, now=now)
    return answered.finding


def unbegun(facts: RootFacts, now: datetime) -> KeyKind | None:
    """A kind of key of which none has begun to be in force; None where there is no such kind."""
    begun = {key.kind for key in facts.keys if key.start is None or key.start <= now}
    return next((kind for kind in KeyKind if kind not in begun), None)


def differences(old: RootFacts, new: RootFacts) -> tuple[tuple[TrustedKey, ...], tuple[TrustedKey, ...]]:
    """The keys gained and the keys lost."""
    return new.lost_in(old), old.lost_in(new)
