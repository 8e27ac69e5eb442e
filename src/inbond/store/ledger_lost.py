"""What one ledger holds that another does not: what restoring a backup forgets. Changes neither. Blocks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final
from urllib.parse import quote

from inbond.store.columns import time_of

DECISIONS: Final = "decisions made or revoked"
MAX_NAMED: Final = 20  # decisions, and serials; the others are counted

# What is compared, by the table that must be there. What has the same in these columns is the same.
_COMPARED: Final[Mapping[str, tuple[str, str]]] = MappingProxyType(
    {
        DECISIONS: ("decision", "SELECT number, id, revoked_at FROM {}.decision"),
        "established repositories": (
            "repository",
            "SELECT upstream, project, repository, repository_id FROM {}.repository",
        ),
        "projects": ("project", "SELECT upstream, name FROM {}.project"),
        "highest serials": ("project", "SELECT upstream, name, highest_serial FROM {}.project"),
        "files": ("file", "SELECT upstream, name, filename FROM {0}.file JOIN {0}.project ON id = project"),
        "digests of files": (
            "file",
            "SELECT upstream, name, filename, first_sha256 FROM {0}.file JOIN {0}.project ON id = project",
        ),
        "imports": ("import", "SELECT name, manifest FROM {}.import"),
        "attached evidence": ("attached", "SELECT upstream, sha256, provenance FROM {}.attached"),
        "tokens made or revoked": ("token", "SELECT id, revoked_at FROM {}.token"),
        "acts": ("act", "SELECT key FROM {}.act"),
        "requests": ("asked", "SELECT key FROM {}.asked"),
        "occurrences": ("occurrence", "SELECT key FROM {}.occurrence"),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LostDecision:
    """One that was made, or revoked, after the backup."""

    kind: str
    project: str
    by: str
    at: datetime
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LostSerial:
    """A page's highest serial, and what the backup has instead; None: it does not know the page."""

    upstream: str
    project: str
    was: int
    now: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lost:
    """`counts`: of what there is any. `decisions`: the latest; `serials`: the highest. `untold`: why nobody knows."""

    counts: Mapping[str, int] = field(default_factory=dict)
    decisions: tuple[LostDecision, ...] = ()
    serials: tuple[LostSerial, ...] = ()
    untold: str | None = None


def lost_between(earlier: Path, later: Path) -> Lost:
    """What the ledger `later` holds and the ledger `earlier` does not. Both are used by nobody else."""
    try:
        with contextlib.closing(_both(earlier, later)) as connection:
            return _lost(connection)
    except sqlite3.Error as error:
        return Lost(untold=str(error))


def _both(earlier: Path, later: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(later))}?mode=ro", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("ATTACH DATABASE ? AS earlier", (f"file:{quote(str(earlier))}?mode=ro",))
    except BaseException:
        connection.close()
        raise
    return connection


def _lost(connection: sqlite3.Connection) -> Lost:
    counts = {}
    for what, (table, rows) in _COMPARED.items():
        if table in _tables(connection, "main"):
            only = _only(connection, table, rows)
            ((counts[what],),) = connection.execute(f"SELECT count(*) FROM ({only})").fetchall()  # noqa: S608 (ours)
    return Lost(
        counts={what: number for what, number in counts.items() if number},
        decisions=_decisions(connection) if counts.get(DECISIONS) else (),
        serials=_serials(connection),
    )


def _only(connection: sqlite3.Connection, table: str, rows: str) -> str:
    """Selects the rows that the later ledger has alone."""
    known = table in _tables(connection, "earlier")  # a backup may be of an earlier schema
    return f"{rows.format('main')} EXCEPT {rows.format('earlier')}" if known else rows.format("main")


def _decisions(connection: sqlite3.Connection) -> tuple[LostDecision, ...]:
    only = _only(connection, *_COMPARED[DECISIONS])
    rows = connection.execute(
        "SELECT kind, project, coalesce(revoked_by, made_by), coalesce(revoked_at, made_at) AS at,"  # noqa: S608 (ours)
        f" revoked_at IS NOT NULL FROM main.decision WHERE number IN (SELECT number FROM ({only}))"
        " ORDER BY at DESC LIMIT ?",
        (MAX_NAMED,),
    ).fetchall()
    return tuple(
        LostDecision(kind=kind, project=project, by=by, at=time_of(at), revoked=bool(revoked))
        for kind, project, by, at, revoked in rows
    )


def _serials(connection: sqlite3.Connection) -> tuple[LostSerial, ...]:
    rows = connection.execute(
        "SELECT one.upstream, one.name, one.highest_serial, other.highest_serial FROM main.project AS one"
        " LEFT JOIN earlier.project AS other ON other.upstream = one.upstream AND other.name = one.name"
        " WHERE one.highest_serial > coalesce(other.highest_serial, -1) ORDER BY one.highest_serial DESC LIMIT ?",
        (MAX_NAMED,),
    ).fetchall()
    return tuple(LostSerial(upstream=one, project=project, was=was, now=now) for one, project, was, now in rows)


def _tables(connection: sqlite3.Connection, database: str) -> frozenset[str]:
    rows = connection.execute(f"SELECT name FROM {database}.sqlite_master WHERE type = 'table'")  # noqa: S608 (ours)
    return frozenset(name for (name,) in rows.fetchall())
