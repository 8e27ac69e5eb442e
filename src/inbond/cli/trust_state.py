"""How the trusted roots stand, as seen without a server: what their sources hold, and what was in force last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from inbond.cli.config import Config
from inbond.cli.config_trust import ScopeSettings
from inbond.cli.trust_sources import source_of, trust_by_upstream, trust_dir
from inbond.gateway.clock import Clock, utc_now
from inbond.gateway.trust import RootSource
from inbond.gateway.trust_candidate import facts_of, unbegun
from inbond.gateway.trust_files import KeptRoot, TrustFiles
from inbond.gateway.trust_imported import ImportedSource, UnaskedSource
from inbond.gateway.trust_kept import Attempt, Fetched
from inbond.gateway.trust_update import AutoSource
from inbond.model.aging import Aged
from inbond.model.errors import InbondError, OperatorFault
from inbond.model.events import unobserved
from inbond.model.trust import RootFacts, TrustScope

__all__ = ["ScopeState", "facts_or_problem", "held", "look"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeState:
    """One scope. `facts` are those of the source's root, or, where that has a problem, of the one in force."""

    name: str
    root: str  # "auto", "bundled", "imports" or a path
    where: str
    issuers: tuple[str, ...]
    trusted_by: tuple[str, ...]  # upstreams
    used: bool  # whether one of them is asked for anything
    sha256: str | None  # of the source's root
    problem: str | None  # why the source's root cannot be used
    in_force: KeptRoot | None  # as a server left it; None where none has run
    facts: RootFacts | None
    fetched: Fetched | None  # how the source's root came here; None for what was not fetched
    attempt: Attempt | None  # the last refresh
    written_at: datetime | None  # of a file of the operator's
    imported: bool  # whether the source's root is one that an import brought
    as_of: datetime | None  # when the source's root was last known to be the newest
    aged: Aged | None  # the same against its limit; None where it has none
    now: datetime

    @property
    def failing(self) -> bool:
        """Whether it cannot be used, or is not known to be young enough."""
        return self.problem is not None or (self.aged is not None and self.aged.failing)


async def look(config: Config, *, clock: Clock = utc_now) -> tuple[ScopeState, ...]:
    """All scopes that are defined. Asks nobody over the network; one process reads the roots."""
    seen = [await _seen(config, scope, clock) for scope in config.trust]
    roots = [TrustScope(name=one.scope.name, root=one.raw, issuers=one.scope.issuers) for one in seen if one.raw]
    try:
        known: Mapping[str, RootFacts] = await facts_of(roots) if roots else {}
    except OperatorFault:
        known = {}  # one of them is none: each by itself, to tell which
    return tuple([await _state(config, one, known.get(one.scope.name), clock()) for one in seen])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """A scope's source as it stands, before anybody has read the root."""

    scope: ScopeSettings
    source: RootSource
    raw: bytes | None
    fetched: Fetched | None
    problem: str | None


async def _seen(config: Config, scope: ScopeSettings, clock: Clock) -> _Seen:
    source = source_of(config, scope, clock=clock, observer=unobserved)
    raw, fetched, problem = await _read(source)
    return _Seen(scope=scope, source=source, raw=raw, fetched=fetched, problem=problem)


async def _state(config: Config, seen: _Seen, known: RootFacts | None, now: datetime) -> ScopeState:
    scope, source, raw, problem = seen.scope, seen.source, seen.raw, seen.problem
    in_force = await asyncio.to_thread(TrustFiles(trust_dir(config)).root, scope.name)
    facts = known
    if raw is not None and facts is None:
        facts, problem = await facts_or_problem(scope, raw)
    if facts is not None:
        problem = _useless(facts, now)
    if problem is not None and in_force is not None and in_force.raw != raw:
        facts = (await facts_or_problem(scope, in_force.raw))[0] or facts
    used = trust_by_upstream(config)
    as_of = await source.as_of()
    asking = _asking(source)
    return ScopeState(
        name=scope.name,
        root=str(scope.root),
        where=source.where,
        issuers=scope.issuers,
        trusted_by=tuple(sorted(name for name, table in config.upstream_tables.items() if scope.name in table.trust)),
        used=any(scope.name in names for names in used.values()),
        sha256=None if raw is None else sha256(raw).hexdigest(),
        problem=problem,
        in_force=in_force,
        facts=facts,
        fetched=seen.fetched,
        attempt=None if asking is None else await asyncio.to_thread(asking.attempt),
        written_at=as_of if isinstance(scope.root, Path) else None,
        imported=isinstance(source, ImportedSource) and source.imported,
        as_of=as_of,
        aged=None if scope.max_age is None else Aged(as_of=as_of, max_age=scope.max_age, now=now),
        now=now,
    )


def _useless(facts: RootFacts, now: datetime) -> str | None:
    """Why nothing that is signed now verifies; None where it does."""
    if (kind := unbegun(facts, now)) is not None:
        return f"the trusted root is from the future: no {kind} of it has begun to be in force"
    if (kind := facts.missing_at(now)) is not None:
        return f"no {kind} of it is in force now: nothing new verifies"
    return None


def _asking(source: RootSource) -> AutoSource | UnaskedSource | None:
    """What goes by a TUF repository, whether or not it may be asked; None where nothing does."""
    behind = source.otherwise if isinstance(source, ImportedSource) and not source.imported else source
    return behind if isinstance(behind, AutoSource | UnaskedSource) else None


async def _read(source: RootSource) -> tuple[bytes | None, Fetched | None, str | None]:
    """The source's root, how it came here, and what is wrong."""
    try:
        raw, fetched = await held(source)
    except InbondError as error:
        return None, None, error.message
    return raw, fetched, None


async def held(source: RootSource) -> tuple[bytes, Fetched | None]:
    """The root that a source has on this machine; nobody is asked over the network. Raises OperatorFault."""
    if isinstance(source, AutoSource):
        found = await asyncio.to_thread(source.current)
        if found is None:
            raise source.missing()
        return found
    raw = await source.read()
    kept = _asking(source)  # known only now, after it was read
    return raw, None if kept is None else (await asyncio.to_thread(kept.current) or (raw, None))[1]


async def facts_or_problem(scope: ScopeSettings, raw: bytes) -> tuple[RootFacts | None, str | None]:
    """What stands in a root, or why it cannot be used."""
    try:
        found: Mapping[str, RootFacts] = await facts_of([TrustScope(name=scope.name, root=raw, issuers=scope.issuers)])
    except OperatorFault as error:
        return None, error.message.removeprefix(f"[trust.{scope.name}] ")
    return found[scope.name], None
