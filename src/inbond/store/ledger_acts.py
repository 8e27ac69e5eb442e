"""The ledger's audit trail of acts, and what was answered by the hour."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from inbond.model.acts import EVERY_ACT, Act, ActsWanted, KeptAct, Place
from inbond.model.traffic import TrafficHour
from inbond.store import acts as in_sql
from inbond.store import traffic
from inbond.store.ledger_connections import LedgerConnections

ACTS_AT_ONCE: Final = 1000  # rows read at a time: some 10 ms of the thread that reads


class LedgerActs(LedgerConnections):
    """The protocols `Acts` and `TrafficRecord`."""

    async def record_acts(self, acts: Sequence[Act]) -> int:
        """Adds acts, on disk before it returns; how many were not there yet."""
        return await self._run(lambda connection: in_sql.record(connection, acts))

    async def acts(
        self,
        wanted: ActsWanted = EVERY_ACT,
        *,
        after: Place | None = None,
        newest_first: bool = True,
        limit: int = ACTS_AT_ONCE,
        for_page: bool = False,
    ) -> tuple[KeptAct, ...]:
        """Acts in the order of time or against it; the next ones are asked for with the last one's `place`.

        `for_page`: behind other pages for people alone; also raises `TakesTooLong`.
        """
        return await self._read(
            lambda connection: in_sql.read(connection, wanted, after=after, newest_first=newest_first, limit=limit),
            for_page=for_page,
        )

    async def acts_kept_since(self) -> datetime | None:
        """The earliest act that is held; None where none is."""
        return await self._look(in_sql.kept_since)  # one row

    async def forget_acts(self, *, before: datetime) -> int:
        """Removes acts from before that, for ever; how many."""
        total = 0
        while removed := await self._run(lambda connection: in_sql.forget(connection, before=before)):
            total += removed  # in between others have their turn
        return total

    async def record_traffic(self, hours: Sequence[TrafficHour]) -> None:
        """Adds answers to those of the same hour."""
        await self._run(lambda connection: traffic.record(connection, hours))

    async def traffic(self, since: datetime) -> tuple[TrafficHour, ...]:
        """Hours that began at or after that, the earliest first."""
        return await self._show(lambda connection: traffic.since(connection, since))

    async def forget_traffic(self, *, before: datetime) -> int:
        """Removes hours that began before that; how many rows."""
        return await self._run(lambda connection: traffic.forget(connection, before=before))
