"""The ledger's established repositories, in SQL: what once published a settled release outlives the release."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from inbond.model.names import ProjectName
from inbond.model.standing import Established
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction


def established(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> tuple[Established, ...]:
    """What is stored, ordered by repository and its id. Raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT repository, repository_id, owner_id, since FROM repository WHERE upstream = ? AND project = ?"
        " ORDER BY repository, repository_id",
        (upstream, str(project)),
    ).fetchall()
    return tuple(
        Established(repository=name, repository_id=number, owner_id=owner, since=time_of(since))
        for name, number, owner, since in rows
    )


def establish(
    connection: sqlite3.Connection, upstream: str, project: ProjectName, found: Sequence[Established]
) -> bool:
    """Adds those that are not stored under their name and id; whether any was new. Raises sqlite3.Error."""
    stored = {(one.repository, one.repository_id) for one in established(connection, upstream, project)}
    new = [one for one in found if (one.repository, one.repository_id) not in stored]
    if not new:
        return False  # the usual case: no lock, no sync
    before = connection.total_changes
    with transaction(connection, "IMMEDIATE"):
        adopt(connection, upstream, project, new)
    return connection.total_changes > before


def adopt(
    connection: sqlite3.Connection, upstream: str, project: ProjectName, found: Sequence[Established]
) -> tuple[Established, ...]:
    """Adds, in the caller's transaction, those that are not stored under their name and id; which were new.

    Raises sqlite3.Error.
    """
    return tuple([one for one in found if _add(connection, upstream, project, one)])


def _add(connection: sqlite3.Connection, upstream: str, project: ProjectName, one: Established) -> bool:
    row = (upstream, str(project), one.repository, one.repository_id, one.owner_id, moment_of(one.since))
    return connection.execute("INSERT OR IGNORE INTO repository VALUES (?, ?, ?, ?, ?, ?)", row).rowcount == 1
