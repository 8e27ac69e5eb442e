"""The ledger's schema, one numbered step after the other. A step that was released is never changed.

Times are whole microseconds since 1970-01-01 UTC; digests are the 32 bytes of a sha256.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final, Literal

from inbond.model.errors import OperatorFault

APPLICATION_ID: Final = 0x696E626E  # "inbn", in the header of the file (https://sqlite.org/fileformat2.html)

Step = tuple[str, ...]  # statements of one transaction

STEPS: Final[tuple[Step, ...]] = (
    (
        """
        CREATE TABLE project (
            id INTEGER PRIMARY KEY,
            upstream TEXT NOT NULL,
            name TEXT NOT NULL,
            first_seen INTEGER NOT NULL,
            highest_serial INTEGER,
            UNIQUE (upstream, name)
        ) STRICT
        """,
        """
        CREATE TABLE file (
            project INTEGER NOT NULL REFERENCES project (id),
            filename TEXT NOT NULL,
            first_seen INTEGER NOT NULL,
            first_sha256 BLOB CHECK (length(first_sha256) = 32),
            vanished_at INTEGER,
            PRIMARY KEY (project, filename)
        ) STRICT, WITHOUT ROWID
        """,
    ),
)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """All of it or nothing. A deferred one reads one state of the database, an immediate one may write."""
    connection.execute(f"BEGIN {kind}")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # after some errors SQLite has rolled back itself
            connection.execute("ROLLBACK")
        raise


def schema_version(connection: sqlite3.Connection) -> int:
    """How many steps the database has taken."""
    ((version,),) = connection.execute("PRAGMA user_version").fetchall()
    return int(version)


def migrate(connection: sqlite3.Connection, steps: tuple[Step, ...] = STEPS) -> None:
    """Takes the steps that are missing, each whole or not at all.

    Raises OperatorFault for a database that is no ledger or that a newer inbond has written, sqlite3.Error.
    """
    _check_ours(connection)
    while (version := schema_version(connection)) < len(steps):
        with transaction(connection, "IMMEDIATE"):
            if schema_version(connection) == version:  # otherwise another process was faster
                _take(connection, steps[version], version + 1)
    if version > len(steps):
        raise OperatorFault(
            f"the ledger has schema {version}, and this inbond knows no schema after {len(steps)}",
            remedy="run the inbond that wrote it or a newer one, or restore a backup of the ledger from before",
        )


def _check_ours(connection: sqlite3.Connection) -> None:
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    ((tables,),) = connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
    if application != APPLICATION_ID and tables:
        raise OperatorFault(
            "the ledger is a database of some other program",
            remedy="point storage.path at a directory of inbond's own",
        )


def _take(connection: sqlite3.Connection, step: Step, version: int) -> None:
    for statement in step:
        connection.execute(statement)
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {version}")
