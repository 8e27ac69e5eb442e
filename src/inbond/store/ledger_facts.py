"""What can be said of a ledger's file without changing it: whether it is whole, and what it holds. Blocks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Final

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store import deliveries
from inbond.store.files import may_write, permission_of, unavailable
from inbond.store.ledger_file import connect
from inbond.store.ledger_gone import refuse_where_it_is_gone
from inbond.store.migrations import APPLICATION_ID, STEPS, migrate, schema_version

MAX_COMPLAINTS: Final = 20  # of SQLite, in one examination
_OF_SQLITE: Final = frozenset({"sqlite_stat1", "sqlite_stat4"})  # what ANALYZE makes
_SCHEMA_OF_WEBHOOKS: Final = 2  # the first that has them
_SCHEMA_OF_ACTS: Final = 5

# What is counted, by the table that holds it; those of later schemas are 0 in an earlier one.
_COUNTED: Final[Mapping[str, str]] = MappingProxyType(
    {
        "projects": "project",
        "files": "file",
        "decisions": "decision WHERE revoked_at IS NULL",
        "revoked decisions": "decision WHERE revoked_at IS NOT NULL",
        "established repositories": "repository",
        "imports": "import",
        "imported projects": "imported_project",
        "imported documents": "imported_document",
        "attached evidence": "attached",
        "tokens": "token WHERE revoked_at IS NULL",
        "acts": "act",
        "requests": "asked",
        "occurrences": "occurrence",
        "deliveries waiting": "delivery",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerFacts:
    """A ledger as it was found. `complaints`: what is wrong with it; what could not be counted is left out.

    `doubts`: what inbond would not have written into one that is whole.
    """

    size: int  # bytes, its write-ahead log included
    schema: int
    complaints: tuple[str, ...]
    counts: Mapping[str, int]
    waiting: Mapping[str, int]  # deliveries, by webhook
    doubts: tuple[str, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Whether nothing is wrong with it."""
        return not self.complaints

    @property
    def is_earlier(self) -> bool:
        """Whether the next start brings it to a later schema."""
        return self.schema < len(STEPS)


def examine(path: Path) -> LedgerFacts:
    """Reads all of a ledger. Raises `OperatorFault` where there is none, `StoreUnavailable` where it cannot be read."""
    try:
        if not path.is_file():
            if path.parent.is_dir():
                refuse_where_it_is_gone(path)
            raise OperatorFault(
                f"there is no ledger at {path}",
                remedy="name another file; the configuration's own is made when inbond first serves",
            )
        with contextlib.closing(connect(path)) as connection:
            connection.execute("PRAGMA query_only = ON")
            return _facts(path, connection)
    except OSError as error:
        raise unavailable("read the ledger", error) from error
    except sqlite3.OperationalError as error:
        remedy = "see who else uses it" if may_write(path) else permission_of(path)
        raise StoreUnavailable(f"the ledger cannot be read: {error}", remedy=remedy) from error
    except sqlite3.DatabaseError as error:
        return LedgerFacts(size=_size(path), schema=0, complaints=(str(error),), counts={}, waiting={})


def _facts(path: Path, connection: sqlite3.Connection) -> LedgerFacts:
    schema = schema_version(connection)
    complaints = [*_of_sqlite(connection), *_of_ours(connection, schema)]
    sound = not complaints
    return LedgerFacts(
        size=_size(path),
        schema=schema,
        complaints=tuple(complaints),
        counts=_counts(connection) if sound else {},
        waiting=deliveries.waiting(connection) if sound and schema >= _SCHEMA_OF_WEBHOOKS else {},
        doubts=tuple(_doubts(connection)) if sound and schema >= _SCHEMA_OF_ACTS else (),
    )


def _doubts(connection: sqlite3.Connection) -> Iterator[str]:
    ((ahead,),) = connection.execute("SELECT since > unixepoch() * 1000000 FROM act_kept").fetchall()
    if ahead:
        yield "it lets every act be removed, also those to come: somebody but inbond wrote to act_kept"


def _of_sqlite(connection: sqlite3.Connection) -> list[str]:
    rows = connection.execute(f"PRAGMA integrity_check({MAX_COMPLAINTS})").fetchall()
    said = [str(row[0]) for row in rows if row[0] != "ok"]
    loose = connection.execute("PRAGMA foreign_key_check").fetchmany(MAX_COMPLAINTS)
    return [*said, *(f"row {row[1]} of {row[0]} names one of {row[2]} that is not there" for row in loose)]


def _of_ours(connection: sqlite3.Connection, schema: int) -> list[str]:
    ((application,),) = connection.execute("PRAGMA application_id").fetchall()
    if application != APPLICATION_ID:
        return ["it is a database of some other program, or empty"]
    if schema > len(STEPS):
        return [f"it has schema {schema}, and this inbond knows no schema after {len(STEPS)}"]
    with contextlib.closing(sqlite3.connect(":memory:", isolation_level=None)) as pristine:
        migrate(pristine, STEPS[:schema])
        differing = _shape(connection) ^ _shape(pristine)
    return [f"its schema {schema} differs at {name}" for name in sorted({name for _, name, _ in differing})]


def _shape(connection: sqlite3.Connection) -> frozenset[tuple[str, str, str]]:
    """Tables, indexes and triggers, as they were made, spaces aside."""
    rows = connection.execute("SELECT type, name, coalesce(sql, '') FROM sqlite_master").fetchall()
    return frozenset((kind, name, " ".join(sql.split())) for kind, name, sql in rows if name not in _OF_SQLITE)


def _counts(connection: sqlite3.Connection) -> dict[str, int]:
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    counts: dict[str, int] = {}
    for what, source in _COUNTED.items():
        if source.partition(" ")[0] in tables:
            ((counts[what],),) = connection.execute(f"SELECT count(*) FROM {source}").fetchall()  # noqa: S608 (ours)
    return counts


def _size(path: Path) -> int:
    log = path.with_name(f"{path.name}-wal")
    return path.stat().st_size + (log.stat().st_size if log.exists() else 0)
