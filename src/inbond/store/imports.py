"""What bundles brought, in SQL: every import, of each project what each name brought last, and the newest documents."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import Final

from inbond.model.decisions import Pin
from inbond.model.imports import (
    Attached,
    Brought,
    Change,
    Import,
    ImportedDocument,
    ImportedProject,
    ImportedUpstream,
    Withdrawn,
    newest_first,
)
from inbond.model.memory import PageRecord
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence
from inbond.model.standing import Established
from inbond.store import decisions, occurrences, page_records, publishers
from inbond.store.attached import adopt as adopt_attached
from inbond.store.attached import withdraw as withdraw_attached
from inbond.store.columns import moment_of, packed, time_of
from inbond.store.migrations import transaction

_PROJECT: Final = "SELECT upstream, project, name, as_of, imported_at, entry, serial FROM imported_project"

# Not INSERT OR REPLACE: that would not count as a removal, and fire no trigger of one.
_PUT_PROJECT: Final = """
    INSERT INTO imported_project (upstream, project, name, as_of, serial, imported_at, entry)
    VALUES (?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (upstream, project, name) DO UPDATE SET
        as_of = excluded.as_of, serial = excluded.serial, imported_at = excluded.imported_at, entry = excluded.entry
"""
_PUT_DOCUMENT: Final = """
    INSERT INTO imported_document (kind, name, sha256, as_of) VALUES (?, ?, ?, ?)
    ON CONFLICT (kind, name) DO UPDATE SET sha256 = excluded.sha256, as_of = excluded.as_of
"""
_PUT_UPSTREAM: Final = """
    INSERT INTO imported_upstream (name, url, as_of) VALUES (?, ?, ?)
    ON CONFLICT (name) DO UPDATE SET url = excluded.url, as_of = excluded.as_of
"""
_ADD_IMPORT: Final = """
    INSERT INTO import (name, manifest, created_at, imported_at, key, files, size) VALUES (?, ?, ?, ?, ?, ?, ?)
"""

Tell = Callable[[Pin | Attached], Occurrence]


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
    only: Collection[tuple[str, ProjectName]] | None = None,
    recorded: bool = True,
    older: bool = False,
    tell: Tell | None = None,
) -> Brought:
    """Puts an import in force, in one transaction. Raises ValueError for a digest that is none, sqlite3.Error."""
    # Before the transaction, during which no other process writes.
    joining = [page_records.prepared(one) for one in memory]
    with transaction(connection, "IMMEDIATE"):
        for one in joining:
            page_records.join(connection, one)
        new_pins = decisions.adopt(connection, pins, now=made.imported_at)
        repositories = [
            (upstream, project, one)
            for upstream, project, found in established
            for one in publishers.adopt(connection, upstream, project, found)
        ]
        new_attached, stayed = adopt_attached(connection, attached, made.name)
        if tell is not None:
            _tell(connection, tell, (*new_pins, *new_attached))
        dropped = _drop_others(connection, made.name, only) if only is not None else ()
        _put_projects(connection, projects)
        not_newest = _behind(connection, projects)
        older_upstreams = _put_upstreams(connection, upstreams, older=older)
        changed, older_documents = _put_documents(connection, documents, older=older)
        if recorded:
            connection.execute(_ADD_IMPORT, _import_row(made))
    return Brought(
        pins=new_pins,
        repositories=tuple(repositories),
        attached=new_attached,
        documents=changed,
        not_replaced=(*older_documents, *older_upstreams, *not_newest, *stayed),
        dropped=dropped,
    )


def _drop_others(
    connection: sqlite3.Connection, name: str, only: Collection[tuple[str, ProjectName]]
) -> tuple[tuple[str, ProjectName], ...]:
    """Removes the rows of a name but for these projects, and returns which those were."""
    found = connection.execute(
        "SELECT upstream, project FROM imported_project WHERE name = ? ORDER BY upstream, project", (name,)
    ).fetchall()
    gone = [(upstream, project) for upstream, project in found if (upstream, project) not in only]
    connection.executemany(
        "DELETE FROM imported_project WHERE upstream = ? AND project = ? AND name = ?",
        [(upstream, project, name) for upstream, project in gone],
    )
    return tuple((upstream, ProjectName(project)) for upstream, project in gone)


def withdraw(connection: sqlite3.Connection, name: str) -> Withdrawn | None:
    """Removes what bundles of a name brought, in one transaction; None where nothing of it is here.

    Documents, pins and memory stay. Raises sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        imports = connection.execute("DELETE FROM import WHERE name = ?", (name,)).rowcount
        projects = connection.execute("DELETE FROM imported_project WHERE name = ?", (name,)).rowcount
        detached = withdraw_attached(connection, name)
    if not (imports or projects or detached):
        return None
    return Withdrawn(name=name, imports=imports, projects=projects, attached=detached)


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


def imported(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> tuple[ImportedProject, ...]:
    """A project as each name of a bundle brought it last, the one whose page counts first. Raises sqlite3.Error."""
    rows = connection.execute(f"{_PROJECT} WHERE upstream = ? AND project = ?", (upstream, str(project))).fetchall()
    return newest_first(map(_project, rows))


def imported_projects(connection: sqlite3.Connection, upstream: str | None) -> tuple[ImportedProject, ...]:
    """All imported projects, or those of an upstream: by upstream, project and name. Raises sqlite3.Error."""
    condition, values = ("", ()) if upstream is None else (" WHERE upstream = ?", (upstream,))
    rows = connection.execute(f"{_PROJECT}{condition} ORDER BY upstream, project, name", values).fetchall()
    return tuple(_project(row) for row in rows)


def imported_documents(connection: sqlite3.Connection) -> tuple[ImportedDocument, ...]:
    """The newest documents that were imported, by kind and name. Raises sqlite3.Error."""
    rows = connection.execute("SELECT kind, name, sha256, as_of FROM imported_document ORDER BY kind, name").fetchall()
    return tuple(
        ImportedDocument(kind=kind, name=name, sha256=sha256.hex(), as_of=time_of(as_of))
        for kind, name, sha256, as_of in rows
    )


def imported_upstreams(connection: sqlite3.Connection) -> tuple[ImportedUpstream, ...]:
    """The upstreams that any import named, by name. Raises sqlite3.Error."""
    rows = connection.execute("SELECT name, url, as_of FROM imported_upstream ORDER BY name").fetchall()
    return tuple(ImportedUpstream(name=name, url=url, as_of=time_of(as_of)) for name, url, as_of in rows)


def _tell(connection: sqlite3.Connection, tell: Tell, made: Sequence[Pin | Attached]) -> None:
    for one in made:
        occurrences.add(connection, tell(one))


def _put_projects(connection: sqlite3.Connection, projects: Sequence[ImportedProject]) -> None:
    connection.executemany(
        _PUT_PROJECT,
        [
            (
                one.upstream,
                str(one.project),
                one.name,
                moment_of(one.as_of),
                one.serial,
                moment_of(one.imported_at),
                one.entry,
            )
            for one in projects
        ],
    )


def _behind(connection: sqlite3.Connection, projects: Sequence[ImportedProject]) -> tuple[Change, ...]:
    """The projects of which a bundle of another name has a newer page."""
    found: list[Change] = []
    for one in projects:
        newest, *_ = imported(connection, one.upstream, one.project)
        if newest.name != one.name:
            found.append(Change("page", f"{one.upstream}/{one.project}", newest.as_of, one.as_of))
    return tuple(found)


def _put_upstreams(
    connection: sqlite3.Connection, upstreams: Sequence[ImportedUpstream], *, older: bool
) -> tuple[Change, ...]:
    """Replaces what is not newer; what is."""
    there = {one.name: one for one in imported_upstreams(connection)}
    stayed: list[Change] = []
    for one in upstreams:
        known = there.get(one.name)
        if known is None or known.as_of <= one.as_of or older:
            connection.execute(_PUT_UPSTREAM, (one.name, one.url, moment_of(one.as_of)))
        elif known.url != one.url:
            stayed.append(Change("upstream", one.name, known.as_of, one.as_of))
    return tuple(stayed)


def _put_documents(
    connection: sqlite3.Connection, documents: Sequence[ImportedDocument], *, older: bool
) -> tuple[tuple[Change, ...], tuple[Change, ...]]:
    """Replaces what is not newer: what is in force now and was not, and what stayed although it differs."""
    there = {(one.kind, one.name): one for one in imported_documents(connection)}
    changed: list[Change] = []
    stayed: list[Change] = []
    for one in documents:
        known = there.get((one.kind, one.name))
        change = Change(one.kind, one.name, None if known is None else known.as_of, one.as_of)
        if known is None or known.as_of <= one.as_of or older:
            connection.execute(_PUT_DOCUMENT, (one.kind, one.name, packed(one.sha256), moment_of(one.as_of)))
            changed += [change] if known is None or known != one else []
        elif known.sha256 != one.sha256:
            stayed.append(change)
    return tuple(changed), tuple(stayed)


def _import_row(made: Import) -> tuple[str, bytes, int, int, str, int, int]:
    times = (moment_of(made.created_at), moment_of(made.imported_at))
    return (made.name, packed(made.manifest), *times, made.key, made.files, made.size)


def _project(row: tuple[str, str, str, int, int, str, int | None]) -> ImportedProject:
    upstream, project, name, as_of, imported_at, entry, serial = row
    return ImportedProject(
        upstream=upstream,
        project=ProjectName(project),
        name=name,
        as_of=time_of(as_of),
        imported_at=time_of(imported_at),
        entry=entry,
        serial=serial,
    )
