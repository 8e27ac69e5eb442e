"""What the overview needs long to find out: kept for a while, and found out once for all who look at the same time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from inbond.gateway.clock import Clock
from inbond.gateway.coverage import Coverage
from inbond.gateway.lru import Lru
from inbond.gateway.single_flight import SingleFlight
from inbond.model.overview import LetThrough, StopsOfRule

KEPT_FOR: Final = timedelta(seconds=20)
MAX_KEPT: Final = 64  # sets of indexes and lengths of time
MAX_FILES: Final = 5_000  # whose evidence is counted, the latest first


class OverviewLedger(Protocol):
    """What is read of the ledger; see `inbond.store.ledger_overview`. Raises `StoreUnavailable`."""

    async def stops(self, since: datetime) -> tuple[StopsOfRule, ...]:
        """What was stopped, the most frequent first."""
        ...

    async def let_through(self, since: datetime, *, indexes: frozenset[str], limit: int) -> tuple[LetThrough, ...]:
        """Files that were given, the latest first."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Sums:
    """Of some indexes since a moment. `coverage`: as `Coverage.of`; `bounded`: of the latest `MAX_FILES` alone."""

    at: datetime
    stops: tuple[StopsOfRule, ...]
    coverage: Mapping[str, int]
    bounded: bool


_Key = tuple[frozenset[str], datetime]


class OverviewSums:
    """Knows the sums."""

    def __init__(self, ledger: OverviewLedger, coverage: Coverage, clock: Clock) -> None:
        self._ledger = ledger
        self._coverage = coverage
        self._clock = clock
        self._kept: Lru[_Key, Sums] = Lru(MAX_KEPT)
        self._flights: SingleFlight[_Key, Sums] = SingleFlight()

    async def of(self, indexes: frozenset[str], since: datetime) -> Sums:
        """At most `KEPT_FOR` old. Raises `StoreUnavailable`."""
        key = (indexes, since)
        kept = self._kept.get(key)
        if kept is not None and kept.at <= self._clock() < kept.at + KEPT_FOR:
            return kept
        return await self._flights.do(key, lambda: self._made(indexes, since))

    async def _made(self, indexes: frozenset[str], since: datetime) -> Sums:
        given = await self._ledger.let_through(since, indexes=indexes, limit=MAX_FILES)
        made = Sums(
            at=self._clock(),
            stops=tuple(one for one in await self._ledger.stops(since) if one.index in indexes),
            coverage=await self._coverage.of(given),
            bounded=len(given) >= MAX_FILES,
        )
        self._kept.put((indexes, since), made)
        return made
