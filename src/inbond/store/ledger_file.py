"""The ledger's file: opened, checked, made whole under another name, backed up. All of it blocks.

An empty or torn file in its place is damage and never a beginning.
"""

from __future__ import annotations

import contextlib
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private, may_write, permission_of, unavailable
from inbond.store.migrations import migrate

# How long opening, copying and examining wait for another process, which may be bringing it to a later schema.
LOCK_SECONDS: Final = 10.0

_RESTORE: Final = "restore the ledger from a backup; without one, move it away and lose what was remembered"


def open_file(path: Path, disk: Disk = DISK) -> sqlite3.Connection:
    """The database at `path`, which is made where there is none; its directory becomes this user's alone.

    Raises OperatorFault for one that is damaged, foreign or newer than this inbond, StoreUnavailable where the disk
    refuses.
    """
    try:
        make_private(path.parent, disk)
        if not path.exists():
            _make(path, disk)
        return _opened(path)
    except OSError as error:
        raise unavailable("open the ledger", error) from error
    except sqlite3.OperationalError as error:
        remedy = "see who else uses it" if may_write(path) else permission_of(path)
        raise StoreUnavailable(f"the ledger cannot be opened: {error}", remedy=remedy) from error
    except sqlite3.DatabaseError as error:
        raise OperatorFault(f"the ledger is damaged: {error}", remedy=_RESTORE) from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    try:
        _check(path, connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def connect(path: Path) -> sqlite3.Connection:
    """A connection with the ledger's settings. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_to_read(path: Path) -> sqlite3.Connection:
    """A connection that changes nothing, for any one thread at a time. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    for pragma in ("query_only = ON", "trusted_schema = OFF", "cell_size_check = ON"):  # none looks at the file
        connection.execute(f"PRAGMA {pragma}")
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    if not path.stat().st_size:
        raise OperatorFault("the ledger is damaged: its file is empty", remedy=_RESTORE)
    complaints = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)").fetchall()]
    if complaints != ["ok"]:
        raise OperatorFault(f"the ledger is damaged: {'; '.join(complaints)}", remedy=_RESTORE)


def _make(path: Path, disk: Disk) -> None:
    if path.with_name(f"{path.name}-wal").exists():
        # SQLite would replay it into the new database
        raise OperatorFault("the ledger is gone, and its write-ahead log is still there", remedy=_RESTORE)
    with beside(path, disk) as unfinished:
        with contextlib.closing(connect(unfinished)) as connection:
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with contextlib.suppress(FileExistsError):  # another process was faster
            disk.link(unfinished, path)
    disk.sync_directory(path.parent)


def copy_file(source: Path, to: Path, disk: Disk = DISK) -> None:
    """Copies the ledger as it is now, whole or not at all. Raises OSError, sqlite3.Error."""
    with beside(to, disk) as unfinished:
        with contextlib.closing(connect(source)) as connection, contextlib.closing(connect(unfinished)) as copy:
            connection.backup(copy)
        disk.rename(unfinished, to)
    disk.sync_directory(to.parent)


@contextlib.contextmanager
def beside(path: Path, disk: Disk = DISK) -> Iterator[Path]:
    """An empty private file in the same directory, removed afterwards."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    disk.create(unfinished).close()
    try:
        yield unfinished
    finally:
        disk.unlink(unfinished)
