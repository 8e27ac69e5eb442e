"""The ledger's decisions, in SQL. One that was revoked stays, with when and by whom."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, assert_never

from inbond.model.acts import Act
from inbond.model.decisions import Decided, Pin, Rejection, Target, Waiver
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.publisher import PublisherPattern
from inbond.store import acts, occurrences
from inbond.store.columns import moment_of, packed_or_none, time_of
from inbond.store.migrations import transaction

_FIELDS: Final = (
    "kind, project, specifier, sha256, rule, until, publisher, repository_id, index_name, reason, made_by, made_at"
)
_PLACES: Final = "?, " * 12 + "?"

Row = tuple[Any, ...]  # the columns of `_FIELDS`


def in_force(connection: sqlite3.Connection) -> tuple[Decided, ...]:
    """Those that are not revoked, in the order in which they were made. Raises sqlite3.Error."""
    return _read(connection, "revoked_at IS NULL")


def revoked(connection: sqlite3.Connection) -> tuple[Decided, ...]:
    """Those that were revoked, in the order in which they were made. Raises sqlite3.Error."""
    return _read(connection, "revoked_at IS NOT NULL")


def about(connection: sqlite3.Connection, project: ProjectName) -> tuple[Decided, ...]:
    """Those about a project that are not revoked, in the order in which they were made. Raises sqlite3.Error."""
    return _read(connection, "revoked_at IS NULL AND project = ?", str(project))


def decide(connection: sqlite3.Connection, decision: Decided, *, now: datetime) -> bool:
    """Adds a decision unless it is in force. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        return _add(connection, decision, now)


def decide_all(
    connection: sqlite3.Connection,
    made: Sequence[tuple[Decided, Occurrence]],
    *,
    now: datetime,
    told: Callable[[Decided], Act] | None = None,
) -> tuple[bool, ...]:
    """Adds each that is not in force, with what tells it, in one transaction. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        new = tuple([_add(connection, decision, now) for decision, _ in made])
        for (decision, occurrence), is_new in zip(made, new, strict=True):
            if is_new:
                occurrences.add(connection, occurrence)
                if told is not None:
                    acts.add(connection, told(decision))
    return new


def adopt(connection: sqlite3.Connection, pins: Sequence[Pin], *, now: datetime) -> tuple[Pin, ...]:
    """Adds, in the caller's transaction, pins that were never made here: one that was revoked stays so. The new ones.

    Raises sqlite3.Error.
    """
    return tuple([pin for pin in pins if not _was_ever_made(connection, pin) and _add(connection, pin, now)])


def revoke(
    connection: sqlite3.Connection,
    decision_id: str,
    *,
    by: str,
    now: datetime,
    told: Callable[[Decided], Act] | None = None,
) -> Decided | None:
    """Ends a decision; None where none of that id is in force. Raises sqlite3.Error."""
    with transaction(connection, "IMMEDIATE"):
        number = _number(connection, decision_id)
        if number is None:
            return None
        connection.execute(
            "UPDATE decision SET revoked_at = ?, revoked_by = ? WHERE number = ?", (moment_of(now), by, number)
        )
        (ended,) = _read(connection, "number = ?", number)
        if told is not None:
            acts.add(connection, told(ended))
    return ended


def _add(connection: sqlite3.Connection, decision: Decided, now: datetime) -> bool:
    if _number(connection, decision.id) is not None:
        return False
    row = (decision.id, *_row(decision), moment_of(decision.at or now))
    connection.execute(f"INSERT INTO decision (id, {_FIELDS}) VALUES ({_PLACES})", row)  # noqa: S608 (constants)
    return True


def _was_ever_made(connection: sqlite3.Connection, pin: Pin) -> bool:
    return connection.execute("SELECT 1 FROM decision WHERE id = ? LIMIT 1", (pin.id,)).fetchone() is not None


def _number(connection: sqlite3.Connection, decision_id: str) -> int | None:
    found = connection.execute(
        "SELECT number FROM decision WHERE id = ? AND revoked_at IS NULL", (decision_id,)
    ).fetchone()
    return None if found is None else int(found[0])


def _read(connection: sqlite3.Connection, condition: str, *values: object) -> tuple[Decided, ...]:
    rows = connection.execute(
        f"SELECT {_FIELDS} FROM decision WHERE {condition} ORDER BY number",  # noqa: S608 (this module's own texts)
        values,
    ).fetchall()
    try:
        return tuple(map(_decision, rows))
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a decision in the ledger cannot be read: {error}") from error


def _row(decision: Decided) -> Row:
    match decision:
        case Waiver(target=target):
            what: Row = (
                "waiver",
                *_target(target),
                decision.rule,
                moment_of(decision.until),
                None,
                None,
                decision.index,
            )
        case Rejection(target=target):
            what = ("rejection", *_target(target), None, None, None, None, decision.index)
        case Pin():
            names = (str(decision.publisher), decision.repository_id)
            what = ("pin", str(decision.project), "", None, None, None, *names, None)
        case _:
            assert_never(decision)
    return (*what, decision.reason, decision.by)


def _target(target: Target) -> Row:
    return (str(target.project), target.specifier, packed_or_none(target.sha256))


def _decision(row: Row) -> Decided:
    kind, project, specifier, sha256, rule, until, publisher, repository_id, index, reason, by, at = row
    name = ProjectName(project)
    if kind == "pin":
        return Pin(
            project=name,
            publisher=PublisherPattern.parse(publisher),
            reason=reason,
            by=by,
            at=time_of(at),
            repository_id=repository_id,
        )
    target = Target(project=name, specifier=specifier, sha256=None if sha256 is None else sha256.hex())
    if kind == "rejection":
        return Rejection(target=target, reason=reason, by=by, at=time_of(at), index=index)
    return Waiver(target=target, rule=rule, until=time_of(until), reason=reason, by=by, at=time_of(at), index=index)
