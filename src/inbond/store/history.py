"""The ledger's audit trail of requests, in SQL. Equal requests share a row: what it counts, and its first and last."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from inbond.access.principal import Anonymous
from inbond.model.acts import ActsWanted, Place
from inbond.model.history import (
    EVERYTHING,
    SERVED_CLIENTS,
    Asked,
    AskedOnly,
    AskedRow,
    Fetched,
    FetchedWanted,
    ServedFile,
)
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.store.columns import moment_of, packed_or_none, time_of
from inbond.store.migrations import transaction

ANONYMOUS: Final = str(Anonymous())
KEY_BYTES: Final = 16  # of BLAKE2b: two requests that differ share no row by chance
FORGOTTEN_AT_ONCE: Final = 2000  # rows in one transaction: whoever waits for the ledger waits some 20 ms

_FIELDS: Final = (
    "client, index_name, upstream, project, filename, version, sha256, decision, would, rule, code, message,"
    " metadata, first_at, last_at, count, who"
)
# The first `message` stays, which is not part of the key.
_ADD: Final = f"""
    INSERT INTO asked (key, {_FIELDS}) VALUES ({", ".join("?" * 18)})
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
# From one to the next by the index, and not through all rows.
_UPSTREAMS: Final = """
    WITH RECURSIVE known (name) AS (
        SELECT min(upstream) FROM asked
        UNION ALL
        SELECT (SELECT min(upstream) FROM asked WHERE upstream > name) FROM known WHERE name IS NOT NULL
    ) SELECT name FROM known WHERE name IS NOT NULL
"""
_CLIENTS: Final = msgspec.json.Decoder(list[str])


def record(connection: sqlite3.Connection, asked: Sequence[AskedRow]) -> None:
    """Adds requests, in one transaction. Raises ValueError for a digest that is none, sqlite3.Error."""
    rows = [_row(one) for one in asked]
    with transaction(connection, "IMMEDIATE"):
        connection.executemany(_ADD, rows)


def since(
    connection: sqlite3.Connection, moment: datetime, *, stopped: bool, only: AskedOnly = EVERYTHING
) -> tuple[AskedRow, ...]:
    """Requests whose last was at or after a moment, the latest first. Raises sqlite3.Error."""
    given: list[tuple[str, list[Any]]] = [("last_at >= ?", [moment_of(moment)])]
    if stopped:
        given.append(("(decision <> 'allow' OR would <> 'allow')", []))  # as the index has it
    if only.indexes is not None:
        given.append((f"index_name IN ({', '.join('?' * len(only.indexes))})", sorted(only.indexes)))
    if only.project is not None:
        given.append(("project = ?", [str(only.project)]))
    where = " AND ".join(text for text, _ in given)
    values = [value for _, values in given for value in values]
    most = -1 if only.limit is None else only.limit
    return _read(connection, f"{where} ORDER BY last_at DESC, first_at DESC, key LIMIT ?", *values, most)


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


def upstreams(connection: sqlite3.Connection) -> tuple[str, ...]:
    """The upstreams that anything was asked for of, by name. Raises sqlite3.Error."""
    return tuple(name for (name,) in connection.execute(_UPSTREAMS).fetchall())


def indexes(connection: sqlite3.Connection) -> frozenset[str]:
    """The indexes that anything was asked of, or done in. Raises sqlite3.Error."""
    rows = connection.execute("SELECT index_name FROM asked UNION SELECT index_name FROM act WHERE index_name NOTNULL")
    return frozenset(name for (name,) in rows.fetchall())


def in_order(
    connection: sqlite3.Connection, wanted: ActsWanted, *, stopped: bool, after: Place | None, limit: int
) -> tuple[Fetched, ...]:
    """At most `limit` rows in the order of their first request, of those that come after a place in it.

    Wanted are those of which any may have been made in the time: between the first and the last. Kinds are not looked
    at. Raises sqlite3.Error.
    """
    conditions = _wanted_conditions(wanted, stopped=stopped, after=after)
    where = " AND ".join(text for text, _ in conditions) or "TRUE"
    rows = connection.execute(
        f"SELECT rowid, {_FIELDS} FROM asked WHERE {where} ORDER BY first_at, rowid LIMIT ?",  # noqa: S608 (own texts)
        [*(value for _, values in conditions for value in values), limit],
    )
    return _numbered(rows.fetchall())


def who_fetched(
    connection: sqlite3.Connection, wanted: FetchedWanted, *, after: int, limit: int
) -> tuple[Fetched, ...]:
    """At most `limit` of those who were given files, in the order in which they were written down first.

    Raises sqlite3.Error.
    """
    conditions = _fetched_conditions(wanted)
    where = " AND ".join(text for text, _ in conditions)
    rows = connection.execute(
        f"SELECT rowid, {_FIELDS} FROM asked WHERE {where} AND rowid > ? ORDER BY rowid LIMIT ?",  # noqa: S608 (own)
        [*(value for _, values in conditions for value in values), after, limit],
    )
    return _numbered(rows.fetchall())


def _numbered(rows: Sequence[Sequence[Any]]) -> tuple[Fetched, ...]:
    try:
        return tuple(Fetched(number=number, row=_asked(row)) for number, *row in rows)
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a request in the ledger cannot be read: {error}") from error


def _wanted_conditions(wanted: ActsWanted, *, stopped: bool, after: Place | None) -> list[tuple[str, list[Any]]]:
    given: list[tuple[str, list[Any]]] = []
    if after is not None:
        at, number = after
        given.append(("(first_at, rowid) > (?, ?)", [moment_of(at), number]))
    if wanted.since is not None:
        given.append(("last_at >= ?", [moment_of(wanted.since)]))
    if wanted.until is not None:
        given.append(("first_at < ?", [moment_of(wanted.until)]))
    if wanted.by is not None:
        nobody = f"(who = '' AND client <> '' AND instr('{ANONYMOUS}', lower(?)) > 0)"  # as acts have them
        given.append((f"(instr(lower(who), lower(?)) > 0 OR {nobody})", [wanted.by, wanted.by]))
    if wanted.indexes is not None:
        given.append((f"index_name IN ({', '.join('?' * len(wanted.indexes))})", sorted(wanted.indexes)))
    if wanted.project is not None:
        given.append(("project = ?", [wanted.project]))
    if stopped:
        given.append(("decision <> 'allow'", []))
    return given


def _fetched_conditions(wanted: FetchedWanted) -> list[tuple[str, list[Any]]]:
    """Conditions and their values; the first is what the index of the table has."""
    given: list[tuple[str, list[Any]]] = [
        ("upstream = ? AND project = ?", [wanted.upstream, str(wanted.project)]),
        ("decision = 'allow' AND NOT metadata", []),
    ]
    if wanted.indexes is not None:
        given.append((f"index_name IN ({', '.join('?' * len(wanted.indexes))})", sorted(wanted.indexes)))
    if wanted.version is not None:
        given.append(("version = ?", [wanted.version]))
    if wanted.filename is not None:
        given.append(("filename = ?", [str(wanted.filename)]))
    if wanted.sha256 is not None:
        given.append(("instr(lower(hex(sha256)), ?) = 1", [wanted.sha256]))
    if wanted.since is not None:
        given.append(("last_at >= ?", [moment_of(wanted.since)]))
    return given


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
        one.who,
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


def _asked(row: Sequence[Any]) -> AskedRow:
    client, index, upstream, project, filename, version, sha256, decision, would, rule, code, message, *counted = row
    metadata, first_at, last_at, count, who = counted
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
        who=who,
    )
    return AskedRow(first=first, last_at=time_of(last_at), count=count)
