"""What the ledger remembers of decisions and of the repositories that releases come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from inbond.model.acts import Act
from inbond.model.decisions import Decided
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.standing import Established
from inbond.store import (
    decisions,
    publishers,
)
from inbond.store.ledger_connections import LedgerConnections
from inbond.store.standing_reader import StandingReader


class LedgerDecisions(LedgerConnections):
    """The protocols `Decisions`, `Publishers` and `StandingMemory`."""

    def decisions_version(self) -> int:
        """Differs whenever what stands does, also where another process wrote it; takes microseconds.

        Decisions, repositories, imports and what is attached.
        """
        return self._at_once(StandingReader.version)

    def decided_on(self, project: ProjectName) -> tuple[Decided, ...]:
        """Decisions in force about a project, in the order in which they were made; at once."""
        return self._at_once(lambda reader: reader.decided_on(project))

    def established_of(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository; at once."""
        return self._at_once(lambda reader: reader.established_of(upstream, project))

    def attached_version(self) -> tuple[int, int]:
        """Differs whenever something else is attached to any file; (0, 0) where nothing is; at once."""
        return self._at_once(lambda reader: reader.attached_version())

    async def decisions(self, *, revoked: bool = False) -> tuple[Decided, ...]:
        """Those in force, or those that were revoked, in the order in which they were made."""
        return await self._run(decisions.revoked if revoked else decisions.in_force)

    async def decide(self, decision: Decided, *, now: datetime) -> bool:
        """Records a decision, on disk before it returns; False where the same is in force already."""
        return await self._run(lambda connection: decisions.decide(connection, decision, now=now))

    async def decide_all(
        self,
        made: Sequence[tuple[Decided, Occurrence]],
        *,
        now: datetime,
        told: Callable[[Decided], Act] | None = None,
    ) -> tuple[bool, ...]:
        """As `decide` for each, all or nothing; what is new with its occurrence and, made by `told`, its act."""
        return await self._run(lambda connection: decisions.decide_all(connection, made, now=now, told=told))

    async def revoke(
        self, decision_id: str, *, by: str, now: datetime, told: Callable[[Decided], Act] | None = None
    ) -> Decided | None:
        """Ends a decision, on disk before it returns, with the act that `told` makes; None where none is in force."""
        return await self._run(lambda connection: decisions.revoke(connection, decision_id, by=by, now=now, told=told))

    async def established(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository."""
        return await self._run(lambda connection: publishers.established(connection, upstream, project))

    async def establish(self, upstream: str, project: ProjectName, found: Sequence[Established]) -> bool:
        """Adds repositories that are not remembered yet; whether any was new."""
        return await self._run(lambda connection: publishers.establish(connection, upstream, project, found))
