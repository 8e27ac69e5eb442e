"""Ages against their limit: told before they bite, and never young by a wrong clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.aging import CLOCK_SLACK, WARN_FROM, Aged, Freshness, stamp

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
WEEK = timedelta(days=8)
LENGTHS = st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=9000))


def aged(age: timedelta | None, limit: timedelta = WEEK) -> Aged:
    return Aged(as_of=None if age is None else NOW - age, max_age=limit, now=NOW)


@pytest.mark.parametrize(
    ("age", "freshness", "said"),
    [
        (timedelta(0), Freshness.FRESH, None),
        (timedelta(days=6) - timedelta(seconds=1), Freshness.FRESH, None),
        (timedelta(days=6), Freshness.AGING, "will be too old in 2 days: as of 2026-11-15T12:00:00Z"),
        (WEEK, Freshness.AGING, "will be too old in 0 seconds: as of 2026-11-13T12:00:00Z"),
        (WEEK + timedelta(hours=3), Freshness.TOO_OLD, "is too old since 3 hours: as of 2026-11-13T09:00:00Z"),
        (-CLOCK_SLACK, Freshness.FRESH, None),
        (
            -timedelta(days=400),
            Freshness.AHEAD,
            "is as of 2027-12-26T12:00:00Z, and the clock here says 2026-11-21T12:00:00Z: set the clock",
        ),
        (None, Freshness.UNKNOWN, "has max_age = 8 days, and nothing says yet of when it is"),
    ],
)
def test_what_is_said_of_an_age(age: timedelta | None, freshness: Freshness, said: str | None) -> None:
    found = aged(age)

    assert (found.freshness, found.said) == (freshness, said)
    assert found.failing is (freshness in {Freshness.TOO_OLD, Freshness.AHEAD, Freshness.UNKNOWN})


@given(LENGTHS, LENGTHS, LENGTHS)
def test_what_grows_older_never_becomes_younger(limit: timedelta, one: timedelta, other: timedelta) -> None:
    order = [Freshness.FRESH, Freshness.AGING, Freshness.TOO_OLD]
    younger, older = sorted((one, other))

    assert order.index(aged(younger, limit).freshness) <= order.index(aged(older, limit).freshness)


@given(LENGTHS.filter(bool), LENGTHS)
def test_nothing_fails_before_it_was_warned_of(limit: timedelta, age: timedelta) -> None:
    found = aged(age, limit)

    assert found.failing is (age > limit)
    assert (found.said is not None) is (age >= limit * WARN_FROM)


def test_a_moment_is_shown_in_utc() -> None:
    assert stamp(datetime.fromisoformat("2026-11-21T13:00:00.7+02:00")) == "2026-11-21T11:00:00Z"
