"""Sums over the ledger, in SQL: what was stopped by which rule, what was let through, which projects are known."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from datetime import datetime
from typing import Any, Final

from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import KnownProject, LetThrough, StopsOfRule
from inbond.store.columns import moment_of, time_of
from inbond.store.occurrences import FIELDS, occurrence_of

_STOPS: Final = """
    SELECT index_name, rule, decision = 'allow', sum(count), count(DISTINCT project)
    FROM asked WHERE last_at >= ? AND (decision <> 'allow' OR would <> 'allow')
    GROUP BY index_name, rule, decision = 'allow' ORDER BY sum(count) DESC, rule, index_name
"""
_LET_THROUGH: Final = """
    SELECT index_name, upstream, project, filename, max(last_at)
    FROM asked WHERE last_at >= ? AND decision = 'allow' AND NOT metadata AND index_name IN ({indexes})
    GROUP BY index_name, upstream, project, filename ORDER BY max(last_at) DESC LIMIT ?
"""
# Those that begin so before those that have it elsewhere; `files` by the index on the project.
_PROJECTS: Final = """
    SELECT upstream, name, first_seen,
        (SELECT count(*) FROM file WHERE file.project = project.id AND vanished_at IS NULL)
    FROM project WHERE upstream IN ({upstreams}) AND instr(name, ?) > 0
    ORDER BY name <> ?, instr(name, ?) <> 1, name, upstream LIMIT ? OFFSET ?
"""


def stops(connection: sqlite3.Connection, since: datetime) -> tuple[StopsOfRule, ...]:
    """What was stopped, or would have been, at or after a moment, the most frequent first. Raises sqlite3.Error."""
    rows = connection.execute(_STOPS, (moment_of(since),)).fetchall()
    return tuple(
        StopsOfRule(index=index, rule=rule, recorded_only=bool(recorded), requests=requests, projects=projects)
        for index, rule, recorded, requests, projects in rows
    )


def let_through(
    connection: sqlite3.Connection, since: datetime, *, indexes: Collection[str], limit: int
) -> tuple[LetThrough, ...]:
    """Files that were given at or after a moment, the latest first. Raises sqlite3.Error."""
    query = _LET_THROUGH.format(indexes=_marks(indexes))
    return _made(connection, query, (moment_of(since), *sorted(indexes), limit), _let_through)


def known_projects(
    connection: sqlite3.Connection, text: str, *, upstreams: Collection[str], limit: int, offset: int
) -> tuple[KnownProject, ...]:
    """Projects of these upstreams with a text in their normalised name, in order. Raises sqlite3.Error."""
    query = _PROJECTS.format(upstreams=_marks(upstreams))
    return _made(connection, query, (*sorted(upstreams), text, text, text, limit, offset), _known)


def latest(
    connection: sqlite3.Connection,
    since: datetime,
    *,
    kinds: Collection[OccurrenceKind],
    project: ProjectName | None,
    limit: int,
) -> tuple[Occurrence, ...]:
    """What happened of some kinds at or after a moment, the latest first; to a project. Raises sqlite3.Error."""
    rows = connection.execute(
        f"SELECT {FIELDS} FROM occurrence WHERE at >= ? AND kind IN ({_marks(kinds)})"  # noqa: S608 (constants)
        " AND (? IS NULL OR project = ?) ORDER BY at DESC, number DESC LIMIT ?",
        (moment_of(since), *sorted(map(str, kinds)), *[None if project is None else str(project)] * 2, limit),
    )
    return tuple(map(occurrence_of, rows.fetchall()))


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _made(connection: sqlite3.Connection, query: str, values: tuple[Any, ...], make: Any) -> tuple[Any, ...]:
    rows = connection.execute(query, values).fetchall()
    try:
        return tuple(make(*row) for row in rows)
    except ValueError as error:  # whoever wrote this did not write it through inbond
        raise sqlite3.DatabaseError(f"a name in the ledger cannot be read: {error}") from error


def _let_through(index: str, upstream: str, project: str, filename: str, last_at: int) -> LetThrough:
    return LetThrough(
        index=index,
        upstream=upstream,
        project=ProjectName(project),
        filename=Filename(filename),
        last_at=time_of(last_at),
    )


def _known(upstream: str, name: str, first_seen: int, files: int) -> KnownProject:
    return KnownProject(upstream=upstream, project=ProjectName(name), first_seen=time_of(first_seen), files=files)
