"""From what is wanted to reports on every entry: what is exact as it is, what is loose resolved or chosen first."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from inbond.check.addresses import Addresses
from inbond.check.examine import Examiner
from inbond.check.report import DependencyReport
from inbond.cli.check_locks import base_url
from inbond.cli.check_progress import progressing
from inbond.cli.compose import Running
from inbond.cli.config import Config
from inbond.cli.serve import address_of, start
from inbond.cli.sync_wanted import How, Sorted, Wanted, pinned
from inbond.cli.telling import say
from inbond.gateway.indexes import Index
from inbond.locks.lock import Lock
from inbond.mirror.narrowing import Narrowed
from inbond.mirror.newest import Newest
from inbond.mirror.outcomes import Unresolved
from inbond.mirror.resolving import Place, Resolver, as_requirement, find_uv, joined, not_chosen
from inbond.web.settings import ListenAddress

# uv is asked again so often at most: each time it may meet one more release that turns out to be stopped.
ROUNDS: Final = 8
_SOON: Final = 1.0  # seconds that requests of uv's may still take once it has ended


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """Reports on all entries, and the requirements that have no solution. `idle`: those that no place needs."""

    rows: tuple[DependencyReport, ...]
    unresolved: tuple[Unresolved, ...] = ()
    idle: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Examines what one sync wants, on a gateway that is up."""

    up: Running
    config: Config
    index: Index
    wanted: Wanted
    addresses: Addresses
    how: How = field(default_factory=How)

    async def of(self, parts: Sequence[Sorted]) -> Examined:
        """Everything that is wanted. Raises `OperatorFault`."""
        found = [await self._exact(part) for part in parts]
        loose = [part for part in parts if part.loose]
        if not loose:
            return Examined(rows=tuple(row for rows in found for row in rows))
        if self.wanted.dependencies:
            chosen = await self._resolved(loose)
        else:
            chosen = Examined(rows=await self._newest(loose))
        return replace(chosen, rows=(*(row for rows in found for row in rows), *chosen.rows))

    def _examiner(self, lock: Lock | None = None) -> Examiner:
        return Examiner(
            pages=self.up.parts.base.pages,
            judge=self.up.parts.judge,
            index=self.index,
            clock=self.up.gateway.clock,
            python="",  # nothing that is open is left to it
            addresses=self.addresses,
            elsewhere=self.addresses.elsewhere(lock) if lock is not None else None,
            narrowing=Narrowed(self.wanted.wheels),
        )

    async def _exact(self, part: Sorted) -> tuple[DependencyReport, ...]:
        with progressing(len(part.exact)) as progress:
            return await self._examiner(part.lock).examine(part.exact, progress)

    async def _newest(self, parts: Sequence[Sorted]) -> tuple[DependencyReport, ...]:
        newest = Newest(examiner=self._examiner(), pythons=self.wanted.wheels.pythons)
        wanted = [entry for part in parts for entry in part.loose]
        found: list[DependencyReport] = []
        with progressing(len(wanted)) as progress:
            for entry in wanted:
                found += await newest.of(entry, self.wanted.newest)
                progress(entry)
        return tuple(found)

    async def _resolved(self, parts: Sequence[Sorted]) -> Examined:
        """What uv chooses once it has chosen the same twice.

        At first pages hold what nobody has verified yet, and list what turns out to be denied when it is asked for.
        """
        async with self._resolver() as resolver:
            before, examined = None, await self._chosen_once(resolver, parts)
            for _ in range(ROUNDS - 1):
                if before is not None and _same(before, examined):
                    break
                before, examined = examined, await self._chosen_once(resolver, parts)
        return examined

    async def _chosen_once(self, resolver: Resolver, parts: Sequence[Sorted]) -> Examined:
        locks, unresolved = await self._chosen(resolver, parts)
        chosen = joined(locks)
        idle = [] if unresolved else not_chosen((entry for part in parts for entry in part.loose), locks)
        with progressing(len(chosen)) as progress:
            rows = await self._examiner().examine(chosen, progress)
        return Examined(rows=rows, unresolved=unresolved, idle=tuple(map(as_requirement, idle)))

    async def _chosen(self, resolver: Resolver, parts: Sequence[Sorted]) -> tuple[list[Lock], tuple[Unresolved, ...]]:
        locks: list[Lock] = []
        unresolved: list[Unresolved] = []
        for part, place in product(parts, self._places()):
            if sys.stderr.isatty():
                say(f"resolving for {place}", err=True)
            match await resolver.resolve(part.loose, pinned(part.exact), place):
                case Unresolved() as failed:
                    unresolved.append(failed)
                case Lock() as lock:
                    locks.append(lock)
        return locks, tuple(unresolved)

    def _places(self) -> list[Place]:
        wheels = self.wanted.wheels
        return [
            Place(python=python, platform=platform)
            for python, platform in product(wheels.pythons or (None,), wheels.platforms or (None,))
        ]

    @asynccontextmanager
    async def _resolver(self) -> AsyncIterator[Resolver]:
        """Has uv in a directory of its own, and serves it this index, to this machine alone."""
        uv = find_uv(self.how.uv)
        # What is stopped is explained on the server that people reach, not on one that is gone when they read of it.
        here = replace(
            self.config.server,
            listen=ListenAddress.parse("127.0.0.1:0"),
            public_url=base_url(self.config),
            trusted_proxies=(),
        )
        runner = await start(self.up, replace(self.config, server=here), shutdown_seconds=_SOON)
        try:
            with TemporaryDirectory(prefix="inbond-sync-") as directory:
                yield Resolver(
                    uv=uv,
                    index_url=f"http://{address_of(runner)}/{self.index.prefix}simple/",
                    directory=Path(directory),
                    interpreter=sys.executable,
                    builds=self.how.builds,
                )
        finally:
            await runner.cleanup()


def _same(one: Examined, other: Examined) -> bool:
    """Whether uv said the same twice."""

    def said(examined: Examined) -> tuple[object, object]:
        return [(row.dependency.project, row.version) for row in examined.rows], examined.unresolved

    return said(one) == said(other)
