"""Whether a trusted root may take the place of the one in force: it must be one, and accept what it should accept.

The self-test asks about files that were verified before (`inbond.gateway.trust_samples`). A sample counts if the
candidate holds every key that signed it, in force when it signed: that must still verify. One whose keys it no longer
holds says nothing about the candidate; it will be judged again, and what it proved is proven no more. Where no sample
counts, the structure alone decides. A sample that the root in force should accept, and does not any more either, says
nothing: this version of inbond judges it otherwise than the one that kept it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from inbond.attest.limits import MAX_CLOCK_SKEW
from inbond.gateway.trust_files import TrustFiles
from inbond.gateway.trust_samples import Sample, counts_for, merged, outside_of
from inbond.gateway.verifier import Finding, UnusableRoot, VerifierProcess
from inbond.model.errors import ConfigurationError
from inbond.model.evidence import Verified, state_of
from inbond.model.names import Filename
from inbond.model.trust import KeyKind, RootFacts, Trust, TrustedKey, TrustScope, WindowChange

TRY_AGAIN: Final = timedelta(hours=1)  # at the latest: a clock may be put right at any time

_REMEDY_CLOCK: Final = "see that this machine's clock is right"
_REMEDY_FUTURE: Final = "see that this machine's clock is right, and wait until the root's keys have begun"
_REMEDY_TEST: Final = (
    "see that the new root was not damaged or forged on its way; a root that shall vouch for less names fewer keys"
)


class NotYet(ConfigurationError):
    """A candidate that may not come into force now, and may be another time: not before `again` is it worth a try."""

    def __init__(self, message: str, *, remedy: str, again: datetime) -> None:
        super().__init__(message, remedy=remedy)
        self.again = again


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A candidate that may come into force."""

    facts: RootFacts
    tested: int  # samples that it verified
    uncounted: int  # samples whose keys it does not hold
    outside: int  # samples whose keys it holds, and has in force at other times
    dropped: frozenset[Sample] = frozenset()  # samples that no root of this machine verifies any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Between the keys of two roots."""

    gained: tuple[TrustedKey, ...] = ()
    lost: tuple[TrustedKey, ...] = ()
    windows: tuple[WindowChange, ...] = ()


async def check_candidate(candidate: TrustScope, *, directory: Path, now: datetime) -> Checked:
    """Reads and self-tests a candidate in a verifier process of its own, which takes 1 to 2 s.

    `directory` is where trust is kept, `ledger_dir / "trust"`: the samples are below it, and the last good root. Raises
    OperatorFault: ConfigurationError, with the reason, where the candidate may not come into force.
    """
    files, name = TrustFiles(directory), candidate.name
    samples = await asyncio.to_thread(files.samples, name)
    kept = await asyncio.to_thread(files.root, name)
    process = VerifierProcess(Trust(scopes={name: candidate}, by_upstream={}))
    try:
        await process.start()
        checked = await self_tested(process, name, samples, now=now, old=None if kept is None else kept.raw)
    finally:
        await process.aclose()
    if checked.dropped:
        await asyncio.to_thread(files.change_samples, name, lambda there: merged(there, (), dropped=checked.dropped))
    return checked


async def facts_of(scopes: Iterable[TrustScope]) -> dict[str, RootFacts]:
    """What stands in the roots, by scope; one verifier process reads them. Raises OperatorFault, `UnusableRoot`."""
    process = VerifierProcess(Trust(scopes={one.name: one for one in scopes}, by_upstream={}))
    try:
        await process.start()
        return process.hello.roots
    finally:
        await process.aclose()


async def self_tested(
    process: VerifierProcess, scope: str, samples: Sequence[Sample], *, now: datetime, old: bytes | None
) -> Checked:
    """The self-test of one scope's root, on a process that runs with it. `old`: the last good root, if there is one.

    Raises ConfigurationError where it fails, `NotYet` where that is for the time alone, and VerifierTimeout,
    VerifierFailed or OperatorFault where it could not be made.
    """
    facts, issuers = process.hello.roots[scope], process.trust.scopes[scope].issuers
    _require_begun(scope, facts, now)
    counted = [sample for sample in samples if counts_for(sample, facts, issuers)]
    _require_past(scope, counted, now)
    failed = [
        (sample, finding)
        for sample in counted
        if not isinstance(finding := await _judged(process, scope, sample, now), Verified)
    ]
    dropped = await _failing_anyway(process, scope, [sample for sample, _ in failed], now=now, old=old)
    for sample, finding in failed:
        if sample not in dropped:
            raise ConfigurationError(
                f"[trust.{scope}] {sample.filename}, which was verified before and whose keys the trusted root holds, "
                f"would be {state_of(finding)} under it: {finding.reason}",
                remedy=_REMEDY_TEST,
            )
    outside = sum(outside_of(sample, facts, issuers) for sample in samples)
    return Checked(
        facts=facts,
        tested=len(counted) - len(dropped),
        uncounted=len(samples) - len(counted) - outside,
        outside=outside,
        dropped=dropped,
    )


def _require_begun(scope: str, facts: RootFacts, now: datetime) -> None:
    kind = unbegun(facts, now)
    if kind is None:
        return
    starts = [key.start for key in facts.keys if key.kind is kind and key.start is not None]
    raise NotYet(
        f"[trust.{scope}] the trusted root is from the future: no {kind} of it has begun to be in force",
        remedy=_REMEDY_FUTURE,
        again=min([*starts, now + TRY_AGAIN]),
    )


def _require_past(scope: str, samples: Iterable[Sample], now: datetime) -> None:
    """What was signed at a time to come cannot be judged: the clock is behind, whatever the candidate is like."""
    for sample in samples:
        if any(use.at > now + MAX_CLOCK_SKEW for use in sample.keys):
            raise NotYet(
                f"[trust.{scope}] {sample.filename}, which was verified before, is yet to be signed, by this clock",
                remedy=_REMEDY_CLOCK,
                again=now + TRY_AGAIN,
            )


async def _failing_anyway(
    process: VerifierProcess, scope: str, failed: Sequence[Sample], *, now: datetime, old: bytes | None
) -> frozenset[Sample]:
    """Those that the old root, which holds their keys too, does not verify any more either."""
    if not failed or old is None:
        return frozenset()
    before = VerifierProcess(Trust(scopes={scope: process.trust.with_root(scope, old).scopes[scope]}, by_upstream={}))
    try:
        await before.start()
        facts, issuers = before.hello.roots[scope], before.trust.scopes[scope].issuers
        expected = [sample for sample in failed if counts_for(sample, facts, issuers)]
        found = [(sample, await _judged(before, scope, sample, now)) for sample in expected]
    except UnusableRoot:
        return frozenset()
    finally:
        await before.aclose()
    return frozenset(sample for sample, finding in found if not isinstance(finding, Verified))


async def _judged(process: VerifierProcess, scope: str, sample: Sample, now: datetime) -> Finding:
    answered = await process.ask(
        sample.provenance,
        trust=process.trust.digest([scope]),
        filename=Filename(sample.filename),
        sha256=sample.sha256,
        now=now,
    )
    return answered.finding


def unbegun(facts: RootFacts, now: datetime) -> KeyKind | None:
    """A kind of key of which none has begun to be in force; None where there is no such kind."""
    begun = {key.kind for key in facts.keys if key.start is None or key.start <= now}
    return next((kind for kind in KeyKind if kind not in begun), None)


def differences(old: RootFacts, new: RootFacts) -> Differences:
    """What a new root gains and loses."""
    return Differences(gained=new.lost_in(old), lost=old.lost_in(new), windows=old.windows_changed_in(new))
