"""Joining memories is a union that forgets nothing: in any order, however often, and the first digest here stays."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename
from inbond.store import page_records
from inbond.store.migrations import migrate, transaction
from store.samples import FLASK, T0

NAMES = [Filename(f"flask-{n}.0.tar.gz") for n in range(4)]
MOMENTS = st.integers(0, 5).map(lambda hours: T0 + timedelta(hours=hours))
DIGESTS = st.sampled_from(["a" * 64, "b" * 64, "c" * 64])
SERIALS = st.none() | st.integers(0, 9)


@st.composite
def files(draw: st.DrawFn) -> FileRecord:
    seen = draw(MOMENTS)
    return FileRecord(
        filename=draw(st.sampled_from(NAMES)),
        first_seen=seen,
        first_sha256=draw(st.none() | DIGESTS),
        vanished_at=draw(st.none() | MOMENTS.map(lambda moment: max(moment, seen))),
    )


@st.composite
def records(draw: st.DrawFn) -> PageRecord:
    found = sorted(
        draw(st.lists(files(), max_size=4, unique_by=lambda one: one.filename)), key=lambda one: one.filename
    )
    return PageRecord(
        upstream="pypi", project=FLASK, first_seen=draw(MOMENTS), highest_serial=draw(SERIALS), files=tuple(found)
    )


@pytest.fixture(scope="module")
def tables() -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        migrate(connection)
        yield connection


def joined(connection: sqlite3.Connection, made: Sequence[PageRecord]) -> PageRecord:
    """What is remembered after these, in this order, where nothing was."""
    with transaction(connection, "IMMEDIATE"):
        connection.execute("DELETE FROM file")
        connection.execute("DELETE FROM project")
        for one in made:
            page_records.join(connection, page_records.prepared(one))
    found = page_records.page_record(connection, "pypi", FLASK)
    assert found is not None
    return found


def by_name(record: PageRecord) -> dict[Filename, FileRecord]:
    return {one.filename: one for one in record.files}


def agreeing(first: PageRecord, second: PageRecord) -> PageRecord:
    """The second without the digests that differ from the first's."""
    known = by_name(first)

    def agreed(one: FileRecord) -> FileRecord:
        other = known.get(one.filename)
        differs = other is not None and other.first_sha256 not in {None, one.first_sha256}
        return replace(one, first_sha256=None) if differs else one

    return replace(second, files=tuple(map(agreed, second.files)))


@given(record=records())
def test_what_is_carried_to_an_empty_ledger_is_what_it_was(tables: sqlite3.Connection, record: PageRecord) -> None:
    assert joined(tables, [record]) == record


@given(one=records(), other=records())
def test_joining_again_changes_nothing(tables: sqlite3.Connection, one: PageRecord, other: PageRecord) -> None:
    once = joined(tables, [one, other])
    assert joined(tables, [one, other, other]) == once
    assert joined(tables, [one, other, one]) == once
    assert joined(tables, [once, once]) == once


@given(one=records(), other=records())
def test_where_first_digests_agree_the_order_does_not_matter(
    tables: sqlite3.Connection, one: PageRecord, other: PageRecord
) -> None:
    other = agreeing(one, other)
    assert joined(tables, [one, other]) == joined(tables, [other, one])


@given(one=records(), other=records(), third=records())
def test_whether_what_is_carried_was_joined_before_does_not_matter(
    tables: sqlite3.Connection, one: PageRecord, other: PageRecord, third: PageRecord
) -> None:
    before = joined(tables, [other, third])
    assert joined(tables, [one, before]) == joined(tables, [one, other, third])


def earlier(*moments: datetime) -> datetime:
    return min(moments)


@given(here=records(), there=records())
def test_nothing_is_forgotten_and_nothing_goes_back(
    tables: sqlite3.Connection, here: PageRecord, there: PageRecord
) -> None:
    result = joined(tables, [here, there])
    serials = [serial for serial in (here.highest_serial, there.highest_serial) if serial is not None]
    assert result.highest_serial == max(serials, default=None)
    assert result.first_seen == earlier(here.first_seen, there.first_seen)
    mine, theirs, both = by_name(here), by_name(there), by_name(result)
    assert set(both) == set(mine) | set(theirs)
    for name, one in both.items():
        known = [record for record in (mine.get(name), theirs.get(name)) if record is not None]
        assert one.first_seen == earlier(*(record.first_seen for record in known))
        assert one.first_sha256 == next((record.first_sha256 for record in known if record.first_sha256), None)
        assert (one.vanished_at is None) == any(record.vanished_at is None for record in known)
