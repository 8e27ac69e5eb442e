"""The ledger's audit trail of requests, in SQL. Equal requests share a row: what it counts, and its first and last."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.model.history import SERVED_CLIENTS, Asked, AskedRow, ServedFile
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.columns import moment_of, packed_or_none, time_of
from inbond.store.migrations import transaction

KEY_BYTES: Final = 16  # of BLAKE2b: two requests that differ share no row by chance
FORGOTTEN_AT_ONCE: Final = 2000  # rows in one transaction: whoever waits for the ledger waits some 20 ms

_FIELDS: Final = (
    "client, index_name, upstream, project, filename, version, sha256, decision, would, rule, code, message,"
    " metadata, first_at, last_at, count"
)
# The first `message` stays, which is not part of the key.
_ADD: Final = f"""
    INSERT INTO asked (key, {_FIELDS}) VALUES ({", ".join("?" * 17)})
    ON CONFLICT (key) DO UPDATE SET
        first_at = min(first_at, excluded.first_at),
        last_at = max(last_at, excluded.last_at),
        count = count + excluded.count
"""  # noqa: S608 (constants)

# Summed up by SQLite: of a popular project hundreds of thousands of rows are a few dozen files.
_SERVED_FILES: Final = """
    WITH client_of_file AS (
        SELECT index_name, filename, sha256, client, max(version) AS version,
            min(first_at) AS first_at, max(last_at) AS last_at, sum(count) AS times
        FROM asked WHERE upstream = ? AND project = ? AND decision = 'allow' AND NOT metadata
        GROUP BY index_name, filename, sha256, client
    ), ranked AS (
        SELECT *, row_number() OVER (
            PARTITION BY index_name, filename, sha256 ORDER BY client = '', client
        ) AS place FROM client_of_file
    )
    SELECT index_name, filename, sha256, max(version), min(first_at), max(last_at), sum(times),
        json_group_array(client) FILTER (WHERE place <= ? AND client <> ''), sum(client <> '')
    FROM ranked GROUP BY index_name, filename, sha256 ORDER BY min(first_at), index_name, filename
"""
_CLIENTS: Final = msgspec.json.Decoder(list[str])


def record(connection: sqlite3.Connection, asked: Sequence[AskedRow]) -> None:
    """Adds requests, in one transaction. Raises ValueError for a digest that is none, sqlite3.Error."""
    rows = [_row(one) for one in asked]
    with transaction(connection, "IMMEDIATE"):
        connection.executemany(_ADD, rows)


def since(connection: sqlite3.Connection, moment: datetime, *, stopped: bool) -> tuple[AskedRow, ...]:
    """Requests whose last was at or after a moment, the latest first. Raises sqlite3.Error."""
    condition = "last_at >= ?" + (" AND (decision <> 'allow' OR would <> 'allow')" if stopped else "")
    return _read(connection, f"{condition} ORDER BY last_at DESC, first_at DESC, key", moment_of(moment))


def recorded_since(connection: sqlite3.Connection) -> datetime | None:
    """The earliest request that is held; None where none is. Raises sqlite3.Error."""
    ((moment,),) = connection.execute("SELECT min(first_at) FROM asked").fetchall()
    return None if moment is None else time_of(moment)


def served_files(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> tuple[ServedFile, ...]:
    """A project's files whose bytes were let through, by index, the earliest first. Raises sqlite3.Error."""
    rows = connection.execute(_SERVED_FILES, (upstream, str(project), SERVED_CLIENTS)).fetchall()
    try:
        return tuple(_served(upstream, project, row) for row in rows)
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a request in the ledger cannot be read: {error}") from error


def served_projects(connection: sqlite3.Connection) -> frozenset[tuple[str, ProjectName]]:
    """The upstreams and projects of which files were let through. Raises sqlite3.Error."""
    rows = connection.execute("SELECT DISTINCT upstream, project FROM asked WHERE decision = 'allow' AND NOT metadata")
    return frozenset((upstream, ProjectName(project)) for upstream, project in rows.fetchall())


def forget(connection: sqlite3.Connection, *, before: datetime) -> int:
    """Removes requests whose last was before a moment, at most `FORGOTTEN_AT_ONCE`; how many. Raises sqlite3.Error."""
    old = "SELECT key FROM asked WHERE last_at < ? LIMIT ?"
    with transaction(connection, "IMMEDIATE"):
        rows = connection.execute(
            f"DELETE FROM asked WHERE key IN ({old})",  # noqa: S608 (a constant)
            (moment_of(before), FORGOTTEN_AT_ONCE),
        )
        return rows.rowcount


def _key(asked: Asked) -> bytes:
    return hashlib.blake2b("\x00".join(asked.in_common).encode(), digest_size=KEY_BYTES).digest()


def _row(row: AskedRow) -> tuple[Any, ...]:
    one = row.first
    return (
        _key(one),
        one.client,
        one.index,
        one.upstream,
        str(one.project),
        str(one.filename),
        one.version,
        packed_or_none(one.sha256),
        str(one.decision),
        str(one.would),
        one.rule,
        one.code,
        one.message,
        one.metadata,
        moment_of(one.at),
        moment_of(row.last_at),
        row.count,
    )


def _read(connection: sqlite3.Connection, condition: str, *values: object) -> tuple[AskedRow, ...]:
    rows = connection.execute(f"SELECT {_FIELDS} FROM asked WHERE {condition}", values)  # noqa: S608 (own texts)
    try:
        return tuple(map(_asked, rows.fetchall()))
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a request in the ledger cannot be read: {error}") from error


def _served(upstream: str, project: ProjectName, row: tuple[Any, ...]) -> ServedFile:
    index, filename, sha256, version, first_at, last_at, times, clients, clients_count = row
    return ServedFile(
        index=index,
        upstream=upstream,
        project=project,
        filename=Filename(filename),
        version=version,
        sha256=None if sha256 is None else sha256.hex(),
        first_at=time_of(first_at),
        last_at=time_of(last_at),
        times=times,
        clients=tuple(sorted(_CLIENTS.decode(clients))),
        clients_count=clients_count,
    )


def _asked(row: tuple[Any, ...]) -> AskedRow:
    client, index, upstream, project, filename, version, sha256, decision, would, rule, code, message, *counted = row
    metadata, first_at, last_at, count = counted
    first = Asked(
        at=time_of(first_at),
        index=index,
        upstream=upstream,
        project=ProjectName(project),
        filename=Filename(filename),
        version=version,
        sha256=None if sha256 is None else sha256.hex(),
        client=client,
        decision=Decision(decision),
        would=Decision(would),
        rule=rule,
        code=code,
        message=message,
        metadata=bool(metadata),
    )
    return AskedRow(first=first, last_at=time_of(last_at), count=count)
