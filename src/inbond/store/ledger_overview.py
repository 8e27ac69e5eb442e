"""What the ledger says in sum, read beside everything else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import Bearing, KnownProject, LetThrough, Searched, StopsOfRule
from inbond.store import overview
from inbond.store.ledger_connections import LedgerConnections


class LedgerOverview(LedgerConnections):
    """Sums and lists for pages; none of them changes anything. Raises `StoreUnavailable`, `TakesTooLong`."""

    async def stops(self, since: datetime) -> tuple[StopsOfRule, ...]:
        """What was stopped, or would have been, at or after a moment, the most frequent first."""
        return await self._show(lambda connection: overview.stops(connection, since))

    async def let_through(self, since: datetime, *, indexes: Collection[str], limit: int) -> tuple[LetThrough, ...]:
        """Files that these indexes gave at or after a moment, the latest first."""
        return await self._show(lambda one: overview.let_through(one, since, indexes=indexes, limit=limit))

    async def known_projects(
        self, text: str, *, whose: Searched, limit: int, offset: int = 0
    ) -> tuple[KnownProject, ...]:
        """Projects whose normalised name has a text in it: the same, those it begins, the others."""
        return await self._show(lambda one: overview.known_projects(one, text, whose=whose, limit=limit, offset=offset))

    async def latest_occurrences(
        self,
        since: datetime,
        *,
        kinds: Collection[OccurrenceKind],
        bearing: Bearing,
        project: ProjectName | None = None,
        limit: int,
    ) -> tuple[Occurrence, ...]:
        """What happened of some kinds at or after a moment, the latest first; of all projects, or of one.

        `bearing`: what bears on nothing of it is no part of `limit`.
        """
        return await self._show(
            lambda one: overview.latest(one, since, kinds=kinds, bearing=bearing, project=project, limit=limit)
        )
