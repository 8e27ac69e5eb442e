"""The book: what is on its way into the ledger, in batches, so that no request waits for a disk.

Requests, occurrences, acts, and traffic by the hour. An observer among others. What it hears is queued, which takes a
microsecond, and written within a second (traffic alone: within a minute) and when inbond stops; a process that is
killed loses what was not written yet, at most that second's. Equal requests wait as one entry with their number, as the
ledger holds them: who asks again and again takes no room from others. While the ledger cannot be written the queue
grows to its bounds, and what is lost beyond is counted in an alert: serving goes on, as what was decided is decided by
what the ledger holds, not by what it is told here. An entry that no ledger takes is dropped, with an alert, and stops
no other.

Whoever is stopped at a file is written down twice: in the sum of equal requests, and once an hour as an act, which
nobody can change afterwards.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from threading import Lock
from typing import Final, Protocol, TypeVar

from inbond.gateway.act_queue import ActQueue
from inbond.gateway.asking import stop_of
from inbond.gateway.clock import Clock
from inbond.gateway.denial_acts import DenialActs
from inbond.gateway.lru import LruSet
from inbond.gateway.pruning import LOOK_EVERY, Pruning
from inbond.gateway.traffic import Traffic
from inbond.model.acts import COMMAND, Act
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert, Answered, BytesServed, Did, Event, FileAsked, Happened, Observer, Recorded
from inbond.model.history import Asked, AskedRow
from inbond.model.occurrence import Occurrence
from inbond.model.traffic import TrafficHour
from inbond.store.protocols import Acts, History, Occurrences, TrafficRecord

WRITE_EVERY: Final = 1.0  # seconds
TRAFFIC_EVERY: Final = 60.0  # seconds: where there is nothing else to be written
RETRY_EVERY: Final = 10.0  # seconds: while the ledger cannot be written
WRITTEN_AT_ONCE: Final = 2000  # entries in one transaction: whoever waits for the ledger waits some 30 ms
MAX_QUEUED: Final = 50_000  # requests that differ, and as many occurrences: some 50 MB
MAX_KNOWN: Final = 100_000  # keys of occurrences that are in the ledger: they are told again and again

E = TypeVar("E", AskedRow, Occurrence, Act, TrafficHour)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """What the audit trail keeps: for how long, and whether of requests for files who asked, and the address.

    `keep`: requests, after the last equal one, and traffic. `keep_acts`: acts; None: for ever.
    """

    keep: timedelta = timedelta(days=90)
    keep_acts: timedelta | None = timedelta(days=365)
    clients: bool = True


class Records(History, Occurrences, Acts, TrafficRecord, Protocol):
    """What the book writes to: `inbond.store.ledger.Ledger`."""


class Book:
    """Hears `FileAsked`, `Happened`, `Did`, `Answered` and `BytesServed`, and writes them.

    Tells `Recorded` for each occurrence that is new.

    `start` it on the event loop; close it with `aclose`, which writes what is left. May be told from any thread.
    """

    def __init__(
        self,
        records: Records,
        observer: Observer,
        *,
        clock: Clock,
        settings: HistorySettings,
        prunes: Callable[[], bool] = lambda: True,
    ) -> None:
        """`prunes`: asked before what is old is forgotten, which of several processes only one has to do."""
        self._records = records
        self._observer = observer
        self._clock = clock
        self._settings = settings
        self._prunes = prunes
        self._asked: dict[tuple[str, ...], AskedRow] = {}  # by what they have in common
        self._lock = Lock()  # on these
        self._happened: deque[Occurrence] = deque()
        self._known: LruSet[str] = LruSet(MAX_KNOWN)
        self._acts = ActQueue()
        self._denials = DenialActs()
        self._pruning = Pruning(records, observer, clock=clock)
        self._traffic = Traffic(clock)
        self._lost = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stop = asyncio.Event()
        self._woken = False
        self._tasks: list[asyncio.Task[None]] = []

    def use(self, settings: HistorySettings) -> None:
        """From now on that much is kept."""
        self._settings = settings

    def __call__(self, event: Event) -> None:
        """Queues what belongs into the ledger."""
        match event:
            case Answered() | BytesServed():
                self._traffic(event)  # which wakes nobody: pages would have the ledger written every second
            case FileAsked():
                self._join(AskedRow.of(self._as_kept(event.asked), event.count))
                self._wake_up()
            case Happened() if event.occurrence.key not in self._known:
                self._queue(event.occurrence)
                self._wake_up()
            case Did():
                self._acts.add(self._act_as_kept(event.act))
                self._wake_up()
            case _:
                pass

    def start(self) -> None:
        """Begins to write."""
        self._loop = asyncio.get_running_loop()
        self._tasks = [self._loop.create_task(self._write_on()), self._loop.create_task(self._prune_on())]
        if self._woken:
            self._wake.set()

    async def aclose(self) -> None:
        """Writes what is left, once. What is under way is waited for: cut off, it might be written twice."""
        self._stop.set()
        self._wake.set()
        await asyncio.gather(*self._tasks)
        self._loop = None
        await self._lives_through(self.write(last=True))

    async def write(self, *, last: bool = False) -> None:
        """Writes what is queued now; what could not be written stays queued. Raises `StoreUnavailable`.

        `last`: also acts of which there may be more within their minute.
        """
        self._woken = False
        with self._lock:
            asked, self._asked = list(self._asked.values()), {}
        happened = [self._happened.popleft() for _ in range(len(self._happened))]
        now = None if last else self._clock()
        acts, traffic = self._acts.take(now), self._traffic.take()
        try:
            await self._written(self._records.record_acts, acts)
            await self._written(self._write_happened, happened)
            await self._write_asked(asked)
            if (beyond := self._denials.beyond(now)) is not None:
                acts.append(beyond)
                await self._written(self._records.record_acts, acts)
            await self._written(self._records.record_traffic, traffic)
        except BaseException:
            self._put_back(asked, happened)
            self._acts.put_back(acts)
            self._traffic.put_back(traffic)
            raise
        self._tell_lost()

    async def _write_asked(self, asked: list[AskedRow]) -> None:
        """What follows from requests goes first, and is never put back: it follows again from those that are."""
        stops = filter(None, (stop_of(row.first) for row in asked))
        await self._written(self._write_happened, [stop for stop in stops if stop.key not in self._known])
        await self._written(self._write_denials, self._denials.of(asked))
        await self._written(self._write_rows, asked)

    async def _written(self, write: Callable[[list[E]], Awaitable[object]], entries: list[E]) -> None:
        """Takes out of the entries what was written, and what never can be: the one that is, is found by halving."""
        size = WRITTEN_AT_ONCE
        while entries:
            part = entries[:size]
            try:
                await write(part)
            except StoreUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 (whatever it is: the others are written)
                if len(part) > 1:
                    size = len(part) // 2
                    continue
                message = f"an entry of the audit trail cannot be written and is dropped ({type(error).__name__})"
                self._observer(Alert(name="history-lost", message=message))
            del entries[: len(part)]
            size = WRITTEN_AT_ONCE

    async def _write_happened(self, happened: list[Occurrence]) -> None:
        for one in await self._records.happened(happened):
            self._observer(Recorded(occurrence=one))
        for one in happened:
            self._known.add(one.key)

    async def _write_denials(self, acts: list[Act]) -> None:
        await self._records.record_acts(acts)
        self._denials.written(acts)

    async def _write_rows(self, asked: list[AskedRow]) -> None:
        await self._records.record(asked)
        self._denials.recorded(asked)

    def _put_back(self, asked: list[AskedRow], happened: list[Occurrence]) -> None:
        with self._lock:
            came, self._asked = self._asked, {row.first.in_common: row for row in asked}
        for row in came.values():
            self._join(row)
        self._happened.extendleft(reversed(happened))
        while len(self._happened) > MAX_QUEUED:
            self._happened.pop()
            self._lost += 1

    def _as_kept(self, asked: Asked) -> Asked:
        return asked if self._settings.clients else replace(asked, client="", who="")

    def _act_as_kept(self, act: Act) -> Act:
        return act if self._settings.clients or act.client == COMMAND else replace(act, client="")

    def _join(self, row: AskedRow) -> None:
        """Queues requests, with those that are equal to them."""
        key = row.first.in_common
        with self._lock:
            known = self._asked.get(key)
            if known is not None:
                self._asked[key] = known.joined(row)
            elif len(self._asked) < MAX_QUEUED:
                self._asked[key] = row
            else:
                self._lost += row.count

    def _queue(self, one: Occurrence) -> None:
        if len(self._happened) < MAX_QUEUED:
            self._happened.append(one)
        else:
            self._lost += 1

    def _wake_up(self) -> None:
        if not self._woken:
            self._woken = True
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._wake.set)

    def _tell_lost(self) -> None:
        if self._lost or self._acts.lost:
            lost, self._lost, self._acts.lost = self._lost + self._acts.lost, 0, 0
            message = f"{lost} entries of the audit trail are lost: the ledger could not be written for too long"
            self._observer(Alert(name="history-lost", message=message))

    async def _write_on(self) -> None:
        while not self._stop.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), TRAFFIC_EVERY)
            self._wake.clear()
            await self._rest(WRITE_EVERY)
            if not await self._lives_through(self.write()):
                await self._rest(RETRY_EVERY)
                self._wake.set()
            elif self._acts.joins:  # they are written once their minute is over
                self._wake.set()

    async def _prune_on(self) -> None:
        while not self._stop.is_set():
            await self._rest(LOOK_EVERY)
            if not self._stop.is_set() and self._prunes():
                await self._lives_through(self._pruning.look(self._settings))

    async def _lives_through(self, work: Awaitable[object]) -> bool:
        """Does it; whether it could be done. What goes wrong is told, and ends neither task."""
        try:
            await work
        except StoreUnavailable:  # has alerted
            return False
        except Exception as error:  # noqa: BLE001 (an audit trail that has ended would be noticed by nobody)
            message = f"the audit trail could not be written or pruned, and is tried again ({type(error).__name__})"
            self._observer(Alert(name="history-failing", message=message))
            return False
        return True

    async def _rest(self, seconds: float) -> None:
        """Waits so long, or until inbond stops."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)
