"""The ledger's file: opened, checked, made whole under another name, backed up. All of it blocks.

An empty or torn file in its place is damage and never a beginning.
"""

from __future__ import annotations

import contextlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.store.disk import DISK, Disk
from inbond.store.files import make_private, may_write, permission_of, unavailable
from inbond.store.ledger_gone import RESTORE, refuse_where_it_is_gone
from inbond.store.ledger_swap import INDEX, LOG, finish, is_under_way
from inbond.store.ledger_use import LedgerUse
from inbond.store.migrations import migrate
from inbond.store.turns import TurnConnection, Turns, wait_at_most

# How long opening, copying and examining wait for another process, which may be bringing it to a later schema.
LOCK_SECONDS: Final = 10.0
MAX_COMPLAINTS: Final = 3  # of SQLite, in one message

# A database of this size is read through in some 0.4 s; a larger one is looked through while inbond serves already
# (`inbond.store.ledger_soundness`), unless whoever used it last was killed.
CHECKED_AT_OPENING: Final = 128 * 2**20  # bytes


class LedgerConnection(TurnConnection):
    """A connection to the ledger that is in use until it is closed."""

    use: LedgerUse | None = None

    def close(self) -> None:
        """Ends the connection, and then the use."""
        super().close()
        if self.use is not None:
            self.use.close()
            self.use = None


def open_file(path: Path, disk: Disk = DISK) -> LedgerConnection:
    """The database at `path`, which is made where there is none; its directory becomes this user's alone.

    Raises OperatorFault for one that is damaged, foreign or newer than this inbond, StoreUnavailable where the disk
    refuses.
    """
    try:
        make_private(path.parent, disk)
        return _used(path, disk)
    except OSError as error:
        raise unavailable("open the ledger", error) from error
    except sqlite3.OperationalError as error:
        remedy = "see who else uses it" if may_write(path) else permission_of(path)
        raise StoreUnavailable(f"the ledger cannot be opened: {error}", remedy=remedy) from error
    except sqlite3.DatabaseError as error:
        raise OperatorFault(f"the ledger is damaged: {error}", remedy=RESTORE) from error


@contextlib.contextmanager
def beside_others(path: Path) -> Iterator[None]:
    """While the ledger at `path`, if there is one, is read from outside: nobody restores it meanwhile.

    Blocks. Raises StoreUnavailable where it is being restored, or its directory cannot be read.
    """
    if not path.parent.is_dir():
        yield
        return
    try:
        use = LedgerUse(path.parent)
    except OSError as error:
        raise unavailable("read the ledger", error) from error
    with contextlib.closing(use):
        if not use.share(LOCK_SECONDS):
            raise StoreUnavailable("the ledger is being restored", remedy="try again once that has ended")
        yield


def _used(path: Path, disk: Disk) -> LedgerConnection:
    use = LedgerUse(path.parent)
    try:
        first = _began(use, path, disk)
        if not path.exists():
            _make(path, disk)
        connection = _opened(path, thorough=first and _was_killed(path))
    except BaseException:
        use.close()
        raise
    connection.use = use
    return connection


def _began(use: LedgerUse, path: Path, disk: Disk) -> bool:
    """Whether nobody else uses the ledger that is used from now on."""
    first = use.alone()
    if first:
        finish(path, disk)
        _sweep(path, disk)
    if not use.share(LOCK_SECONDS) or is_under_way(path):  # where it was interrupted, the next to come finishes it
        raise StoreUnavailable("the ledger is being restored", remedy="start inbond once that has ended")
    return first


def _opened(path: Path, *, thorough: bool) -> LedgerConnection:
    connection = connect(path)
    connection.turns = Turns(path)
    try:
        wait_at_most(connection, LOCK_SECONDS)
        _check(path, connection, thorough=thorough)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _was_killed(path: Path) -> bool:
    """Who used it last: whoever closes a database as the last one empties its write-ahead log."""
    log = path.with_name(path.name + LOG)
    return log.exists() and log.stat().st_size > 0


def connect(path: Path) -> LedgerConnection:
    """A connection with the ledger's settings, in no use and without turns. Raises sqlite3.Error."""
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None, factory=LedgerConnection)
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


def complaints_of(connection: sqlite3.Connection) -> str | None:
    """What is wrong with the database, as far as reading it through once can tell. Raises sqlite3.Error."""
    said = [str(row[0]) for row in connection.execute(f"PRAGMA quick_check({MAX_COMPLAINTS})").fetchall()]
    return None if said == ["ok"] else "; ".join(said)


def is_large(path: Path) -> bool:
    """Whether opening it does not read it through. Raises OSError."""
    return path.stat().st_size > CHECKED_AT_OPENING


def _check(path: Path, connection: sqlite3.Connection, *, thorough: bool) -> None:
    if not path.stat().st_size:
        raise OperatorFault("the ledger is damaged: its file is empty", remedy=RESTORE)
    if thorough or not is_large(path):
        complaints = complaints_of(connection)
        if complaints is not None:
            raise OperatorFault(f"the ledger is damaged: {complaints}", remedy=RESTORE)


def _make(path: Path, disk: Disk) -> None:
    refuse_where_it_is_gone(path)  # also since SQLite would replay a log into the new database
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
    """An empty private file in the same directory, removed afterwards, with what SQLite made beside it."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    disk.create(unfinished).close()
    try:
        yield unfinished
    finally:
        for suffix in ("", LOG, INDEX):  # who only reads leaves both, empty
            disk.unlink(unfinished.with_name(unfinished.name + suffix))


def _sweep(path: Path, disk: Disk) -> None:
    """Removes what processes that were killed left unfinished beside a ledger that nobody uses."""
    unfinished = re.compile(re.escape(f".{path.name}.") + r"[0-9a-f]{16}(-wal|-shm|-journal)?")
    for entry in list(path.parent.iterdir()):
        if unfinished.fullmatch(entry.name):
            disk.unlink(entry)
