"""Checks of locks against simulated indexes, without a server."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from inbond.check.files import FileReport, JudgedFile, UnlistedFile
from inbond.check.report import DependencyReport, LockReport
from inbond.cli.check_locks import Checked, check_locks
from inbond.cli.config import load_config
from inbond.locks.lock import Dependency, FromIndex, Lock, LockedFile, LockFormat, Place, Source
from inbond.model.names import Filename, ProjectName
from sim.index import SimFile, SimIndex
from sim.sigstore import GitHub, Identity
from stack import ONE_INDEX, LocalVerifier, SetClock, sigstore

OLD = datetime(2025, 6, 3, tzinfo=UTC)  # a day after it was signed: see `Sigstore.now`
ACME = GitHub(owner="acme", repo="widgets", workflow="release.yml")
EVIL = GitHub(owner="evil", repo="widgets", workflow="release.yml")


def signed_by(identity: Identity = ACME, **faults: Any) -> Any:
    return lambda filename, sha256: sigstore().provenance_for(filename, sha256, identity, **faults)


def young(hours: float = 1) -> datetime:
    return datetime.now(UTC) - timedelta(hours=hours)


def locked(*files: SimFile, origin: str | None = None, **changes: Any) -> tuple[LockedFile, ...]:
    """As a lock names these files."""
    return tuple(
        LockedFile(
            **{
                "place": Place("uv.lock", 10 + number),
                "filename": Filename(file.filename),
                "digests": {"sha256": file.sha256},
                "url": f"{origin}{file.path}" if origin else None,
                **changes,
            }
        )
        for number, file in enumerate(files)
    )


def dependency(
    project: str,
    version: str | None = None,
    files: Iterable[LockedFile] = (),
    *,
    specifier: str = "",
    source: Source | None = None,
    line: int = 3,
) -> Dependency:
    """An entry of a lock."""
    return Dependency(
        place=Place("uv.lock", line),
        project=ProjectName(project),
        version=Version(version) if version else None,
        specifier=SpecifierSet(specifier or (f"=={version}" if version else "")),
        source=source if source is not None else FromIndex(),
        files=tuple(files),
        hashed=bool(tuple(files)),
    )


def lock(*dependencies: Dependency, form: LockFormat = LockFormat.UV, **more: Any) -> Lock:
    return Lock(source="uv.lock", format=form, dependencies=dependencies, **more)


async def check(
    place: Path,
    index: SimIndex,
    *locks: Lock,
    older: Lock | None = None,
    more: str = "",
    clock: SetClock | None = None,
    verifier: LocalVerifier | None = None,
) -> Checked:
    """What `inbond check` finds."""
    file = place / "inbond.toml"
    file.write_text((ONE_INDEX + more).format(data=place / "data", upstream=index.url))
    config = load_config(file=file, overrides={}, environ={})
    return await check_locks(
        config,
        config.upstreams_at(""),
        verifier or LocalVerifier(),
        index="root",
        locks=locks,
        older=older,
        clock=clock or SetClock(),
    )


async def report(place: Path, index: SimIndex, *dependencies: Dependency, **more: Any) -> LockReport:
    """The report on one lock."""
    return (await check(place, index, lock(*dependencies), **more)).reports[0]


async def row(place: Path, index: SimIndex, entry: Dependency, **more: Any) -> DependencyReport:
    """The report on one entry."""
    return (await report(place, index, entry, **more)).rows[0]


def rules(found: DependencyReport) -> set[str]:
    """The rules that said anything about an entry or its files."""
    return {finding.rule for finding in found.findings} | {rule for file in found.files for rule in _rules(file)}


def _rules(file: FileReport) -> set[str]:
    match file:
        case JudgedFile():
            return {finding.rule for finding in (*file.findings, *file.judgement.verdict.findings)}
        case UnlistedFile():
            return {file.finding.rule}
