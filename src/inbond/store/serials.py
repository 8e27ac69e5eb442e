"""Serials that were accepted although higher ones were seen, in SQL: the only way in which memory goes back."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from inbond.model.acts import Act
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.serials import SerialReset
from inbond.store import acts, occurrences
from inbond.store.migrations import transaction


def highest_serials(connection: sqlite3.Connection, upstream: str) -> dict[ProjectName, int]:
    """The highest serial of each of an upstream's projects that has one. Raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT name, highest_serial FROM project WHERE upstream = ? AND highest_serial IS NOT NULL ORDER BY name",
        (upstream,),
    )
    return {ProjectName(name): serial for name, serial in rows.fetchall()}


def accept(connection: sqlite3.Connection, resets: Sequence[tuple[SerialReset, Occurrence, Act]]) -> tuple[bool, ...]:
    """Takes each where its `highest` still is the highest, with what tells it, in one transaction; which were.

    Raises sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        return tuple(_accepted(connection, reset, told, act) for reset, told, act in resets)


def _accepted(connection: sqlite3.Connection, reset: SerialReset, told: Occurrence, act: Act) -> bool:
    changed = connection.execute(
        "UPDATE project SET highest_serial = ? WHERE upstream = ? AND name = ? AND highest_serial = ?",
        (reset.serial, reset.upstream, str(reset.project), reset.highest),
    )
    if changed.rowcount != 1:
        return False
    occurrences.add(connection, told)
    acts.add(connection, act)
    return True
