"""What was answered by the hour, in SQL: several processes add up in the same rows."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from inbond.model.traffic import TrafficHour, TrafficKind, TrafficOutcome
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction

_FIELDS: Final = "hour, index_name, kind, outcome, count, size"
_ADD: Final = f"""
    INSERT INTO traffic ({_FIELDS}) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (hour, index_name, kind, outcome) DO UPDATE SET
        count = count + excluded.count, size = size + excluded.size
"""  # noqa: S608 (constants)


def record(connection: sqlite3.Connection, hours: Sequence[TrafficHour]) -> None:
    """Adds answers to those of the same hour, in one transaction. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        connection.executemany(_ADD, [_row(one) for one in hours])


def since(connection: sqlite3.Connection, moment: datetime) -> tuple[TrafficHour, ...]:
    """Hours that began at or after a moment, the earliest first. Raises sqlite3.Error."""
    rows = connection.execute(
        f"SELECT {_FIELDS} FROM traffic WHERE hour >= ? ORDER BY hour, index_name, kind, outcome",  # noqa: S608
        (moment_of(moment),),
    )
    try:
        return tuple(map(_hour, rows.fetchall()))
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"an hour in the ledger cannot be read: {error}") from error


def forget(connection: sqlite3.Connection, *, before: datetime) -> int:
    """Removes hours that began before a moment: some dozens a day; how many. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        return connection.execute("DELETE FROM traffic WHERE hour < ?", (moment_of(before),)).rowcount


def _row(one: TrafficHour) -> tuple[Any, ...]:
    return moment_of(one.hour), one.index, str(one.kind), str(one.outcome), one.count, one.size


def _hour(row: Sequence[Any]) -> TrafficHour:
    hour, index, kind, outcome, count, size = row
    return TrafficHour(
        hour=time_of(hour),
        index=index,
        kind=TrafficKind(kind),
        outcome=TrafficOutcome(outcome),
        count=count,
        size=size,
    )
