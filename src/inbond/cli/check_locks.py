"""Checking locks that were read: every entry of each, and what changed since an older one."""

from __future__ import annotations

import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from inbond.check.addresses import Addresses
from inbond.check.compare import TrustChange, compare
from inbond.check.examine import Examiner
from inbond.check.report import LockReport
from inbond.check.whole import findings_of
from inbond.cli.check_progress import Progressed, progressing
from inbond.cli.check_targets import Target
from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.indexes import Index
from inbond.gateway.provenance import Verifier
from inbond.locks.lock import Dependency, FromDirectory, Lock
from inbond.model.errors import ConfigurationError
from inbond.model.names import ProjectName
from inbond.upstream.limits import Limits
from inbond.upstream.settings import UpstreamSettings

# Nobody's installer waits: a question may take its time, queueing behind others included.
PATIENT: Final = Limits(deadline=120.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What came of a check. `changes`: since the older lock, if one was named.

    `targets`: what each report's lock was read from; empty where it was not read here.
    """

    reports: tuple[LockReport, ...]
    changes: tuple[TrustChange, ...] = ()
    against: str | None = None
    targets: tuple[Target, ...] = ()

    @property
    def left_out(self) -> tuple[int, ...]:
        """How many entries of each report's lock `--here` passed over."""
        return tuple(target.left_out for target in self.targets) or (0,) * len(self.reports)


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
    """Checks locks against an index. Raises `OperatorFault`."""
    everything = [*locks, *([older] if older is not None else [])]
    async with looking(config, upstreams, verifier, clock=clock, limits=PATIENT) as look:
        asked = index_named(look, index)
        urls = [one.url for one in upstreams if one.name in asked.upstreams]
        addresses = Addresses(base=f"{base_url(config)}/{asked.prefix}".rstrip("/"), upstreams=urls)
        with progressing(sum(len(lock.dependencies) for lock in everything)) as progress:
            reports = [await _report(look, asked, lock, addresses, progress) for lock in everything]
    changes: tuple[TrustChange, ...] = ()
    if older is not None:
        before, cooldown = reports.pop(), _cooldown(asked)
        changes = tuple(
            change for report in reports for change in compare(before, report, addresses=addresses, cooldown=cooldown)
        )
    return Checked(reports=tuple(reports), changes=changes, against=older.source if older is not None else None)


async def _report(look: Looking, index: Index, lock: Lock, addresses: Addresses, progress: Progressed) -> LockReport:
    examiner = Examiner(
        pages=look.pages,
        judge=look.judge,
        index=index,
        clock=look.clock,
        python=platform.python_version(),
        addresses=addresses,
        elsewhere=addresses.elsewhere(lock),
    )
    own = tuple(dependency for dependency in lock.dependencies if _is_own(dependency))
    for _ in own:
        progress(None)
    rows = await examiner.examine([one for one in lock.dependencies if not _is_own(one)], progress)
    return LockReport(
        lock=lock,
        index=index.name,
        policy=index.policy.name,
        at=look.clock(),
        rows=rows,
        findings=findings_of(lock, rows, addresses),
        own=own,
    )


def _is_own(dependency: Dependency) -> bool:
    """What is reviewed together with the lock; an entry with files is not, whatever it calls itself."""
    return isinstance(dependency.source, FromDirectory) and dependency.source.own and not dependency.files


def _cooldown(index: Index) -> Callable[[ProjectName], timedelta]:
    return lambda project: index.policy.for_project(project).min_age


def index_named(look: Looking, name: str) -> Index:
    """The index of that name. Raises `ConfigurationError` that says which there are."""
    index = look.indexes.get(name)
    if index is None:
        raise ConfigurationError(f"there is no index {name!a}", remedy=f"configured are: {', '.join(look.indexes)}")
    return index


def base_url(config: Config) -> str:
    """Inbond's own address, without a slash, as far as the configuration tells."""
    return str(config.server.public_url or f"http://{config.server.listen}").rstrip("/")
