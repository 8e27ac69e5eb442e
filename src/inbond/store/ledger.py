"""What cannot be asked for again, in one SQLite database that is never rebuilt behind the operator's back.

A ledger is made whole under another name and then linked into place, so an empty or torn file there is damage and
never a beginning. One thread owns the connection; what it has confirmed is on disk (WAL, synchronous FULL). Several
processes may share a ledger on one machine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.errors import OperatorFault, StoreUnavailable
from inbond.model.events import Alert, Observer
from inbond.model.memory import PageMemory
from inbond.model.names import Filename, ProjectName
from inbond.store import pages
from inbond.store.files import PRIVATE_FILE, make_private, sync_directory, unavailable
from inbond.store.migrations import migrate

LOCK_SECONDS: Final = 10.0  # how long a statement waits for another process

_RESTORE: Final = "restore the ledger from a backup; without one, move it away and lose what was remembered"

T = TypeVar("T")


def open_ledger(path: Path, *, observer: Observer) -> Ledger:
    """Opens the ledger in the file `path`, or makes one; its directory becomes this user's alone. Blocks.

    Raises OperatorFault for a ledger that is damaged, foreign or newer than this inbond, StoreUnavailable where the
    disk refuses.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="ledger")
    try:
        connection = pool.submit(_open, path).result()
    except BaseException:
        pool.shutdown()
        raise
    return Ledger(path, connection=connection, pool=pool, observer=observer)


class Ledger:
    """`Memory` in SQLite. Every method raises StoreUnavailable, with an alert. Close it with `aclose`."""

    def __init__(
        self, path: Path, *, connection: sqlite3.Connection, pool: ThreadPoolExecutor, observer: Observer
    ) -> None:
        self._path = path
        self._connection = connection  # of the pool's only thread
        self._pool = pool
        self._observer = observer

    async def highest_serial(self, upstream: str, project: ProjectName) -> int | None:
        """The highest serial of any page remembered, or None."""
        return await self._run(lambda connection: pages.highest_serial(connection, upstream, project))

    async def remember_page(
        self,
        upstream: str,
        project: ProjectName,
        *,
        serial: int | None,
        files: Sequence[tuple[Filename, str | None]],
        now: datetime,
    ) -> PageMemory:
        """Records a page and returns what is now remembered: on disk before this returns, or not at all.

        Only what is new is written. A page whose serial is below the highest adds files never seen before and changes
        nothing else. Raises ValueError for a digest that is none.
        """
        return await self._run(
            lambda connection: pages.remember(connection, upstream, project, serial=serial, files=files, now=now)
        )

    async def remember_digest(
        self, upstream: str, project: ProjectName, filename: Filename, sha256: str, *, now: datetime
    ) -> str:
        """Records the digest of a file whose page gives none, and returns the one that counts: the first recorded.

        On disk before it returns. Raises ValueError for what is no digest.
        """
        return await self._run(
            lambda connection: pages.remember_digest(connection, upstream, project, filename, sha256, now=now)
        )

    async def recall_page(self, upstream: str, project: ProjectName) -> PageMemory | None:
        """What is remembered of the page, or None."""
        return await self._run(lambda connection: pages.recall(connection, upstream, project))

    async def backup(self, to: Path) -> None:
        """Writes the ledger as it is now to the file `to`, whole or not at all, while work goes on.

        A backup is one file that is opened like any ledger.
        """
        try:
            await asyncio.to_thread(_backup, self._path, to)
        except OSError as error:
            raise unavailable("write the backup", error) from error
        except sqlite3.Error as error:
            raise self._failed(error) from error

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._pool.submit(self._connection.close)
        await asyncio.to_thread(self._pool.shutdown)

    async def _run(self, work: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, self._connection)
        except sqlite3.Error as error:
            raise self._failed(error) from error

    def _failed(self, error: sqlite3.Error) -> StoreUnavailable:
        self._observer(Alert(name="ledger-failing", message=f"the ledger cannot be used: {error}"))
        return StoreUnavailable(
            f"the ledger cannot be used: {error}", remedy="see that its disk is whole, writable and not full"
        )


def _open(path: Path) -> sqlite3.Connection:
    try:
        make_private(path.parent)
        if not path.exists():
            _make(path)
        return _opened(path)
    except OSError as error:
        raise unavailable("open the ledger", error) from error
    except sqlite3.OperationalError as error:
        raise StoreUnavailable(f"the ledger cannot be opened: {error}", remedy="see who else uses it") from error
    except sqlite3.DatabaseError as error:
        raise OperatorFault(f"the ledger is damaged: {error}", remedy=_RESTORE) from error


def _opened(path: Path) -> sqlite3.Connection:
    connection = _connect(path)
    try:
        _check(path, connection)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS, isolation_level=None)
    try:
        for pragma in ("trusted_schema = OFF", "cell_size_check = ON", "foreign_keys = ON", "synchronous = FULL"):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def _check(path: Path, connection: sqlite3.Connection) -> None:
    if not path.stat().st_size:
        raise OperatorFault("the ledger is damaged: its file is empty", remedy=_RESTORE)
    complaints = [str(row[0]) for row in connection.execute("PRAGMA quick_check(3)").fetchall()]
    if complaints != ["ok"]:
        raise OperatorFault(f"the ledger is damaged: {'; '.join(complaints)}", remedy=_RESTORE)


def _make(path: Path) -> None:
    if path.with_name(f"{path.name}-wal").exists():
        # SQLite would replay it into the new database
        raise OperatorFault("the ledger is gone, and its write-ahead log is still there", remedy=_RESTORE)
    with _beside(path) as unfinished:
        with contextlib.closing(_connect(unfinished)) as connection:
            migrate(connection)
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.link(unfinished, path)
    sync_directory(path.parent)


def _backup(source: Path, to: Path) -> None:
    with _beside(to) as unfinished:
        with contextlib.closing(_connect(source)) as connection, contextlib.closing(_connect(unfinished)) as copy:
            connection.backup(copy)
        unfinished.rename(to)
    sync_directory(to.parent)


@contextlib.contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """An empty private file in the same directory, removed afterwards."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    os.close(os.open(unfinished, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, PRIVATE_FILE))
    try:
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)
