"""What is old is forgotten, and never because a clock was wrong."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway.book import HistorySettings
from inbond.gateway.pruning import ALERT, MAX_GAP, MAX_LEAP, PRUNE_EVERY, Pruning, running_for
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import ACT, ASKED, T1, path_in, rows_from

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
KEEPS = HistorySettings(keep=10 * DAY, keep_acts=30 * DAY)


class Time:
    """A clock, and a timer that goes with it unless somebody sets the clock."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.seconds = 5.0

    def passes(self, length: timedelta) -> None:
        self.now += length
        self.seconds += length.total_seconds()


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    await opened.record_acts([replace(ACT, at=T1 - age) for age in (timedelta(), 20 * DAY, 31 * DAY)])
    await opened.record(rows_from([replace(ASKED, at=T1 - age, client=str(age)) for age in (HOUR, 11 * DAY)]))
    yield opened
    await opened.aclose()


def pruning(ledger: Ledger, time: Time, heard: Heard) -> Pruning:
    return Pruning(ledger, heard, clock=lambda: time.now, timer=lambda: time.seconds)


async def held(ledger: Ledger) -> tuple[int, int]:
    return len(await ledger.acts()), len(await ledger.asked(since=T1 - 100 * DAY))


async def test_what_is_old_is_forgotten_once_a_day(ledger: Ledger) -> None:
    time, heard = Time(T1 + HOUR), Heard()
    told = pruning(ledger, time, heard)
    time.passes(HOUR)
    await told.look(KEEPS)
    assert await held(ledger) == (2, 1)
    time.passes(timedelta(seconds=PRUNE_EVERY - 1))
    await told.look(replace(KEEPS, keep_acts=DAY))
    assert await held(ledger) == (2, 1)
    time.passes(HOUR)
    await told.look(replace(KEEPS, keep_acts=2 * DAY))
    assert await held(ledger) == (1, 1)
    assert not heard.alerts


async def test_a_clock_that_is_years_ahead_at_the_start_forgets_nothing_that_is_not_old(ledger: Ledger) -> None:
    time, heard = Time(T1 + 3650 * DAY), Heard()
    told = pruning(ledger, time, heard)
    for _ in range(3):
        await ledger.record_acts([replace(ACT, at=time.now)])
        time.passes(HOUR)
        await told.look(KEEPS)
    assert await held(ledger) == (5, 1)  # by the newest act from before
    assert heard.alerts == [ALERT]


@pytest.mark.parametrize("leap", [400 * DAY, -400 * DAY, MAX_LEAP + timedelta(seconds=1)])
async def test_where_the_clock_leaps_nothing_is_forgotten_for_an_hour(ledger: Ledger, leap: timedelta) -> None:
    time, heard = Time(T1 + HOUR), Heard()
    told = pruning(ledger, time, heard)
    time.now += leap
    await told.look(KEEPS)
    assert (await held(ledger), heard.alerts) == ((3, 2), [ALERT])
    if leap > timedelta():
        await told.look(KEEPS)
        assert await held(ledger) == (2, 1)
    assert heard.alerts == [ALERT]


async def test_a_new_ledger_goes_by_the_clock(tmp_path: Path) -> None:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    await opened.record(rows_from([replace(ASKED, at=T1 - age) for age in (11 * DAY,)]))
    time, heard = Time(T1 + MAX_GAP), Heard()
    await pruning(opened, time, heard).look(KEEPS)
    assert (await held(opened), heard.alerts) == ((0, 0), [])
    await opened.aclose()


async def test_where_acts_are_kept_for_ever_none_is_forgotten(ledger: Ledger) -> None:
    await pruning(ledger, Time(T1 + HOUR), Heard()).look(replace(KEEPS, keep_acts=None))
    assert await held(ledger) == (3, 1)


def test_the_timer_only_rises() -> None:
    assert running_for() <= running_for()
