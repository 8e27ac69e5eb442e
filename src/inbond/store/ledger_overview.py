"""What the ledger says in sum, read beside everything else."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import KnownProject, LetThrough, StopsOfRule
from inbond.store import overview
from inbond.store.ledger_connections import LedgerConnections


class LedgerOverview(LedgerConnections):
    """Sums and lists for pages; none of them changes anything. Raises `StoreUnavailable`."""

    async def stops(self, since: datetime) -> tuple[StopsOfRule, ...]:
        """What was stopped, or would have been, at or after a moment, the most frequent first."""
        return await self._read(lambda connection: overview.stops(connection, since))

    async def let_through(self, since: datetime, *, indexes: Collection[str], limit: int) -> tuple[LetThrough, ...]:
        """Files that these indexes gave at or after a moment, the latest first."""
        return await self._read(lambda one: overview.let_through(one, since, indexes=indexes, limit=limit))

    async def known_projects(
        self, text: str, *, upstreams: Collection[str], limit: int, offset: int = 0
    ) -> tuple[KnownProject, ...]:
        """Projects of these upstreams whose normalised name has a text in it: the same, those it begins, the others."""
        return await self._read(
            lambda one: overview.known_projects(one, text, upstreams=upstreams, limit=limit, offset=offset)
        )

    async def latest_occurrences(
        self,
        since: datetime,
        *,
        kinds: Collection[OccurrenceKind],
        project: ProjectName | None = None,
        limit: int,
    ) -> tuple[Occurrence, ...]:
        """What happened of some kinds at or after a moment, the latest first; of all projects, or of one."""
        return await self._read(lambda one: overview.latest(one, since, kinds=kinds, project=project, limit=limit))
