"""The ledger's schema, one numbered step after the other. A step that was released is never changed.

Times are whole microseconds since 1970-01-01 UTC; digests are the 32 bytes of a sha256.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from typing import Final, Literal

from inbond.model.errors import OperatorFault
from inbond.store.turns import turn_of

APPLICATION_ID: Final = 0x696E626E  # "inbn", in the header of the file (https://sqlite.org/fileformat2.html)

Step = tuple[str, ...]  # statements of one transaction

_RISE: Final = "UPDATE standing SET version = version + 1"


def _rising(*tables: str) -> Step:
    """Whatever happens to these tables, the version of what stands rises."""
    return tuple(
        f"CREATE TRIGGER {table}_{event} AFTER {event} ON {table} BEGIN {_RISE}; END"
        for table in tables
        for event in ("insert", "update", "delete")
    )


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
    (
        # Decisions are never removed: one that was revoked says when and by whom.
        """
        CREATE TABLE decision (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL,
            kind TEXT NOT NULL CHECK (kind IN ('waiver', 'rejection', 'pin')),
            project TEXT NOT NULL,
            specifier TEXT NOT NULL DEFAULT '',
            sha256 BLOB CHECK (length(sha256) = 32),
            rule TEXT CHECK ((rule IS NULL) = (kind <> 'waiver')),
            until INTEGER CHECK ((until IS NULL) = (kind <> 'waiver')),
            publisher TEXT CHECK ((publisher IS NULL) = (kind <> 'pin')),
            repository_id TEXT,
            index_name TEXT,
            reason TEXT NOT NULL,
            made_by TEXT NOT NULL,
            made_at INTEGER NOT NULL,
            revoked_at INTEGER,
            revoked_by TEXT CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
        ) STRICT
        """,
        "CREATE UNIQUE INDEX decision_in_force ON decision (id) WHERE revoked_at IS NULL",
        "CREATE INDEX decision_of_project ON decision (project) WHERE revoked_at IS NULL",
        """
        CREATE TABLE repository (
            upstream TEXT NOT NULL,
            project TEXT NOT NULL,
            repository TEXT NOT NULL,
            repository_id TEXT NOT NULL,
            owner_id TEXT,
            since INTEGER NOT NULL,
            PRIMARY KEY (upstream, project, repository, repository_id)
        ) STRICT, WITHOUT ROWID
        """,
        # One row, for whoever keeps decisions and repositories in memory: it rises with every change of them.
        "CREATE TABLE standing (version INTEGER NOT NULL) STRICT",
        "INSERT INTO standing (version) VALUES (1)",
        *_rising("decision", "repository"),
        # `key` is a digest of all that equal requests have in common; see store/history.py.
        """
        CREATE TABLE asked (
            key BLOB NOT NULL PRIMARY KEY CHECK (length(key) = 16),
            client TEXT NOT NULL,
            index_name TEXT NOT NULL,
            upstream TEXT NOT NULL,
            project TEXT NOT NULL,
            filename TEXT NOT NULL,
            version TEXT,
            sha256 BLOB CHECK (length(sha256) = 32),
            decision TEXT NOT NULL,
            would TEXT NOT NULL,
            rule TEXT NOT NULL,
            code TEXT NOT NULL,
            message TEXT NOT NULL,
            metadata INTEGER NOT NULL CHECK (metadata IN (0, 1)),
            first_at INTEGER NOT NULL,
            last_at INTEGER NOT NULL,
            count INTEGER NOT NULL
        ) STRICT
        """,
        "CREATE INDEX asked_last ON asked (last_at)",
        "CREATE INDEX asked_of_project ON asked (upstream, project)",
        """
        CREATE TABLE occurrence (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            key TEXT NOT NULL UNIQUE,
            kind TEXT NOT NULL,
            at INTEGER NOT NULL,
            message TEXT NOT NULL,
            index_name TEXT,
            upstream TEXT,
            project TEXT,
            filename TEXT,
            detail TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX occurrence_at ON occurrence (at)",
        # A webhook, by the name the configuration gives it, and the occurrence up to which its deliveries were made.
        """
        CREATE TABLE webhook (
            name TEXT NOT NULL PRIMARY KEY,
            taken_up INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        # What is still to be delivered: a row goes when it was, or was given up. `due`: not to be tried before.
        """
        CREATE TABLE delivery (
            webhook TEXT NOT NULL REFERENCES webhook (name),
            occurrence INTEGER NOT NULL REFERENCES occurrence (number),
            since INTEGER NOT NULL,
            due INTEGER NOT NULL,
            attempts INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (webhook, occurrence)
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX delivery_due ON delivery (webhook, due)",
    ),
    (
        # Every import that came into force. `manifest`: the digest of its bundle's manifest.
        """
        CREATE TABLE import (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            name TEXT NOT NULL,
            manifest BLOB NOT NULL CHECK (length(manifest) = 32),
            created_at INTEGER NOT NULL,
            imported_at INTEGER NOT NULL,
            key TEXT NOT NULL,
            files INTEGER NOT NULL,
            size INTEGER NOT NULL
        ) STRICT
        """,
        # What is in force. Of an upstream or a document the newest; of a project what each name of a bundle brought
        # last: they are joined when they are read (mirror/joining.py). `entry`: the manifest's JSON.
        """
        CREATE TABLE imported_upstream (
            name TEXT NOT NULL PRIMARY KEY,
            url TEXT NOT NULL,
            as_of INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE imported_project (
            upstream TEXT NOT NULL,
            project TEXT NOT NULL,
            name TEXT NOT NULL,
            as_of INTEGER NOT NULL,
            serial INTEGER,
            imported_at INTEGER NOT NULL,
            entry TEXT NOT NULL,
            PRIMARY KEY (upstream, project, name)
        ) STRICT
        """,
        """
        CREATE TABLE imported_document (
            kind TEXT NOT NULL,
            name TEXT NOT NULL,
            sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
            as_of INTEGER NOT NULL,
            PRIMARY KEY (kind, name)
        ) STRICT, WITHOUT ROWID
        """,
        # Provenance that operators put beside files; what was attached to a file last counts. `bundle`: the name of
        # the bundle that brought it, if one did.
        """
        CREATE TABLE attached (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            upstream TEXT NOT NULL,
            sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
            filename TEXT NOT NULL,
            provenance BLOB NOT NULL,
            reason TEXT NOT NULL,
            made_by TEXT NOT NULL,
            made_at INTEGER NOT NULL,
            bundle TEXT
        ) STRICT
        """,
        "CREATE INDEX attached_to ON attached (upstream, sha256, number)",
        # Files whose attached evidence was removed here: no bundle brings it back.
        """
        CREATE TABLE detached (
            upstream TEXT NOT NULL,
            sha256 BLOB NOT NULL CHECK (length(sha256) = 32),
            PRIMARY KEY (upstream, sha256)
        ) STRICT, WITHOUT ROWID
        """,
        # Whether an import was the first to know of a project: what this ledger saw by itself stays when it saw it.
        "ALTER TABLE project ADD COLUMN imported INTEGER NOT NULL DEFAULT 0 CHECK (imported IN (0, 1))",
        *_rising("import", "imported_upstream", "imported_project", "imported_document", "attached"),
    ),
    (
        # Which page of a project is the newest, where upstream numbers none: the digest of its stored form, and since
        # when. Processes that share the ledger see by it that another has had a newer one.
        "ALTER TABLE project ADD COLUMN page_sha256 BLOB CHECK (length(page_sha256) = 32)",
        "ALTER TABLE project ADD COLUMN page_at INTEGER CHECK ((page_at IS NULL) = (page_sha256 IS NULL))",
    ),
    (
        # Tokens, by the digest of their secret. Never removed: one that was revoked says when and by whom. `indexes`:
        # a JSON list of names, `*` for all. `session`: of a browser, by the digest of its cookie; `token`: the one it
        # was begun with, and ends with: one of the configuration may have no row of its own.
        """
        CREATE TABLE token (
            id TEXT NOT NULL PRIMARY KEY,
            digest BLOB NOT NULL UNIQUE CHECK (length(digest) = 32),
            name TEXT NOT NULL,
            role TEXT NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
            indexes TEXT NOT NULL,
            made_by TEXT NOT NULL,
            made_at INTEGER NOT NULL,
            expires_at INTEGER,
            revoked_at INTEGER,
            revoked_by TEXT CHECK ((revoked_by IS NULL) = (revoked_at IS NULL))
        ) STRICT, WITHOUT ROWID
        """,
        """
        CREATE TABLE session (
            digest BLOB NOT NULL PRIMARY KEY CHECK (length(digest) = 32),
            token TEXT NOT NULL,
            since INTEGER NOT NULL,
            until INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        "CREATE INDEX session_until ON session (until)",
        *_rising("token", "session"),
        # Apart from the token, since whatever is written there has all judge anew.
        """
        CREATE TABLE token_use (
            token TEXT NOT NULL PRIMARY KEY,
            last_at INTEGER NOT NULL,
            client TEXT NOT NULL
        ) STRICT, WITHOUT ROWID
        """,
        # The audit trail: an act is never changed, and goes only once it is older than `act_kept` says, which moves
        # forward alone. `key`: an act that is told twice, since nobody knows whether it was written, is one.
        """
        CREATE TABLE act (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            key BLOB NOT NULL UNIQUE CHECK (length(key) = 16),
            kind TEXT NOT NULL,
            at INTEGER NOT NULL,
            made_by TEXT NOT NULL,
            client TEXT NOT NULL,
            index_name TEXT,
            project TEXT,
            target TEXT NOT NULL,
            message TEXT NOT NULL,
            detail TEXT NOT NULL
        ) STRICT
        """,
        "CREATE INDEX act_at ON act (at)",
        "CREATE TABLE act_kept (since INTEGER NOT NULL) STRICT",
        "INSERT INTO act_kept (since) VALUES (-9223372036854775808)",
        # REPLACE would take a row away without the trigger of DELETE.
        """
        CREATE TRIGGER act_once BEFORE INSERT ON act WHEN EXISTS (
            SELECT 1 FROM act WHERE key = NEW.key OR number = NEW.number
        ) BEGIN SELECT RAISE(IGNORE); END
        """,
        """
        CREATE TRIGGER act_kept_once BEFORE INSERT ON act_kept WHEN EXISTS (SELECT 1 FROM act_kept)
        BEGIN SELECT RAISE(ABORT, 'it is one row'); END
        """,
        "CREATE TRIGGER act_unchanged BEFORE UPDATE ON act BEGIN SELECT RAISE(ABORT, 'acts are not changed'); END",
        """
        CREATE TRIGGER act_remains BEFORE DELETE ON act WHEN OLD.at >= (SELECT since FROM act_kept)
        BEGIN SELECT RAISE(ABORT, 'acts are kept'); END
        """,
        """
        CREATE TRIGGER act_kept_forward BEFORE UPDATE ON act_kept WHEN NEW.since < OLD.since
        BEGIN SELECT RAISE(ABORT, 'what is kept moves forward alone'); END
        """,
        "CREATE TRIGGER act_kept_stays BEFORE DELETE ON act_kept BEGIN SELECT RAISE(ABORT, 'it stays'); END",
        # What was answered, by the hour (its beginning), summed up: for the overview's charts. `kind`: page, file or
        # metadata; `outcome`: hit, miss, stopped or failed.
        """
        CREATE TABLE traffic (
            hour INTEGER NOT NULL,
            index_name TEXT NOT NULL,
            kind TEXT NOT NULL,
            outcome TEXT NOT NULL,
            count INTEGER NOT NULL,
            size INTEGER NOT NULL,
            PRIMARY KEY (hour, index_name, kind, outcome)
        ) STRICT, WITHOUT ROWID
        """,
        # Who asked, as a principal is written; empty for nobody in particular. It is part of `key` where it is there.
        "ALTER TABLE asked ADD COLUMN who TEXT NOT NULL DEFAULT ''",
        "CREATE INDEX asked_first ON asked (first_at)",
        # Few among all: what pages for people look through.
        "CREATE INDEX asked_stopped ON asked (last_at) WHERE decision <> 'allow' OR would <> 'allow'",
    ),
)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection, kind: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[None]:
    """All of it or nothing. A deferred one reads one state of the database, an immediate one may write.

    To write it waits for its turn. Raises sqlite3.Error.
    """
    with turn_of(connection) if kind == "IMMEDIATE" else contextlib.nullcontext():
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
