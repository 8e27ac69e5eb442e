"""A copy of the ledger to try things on: all that bears on verdicts, and none of what grows with every request.

Table by table into a new database, and not copied whole and cut down: the audit trail may have millions of rows. What
this module does not name as history is copied, so that a table of a later schema cannot be forgotten. Blocks.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final

from inbond.store.disk import DISK, Disk
from inbond.store.ledger_file import beside, connect
from inbond.store.migrations import migrate, transaction

# Who asked, what happened and was done, and who may do what: to judge by it needs none of them.
HISTORY: Final = frozenset(
    {"asked", "occurrence", "webhook", "delivery", "act", "act_kept", "traffic", "token", "token_use", "session"}
)

_OWN: Final = "sqlite_sequence"  # SQLite's own, which it keeps by itself


def copy_without_history(source: Path, to: Path, disk: Disk = DISK) -> None:
    """Writes the ledger as it is now to the file `to`, whole or not at all. Raises OSError, sqlite3.Error.

    The source has this inbond's schema: it is open.
    """
    with beside(to, disk) as unfinished:
        with contextlib.closing(connect(unfinished)) as copy:
            migrate(copy)
            copy.execute("ATTACH DATABASE ? AS source", (str(source),))
            _fill(copy)
            copy.execute("DETACH DATABASE source")
            copy.execute("PRAGMA journal_mode = WAL").fetchall()
        disk.rename(unfinished, to)
    disk.sync_directory(to.parent)


def _fill(copy: sqlite3.Connection) -> None:
    with transaction(copy, "DEFERRED"):  # one state of the source: it is read until this ends
        for table in _tables(copy):
            copy.execute(f"DELETE FROM main.{table}")  # noqa: S608 (names of the schema; the first row of `standing`)
            copy.execute(f"INSERT INTO main.{table} SELECT * FROM source.{table}")  # noqa: S608
        # Copying made it rise: it is a version of what was copied.
        copy.execute("UPDATE main.standing SET version = (SELECT version FROM source.standing)")


def _tables(copy: sqlite3.Connection) -> list[str]:
    """In the order in which they were made: a row comes after the one that it refers to."""
    names = copy.execute("SELECT name FROM main.sqlite_master WHERE type = 'table' ORDER BY rowid").fetchall()
    return [name for (name,) in names if name not in HISTORY and name != _OWN]
