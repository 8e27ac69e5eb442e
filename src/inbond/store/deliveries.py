"""What webhooks are still to be told, in SQL: an outbox, from which a row goes when it was delivered or given up.

Deliveries are made of occurrences whichever process wrote them. A claim is a lease: whoever takes deliveries moves
them ahead in time, so that another process leaves them alone, and a crash only delays them.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime, timedelta

from inbond.model.occurrence import OccurrenceKind
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction
from inbond.store.occurrences import FIELDS, occurrence_of
from inbond.store.protocols import Delivery

Kinds = Collection[OccurrenceKind]


def enrol(connection: sqlite3.Connection, webhooks: Collection[str]) -> None:
    """Makes these the webhooks: a new one is told what happens from now on, any other is forgotten.

    Raises sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        known = {name for (name,) in connection.execute("SELECT name FROM webhook").fetchall()}
        for name in known - set(webhooks):
            connection.execute("DELETE FROM delivery WHERE webhook = ?", (name,))
            connection.execute("DELETE FROM webhook WHERE name = ?", (name,))
        for name in sorted(set(webhooks) - known):
            connection.execute("INSERT INTO webhook (name, taken_up) VALUES (?, ?)", (name, _latest(connection)))


def claim(
    connection: sqlite3.Connection, webhook: str, kinds: Kinds, *, now: datetime, lease: timedelta, at_most: int
) -> tuple[Delivery, ...]:
    """Takes up what happened since, and claims what is due, the earliest first. Raises sqlite3.Error."""
    if not _has_work(connection, webhook, now):
        return ()  # the usual case: no lock, no sync
    with transaction(connection, "IMMEDIATE"):
        _take_up(connection, webhook, kinds, now)
        rows = connection.execute(
            f"SELECT number, since, attempts, {FIELDS} FROM delivery JOIN occurrence ON number = occurrence"  # noqa: S608
            " WHERE webhook = ? AND due <= ? ORDER BY due, number LIMIT ?",
            (webhook, moment_of(now), at_most),
        ).fetchall()
        connection.executemany(
            "UPDATE delivery SET due = ? WHERE webhook = ? AND occurrence = ?",
            ((moment_of(now + lease), webhook, row[0]) for row in rows),
        )
    return tuple(
        Delivery(number=number, since=time_of(since), attempts=attempts, occurrence=occurrence_of(fields))
        for number, since, attempts, *fields in rows
    )


def settle(connection: sqlite3.Connection, webhook: str, number: int) -> None:
    """Removes a delivery: it arrived, or is given up. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        connection.execute("DELETE FROM delivery WHERE webhook = ? AND occurrence = ?", (webhook, number))


def postpone(connection: sqlite3.Connection, webhook: str, number: int, *, until: datetime) -> None:
    """Counts an attempt that failed, and sets the time of the next. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        connection.execute(
            "UPDATE delivery SET due = ?, attempts = attempts + 1 WHERE webhook = ? AND occurrence = ?",
            (moment_of(until), webhook, number),
        )


def waiting(connection: sqlite3.Connection) -> dict[str, int]:
    """How many deliveries each webhook still waits for. Raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT name, count(occurrence) FROM webhook LEFT JOIN delivery ON webhook = name GROUP BY name ORDER BY name"
    )
    return dict(rows.fetchall())


def _has_work(connection: sqlite3.Connection, webhook: str, now: datetime) -> bool:
    with transaction(connection, "DEFERRED"):
        due = connection.execute(
            "SELECT 1 FROM delivery WHERE webhook = ? AND due <= ? LIMIT 1", (webhook, moment_of(now))
        ).fetchone()
        return due is not None or _taken_up(connection, webhook) < _latest(connection)


def _take_up(connection: sqlite3.Connection, webhook: str, kinds: Kinds, now: datetime) -> None:
    taken_up, latest = _taken_up(connection, webhook), _latest(connection)
    wanted = list(map(str, kinds or OccurrenceKind))
    connection.execute(
        "INSERT INTO delivery (webhook, occurrence, since, due) SELECT ?, number, ?, ? FROM occurrence"  # noqa: S608
        f" WHERE number > ? AND number <= ? AND kind IN ({', '.join('?' * len(wanted))})",
        (webhook, moment_of(now), moment_of(now), taken_up, latest, *wanted),
    )
    connection.execute("UPDATE webhook SET taken_up = ? WHERE name = ?", (latest, webhook))


def _taken_up(connection: sqlite3.Connection, webhook: str) -> int:
    row = connection.execute("SELECT taken_up FROM webhook WHERE name = ?", (webhook,)).fetchone()
    if row is None:
        raise sqlite3.DataError(f"webhook {webhook} was forgotten by another inbond with another configuration")
    return int(row[0])


def _latest(connection: sqlite3.Connection) -> int:
    ((latest,),) = connection.execute("SELECT coalesce(max(number), 0) FROM occurrence").fetchall()
    return int(latest)
