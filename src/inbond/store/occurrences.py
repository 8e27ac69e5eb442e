"""The ledger's occurrences, in SQL: each once under its key, for ever."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.store.columns import moment_of, time_of
from inbond.store.migrations import transaction

FIELDS: Final = "key, kind, at, message, index_name, upstream, project, filename, detail"
_DETAIL: Final = msgspec.json.Decoder(dict[str, str])


def happened(connection: sqlite3.Connection, occurrences: Sequence[Occurrence]) -> tuple[Occurrence, ...]:
    """Adds those whose key is new, in one transaction, and returns them. Raises sqlite3.Error."""
    unknown = {one.key: one for one in reversed(occurrences) if not _is_known(connection, one.key)}
    if not unknown:
        return ()  # the usual case: no lock, no sync
    with transaction(connection, "IMMEDIATE"):
        return tuple(one for one in reversed(unknown.values()) if add(connection, one))


def since(connection: sqlite3.Connection, moment: datetime, project: ProjectName | None) -> tuple[Occurrence, ...]:
    """What happened at or after a moment, the latest first. Raises sqlite3.Error."""
    rows = connection.execute(
        f"SELECT {FIELDS} FROM occurrence WHERE at >= ? AND (? IS NULL OR project = ?)"  # noqa: S608 (constants)
        " ORDER BY at DESC, number DESC",
        (moment_of(moment), *[None if project is None else str(project)] * 2),
    )
    return tuple(map(occurrence_of, rows.fetchall()))


def occurrence_of(row: Sequence[Any]) -> Occurrence:
    """The occurrence in a row of `FIELDS`. Raises sqlite3.Error for one that inbond did not write."""
    key, kind, at, message, index, upstream, project, filename, detail = row
    try:
        return Occurrence(
            key=key,
            kind=OccurrenceKind(kind),
            at=time_of(at),
            message=message,
            index=index,
            upstream=upstream,
            project=None if project is None else ProjectName(project),
            filename=None if filename is None else Filename(filename),
            detail=_DETAIL.decode(detail),
        )
    except ValueError as error:
        raise sqlite3.DatabaseError(f"an occurrence in the ledger cannot be read: {error}") from error


def _is_known(connection: sqlite3.Connection, key: str) -> bool:
    return connection.execute("SELECT 1 FROM occurrence WHERE key = ?", (key,)).fetchone() is not None


def add(connection: sqlite3.Connection, one: Occurrence) -> bool:
    """Adds one, in the caller's transaction; False where its key is known. Raises sqlite3.Error."""
    row = (
        one.key,
        str(one.kind),
        moment_of(one.at),
        one.message,
        one.index,
        one.upstream,
        None if one.project is None else str(one.project),
        None if one.filename is None else str(one.filename),
        msgspec.json.encode(dict(sorted(one.detail.items()))).decode(),
    )
    added = connection.execute(
        f"INSERT OR IGNORE INTO occurrence ({FIELDS}) VALUES ({', '.join('?' * 9)})",  # noqa: S608 (constants)
        row,
    )
    return added.rowcount == 1
