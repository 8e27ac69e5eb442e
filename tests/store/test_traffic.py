"""What was answered by the hour: several processes add up, and what is old goes."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.model.traffic import TrafficKind, TrafficOutcome
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import TRAFFIC, path_in

HOUR = TRAFFIC.hour
NEXT = HOUR + timedelta(hours=1)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


async def test_answers_of_one_hour_are_added_whoever_counted_them(ledger: Ledger, tmp_path: Path) -> None:
    other = open_ledger(path_in(tmp_path), observer=Heard())
    await ledger.record_traffic([TRAFFIC, TRAFFIC])
    await other.record_traffic([replace(TRAFFIC, count=1, size=1)])
    await other.aclose()
    assert await ledger.traffic(HOUR) == (replace(TRAFFIC, count=7, size=2001),)


async def test_what_differs_stands_apart_in_the_order_of_time(ledger: Ledger) -> None:
    later = replace(TRAFFIC, hour=NEXT)
    others = [
        replace(TRAFFIC, index="team"),
        replace(TRAFFIC, kind=TrafficKind.PAGE),
        replace(TRAFFIC, outcome=TrafficOutcome.STOPPED),
    ]
    await ledger.record_traffic([later, TRAFFIC, *others])
    found = await ledger.traffic(HOUR)
    assert set(found) == {later, TRAFFIC, *others}
    assert found[-1] == later
    assert await ledger.traffic(NEXT) == (later,)


async def test_old_hours_are_removed(ledger: Ledger) -> None:
    await ledger.record_traffic([TRAFFIC, replace(TRAFFIC, hour=NEXT)])
    assert await ledger.forget_traffic(before=NEXT) == 1
    assert [one.hour for one in await ledger.traffic(HOUR)] == [NEXT]


async def test_an_hour_that_inbond_did_not_write_is_told_as_damage(ledger: Ledger, tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path_in(tmp_path))) as raw, raw:
        raw.execute("INSERT INTO traffic VALUES (?, 'root', 'dance', 'hit', 1, 1)", (2**53,))
    with pytest.raises(StoreUnavailable):
        await ledger.traffic(HOUR)
