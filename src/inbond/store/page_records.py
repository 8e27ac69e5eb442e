"""A page's memory as it is carried from one ledger to another, in SQL: read whole, and joined with what is there.

Joining is a union that forgets nothing: of two first sights the earlier stays, of two serials the higher, and of two
first digests the one that was recorded here. A file that either side knows on its page is there: if it is gone after
all, the next page that is read here shows it, and then it is told. So the order of imports does not matter, nor how
often one is repeated, save that the digest that came first stays.

Of a project that this ledger knew before any import brought it, every first sight stays as it is: what was seen here
is known better here than by whoever signs bundles.
"""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from inbond.model.memory import FileRecord, PageRecord
from inbond.model.names import Filename, ProjectName
from inbond.store import pages
from inbond.store.columns import moment_of, packed_or_none, time_of
from inbond.store.migrations import transaction

_DIGEST_BYTES: Final = 32

# Scalar min and max are null where either is: "there" on either side is there, and no serial gives way to any.
_JOIN_PROJECT: Final = """
    INSERT INTO project (upstream, name, first_seen, highest_serial, imported) VALUES (?, ?, ?, ?, 1)
    ON CONFLICT (upstream, name) DO UPDATE SET
        first_seen = CASE imported WHEN 1 THEN min(first_seen, excluded.first_seen) ELSE first_seen END,
        highest_serial = coalesce(max(highest_serial, excluded.highest_serial), highest_serial, excluded.highest_serial)
    RETURNING id, imported
"""
# All of a page's files at once: row by row, thousands of them would each hand the interpreter to another thread, and
# whoever else wants to write would wait. JSON has no bytes: the digests lie side by side, in the order of the rows.
_JOIN_FILES: Final = f"""
    INSERT INTO file (project, filename, first_seen, first_sha256, vanished_at)
    SELECT
        ?1,
        json_extract(value, '$[0]'),
        json_extract(value, '$[1]'),
        CASE json_extract(value, '$[2]') WHEN 1 THEN substr(?3, {_DIGEST_BYTES} * key + 1, {_DIGEST_BYTES}) END,
        json_extract(value, '$[3]')
    FROM json_each(?2) WHERE true
    ON CONFLICT (project, filename) DO UPDATE SET
        first_seen = CASE ?4 WHEN 1 THEN min(first_seen, excluded.first_seen) ELSE first_seen END,
        first_sha256 = coalesce(first_sha256, excluded.first_sha256),
        vanished_at = min(vanished_at, excluded.vanished_at)
    WHERE (?4 = 1 AND excluded.first_seen < first_seen)
        OR first_sha256 IS NOT coalesce(first_sha256, excluded.first_sha256)
        OR vanished_at IS NOT min(vanished_at, excluded.vanished_at)
"""  # noqa: S608 (a constant) rows that stay as they are are not written anew


class Joining(NamedTuple):
    """A page's record as SQL takes it: made before the transaction, which is the shorter for it."""

    project: tuple[str, str, int, int | None]
    files: str  # JSON: of each file its name, its first sight, whether it has a digest, and when it vanished
    digests: bytes  # of each file, zeros where it has none


def prepared(record: PageRecord) -> Joining:
    """A record as SQL takes it. Raises ValueError for a digest that is none."""
    rows = [
        (str(one.filename), moment_of(one.first_seen), one.first_sha256 is not None, _moment_or_none(one.vanished_at))
        for one in record.files
    ]
    return Joining(
        project=(record.upstream, str(record.project), moment_of(record.first_seen), record.highest_serial),
        files=msgspec.json.encode(rows).decode(),
        digests=b"".join(packed_or_none(one.first_sha256) or bytes(_DIGEST_BYTES) for one in record.files),
    )


def join(connection: sqlite3.Connection, joining: Joining) -> None:
    """Joins a page's memory with what is stored of it, in the caller's transaction. Raises sqlite3.Error."""
    ((number, imported),) = connection.execute(_JOIN_PROJECT, joining.project).fetchall()
    connection.execute(_JOIN_FILES, (number, joining.files, joining.digests, imported))


def page_record(connection: sqlite3.Connection, upstream: str, project: ProjectName) -> PageRecord | None:
    """All that is stored of a page, its files by name, or None. Raises sqlite3.Error."""
    with transaction(connection, "DEFERRED"):
        stored = pages.read(connection, upstream, project)
    if stored is None:
        return None
    return PageRecord(
        upstream=upstream,
        project=project,
        first_seen=time_of(stored.first_seen),
        highest_serial=stored.highest_serial,
        files=tuple(_file(stored.files[name]) for name in sorted(stored.files)),
    )


def _file(row: pages.FileRow) -> FileRecord:
    return FileRecord(
        filename=Filename(row.filename),
        first_seen=time_of(row.first_seen),
        first_sha256=None if row.first_sha256 is None else row.first_sha256.hex(),
        vanished_at=None if row.vanished_at is None else time_of(row.vanished_at),
    )


def _moment_or_none(time: datetime | None) -> int | None:
    return None if time is None else moment_of(time)
