"""When what the audit trail no longer has to keep is forgotten: by a clock that is not believed on its word.

What is forgotten is gone, and a clock may be wrong when a machine starts. So nothing is forgotten in the first hour,
nor in an hour in which the clock leapt; and the time that counts is that of the newest act from before this start, and
how long inbond has run since. A time in which it was off counts from the next start on: what is old is kept too long
rather than what is new be lost.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, Protocol

from inbond.gateway.clock import Clock
from inbond.model.acts import ActsWanted
from inbond.model.events import Alert, Observer
from inbond.store.protocols import Acts, History, TrafficRecord

LOOK_EVERY: Final = 3600.0  # seconds: an hour
PRUNE_EVERY: Final = 86_400.0  # seconds: a day
MAX_LEAP: Final = timedelta(minutes=5)  # between two looks: more than a clock goes wrong by itself
MAX_GAP: Final = timedelta(days=30)  # from the newest act to this start: inbond was off for long, or the clock is wrong
ALERT: Final = "clock-leapt"


class Forgets(Acts, History, TrafficRecord, Protocol):
    """What forgets: `inbond.store.ledger.Ledger`."""


class Keeps(Protocol):
    """For how long: `inbond.gateway.book.HistorySettings`."""

    @property
    def keep(self) -> timedelta:
        """Requests and traffic."""
        ...

    @property
    def keep_acts(self) -> timedelta | None:
        """Acts; None: for ever."""
        ...


def running_for() -> float:
    """Seconds that only rise, and where the system has such a clock go on while it sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Pruning:
    """Of one process, from its start on. `timer`: seconds that only rise."""

    def __init__(
        self, records: Forgets, observer: Observer, *, clock: Clock, timer: Callable[[], float] = running_for
    ) -> None:
        self._records = records
        self._observer = observer
        self._clock = clock
        self._timer = timer
        self._began = self._looked = (clock(), timer())
        self._pruned: float | None = None

    async def look(self, keeps: Keeps) -> None:
        """Forgets what is old, once a day and where the clock may be believed. Raises `StoreUnavailable`."""
        if self._leapt():
            return
        at = self._timer()
        if self._pruned is not None and at - self._pruned < PRUNE_EVERY:
            return
        now = await self._time_for_sure()
        await self._records.forget(before=now - keeps.keep)
        await self._records.forget_traffic(before=now - keeps.keep)
        if keeps.keep_acts is not None:
            await self._records.forget_acts(before=now - keeps.keep_acts)
        self._pruned = at

    def _leapt(self) -> bool:
        """Whether the clock went otherwise than the timer since the last look."""
        before, now = self._looked, (self._clock(), self._timer())
        self._looked = now
        leap = now[0] - before[0] - timedelta(seconds=now[1] - before[1])
        if abs(leap) <= MAX_LEAP:
            return False
        self._tell(f"the clock leapt by {leap.total_seconds():+,.0f} s; the audit trail is not pruned for an hour")
        return True

    async def _time_for_sure(self) -> datetime:
        """No later than it can be; by the clock alone where no act is older than this start."""
        began, timer = self._began
        newest = await self._records.acts(ActsWanted(until=began), limit=1)
        if not newest:
            return self._clock()
        last = newest[0].act.at
        if self._pruned is None and began - last > MAX_GAP:
            self._tell(
                f"inbond started {(began - last).days} days after the newest act in the audit trail: it was off for so"
                " long, or the clock is wrong; what is old is kept for as much longer"
            )
        return min(self._clock(), last + timedelta(seconds=self._timer() - timer))

    def _tell(self, message: str) -> None:
        self._observer(Alert(name=ALERT, message=message))
