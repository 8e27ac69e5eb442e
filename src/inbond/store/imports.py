"""What bundles brought, in SQL: every import, and of each project, document and upstream what was imported last."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

from inbond.model.decisions import Pin
from inbond.model.imports import Attached, Import, ImportedDocument, ImportedProject, ImportedUpstream
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.standing import Established
from inbond.store import decisions, page_records, publishers
from inbond.store.attached import adopt as adopt_attached
from inbond.store.columns import moment_of, packed, time_of
from inbond.store.migrations import transaction

_PROJECT: Final = "SELECT upstream, project, name, as_of, imported_at, entry FROM imported_project"

# Not INSERT OR REPLACE: that would not count as a removal, and fire no trigger of one.
_PUT_PROJECT: Final = """
    INSERT INTO imported_project (upstream, project, name, as_of, imported_at, entry) VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (upstream, project) DO UPDATE SET
        name = excluded.name, as_of = excluded.as_of, imported_at = excluded.imported_at, entry = excluded.entry
"""
_PUT_DOCUMENT: Final = """
    INSERT INTO imported_document (kind, name, sha256, as_of) VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET sha256 = excluded.sha256, as_of = excluded.as_of
"""
_PUT_UPSTREAM: Final = """
    INSERT INTO imported_upstream (name, url) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET url = excluded.url
"""
_ADD_IMPORT: Final = """
    INSERT INTO import (name, manifest, created_at, imported_at, key, files, size) VALUES (?, ?, ?, ?, ?, ?, ?)
"""


def take(
    connection: sqlite3.Connection,
    made: Import,
    *,
    upstreams: Sequence[ImportedUpstream],
    projects: Sequence[ImportedProject],
    documents: Sequence[ImportedDocument],
    memory: Sequence[PageRecord],
    pins: Sequence[Pin],
    established: Sequence[tuple[str, ProjectName, Sequence[Established]]],
    attached: Sequence[Attached] = (),
) -> None:
    """Puts an import in force, in one transaction. Raises ValueError for a digest that is none, sqlite3.Error."""
    # Before the transaction, during which no other process writes.
    joining = [page_records.prepared(one) for one in memory]
    with transaction(connection, "IMMEDIATE"):
        for one in joining:
            page_records.join(connection, one)
        decisions.adopt(connection, pins, now=made.imported_at)
        for upstream, project, found in established:
            publishers.adopt(connection, upstream, project, found)
        adopt_attached(connection, attached)
        _put(connection, upstreams, projects, documents)
        connection.execute(_ADD_IMPORT, _import_row(made))


def imports(connection: sqlite3.Connection) -> tuple[Import, ...]:
    """All imports, the latest first. Raises sqlite3.Error."""
    rows = connection.execute(
        "SELECT name, manifest, created_at, imported_at, key, files, size FROM import ORDER BY number DESC"
    ).fetchall()
    return tuple(
        Import(
            name=name,
            manifest=manifest.hex(),
            created_at=time_of(created_at),
            imported_at=time_of(imported_at),
            key=key,
            files=files,
            size=size,
        )
        for name, manifest, created_at, imported_at, key, files, size in rows
    )


def imported(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> ImportedProject | None:
    """A project as it was imported last, or None. Raises sqlite3.Error."""
    row = connection.execute(f"{_PROJECT} WHERE upstream = ? AND project = ?", (upstream, str(project))).fetchone()
    return None if row is None else _project(row)


def imported_projects(connection: sqlite3.Connection, upstream: str | None) -> tuple[ImportedProject, ...]:
    """All imported projects, or those of an upstream, by upstream and name. Raises sqlite3.Error."""
    condition, values = ("", ()) if upstream is None else (" WHERE upstream = ?", (upstream,))
    rows = connection.execute(f"{_PROJECT}{condition} ORDER BY upstream, project", values).fetchall()
    return tuple(_project(row) for row in rows)


def imported_documents(connection: sqlite3.Connection) -> tuple[ImportedDocument, ...]:
    """The documents as they were imported last, by kind and name. Raises sqlite3.Error."""
    rows = connection.execute("SELECT kind, name, sha256, as_of FROM imported_document ORDER BY kind, name").fetchall()
    return tuple(
        ImportedDocument(kind=kind, name=name, sha256=sha256.hex(), as_of=time_of(as_of))
        for kind, name, sha256, as_of in rows
    )


def imported_upstreams(connection: sqlite3.Connection) -> tuple[ImportedUpstream, ...]:
    """The upstreams that any import named, by name. Raises sqlite3.Error."""
    rows = connection.execute("SELECT name, url FROM imported_upstream ORDER BY name").fetchall()
    return tuple(ImportedUpstream(name=name, url=url) for name, url in rows)


def _put(
    connection: sqlite3.Connection,
    upstreams: Sequence[ImportedUpstream],
    projects: Sequence[ImportedProject],
    documents: Sequence[ImportedDocument],
) -> None:
    connection.executemany(_PUT_UPSTREAM, [(one.name, one.url) for one in upstreams])
    connection.executemany(
        _PUT_PROJECT,
        [
            (one.upstream, str(one.project), one.name, moment_of(one.as_of), moment_of(one.imported_at), one.entry)
            for one in projects
        ],
    )
    connection.executemany(
        _PUT_DOCUMENT, [(one.kind, one.name, packed(one.sha256), moment_of(one.as_of)) for one in documents]
    )


def _import_row(made: Import) -> tuple[str, bytes, int, int, str, int, int]:
    times = (moment_of(made.created_at), moment_of(made.imported_at))
    return (made.name, packed(made.manifest), *times, made.key, made.files, made.size)


def _project(row: tuple[str, str, str, int, int, str]) -> ImportedProject:
    upstream, project, name, as_of, imported_at, entry = row
    return ImportedProject(
        upstream=upstream,
        project=ProjectName(project),
        name=name,
        as_of=time_of(as_of),
        imported_at=time_of(imported_at),
        entry=entry,
    )
