from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from inbond.policy.earliest import NEVER, Earliest
from policy.cases import NOW

rows = st.lists(st.integers(0, 9).map(lambda hours: NOW + timedelta(hours=hours)), max_size=20)
places = st.integers(0, 20)


@given(rows, places, places)
def test_the_earliest_of_a_stretch_is_found(times: list[datetime], start: int, end: int) -> None:
    end = min(end, len(times))
    assert Earliest(times).of(start, end) == min(times[start:end], default=NEVER)


@given(rows, places, places, st.integers(0, 10).map(lambda hours: NOW + timedelta(hours=hours)))
def test_the_last_place_before_a_time_is_found(times: list[datetime], start: int, end: int, time: datetime) -> None:
    early = [place for place, one in enumerate(times) if start <= place < end and one < time]
    assert Earliest(times).last_before(time, start, end) == max(early, default=None)
