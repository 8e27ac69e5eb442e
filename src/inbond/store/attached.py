"""Provenance that operators put beside files, in SQL. What was attached to a file last counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from inbond.model.imports import Attached
from inbond.store.columns import moment_of, packed, time_of
from inbond.store.migrations import transaction

_READ: Final = "SELECT sha256, filename, provenance, reason, made_by, made_at FROM attached"


def adopt(connection: sqlite3.Connection, attached: Iterable[Attached]) -> None:
    """Adds what was attached elsewhere, within a transaction; what was attached here stays. Raises as `attach` does."""
    for one in attached:
        if attached_to(connection, one.sha256) is None:
            _add(connection, one)


def attach(connection: sqlite3.Connection, attached: Attached) -> bool:
    """Adds one; False where what counts for the file has the same provenance.

    Raises ValueError for what is no digest, sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        latest = attached_to(connection, attached.sha256)
        if latest is not None and latest.provenance == attached.provenance:
            return False
        _add(connection, attached)
    return True


def _add(connection: sqlite3.Connection, one: Attached) -> None:
    connection.execute(
        "INSERT INTO attached (sha256, filename, provenance, reason, made_by, made_at) VALUES (?, ?, ?, ?, ?, ?)",
        (packed(one.sha256), one.filename, one.provenance, one.reason, one.by, moment_of(one.at)),
    )


def attached_to(connection: sqlite3.Connection, sha256: str) -> Attached | None:
    """What was attached to a file last, or None. Raises ValueError for what is no digest, sqlite3.Error."""
    row = connection.execute(f"{_READ} WHERE sha256 = ? ORDER BY number DESC LIMIT 1", (packed(sha256),)).fetchone()
    return None if row is None else _attached(row)


def all_attached(connection: sqlite3.Connection) -> tuple[Attached, ...]:
    """All that is attached, the latest first. Raises sqlite3.Error."""
    return tuple(_attached(row) for row in connection.execute(f"{_READ} ORDER BY number DESC").fetchall())


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Differs whenever something else is attached: numbers only rise, so the last of them and how many say it all.

    (0, 0) where nothing is. Raises sqlite3.Error.
    """
    ((last, count),) = connection.execute("SELECT coalesce(max(number), 0), count(*) FROM attached").fetchall()
    return last, count


def detach(connection: sqlite3.Connection, sha256: str) -> bool:
    """Removes all that is attached to a file; whether there was any.

    Raises ValueError for what is no digest, sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        return connection.execute("DELETE FROM attached WHERE sha256 = ?", (packed(sha256),)).rowcount > 0


def _attached(row: tuple[bytes, str, bytes, str, str, int]) -> Attached:
    sha256, filename, provenance, reason, by, at = row
    return Attached(sha256=sha256.hex(), filename=filename, provenance=provenance, reason=reason, by=by, at=time_of(at))
