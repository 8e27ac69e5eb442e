"""Sums over the ledger, in SQL: what was stopped by which rule, what was let through, which projects are known."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from itertools import islice
from typing import Any, Final

from inbond.model.names import Filename, ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.model.overview import Bearing, KnownProject, LetThrough, Searched, StopsOfRule
from inbond.store.columns import moment_of, time_of
from inbond.store.occurrences import FIELDS, occurrence_of

_STOPS: Final = """
    SELECT index_name, rule, decision = 'allow', sum(count), count(DISTINCT project)
    FROM asked WHERE last_at >= ? AND (decision <> 'allow' OR would <> 'allow')
    GROUP BY index_name, rule, decision = 'allow' ORDER BY sum(count) DESC, rule, index_name
"""
MAX_ROWS: Final = 200_000  # of requests that are looked at for the files that were given: half a second
_LET_THROUGH: Final = """
    SELECT index_name, upstream, project, filename, max(last_at) FROM (
        SELECT index_name, upstream, project, filename, last_at
        FROM asked WHERE last_at >= ? AND decision = 'allow' AND NOT metadata AND index_name IN ({indexes})
        ORDER BY last_at DESC LIMIT ?
    ) GROUP BY index_name, upstream, project, filename ORDER BY max(last_at) DESC LIMIT ?
"""
# Those that begin so before those that have it elsewhere; `files` by the index on the project. Of upstreams that others
# share, those that one's own indexes were asked for, since when these were; CROSS: names before requests.
_PROJECTS: Final = """
    SELECT upstream, name, since, (SELECT count(*) FROM file WHERE file.project = known.id AND vanished_at IS NULL)
    FROM (
        SELECT id, upstream, name, first_seen AS since FROM project
        WHERE upstream IN ({whole}) AND instr(name, ?) > 0
        UNION ALL
        SELECT project.id, project.upstream, name, min(first_at) AS since
        FROM project CROSS JOIN asked ON asked.upstream = project.upstream AND asked.project = name
        WHERE project.upstream IN ({shared}) AND instr(name, ?) > 0 AND index_name IN ({indexes})
        GROUP BY project.id
    ) AS known
    ORDER BY name <> ?, instr(name, ?) <> 1, name, upstream
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
    return _made(connection, query, (moment_of(since), *sorted(indexes), MAX_ROWS, limit), _let_through)


def known_projects(
    connection: sqlite3.Connection, text: str, *, whose: Searched, limit: int, offset: int
) -> tuple[KnownProject, ...]:
    """Projects with a text in their normalised name, in order. Raises sqlite3.Error."""
    whole, shared, indexes = sorted(whose.whole), sorted(whose.shared), sorted(whose.indexes)
    query = _PROJECTS.format(whole=_marks(whole), shared=_marks(shared), indexes=_marks(indexes))
    values = (*whole, text, *shared, text, *indexes, text, text)
    with closing(connection.execute(query, values)) as rows, _readable():
        found = (_known(*row) for row in rows if whose.seeks(row[0], ProjectName(row[1])))
        return tuple(islice(found, offset, offset + limit))


def latest(
    connection: sqlite3.Connection,
    since: datetime,
    *,
    kinds: Collection[OccurrenceKind],
    bearing: Bearing,
    project: ProjectName | None,
    limit: int,
) -> tuple[Occurrence, ...]:
    """What happened of some kinds at or after a moment, the latest first; to a project. Raises sqlite3.Error."""
    indexes, upstreams = sorted(bearing.indexes), sorted(bearing.upstreams)
    rows = connection.execute(
        f"SELECT {FIELDS} FROM occurrence WHERE at >= ? AND kind IN ({_marks(kinds)})"  # noqa: S608 (constants)
        f" AND (index_name IN ({_marks(indexes)})"
        f" OR index_name IS NULL AND (upstream IS NULL OR upstream IN ({_marks(upstreams)})))"
        " AND (? IS NULL OR project = ?) ORDER BY at DESC, number DESC LIMIT ?",
        (
            moment_of(since),
            *sorted(map(str, kinds)),
            *indexes,
            *upstreams,
            *[None if project is None else str(project)] * 2,
            limit,
        ),
    )
    return tuple(map(occurrence_of, rows.fetchall()))


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _made(connection: sqlite3.Connection, query: str, values: tuple[Any, ...], make: Any) -> tuple[Any, ...]:
    rows = connection.execute(query, values).fetchall()
    with _readable():
        return tuple(make(*row) for row in rows)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
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
