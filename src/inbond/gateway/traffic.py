"""What was answered, summed up by the hour until it is written: a few sums in memory, whoever asks how often."""

from __future__ import annotations

from collections.abc import Iterable
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Final

from inbond.gateway.clock import Clock
from inbond.model.events import Answered, BytesServed, CacheLookup, Event
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome

HOUR: Final = timedelta(hours=1)
MAX_SUMS: Final = 20_000  # of hours, indexes, kinds and outcomes: a day of some ninety indexes

_Key = tuple[datetime, str, TrafficKind, TrafficOutcome]


class Traffic:
    """An observer that sums up. May be told from any thread."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._sums: dict[_Key, tuple[int, int]] = {}  # answers and bytes
        self._lock = Lock()

    def __call__(self, event: Event) -> None:
        """Adds answers, or bytes of a file."""
        match event:
            case Answered():
                self._add(event.index, event.kind, event.outcome, event.count, event.size)
            case BytesServed(index=str() as index):
                outcome = TrafficOutcome.HIT if event.source == "cache" else TrafficOutcome.MISS
                self._add(index, TrafficKind.FILE, outcome, 0, event.count)
            case _:
                pass

    def _add(self, index: str, kind: TrafficKind, outcome: TrafficOutcome, count: int, size: int) -> None:
        self._sum((hour_of(self._clock()), index, kind, outcome), count, size)

    def _sum(self, key: _Key, count: int, size: int) -> None:
        with self._lock:
            known = self._sums.get(key)
            if known is not None:
                self._sums[key] = (known[0] + count, known[1] + size)
            elif len(self._sums) < MAX_SUMS:  # beyond, the ledger has not been written for days
                self._sums[key] = (count, size)

    def take(self) -> list[TrafficHour]:
        """All that was summed up; it is the caller's from now on."""
        with self._lock:
            taken, self._sums = self._sums, {}
        return [
            TrafficHour(hour=hour, index=index, kind=kind, outcome=outcome, count=count, size=size)
            for (hour, index, kind, outcome), (count, size) in taken.items()
        ]

    def put_back(self, hours: Iterable[TrafficHour]) -> None:
        """They could not be written."""
        for one in hours:
            self._sum((one.hour, one.index, one.kind, one.outcome), one.count, one.size)


def hour_of(moment: datetime) -> datetime:
    """The beginning of the hour, in UTC."""
    return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class Lookups:
    """What was looked up in the cache for one request, by kind: whether it was there."""

    found: dict[str, bool] = field(default_factory=dict)

    def missed(self, kind: str) -> bool:
        """Whether upstream was asked for it, and nothing older was given instead."""
        return self.found.get(kind) is False


LOOKUPS: Final[ContextVar[Lookups | None]] = ContextVar("lookups", default=None)


def note_lookup(event: Event) -> None:
    """An observer that tells the request for which something is looked up whether it was there."""
    if isinstance(event, CacheLookup) and (lookups := LOOKUPS.get()) is not None:
        lookups.found[event.kind] = event.hit or lookups.found.get(event.kind, False)
