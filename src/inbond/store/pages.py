"""The ledger's memory of pages, in SQL: what stood on which page since when, and what is gone from it."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from inbond.model.memory import NewestPage, PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.store.columns import moment_of, packed, packed_or_none, time_of
from inbond.store.migrations import transaction

# All of a page's rows as one value: row by row, thousands of them would each hand the interpreter to another thread.
_FILES: Final = (
    "SELECT json_group_array(json_array(filename, first_seen, hex(first_sha256), vanished_at))"
    " FROM file WHERE project = ?"
)
_ROWS: Final = msgspec.json.Decoder(list[tuple[str, int, str, int | None]])

Listed = Sequence[tuple[Filename, str | None]]  # each file of a page with its sha256, where it has one


class FileRow(NamedTuple):
    """What the ledger holds of one file, as its columns do."""

    filename: str
    first_seen: int
    first_sha256: bytes | None
    vanished_at: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPage:
    """What the ledger holds of one page."""

    project: int
    first_seen: int
    highest_serial: int | None
    page: bytes | None  # the digest of the newest, where it had no serial
    files: dict[str, FileRow]


@dataclass(frozen=True, slots=True, kw_only=True)
class _News:
    """What a page adds to what is stored."""

    serial: int | None  # set where it is higher
    page: bytes | None  # set where it is another
    new: tuple[tuple[str, bytes | None], ...]
    digested: tuple[tuple[str, bytes], ...]  # listed with a digest for the first time
    returned: tuple[str, ...]
    vanished: tuple[str, ...]

    def __bool__(self) -> bool:
        told = self.serial is not None or self.page is not None
        return told or bool(self.new or self.digested or self.returned or self.vanished)


def projects(connection: sqlite3.Connection) -> frozenset[ProjectName]:
    """The projects of which any page is stored. Raises sqlite3.Error."""
    return frozenset(ProjectName(name) for (name,) in connection.execute("SELECT DISTINCT name FROM project"))


def highest_serial(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> int | None:
    """The highest serial stored, or None. Raises sqlite3.Error."""
    row = connection.execute(
        "SELECT highest_serial FROM project WHERE upstream = ? AND name = ?", (upstream, str(project))
    ).fetchone()
    return None if row is None else row[0]


def newest(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> tuple[int | None, NewestPage | None]:
    """The highest serial stored, and the newest page of those without one; None for either. Raises sqlite3.Error."""
    row = connection.execute(
        "SELECT highest_serial, page_sha256, page_at FROM project WHERE upstream = ? AND name = ?",
        (upstream, str(project)),
    ).fetchone()
    if row is None:
        return None, None
    serial, sha256, at = row
    return serial, None if sha256 is None else NewestPage(sha256=sha256.hex(), since=time_of(at))


def recall(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> PageMemory | None:
    """What is stored of a page, or None. Raises sqlite3.Error."""
    with transaction(connection, "DEFERRED"):
        stored = read(connection, upstream, project)
    return None if stored is None else _memory(stored, vanished=())


def remembered(
    connection: sqlite3.Connection,
    upstream: str,
    project: ProjectName,
    *,
    serial: int | None,
    files: Listed,
    page_sha256: str | None = None,
) -> PageMemory | None:
    """What is stored of a page that adds nothing, or None: `remember_all`. Raises ValueError, sqlite3.Error.

    The usual case: it needs neither a lock nor a sync.
    """
    listed = {str(filename): sha256 for filename, sha256 in files}
    with transaction(connection, "DEFERRED"):
        stored = read(connection, upstream, project)
    if stored is None or _news(stored, listed, serial, packed_or_none(page_sha256)):
        return None
    return _memory(stored, vanished=())


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A page that is to be remembered. `page_sha256`: by which it is told from others, where it has no serial."""

    upstream: str
    project: ProjectName
    serial: int | None
    files: Listed
    page_sha256: str | None
    now: datetime


def remember_all(connection: sqlite3.Connection, seen: Sequence[Seen]) -> list[PageMemory]:
    """Stores what pages add, in this order and in one transaction: all of it, or nothing.

    Raises ValueError for a digest that is none, sqlite3.Error.
    """
    with transaction(connection, "IMMEDIATE"):
        return [_remembered(connection, one) for one in seen]


def _remembered(connection: sqlite3.Connection, seen: Seen) -> PageMemory:
    listed = {str(filename): sha256 for filename, sha256 in seen.files}
    page, moment = packed_or_none(seen.page_sha256), moment_of(seen.now)
    stored = read(connection, seen.upstream, seen.project) or _begin(connection, seen.upstream, seen.project, moment)
    news = _news(stored, listed, seen.serial, page)
    _write(connection, stored.project, news, moment)
    return _memory(_with(stored, news, moment), vanished=tuple(Filename(name) for name in news.vanished))


def remember_digest(
    connection: sqlite3.Connection,
    upstream: str,
    project: ProjectName,
    filename: Filename,
    sha256: str,
    *,
    now: datetime,
) -> str:
    """Stores a file's digest unless there is one; the stored one. Raises ValueError for no digest, sqlite3.Error."""
    digest, moment, name = packed(sha256), moment_of(now), str(filename)
    with transaction(connection, "IMMEDIATE"):
        stored = read(connection, upstream, project) or _begin(connection, upstream, project, moment)
        row = stored.files.get(name)
        if row is not None and row.first_sha256 is not None:
            return row.first_sha256.hex()
        new = ((name, digest),) if row is None else ()
        digested = ((name, digest),) if row is not None else ()
        news = _News(serial=None, page=None, new=new, digested=digested, returned=(), vanished=())
        _write(connection, stored.project, news, moment)
    return sha256


def read(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> StoredPage | None:
    """What is stored of a page, in the caller's transaction, or None. Raises sqlite3.Error."""
    found = connection.execute(
        "SELECT id, first_seen, highest_serial, page_sha256 FROM project WHERE upstream = ? AND name = ?",
        (upstream, str(project)),
    ).fetchone()
    if found is None:
        return None
    ((text,),) = connection.execute(_FILES, (found[0],))
    try:
        rows = _ROWS.decode(text)
    except msgspec.MsgspecError as error:
        raise sqlite3.DatabaseError(f"the ledger's files of {project} cannot be read: {error}") from error
    files = {name: FileRow(name, seen, _digest(sha256), gone) for name, seen, sha256, gone in rows}
    return StoredPage(project=found[0], first_seen=found[1], highest_serial=found[2], page=found[3], files=files)


def _digest(text: str) -> bytes | None:
    return bytes.fromhex(text) if text else None


def _begin(connection: sqlite3.Connection, upstream: str, project: ProjectName, moment: int) -> StoredPage:
    ((number,),) = connection.execute(
        "INSERT INTO project (upstream, name, first_seen) VALUES (?, ?, ?) RETURNING id",
        (upstream, str(project), moment),
    ).fetchall()
    return StoredPage(project=number, first_seen=moment, highest_serial=None, page=None, files={})


def _news(stored: StoredPage, listed: Mapping[str, str | None], serial: int | None, page: bytes | None) -> _News:
    known = stored.files
    new = tuple(
        (name, None if digest is None else packed(digest)) for name, digest in listed.items() if name not in known
    )
    highest = stored.highest_serial
    if serial is not None and highest is not None and serial < highest:
        # An older page says nothing of what is on the page now.
        return _News(serial=None, page=None, new=new, digested=(), returned=(), vanished=())
    return _News(
        serial=serial if serial != highest else None,
        page=page if page != stored.page else None,
        new=new,
        digested=tuple(
            (name, packed(digest))
            for name, digest in listed.items()
            if digest is not None and name in known and known[name].first_sha256 is None
        ),
        returned=tuple(name for name in listed if name in known and known[name].vanished_at is not None),
        vanished=tuple(name for name, row in known.items() if row.vanished_at is None and name not in listed),
    )


def _write(connection: sqlite3.Connection, project: int, news: _News, moment: int) -> None:
    if news.serial is not None:
        connection.execute("UPDATE project SET highest_serial = ? WHERE id = ?", (news.serial, project))
    if news.page is not None:
        connection.execute("UPDATE project SET page_sha256 = ?, page_at = ? WHERE id = ?", (news.page, moment, project))
    connection.executemany(
        "INSERT INTO file (project, filename, first_seen, first_sha256) VALUES (?, ?, ?, ?)",
        ((project, name, moment, digest) for name, digest in news.new),
    )
    connection.executemany(
        "UPDATE file SET first_sha256 = ? WHERE project = ? AND filename = ?",
        ((digest, project, name) for name, digest in news.digested),
    )
    connection.executemany(
        "UPDATE file SET vanished_at = ? WHERE project = ? AND filename = ?",
        [(None, project, name) for name in news.returned] + [(moment, project, name) for name in news.vanished],
    )


def _with(stored: StoredPage, news: _News, moment: int) -> StoredPage:
    files = dict(stored.files)
    files.update((name, FileRow(name, moment, digest, None)) for name, digest in news.new)
    files.update((name, files[name]._replace(first_sha256=digest)) for name, digest in news.digested)
    highest = stored.highest_serial if news.serial is None else news.serial
    return replace(stored, highest_serial=highest, files=files)


def _memory(stored: StoredPage, *, vanished: tuple[Filename, ...]) -> PageMemory:
    rows = [(Filename(name), row) for name, row in stored.files.items()]
    times = {
        moment: time_of(moment) for moment in {row.first_seen for row in stored.files.values()}
    }  # few, shared by many
    return PageMemory(
        project_first_seen=time_of(stored.first_seen),
        highest_serial=stored.highest_serial,
        first_seen={name: times[row.first_seen] for name, row in rows},
        first_digest={name: row.first_sha256.hex() for name, row in rows if row.first_sha256 is not None},
        vanished=vanished,
    )
