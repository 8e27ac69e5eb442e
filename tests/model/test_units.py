from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.units import (
    MAX_DURATION,
    about,
    format_duration,
    format_size,
    parse_duration,
    parse_moment,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("0", timedelta(0)),
        ("0s", timedelta(0)),
        ("10m", timedelta(minutes=10)),
        (" 24h ", timedelta(hours=24)),
        ("7d", timedelta(days=7)),
        ("2w", timedelta(weeks=2)),
        ("1d12h", timedelta(hours=36)),
    ],
)
def test_lengths_of_time_are_read(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text", ["", "5", "5y", "-5m", "5 m", "1.5h", "5m!", "m", "1h 5m", "\u0665m", "36526d", "9999999999s"]
)
def test_what_is_no_length_of_time_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"length of time|hundred years"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=MAX_DURATION))
def test_lengths_of_time_survive_writing_to_the_second(length: timedelta) -> None:
    assert parse_duration(format_duration(length)) == length - timedelta(microseconds=length.microseconds)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(0), "0 seconds"),
        (timedelta(seconds=-5), "0 seconds"),
        (timedelta(seconds=1), "1 second"),
        (timedelta(seconds=59), "59 seconds"),
        (timedelta(seconds=60), "1 minute"),
        (timedelta(minutes=59, seconds=29), "59 minutes"),
        (timedelta(minutes=59, seconds=45), "1 hour"),
        (timedelta(hours=3, minutes=10), "3 hours"),
        (timedelta(hours=23, minutes=50), "1 day"),
        (timedelta(days=1), "1 day"),
        (timedelta(days=400), "400 days"),
    ],
)
def test_lengths_of_time_are_told_in_their_largest_unit(length: timedelta, text: str) -> None:
    assert about(length) == text


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("1024", 1024),
        ("512 MB", 512 * 10**6),
        ("20GiB", 20 * 2**30),
        ("1.5KiB", 1536),
        ("0.001KB", 1),
        (" 2tib ", 2 * 2**40),
        ("7B", 7),
    ],
)
def test_sizes_are_read(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize(
    "text", ["", "-1", "1 2", "1PB", "iB", "GB", "1.2345GB", "1e3", "1 GB!", "\u0665", "5iB", "5\u212aB"]
)
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_size(text)


@given(st.integers(min_value=0, max_value=2**53))
def test_plain_sizes_are_exact(count: int) -> None:
    if count < 10**15:
        assert parse_size(str(count)) == parse_size(f"{count}B") == count


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (18_245_222, "17.4 MiB"),
        (2**30, "1.0 GiB"),
        (5 * 2**40, "5.0 TiB"),
        (2**53, "8192.0 TiB"),
        (2**20 - 1, "1.0 MiB"),
    ],
)
def test_sizes_are_told_in_their_largest_unit(count: int, text: str) -> None:
    assert format_size(count) == text


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        (" 2026-12-01", datetime(2026, 12, 1, tzinfo=UTC)),
        ("2026-12-01T18:00:00Z", datetime(2026, 12, 1, 18, tzinfo=UTC)),
        ("2026-12-01T01:00:00+02:00", datetime(2026, 11, 30, 23, tzinfo=UTC)),
    ],
)
def test_moments_are_in_utc(text: str, moment: datetime) -> None:
    assert parse_moment(text) == moment


@pytest.mark.parametrize("text", ["", "tomorrow", "2026-13-01", "2026-12-01T18:00:00", "0001-01-01T00:00:00+02:00"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no date and no time"):
        parse_moment(text)
