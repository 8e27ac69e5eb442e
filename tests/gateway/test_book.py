"""The audit trail on its way into the ledger: nothing waits for it, and nothing is written twice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from threading import Thread

import pytest

from inbond.gateway import act_queue, book, denial_acts
from inbond.gateway.asking import stop_of
from inbond.gateway.book import Book, HistorySettings
from inbond.model.acts import COMMAND, Act, ActKind
from inbond.model.errors import StoreUnavailable
from inbond.model.events import Answered, BytesServed, CacheLookup, Did, FileAsked, Happened, Recorded
from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.model.verdict import Decision
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import ACT, ASKED, HAPPENED, T0, T1, T3, TRAFFIC, path_in, rows_from

DENIED = replace(ASKED, decision=Decision.DENY, would=Decision.DENY, rule="review", code="rejected", message="no")


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


@pytest.fixture
def events() -> Heard:
    return Heard()


def book_of(ledger: Ledger, events: Heard, settings: HistorySettings | None = None) -> Book:
    return Book(ledger, events, clock=lambda: T3, settings=settings or HistorySettings())


class Failing:
    """A ledger that cannot be written for so many tries."""

    def __init__(self, ledger: Ledger, tries: int) -> None:
        self._ledger = ledger
        self.tries = tries

    def _check(self) -> None:
        if self.tries:
            self.tries -= 1
            raise StoreUnavailable("the ledger cannot be used", remedy="wait")

    async def record(self, asked: Sequence[AskedRow]) -> None:
        self._check()
        await self._ledger.record(asked)

    async def happened(self, found: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
        self._check()
        return await self._ledger.happened(found)

    async def record_acts(self, acts: Sequence[Act]) -> int:
        self._check()
        return await self._ledger.record_acts(acts)

    async def record_traffic(self, hours: Sequence[TrafficHour]) -> None:
        self._check()
        await self._ledger.record_traffic(hours)

    async def forget(self, *, before: datetime) -> int:
        return await self._ledger.forget(before=before)


async def test_what_is_told_is_written_within_a_second(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "WRITE_EVERY", 0.02)
    told = book_of(ledger, events)
    told.start()
    told(FileAsked(asked=ASKED))
    told(Happened(occurrence=HAPPENED))
    told(CacheLookup(kind="page", hit=True))
    async with asyncio.timeout(60):
        while not events:
            await asyncio.sleep(0.01)
    assert events == [Recorded(occurrence=HAPPENED)]
    assert [row.first for row in await ledger.asked(since=T0)] == [ASKED]
    await told.aclose()
    assert [row.count for row in await ledger.asked(since=T0)] == [1]


async def test_what_is_left_is_written_when_inbond_stops(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told(FileAsked(asked=ASKED))
    told.start()
    for _ in range(999):
        told(FileAsked(asked=ASKED))
    await told.aclose()
    assert [row.count for row in await ledger.asked(since=T0)] == [1000]


async def test_without_a_start_all_is_written_at_the_end(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told(Happened(occurrence=HAPPENED))
    await told.aclose()
    assert await ledger.occurrences(since=T0) == (HAPPENED,)


async def test_it_may_be_told_from_any_thread(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told.start()

    def tell() -> None:
        for _ in range(500):
            told(FileAsked(asked=ASKED))

    threads = [Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    await told.aclose()
    assert [row.count for row in await ledger.asked(since=T0)] == [2000]


async def test_an_occurrence_is_told_on_once(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    for _ in range(2):
        told(Happened(occurrence=HAPPENED))
        told(Happened(occurrence=replace(HAPPENED, message="told again")))
        await told.write()
    await book_of(ledger, events).aclose()
    another = book_of(ledger, events)
    another(Happened(occurrence=HAPPENED))
    await another.aclose()
    assert events == [Recorded(occurrence=HAPPENED)]


async def test_the_first_who_is_stopped_by_a_rule_is_an_occurrence(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    for one in (DENIED, replace(DENIED, client="192.0.2.9", at=T3), replace(DENIED, rule="cooldown")):
        told(FileAsked(asked=one))
    await told.write()
    told(FileAsked(asked=DENIED))
    await told.aclose()
    stops = await ledger.occurrences(since=T0)
    assert [(one.kind, one.detail["rule"]) for one in stops] == [
        (OccurrenceKind.FILE_STOPPED, "cooldown"),
        (OccurrenceKind.FILE_STOPPED, "review"),
    ]
    assert stops[1].message == "flask-3.1.0.tar.gz was denied by rule review: no"
    assert len(events) == 2


def test_what_is_let_through_or_passes_by_itself_stops_nobody() -> None:
    assert stop_of(ASKED) is None  # only audited
    assert stop_of(replace(DENIED, decision=Decision.HOLD, code="unavailable")) is None
    held = stop_of(replace(DENIED, decision=Decision.HOLD, sha256=None, version=None))
    assert held is not None
    assert held.message.startswith("flask-3.1.0.tar.gz was held by rule review")
    assert held.detail == {"decision": "hold", "rule": "review", "code": "rejected"}


async def test_addresses_are_kept_only_where_that_is_wanted(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events, HistorySettings(clients=False))
    told(FileAsked(asked=ASKED))
    told(FileAsked(asked=replace(ASKED, client="192.0.2.9")))
    await told.aclose()
    assert [(row.first.client, row.count) for row in await ledger.asked(since=T0)] == [("", 2)]


async def test_old_requests_are_removed(ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "LOOK_EVERY", 0.02)
    await ledger.record(rows_from([ASKED, replace(ASKED, client="x", at=T3)]))
    told = book_of(ledger, events, HistorySettings(keep=timedelta(hours=1)))
    told.start()
    async with asyncio.timeout(60):
        while len(await ledger.asked(since=T0)) > 1:
            await asyncio.sleep(0.01)
    await told.aclose()


@pytest.mark.parametrize("tries", [1, 2, 3])
async def test_what_could_not_be_written_is_written_later_once(ledger: Ledger, events: Heard, tries: int) -> None:
    failing = Failing(ledger, tries)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    told(FileAsked(asked=DENIED))
    told(Happened(occurrence=HAPPENED))
    while failing.tries:
        with pytest.raises(StoreUnavailable):
            await told.write()
    failing.tries = 0
    told(FileAsked(asked=replace(DENIED, at=T1 + timedelta(minutes=1))))
    await told.write()
    assert [row.count for row in await ledger.asked(since=T0)] == [2]
    assert len(await ledger.occurrences(since=T0)) == 2


async def test_a_ledger_that_fails_halfway_is_not_written_to_twice(ledger: Ledger, events: Heard) -> None:
    failing = Failing(ledger, 0)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    told(FileAsked(asked=DENIED))
    record = failing.record

    async def record_and_break(asked: Sequence[AskedRow]) -> None:
        await record(asked)
        failing.tries = 1

    failing.record = record_and_break  # type: ignore[method-assign]
    told(Answered(index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=1))
    with pytest.raises(StoreUnavailable):
        await told.write()
    await told.write()
    assert [row.count for row in await ledger.asked(since=T0)] == [1]
    assert [kept.act.kind for kept in await ledger.acts()] == [ActKind.FILE_DENIED]
    assert len(await ledger.occurrences(since=T0)) == 1


async def test_the_queue_is_bounded_and_what_is_lost_is_counted(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_QUEUED", 3)
    failing = Failing(ledger, 1)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    for number in range(5):
        told(FileAsked(asked=replace(ASKED, client=str(number))))
    with pytest.raises(StoreUnavailable):
        await told.write()
    told(FileAsked(asked=ASKED))
    await told.write()
    assert sorted(row.first.client for row in await ledger.asked(since=T0)) == ["0", "1", "2"]
    assert events.alerts == ["history-lost"]
    await told.aclose()
    assert events.alerts == ["history-lost"]


async def test_who_asks_again_and_again_takes_room_from_nobody(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_QUEUED", 3)
    failing = Failing(ledger, 1)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    for number in range(9):
        told(FileAsked(asked=replace(ASKED, at=T1 + timedelta(seconds=number)), count=100_000))
    with pytest.raises(StoreUnavailable):
        await told.write()
    told(FileAsked(asked=replace(ASKED, at=T3), count=100_000))
    told(FileAsked(asked=DENIED))
    await told.aclose()
    rows = await ledger.asked(since=T0)
    assert {(row.first, row.last_at, row.count) for row in rows} == {(ASKED, T3, 1_000_000), (DENIED, T1, 1)}
    assert not events.alerts


async def test_what_comes_while_the_ledger_fails_is_bounded_too(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "MAX_QUEUED", 3)
    failing = Failing(ledger, 1)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    record = failing.record

    async def record_slowly(asked: Sequence[AskedRow]) -> None:
        for number in range(3):
            told(FileAsked(asked=replace(ASKED, client=f"late-{number}")))
        await record(asked)

    failing.record = record_slowly  # type: ignore[method-assign]
    told(FileAsked(asked=ASKED))
    with pytest.raises(StoreUnavailable):
        await told.write()
    failing.record = record  # type: ignore[method-assign]
    await told.write()
    assert sorted(row.first.client for row in await ledger.asked(since=T0)) == [ASKED.client, "late-0", "late-1"]
    assert events.alerts == ["history-lost"]


async def test_it_keeps_trying_while_inbond_serves(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "WRITE_EVERY", 0.01)
    monkeypatch.setattr(book, "RETRY_EVERY", 0.01)
    failing = Failing(ledger, 3)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    told.start()
    told(FileAsked(asked=ASKED))
    async with asyncio.timeout(60):
        while not await ledger.asked(since=T0):
            await asyncio.sleep(0.01)
    await told.aclose()


async def test_telling_costs_microseconds(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told.start()
    event = FileAsked(asked=ASKED)
    begun = time.perf_counter()
    for _ in range(10_000):
        told(event)
    assert (time.perf_counter() - begun) / 10_000 < 0.0001  # under a microsecond on an idle machine
    await told.aclose()


OTHER = Filename("flask-3.1.0-py3-none-any.whl")
UNWRITABLE = replace(ASKED, client="fe80::1%\udcff")


async def test_what_no_ledger_takes_is_dropped_and_stops_nothing_else(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "WRITE_EVERY", 0.02)
    told = book_of(ledger, events)
    told.start()
    for one in (ASKED, UNWRITABLE, replace(ASKED, filename=OTHER), UNWRITABLE, ASKED):
        told(FileAsked(asked=one))
    told(Happened(occurrence=replace(HAPPENED, message="\ud800")))
    told(Happened(occurrence=HAPPENED))
    async with asyncio.timeout(60):
        while Recorded(occurrence=HAPPENED) not in events:
            await asyncio.sleep(0.01)
    told(FileAsked(asked=ASKED))
    await told.aclose()
    assert {(row.first.filename, row.count) for row in await ledger.asked(since=T0)} == {
        (ASKED.filename, 3),
        (OTHER, 1),
    }
    assert events.alerts == ["history-lost"] * 2
    assert await ledger.occurrences(since=T0) == (HAPPENED,)


async def test_whatever_goes_wrong_the_book_goes_on(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(book, "WRITE_EVERY", 0.02)
    monkeypatch.setattr(book, "RETRY_EVERY", 0.02)
    monkeypatch.setattr(book, "LOOK_EVERY", 0.02)
    broken = [RuntimeError("once")]

    def breaks_once(asked: Asked) -> Occurrence | None:
        if broken:
            raise broken.pop()
        return stop_of(asked)

    async def breaks(*, before: datetime) -> int:
        raise RuntimeError(str(before))

    monkeypatch.setattr(book, "stop_of", breaks_once)
    monkeypatch.setattr(ledger, "forget", breaks)
    told = book_of(ledger, events)
    told.start()
    told(FileAsked(asked=ASKED))
    async with asyncio.timeout(60):
        while not await ledger.asked(since=T0) or len(events) < 3:
            await asyncio.sleep(0.01)
    await told.aclose()
    assert set(events.alerts) == {"history-failing"}


async def test_acts_and_traffic_are_written_with_the_rest(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told(Did(act=ACT))
    told(Answered(index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=2, size=9))
    told(BytesServed(source="cache", count=7, index="root"))
    await told.write()
    assert [kept.act for kept in await ledger.acts()] == [ACT]
    assert [(one.kind, one.count, one.size) for one in await ledger.traffic(T0)] == [
        (TrafficKind.FILE, 0, 7),
        (TrafficKind.PAGE, 2, 9),
    ]


async def test_who_is_stopped_is_written_down_as_an_act_once_an_hour(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    for _ in range(3):
        told(FileAsked(asked=replace(DENIED, who="token:t-1 (ci)")))
        await told.write()
    told(FileAsked(asked=replace(DENIED, decision=Decision.HOLD, at=T1 + timedelta(hours=1))))
    told(FileAsked(asked=ASKED))  # let through
    await told.aclose()
    held, denied = (kept.act for kept in await ledger.acts())
    assert (denied.kind, denied.by, denied.client) == (ActKind.FILE_DENIED, "token:t-1 (ci)", "192.0.2.7")
    assert denied.message == "flask-3.1.0.tar.gz was denied by rule review: no"
    assert (held.by, held.message.split(" by ")[0]) == ("anonymous", "flask-3.1.0.tar.gz was held")
    assert [row.count for row in await ledger.asked(since=T0, stopped=True) if row.first.who] == [3]


async def test_refusals_that_were_joined_are_written_when_inbond_stops(ledger: Ledger, events: Heard) -> None:
    told = book_of(ledger, events)
    told.start()
    for number in range(5):
        told(Did(act=replace(ACT, kind=ActKind.SIGN_IN_FAILED, at=T3 + timedelta(milliseconds=number))))
    await told.aclose()
    assert [kept.act.detail.get("count") for kept in await ledger.acts()] == ["4", None]


async def test_neither_who_nor_from_where_is_kept_of_requests_where_that_is_not_wanted(
    ledger: Ledger, events: Heard
) -> None:
    told = book_of(ledger, events, HistorySettings(clients=False))
    told(FileAsked(asked=replace(DENIED, who="person:ada")))
    told(Did(act=ACT))
    told(Did(act=replace(ACT, client=COMMAND, by="ada")))
    await told.aclose()
    assert [(row.first.client, row.first.who) for row in await ledger.asked(since=T0)] == [("", "")]
    found = {(kept.act.kind, kept.act.by, kept.act.client) for kept in await ledger.acts()}
    assert found == {
        (ActKind.FILE_DENIED, "", ""),
        (ActKind.SIGN_IN, ACT.by, ""),
        (ActKind.SIGN_IN, "ada", COMMAND),
    }


@pytest.mark.parametrize(("keep_acts", "left"), [(timedelta(hours=1), 1), (None, 2)])
async def test_old_acts_and_hours_are_removed(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch, keep_acts: timedelta | None, left: int
) -> None:
    monkeypatch.setattr(book, "LOOK_EVERY", 0.02)
    await ledger.record_acts([ACT, replace(ACT, at=T3 - timedelta(minutes=1))])
    await ledger.record_traffic([TRAFFIC])
    told = book_of(ledger, events, HistorySettings(keep=timedelta(hours=1), keep_acts=keep_acts))
    told.start()
    async with asyncio.timeout(60):
        while await ledger.traffic(T0 - timedelta(days=1)) or len(await ledger.acts()) > left:
            await asyncio.sleep(0.01)
    await told.aclose()
    assert len(await ledger.acts()) == left


async def test_what_follows_from_requests_waits_for_the_ledger_as_often_as_they_do(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(act_queue, "MAX_WAITING", 30)
    monkeypatch.setattr(book, "MAX_QUEUED", 30)
    failing = Failing(ledger, 50)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    for number in range(20):
        told(FileAsked(asked=replace(DENIED, client=str(number), rule=f"rule-{number}")))
    told(Happened(occurrence=HAPPENED))
    while failing.tries:
        with pytest.raises(StoreUnavailable):
            await told.write()
    told(Did(act=ACT))
    told(Happened(occurrence=replace(HAPPENED, key="another")))
    await told.write()
    kinds = [kept.act.kind for kept in await ledger.acts()]
    assert (kinds.count(ActKind.FILE_DENIED), kinds.count(ACT.kind)) == (20, 1)
    assert len(await ledger.occurrences(since=T0)) == 22
    assert not events.alerts


async def test_strangers_cannot_fill_the_trail_nor_take_room_from_who_is_known(
    ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(denial_acts, "MAX_AN_HOUR", 3)
    told = book_of(ledger, events)
    for number in range(10):
        told(FileAsked(asked=replace(DENIED, client=f"2001:db8:{number}::1"), count=2))
        told(FileAsked(asked=replace(DENIED, client=f"2001:db8:0::{number + 2:x}")))
    told(FileAsked(asked=replace(DENIED, who="token:t-1 (ci)")))
    await told.aclose()
    acts = [kept.act for kept in await ledger.acts(newest_first=False)]
    assert [act.by for act in acts] == ["anonymous"] * 3 + ["token:t-1 (ci)", ""]
    assert (acts[4].client, acts[4].detail["count"]) == ("", "14")
    assert len(await ledger.asked(since=T0)) == 21


async def test_acts_that_could_not_be_written_are_written_later_once(ledger: Ledger, events: Heard) -> None:
    failing = Failing(ledger, 1)
    told = Book(failing, events, clock=lambda: T3, settings=HistorySettings())  # type: ignore[arg-type]  # a double
    told(Did(act=ACT))
    told(Answered(index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=2))
    with pytest.raises(StoreUnavailable):
        await told.write()
    await told.write()
    await told.write()
    assert [kept.act for kept in await ledger.acts()] == [ACT]
    assert [one.count for one in await ledger.traffic(T0)] == [2]


async def test_traffic_alone_is_written_too(ledger: Ledger, events: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book, "WRITE_EVERY", 0.02)
    monkeypatch.setattr(book, "TRAFFIC_EVERY", 0.02)
    told = book_of(ledger, events)
    told.start()
    told(Answered(index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=2))
    async with asyncio.timeout(60):
        while not await ledger.traffic(T0):
            await asyncio.sleep(0.01)
    await told.aclose()
    assert [one.count for one in await ledger.traffic(T0)] == [2]
