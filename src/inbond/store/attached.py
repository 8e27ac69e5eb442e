"""Provenance that operators put beside files, in SQL. What was attached to a file last counts."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import Final

from inbond.model.acts import Act
from inbond.model.imports import Attached, Change
from inbond.store import acts
from inbond.store.columns import moment_of, packed, time_of
from inbond.store.migrations import transaction

_READ: Final = "SELECT upstream, sha256, filename, provenance, reason, made_by, made_at, bundle FROM attached"


def adopt(
    connection: sqlite3.Connection, attached: Iterable[Attached], bundle: str
) -> tuple[tuple[Attached, ...], tuple[Change, ...]]:
    """Adds, within a transaction, what was attached elsewhere: what is new, and what stayed although it differs.

    A bundle replaces what one of its name brought, never what was attached here; what was removed here stays removed.
    Raises as `attach` does.
    """
    new: list[Attached] = []
    stayed: list[Change] = []
    for one in attached:
        there = _latest(connection, one.upstream, one.sha256)
        if there is not None and there[0].provenance == one.provenance:
            continue
        if (there is None and not _was_removed(connection, one.upstream, one.sha256)) or (
            there is not None and there[1] == bundle
        ):
            _add(connection, one, bundle)
            new.append(one)
        else:
            stayed.append(Change("attached", one.filename, None if there is None else there[0].at, one.at))
    return tuple(new), tuple(stayed)


def attach(connection: sqlite3.Connection, attached: Attached, told: Act | None = None) -> bool:
    """Adds one, with the act that tells it; False where what counts for the file has the same provenance.

    Raises ValueError for what is no digest, sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        latest = attached_to(connection, attached.upstream, attached.sha256)
        if latest is not None and latest.provenance == attached.provenance:
            return False
        _add(connection, attached, None)
        connection.execute(
            "DELETE FROM detached WHERE upstream = ? AND sha256 = ?", (attached.upstream, packed(attached.sha256))
        )
        if told is not None:
            acts.add(connection, told)
    return True


def _add(connection: sqlite3.Connection, one: Attached, bundle: str | None) -> None:
    connection.execute(
        "INSERT INTO attached (upstream, sha256, filename, provenance, reason, made_by, made_at, bundle)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (one.upstream, packed(one.sha256), one.filename, one.provenance, one.reason, one.by, moment_of(one.at), bundle),
    )


def _latest(connection: sqlite3.Connection, upstream: str, sha256: str) -> tuple[Attached, str | None] | None:
    """What was attached to a file last, and the name of the bundle that brought it."""
    row = connection.execute(
        f"{_READ} WHERE upstream = ? AND sha256 = ? ORDER BY number DESC LIMIT 1",
        (upstream, packed(sha256)),
    ).fetchone()
    return None if row is None else (_attached(row), row[-1])


def _was_removed(connection: sqlite3.Connection, upstream: str, sha256: str) -> bool:
    """Whether what was attached to a file was removed here."""
    asked = "SELECT 1 FROM detached WHERE upstream = ? AND sha256 = ?"
    return connection.execute(asked, (upstream, packed(sha256))).fetchone() is not None


def attached_to(connection: sqlite3.Connection, upstream: str, sha256: str) -> Attached | None:
    """What was attached to an upstream's file last, or None. Raises ValueError for what is no digest, sqlite3.Error."""
    latest = _latest(connection, upstream, sha256)
    return None if latest is None else latest[0]


def all_attached(connection: sqlite3.Connection) -> tuple[Attached, ...]:
    """All that is attached, the latest first. Raises sqlite3.Error."""
    return tuple(_attached(row) for row in connection.execute(f"{_READ} ORDER BY number DESC").fetchall())


def version(connection: sqlite3.Connection) -> tuple[int, int]:
    """Differs whenever something else is attached: numbers only rise, so the last of them and how many say it all.

    (0, 0) where nothing is. Raises sqlite3.Error.
    """
    ((last, count),) = connection.execute("SELECT coalesce(max(number), 0), count(*) FROM attached").fetchall()
    return last, count


def detach(connection: sqlite3.Connection, upstream: str, sha256: str, told: Act | None = None) -> bool:
    """Removes all that is attached to an upstream's file, for good: no bundle brings it back. Whether there was any.

    `told`: the act that tells it. Raises ValueError for what is no digest, sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        which = (upstream, packed(sha256))
        if not connection.execute("DELETE FROM attached WHERE upstream = ? AND sha256 = ?", which).rowcount:
            return False
        connection.execute("INSERT OR IGNORE INTO detached VALUES (?, ?)", which)
        if told is not None:
            acts.add(connection, told)
    return True


def withdraw(connection: sqlite3.Connection, bundle: str) -> int:
    """Removes, within a transaction, what bundles of a name brought; how many. Raises sqlite3.Error."""
    return connection.execute("DELETE FROM attached WHERE bundle = ?", (bundle,)).rowcount


def _attached(row: tuple[str, bytes, str, bytes, str, str, int, str | None]) -> Attached:
    upstream, sha256, filename, provenance, reason, by, at, _ = row
    return Attached(
        upstream=upstream,
        sha256=sha256.hex(),
        filename=filename,
        provenance=provenance,
        reason=reason,
        by=by,
        at=time_of(at),
    )
