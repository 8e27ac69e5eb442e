"""What the ledger remembers of requests and of what happened, and what webhooks are still to be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import Final

from inbond.model.acts import ActsWanted, Place
from inbond.model.denials import Denial, DenialsWanted
from inbond.model.history import EVERYTHING, AskedOnly, AskedRow, Fetched, FetchedWanted, ServedFile
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.store import (
    deliveries,
    denials,
    history,
    occurrences,
)
from inbond.store.ledger_connections import LedgerConnections
from inbond.store.protocols import Delivery

FETCHED_AT_ONCE: Final = 1000  # rows read at a time: some 10 ms of the thread that reads


class LedgerHistory(LedgerConnections):
    """The protocols `History`, `Occurrences` and `Outbox`."""

    async def record(self, asked: Sequence[AskedRow]) -> None:
        """Adds requests, in one transaction; equal ones are summed up."""
        await self._run(lambda connection: history.record(connection, asked))

    async def asked(
        self, *, since: datetime, stopped: bool = False, only: AskedOnly = EVERYTHING, for_page: bool = False
    ) -> tuple[AskedRow, ...]:
        """Requests whose last was at or after `since`, the latest first; with `stopped` those not let through.

        `for_page`: behind other pages for people alone; also raises `TakesTooLong`.
        """
        return await self._read(
            lambda connection: history.since(connection, since, stopped=stopped, only=only), for_page=for_page
        )

    async def denials(self, wanted: DenialsWanted, *, skip: int, limit: int) -> tuple[Denial, ...]:
        """What was stopped, by file, rule and index, the latest first: at most `limit` after the first `skip`."""
        return await self._show(lambda connection: denials.denials(connection, wanted, skip=skip, limit=limit))

    async def recorded_since(self) -> datetime | None:
        """The earliest request that is held; None where none is."""
        return await self._look(history.recorded_since)  # from the end of an index

    async def served_files(self, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
        """A project's files whose bytes were let through, by index, the earliest first."""
        return await self._read(lambda connection: history.served_files(connection, upstream, project))

    async def served_projects(self) -> frozenset[tuple[str, ProjectName]]:
        """The upstreams and projects of which `served_files` knows any file."""
        return await self._read(history.served_projects)

    async def asked_upstreams(self) -> tuple[str, ...]:
        """The upstreams that anything was asked for of, by name."""
        return await self._read(history.upstreams)

    async def named_indexes(self) -> frozenset[str]:
        """The indexes that anything was asked of, or done in, configured or not."""
        return await self._read(history.indexes)

    async def asked_in_order(
        self, wanted: ActsWanted, *, stopped: bool, after: Place | None = None, limit: int = FETCHED_AT_ONCE
    ) -> tuple[Fetched, ...]:
        """Requests in the order of the first of their like; the next ones are asked for with the last one's place."""
        return await self._read(
            lambda connection: history.in_order(connection, wanted, stopped=stopped, after=after, limit=limit)
        )

    async def who_fetched(
        self, wanted: FetchedWanted, *, after: int = 0, limit: int = FETCHED_AT_ONCE, for_page: bool = False
    ) -> tuple[Fetched, ...]:
        """Who was given files, in the order of `number`; the next ones are asked for with the last one's.

        `for_page`: as of `asked`.
        """
        return await self._read(
            lambda connection: history.who_fetched(connection, wanted, after=after, limit=limit), for_page=for_page
        )

    async def forget(self, *, before: datetime) -> int:
        """Removes requests whose last was before that; how many rows."""
        total = 0
        while removed := await self._run(lambda connection: history.forget(connection, before=before)):
            total += removed  # in between others have their turn
        return total

    async def happened(self, found: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        """Records those whose key is new, on disk before it returns, and returns them."""
        return await self._run(lambda connection: occurrences.happened(connection, found))

    async def occurrences(self, *, since: datetime, project: ProjectName | None = None) -> tuple[Occurrence, ...]:
        """What happened at or after that, the latest first."""
        return await self._read(lambda connection: occurrences.since(connection, since, project))

    async def enrol_webhooks(self, webhooks: Collection[str]) -> None:
        """Makes these the webhooks: a new one is told what happens from now on, any other is forgotten."""
        await self._run(lambda connection: deliveries.enrol(connection, webhooks))

    async def claim_deliveries(
        self, webhook: str, kinds: Collection[OccurrenceKind], *, now: datetime, lease: timedelta, at_most: int
    ) -> tuple[Delivery, ...]:
        """Takes up what happened since, of these kinds or of all, and claims what is due, the earliest first."""
        return await self._run(
            lambda connection: deliveries.claim(connection, webhook, kinds, now=now, lease=lease, at_most=at_most)
        )

    async def settle_delivery(self, webhook: str, number: int) -> None:
        """Removes a delivery: it arrived, or is given up."""
        await self._run(lambda connection: deliveries.settle(connection, webhook, number))

    async def postpone_delivery(self, webhook: str, number: int, *, until: datetime) -> None:
        """Counts an attempt that failed, and sets the time of the next."""
        await self._run(lambda connection: deliveries.postpone(connection, webhook, number, until=until))
