"""What was imported and is in force: for readiness, metrics and people. Read from the ledger, anew where it changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from inbond.gateway.clock import Clock
from inbond.model.aging import Aged, stamp
from inbond.model.errors import StoreUnavailable
from inbond.model.imports import CLOCK_TOLERANCE, Import, ImportedProject
from inbond.model.names import ProjectName
from inbond.model.text import counted
from inbond.store.ledger import Ledger

IMPORT_ONE: Final = "run inbond bundle import FILE"


@dataclass(frozen=True, slots=True, kw_only=True)
class FedUpstream:
    """An upstream that answers from imports. `url`: where the sending side had it; None: nothing was imported.

    `as_of`: when the newest bundle was made that anything of it comes from; `imported_at`: when that was taken in.
    """

    name: str
    url: str | None = None
    projects: int = 0
    as_of: datetime | None = None
    imported_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """All of it. `imports`: of each name the last that anything is in force from, the one that was made last first."""

    imports: tuple[Import, ...] = ()
    upstreams: tuple[FedUpstream, ...] = ()
    late: tuple[str, ...] = ()  # upstreams that imports exist for by now, and that are answered otherwise
    bare: bool = False  # whether nothing can be answered: inbond is offline and never saw a page

    @property
    def newest(self) -> Import | None:
        """The bundle that was made last."""
        return self.imports[0] if self.imports else None

    def upstream(self, name: str) -> FedUpstream | None:
        """An upstream that answers from imports, or None."""
        return next((one for one in self.upstreams if one.name == name), None)


class ImportsKeeper:
    """Knows what is in force. `fed`: the upstreams that answer from imports, `offline`: those nobody answers for."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        fed: Collection[str],
        offline: Collection[str] = (),
        max_age: timedelta | None,
        clock: Clock,
    ) -> None:
        self._ledger = ledger
        self._fed = tuple(fed)
        self._offline = tuple(offline)
        self._max_age = max_age
        self._clock = clock
        self._version: int | None = None
        self.last = InForce()  # as `current` found it last

    @property
    def serving(self) -> bool:
        """Whether any upstream answers from imports."""
        return bool(self._fed)

    @property
    def offline(self) -> tuple[str, ...]:
        """The upstreams that nobody answers for, as inbond runs offline: only the cache does."""
        return self._offline

    async def current(self) -> InForce:
        """What is in force now. Raises `StoreUnavailable`."""
        version = self._ledger.decisions_version()
        if version != self._version:
            self.last = await self._read()
            self._version = version
        return self.last

    async def known(self) -> InForce:
        """The same, or what it was when the ledger could last be read: for pages and gauges, which must not fail."""
        with suppress(StoreUnavailable):
            return await self.current()
        return self.last

    async def project(self, upstream: str, project: ProjectName) -> ImportedProject | None:
        """What a project's page comes from; None where it comes from no import. Raises `StoreUnavailable`."""
        rows = await self._ledger.imported(upstream, project) if upstream in self._fed else ()
        return rows[0] if rows else None

    def age(self) -> timedelta | None:
        """Since when the newest bundle was made, as far as `current` has found; None where nothing was imported."""
        newest = self.last.newest
        return self._clock() - newest.created_at if newest is not None else None

    async def problems(self) -> list[str]:
        """Why what was imported must not be gone by. Raises `StoreUnavailable`."""
        found = await self.current()
        problems = [
            f"nothing was imported for upstream {one.name}: {IMPORT_ONE}"
            for one in found.upstreams
            if one.as_of is None
        ]
        problems += [f"upstream {name} was imported since inbond started: restart it" for name in found.late]
        if found.bare:
            problems.append(f"inbond runs offline, and nothing was imported or cached here: {IMPORT_ONE}")
        newest, now = found.newest, self._clock()
        if newest is not None and now + CLOCK_TOLERANCE < newest.created_at:
            made = f"the newest bundle, {newest.name}, was made {stamp(newest.created_at)}"
            problems.append(f"the clock says {stamp(now)}, and {made}: set the clock")
        elif (aged := self._aged(newest)) is not None and aged.failing:
            problems.append(f"what was imported {aged.said}: {IMPORT_ONE}")
        return problems

    async def advice(self) -> list[str]:
        """What will become a problem, and what an operator may not expect. Raises `StoreUnavailable`."""
        found = await self.current()
        advice = [f"inbond runs offline: upstream {name} is answered for by the cache alone" for name in self._offline]
        aged = self._aged(found.newest)
        if aged is not None and not aged.failing and aged.said is not None:
            advice.append(f"what was imported {aged.said}: {IMPORT_ONE}")
        return [*advice, *self._behind(found.imports[1:])]

    def _behind(self, others: Iterable[Import]) -> list[str]:
        """Bundles under other names that are too old, while the newest is not."""
        aged = [(one.name, self._aged(one)) for one in others]
        return [f"what was imported as {name} {one.said}" for name, one in aged if one is not None and one.failing]

    def _aged(self, one: Import | None) -> Aged | None:
        if one is None or self._max_age is None:
            return None
        return Aged(as_of=one.created_at, max_age=self._max_age, now=self._clock())

    async def _read(self) -> InForce:
        imports = await self._ledger.imports()
        urls = {one.name: one.url for one in await self._ledger.imported_upstreams()}
        rows = {name: await self._ledger.imported_projects(name) for name in self._fed}
        fed = [_fed_upstream(name, urls.get(name), rows[name], imports) for name in self._fed]
        late = tuple(name for name in self._offline if name in urls)
        behind = _behind([row for found in rows.values() for row in found], imports)
        bare = bool(self._offline) and not urls and not self._fed and not await self._ledger.projects()
        return InForce(imports=behind, upstreams=tuple(fed), late=late, bare=bare)


def _fed_upstream(
    name: str, url: str | None, rows: Collection[ImportedProject], imports: Collection[Import]
) -> FedUpstream:
    sources = _behind(rows, imports)
    if not sources:
        return FedUpstream(name=name, url=url)
    return FedUpstream(
        name=name,
        url=url,
        projects=len({row.project for row in rows}),
        as_of=sources[0].created_at,
        imported_at=sources[0].imported_at,
    )


def _behind(rows: Iterable[ImportedProject], imports: Iterable[Import]) -> tuple[Import, ...]:
    """The imports that rows come from, of each name the last one, the one that was made last first.

    Not the last import of a name as such: it may have brought something else.
    """
    since = {(row.name, row.imported_at) for row in rows}
    last: dict[str, Import] = {}
    for one in imports:  # the latest first
        if (one.name, one.imported_at) in since:
            last.setdefault(one.name, one)
    return tuple(sorted(last.values(), key=lambda one: one.created_at, reverse=True))


def told(one: FedUpstream) -> str:
    """An upstream's state in words: `imported 2026-11-21T10:00:00Z, as of 2026-11-20T08:00:00Z (312 projects)`."""
    if one.as_of is None or one.imported_at is None:
        return "nothing imported yet"
    return f"imported {stamp(one.imported_at)}, as of {stamp(one.as_of)} ({counted(one.projects, 'project')})"
