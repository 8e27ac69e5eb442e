"""What was answered, summed up by the hour."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from inbond.gateway import traffic
from inbond.gateway.traffic import LOOKUPS, Lookups, Traffic, hour_of, note_lookup
from inbond.model.events import Answered, BytesServed, CacheLookup, Event
from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from store.samples import T0

PAGE = Answered(index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=2, size=10)
HOUR = hour_of(T0)


def sums(*events: Event) -> dict[tuple[TrafficKind, TrafficOutcome], tuple[int, int]]:
    told = Traffic(lambda: T0)
    for event in events:
        told(event)
    return {(one.kind, one.outcome): (one.count, one.size) for one in told.take()}


def test_answers_and_the_bytes_of_files_are_summed_up() -> None:
    file = Answered(index="root", kind=TrafficKind.FILE, outcome=TrafficOutcome.MISS, count=1)
    assert sums(
        PAGE,
        PAGE,
        file,
        BytesServed(source="upstream", count=100, index="root"),
        BytesServed(source="cache", count=7, index="root"),
        BytesServed(source="cache", count=5000),  # of no index
        CacheLookup(kind="page", hit=True),
    ) == {
        (TrafficKind.PAGE, TrafficOutcome.HIT): (4, 20),
        (TrafficKind.FILE, TrafficOutcome.MISS): (1, 100),
        (TrafficKind.FILE, TrafficOutcome.HIT): (0, 7),
    }


def test_hours_stand_apart_and_are_taken_once() -> None:
    now = [T0]
    told = Traffic(lambda: now[0])
    told(PAGE)
    now[0] = T0 + timedelta(hours=1)
    told(PAGE)
    assert [one.hour for one in told.take()] == [HOUR, HOUR + timedelta(hours=1)]
    assert told.take() == []


def test_what_could_not_be_written_is_added_to_what_came_since() -> None:
    told = Traffic(lambda: T0)
    told(PAGE)
    taken = told.take()
    told(PAGE)
    told.put_back(taken)
    (one,) = told.take()
    assert one == TrafficHour(
        hour=HOUR, index="root", kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=4, size=20
    )


def test_the_sums_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(traffic, "MAX_SUMS", 2)
    told = Traffic(lambda: T0)
    for index in ("a", "b", "c", "a"):
        told(Answered(index=index, kind=TrafficKind.PAGE, outcome=TrafficOutcome.HIT, count=1))
    assert [(one.index, one.count) for one in told.take()] == [("a", 2), ("b", 1)]


def test_an_hour_begins_where_it_does_in_utc() -> None:
    half = timezone(timedelta(hours=5, minutes=30))
    assert hour_of(datetime(2026, 11, 20, 12, 10, tzinfo=half)) == datetime(2026, 11, 20, 6, tzinfo=UTC)


@pytest.mark.parametrize(("hits", "missed"), [([], False), ([True], False), ([False], True), ([False, True], False)])
def test_a_request_missed_what_was_not_there_and_nothing_older_was_given_for(hits: list[bool], missed: bool) -> None:
    note_lookup(CacheLookup(kind="page", hit=False))  # of no request
    lookups = Lookups()
    token = LOOKUPS.set(lookups)
    for hit in hits:
        note_lookup(CacheLookup(kind="page", hit=hit))
    note_lookup(CacheLookup(kind="blob", hit=not missed))
    LOOKUPS.reset(token)
    assert lookups.missed("page") is missed
