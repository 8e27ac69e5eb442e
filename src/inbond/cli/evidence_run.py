"""What `inbond evidence` does: a bundle is read, verified by the trust of the file's upstream, and only then stored."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final

from inbond.attest.limits import MAX_PROVENANCE_BYTES
from inbond.cli.acts import act_of_command
from inbond.cli.config import Config
from inbond.cli.deciding import author, has_ledger, opened
from inbond.cli.evidence_place import Beside, NotAttached, places_of
from inbond.cli.foundation import looking
from inbond.cli.verifying import verifying
from inbond.cli.waive_run import read
from inbond.cli.whole_files import open_regular, read_regular
from inbond.gateway.attached import note_of
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.verifier import VerifierFailed, VerifierTimeout
from inbond.model.acts import Act, ActKind
from inbond.model.errors import ConfigurationError, OperatorFault
from inbond.model.evidence import Rejected, Unsupported, Verified
from inbond.model.imports import Attached, AttachedNote
from inbond.model.names import Filename, is_sha256
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.policy.decision_words import parse_reason

CHUNK_BYTES: Final = 1 << 20
_NO_PUBLISHING: Final = "an attestation of how a file was built does not say who published it: sign the file itself"
_UNKNOWN: Final = "see that [upstreams.NAME] trust names the scope whose root knows who signed, or name --upstream"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What stood on the command line."""

    file: Path
    bundle: Path
    upstream: str | None
    reason: str | None
    by: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Added:
    """What was attached, what it proves, and whether any of it is new. `upstreams`: by whose trust it was verified."""

    note: AttachedNote
    new: bool
    finding: Verified
    upstreams: tuple[str, ...]
    warnings: tuple[str, ...] = ()


async def add(config: Config, asked: Asked, *, clock: Clock = utc_now) -> Added:
    """Verifies and stores. Raises `NotAttached`, `ConfigurationError`, `OperatorFault`, `UpstreamFault`."""
    now = clock()
    named = None if asked.upstream is None else _named(config, asked.upstream)
    reason = read("--reason", parse_reason, asked.reason) if asked.reason else ""
    by = author(asked.by)
    filename = read("FILE", Filename, asked.file.name)
    sha256 = await asyncio.to_thread(_digest, asked.file)
    attached = Attached(
        upstream="",  # each that it verifies by
        sha256=sha256,
        filename=str(filename),
        provenance=await asyncio.to_thread(_provenance, asked.bundle, filename, sha256),
        reason=reason,
        by=by,
        at=now,
    )
    async with verifying(config) as (upstreams, verifier):
        if named is None:
            async with looking(config, upstreams, verifier, clock=clock) as look:
                places = await places_of(look, filename, sha256)
        else:
            places = (named,)
        found = [(place, await _found(verifier, place, attached)) for place in places]
    verified = [(place, finding) for place, finding in found if isinstance(finding, Verified)]
    if not verified:
        raise _refused(*found[0])
    new, counts = await _stored(config, [replace(attached, upstream=place.upstream) for place, _ in verified])
    return Added(
        note=note_of(counts),
        new=new,
        finding=verified[0][1],
        upstreams=tuple(place.upstream for place, _ in verified),
        warnings=tuple(place.warning for place in places if place.warning is not None),
    )


def _digest(path: Path) -> str:
    try:
        with open_regular(path) as file:
            digest = hashlib.sha256()
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
            return digest.hexdigest()
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror or error}") from error


def _provenance(path: Path, filename: Filename, sha256: str) -> bytes:
    # It imports sigstore, which takes a while, and what is wrong before is told at once.
    from inbond.attest.attaching import NotAttachable, provenance_of  # noqa: PLC0415 (as said above)

    try:
        raw = read_regular(path, MAX_PROVENANCE_BYTES)
    except OSError as error:
        raise OperatorFault(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        return provenance_of(raw, filename=filename, sha256=sha256)
    except NotAttachable as error:
        raise NotAttached(f"{path}: {error.message}", remedy=error.remedy) from error


def _named(config: Config, upstream: str) -> Beside:
    if upstream not in config.upstream_tables:
        known = ", ".join(config.upstream_tables)
        raise ConfigurationError(f"--upstream: there is no upstream {upstream!a}", remedy=f"configured are: {known}")
    return Beside(upstream=upstream)


async def _found(verifier: VerifierOnDemand, place: Beside, one: Attached) -> Verified | Rejected | Unsupported:
    try:
        return await verifier.verify(
            one.provenance, upstream=place.upstream, filename=Filename(one.filename), sha256=one.sha256, now=one.at
        )
    except (VerifierFailed, VerifierTimeout) as error:
        raise OperatorFault(error.message, remedy=error.remedy) from error


def _refused(place: Beside, finding: Verified | Rejected | Unsupported) -> NotAttached:
    assert not isinstance(finding, Verified)
    remedy = None
    if isinstance(finding, Unsupported):
        remedy = _UNKNOWN if finding.cause == "unknown-key" else _NO_PUBLISHING
    what = "does not verify" if isinstance(finding, Rejected) else "cannot be judged"
    return NotAttached(f"the bundle {what} by the trust of upstream {place.upstream}: {finding.reason}", remedy=remedy)


async def _stored(config: Config, attached: Sequence[Attached]) -> tuple[bool, Attached]:
    """Whether any is new, and what counts now for the first: what was there, where that is the same."""
    async with opened(config) as ledger:
        new = [
            one for one in attached if await ledger.attach(one, _act(ActKind.EVIDENCE_ATTACHED, one, one.by, one.at))
        ]
        if new:
            await ledger.happened([_occurrence(OccurrenceKind.DECISION_MADE, one, one.by, one.at) for one in new])
        first = (new or attached)[0]
        return bool(new), await ledger.attached_to(first.upstream, first.sha256) or first


async def listed(config: Config) -> tuple[AttachedNote, ...]:
    """What counts for each file of each upstream, the latest first. Raises `OperatorFault` and `StoreUnavailable`."""
    if not has_ledger(config):
        return ()
    async with opened(config) as ledger:
        found: dict[tuple[str, str], AttachedNote] = {}
        for one in await ledger.all_attached():
            found.setdefault((one.upstream, one.sha256), note_of(one))
        return tuple(found.values())


async def remove(config: Config, which: str, by: str | None, *, clock: Clock = utc_now) -> tuple[AttachedNote, ...]:
    """Removes what is attached to one file, for all upstreams.

    Raises `NotAttached`, and `ConfigurationError` where several files are meant.
    """
    who, now = author(by), clock()
    meant = [one for one in await listed(config) if which in {one.sha256, one.filename}]
    if not meant:
        name = which if is_sha256(which) else ascii(which)
        raise NotAttached(f"nothing is attached to {name}", remedy="inbond evidence list shows what is")
    several = dict.fromkeys(one.sha256 for one in meant)
    if len(several) > 1:
        digests = ", ".join(several)
        raise ConfigurationError(
            f"several files of the name {which} have something attached", remedy=f"name one by its sha256: {digests}"
        )
    async with opened(config) as ledger:
        for note in meant:
            await ledger.detach(note.upstream, note.sha256, _act(ActKind.EVIDENCE_REMOVED, note, who, now))
        await ledger.happened([_occurrence(OccurrenceKind.DECISION_REVOKED, note, who, now) for note in meant])
    return tuple(meant)


def _act(kind: ActKind, one: Attached | AttachedNote, by: str, now: datetime) -> Act:
    did = "attached evidence to" if kind is ActKind.EVIDENCE_ATTACHED else "removed the evidence attached to"
    return act_of_command(
        kind,
        f"{by} {did} {one.filename} of {one.upstream}",
        now=now,
        target=one.filename,
        detail={"upstream": one.upstream, "sha256": one.sha256, "reason": one.reason},
        by=by,
    )


def _occurrence(kind: OccurrenceKind, one: Attached | AttachedNote, by: str, now: datetime) -> Occurrence:
    reason = f": {one.reason}" if one.reason else ""
    did = "attached evidence to" if kind is OccurrenceKind.DECISION_MADE else "removed the evidence attached to"
    return Occurrence(
        key=f"{kind}/evidence/{one.upstream}/{one.sha256}/{now.isoformat()}",
        kind=kind,
        at=now,
        message=f"{by} {did} {one.filename} of {one.upstream}{reason}",
        filename=Filename(one.filename),
        detail={"id": f"evidence:{one.sha256}", "by": by},
    )
