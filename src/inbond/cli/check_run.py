"""Running a check: read what is named, ask the index about it, compare with the older lock."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Final

from inbond.check.compare import TrustChange, compare
from inbond.check.examine import Examiner
from inbond.check.report import LockReport
from inbond.check.whole import Addresses, findings_of
from inbond.cli.check_progress import Progressed, progressing
from inbond.cli.config import Config
from inbond.cli.config_presets import written_predicate_type
from inbond.cli.foundation import Looking, looking
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.indexes import Index
from inbond.gateway.on_demand import VerifierOnDemand
from inbond.gateway.provenance import Verifier
from inbond.gateway.verifier import bundled_root_path
from inbond.locks.arguments import read_distribution, read_requirement
from inbond.locks.detect import read_lock
from inbond.locks.lock import Dependency, FromPath, InvalidLock, Lock, LockFormat, Place
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.upstream.limits import Limits
from inbond.upstream.settings import UpstreamSettings

__all__ = ["Checked", "Wanted", "check_locks", "run"]

# Nobody's installer waits: a question may take its time, queueing behind others included.
PATIENT: Final = Limits(deadline=120.0)
COMMAND_LINE: Final = "the command line"
_DISTRIBUTIONS: Final = (".whl", ".tar.gz", ".zip", ".egg", ".tar.bz2", ".tgz")
_CHUNK_BYTES: Final = 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to check. `here`: only what environment markers select for this Python and machine."""

    targets: tuple[str, ...]
    against: Path | None = None
    index: str = "root"
    here: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of it. `changes`: since the older lock, if one was named."""

    reports: tuple[LockReport, ...]
    changes: tuple[TrustChange, ...] = ()
    against: str | None = None


async def run(config: Config, wanted: Wanted) -> Checked:
    """Checks with the real verifier, which is started only where something has to be verified.

    Raises `InvalidLock`, and `OperatorFault` for the configuration and the machine.
    """
    locks = _locks(wanted)
    older = None if wanted.against is None else _read(wanted.against, wanted)
    verifier = VerifierOnDemand(config.trusted_root or bundled_root_path())
    try:
        predicate_type = written_predicate_type() or (await verifier.hello()).publish_predicate_type
        upstreams = config.upstreams_at(predicate_type)
        return await check_locks(config, upstreams, verifier, index=wanted.index, locks=locks, older=older)
    finally:
        await verifier.aclose()


async def check_locks(
    config: Config,
    upstreams: tuple[UpstreamSettings, ...],
    verifier: Verifier,
    *,
    index: str,
    locks: Sequence[Lock],
    older: Lock | None = None,
    clock: Clock = utc_now,
) -> Checked:
    """Checks locks that were read, with a verifier that is there already."""
    everything = [*locks, *([older] if older is not None else [])]
    async with looking(config, upstreams, verifier, clock=clock, limits=PATIENT) as look:
        asked = _index(look, index)
        addresses = Addresses(ours=_ours(config, asked), upstreams=[one.url for one in upstreams])
        with progressing(sum(len(lock.dependencies) for lock in everything)) as progress:
            reports = [await _report(look, asked, lock, addresses, progress) for lock in everything]
    changes: tuple[TrustChange, ...] = ()
    if older is not None:
        before = reports.pop()
        changes = tuple(change for report in reports for change in compare(before, report, cooldown=_cooldown(asked)))
    return Checked(reports=tuple(reports), changes=changes, against=older.source if older is not None else None)


async def _report(look: Looking, index: Index, lock: Lock, addresses: Addresses, progress: Progressed) -> LockReport:
    examiner = Examiner(
        pages=look.pages, judge=look.judge, index=index, clock=look.clock, python=platform.python_version()
    )
    others = [dependency for dependency in lock.dependencies if not _is_own(dependency)]
    for _ in range(len(lock.dependencies) - len(others)):
        progress(None)
    rows = await examiner.examine(others, progress)
    return LockReport(
        lock=lock,
        index=index.name,
        policy=index.policy.name,
        at=look.clock(),
        rows=rows,
        findings=findings_of(lock, addresses),
        own=len(lock.dependencies) - len(others),
    )


def _is_own(dependency: Dependency) -> bool:
    """The locked project itself, a member of its workspace, or a directory beside it: no index is asked about those."""
    source = dependency.source
    return isinstance(source, FromPath) and (source.own or not source.path.endswith(_DISTRIBUTIONS))


def _cooldown(index: Index) -> Callable[[ProjectName], timedelta]:
    return lambda project: index.policy.for_project(project).min_age


def _index(look: Looking, name: str) -> Index:
    index = look.indexes.get(name)
    if index is None:
        raise ConfigurationError(f"there is no index {name!a}", remedy=f"configured are: {', '.join(look.indexes)}")
    return index


def _ours(config: Config, index: Index) -> str:
    server = config.server
    return (server.public_url or f"http://{server.listen}").rstrip("/") + f"/{index.prefix}".rstrip("/")


def _locks(wanted: Wanted) -> list[Lock]:
    read: list[Lock] = []
    specs: list[Dependency] = []
    for target in wanted.targets:
        path = Path(target)
        if path.is_file() or _looks_like_a_path(target):
            read.append(_read(path, wanted))
        else:
            specs += read_requirement(target).dependencies
    if specs:
        read.append(Lock(source=COMMAND_LINE, format=LockFormat.REQUIREMENT, dependencies=tuple(specs)))
    return read


def _looks_like_a_path(target: str) -> bool:
    # A requirement holds none of these, but for a URL after "@".
    return " @ " not in target and ("/" in target or "\\" in target or target.endswith(_FILE_SUFFIXES))


_FILE_SUFFIXES: Final = (*_DISTRIBUTIONS, ".lock", ".toml", ".txt", ".in", ".json")


def _read(path: Path, wanted: Wanted) -> Lock:
    name = str(path)
    try:
        if name.endswith(_DISTRIBUTIONS):
            return read_distribution(name, path.name, *_digest_of(path))
        lock = read_lock(name, path.read_bytes(), open_beside=_open_beside)
    except OSError as error:
        raise InvalidLock(Place(name), f"cannot be read: {error.strerror or error}") from error
    if not wanted.here:
        return lock
    return replace(lock, dependencies=tuple(_for_here(lock.dependencies)))


def _digest_of(path: Path) -> tuple[str, int]:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return digest.hexdigest(), size


def _open_beside(including: str, path: str) -> bytes:
    return (Path(including).parent / path).read_bytes()


def _for_here(dependencies: Iterable[Dependency]) -> Iterable[Dependency]:
    return (one for one in dependencies if one.marker is None or one.marker.evaluate())
