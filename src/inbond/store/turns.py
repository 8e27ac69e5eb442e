"""Turns at writing, for all threads and processes that share a database: one writes, the others wait for it in line.

SQLite lets whoever happens to ask first have its lock, so that one of many writers may starve until it gives up with
`database is locked`. Here a writer holds two advisory locks (flock) for a moment: it first becomes the next one, which
only one can be, and then waits until the one before is done. Who has just written finds somebody next, and is not next
again before that one has begun. The kernel ends the turn of a process that dies. SQLite's own locks stay beneath: they
keep out programs that know nothing of turns, and where the two files cannot be had, they alone keep order.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from inbond.store.disk import PRIVATE_FILE, locked

LEAST_PAUSE: Final = 0.001  # seconds between two looks at a lock; they grow
MOST_PAUSE: Final = 0.02
# What waited for its turn behind other work, and not for a lock, finds one that is held for a moment all the same.
LEAST_SECONDS: Final = 0.05
NEXT: Final = ".next"  # the suffixes of the two files that are locked; they are empty, and stay
TURN: Final = ".turn"


class NoTurn(sqlite3.OperationalError):
    """Others were writing all the time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"others have been writing for {seconds:.3g} s")
        self.sqlite_errorcode = sqlite3.SQLITE_BUSY
        self.sqlite_errorname = "SQLITE_BUSY"


class Turns:
    """Turns at writing the database at `path`, whose directory is there. Close it; a turn opens it again."""

    def __init__(self, path: Path) -> None:
        self._next = _LockFile(path.with_name(path.name + NEXT))
        self._turn = _LockFile(path.with_name(path.name + TURN))
        self._own = threading.Lock()  # the files' locks are this process's, whichever thread has them

    @contextlib.contextmanager
    def taken(self, seconds: float) -> Iterator[None]:
        """One's turn, after waiting at most so long. Blocks. Raises NoTurn."""
        until = time.monotonic() + seconds
        if not self._own.acquire(timeout=seconds):
            raise NoTurn(seconds)
        try:
            with self._next.held(until):
                had = self._turn.take(until)
            if not had:
                raise NoTurn(seconds)
            try:
                yield
            finally:
                self._turn.release()
        finally:
            self._own.release()

    def close(self) -> None:
        """Gives the files back, once a turn that is under way has ended."""
        with self._own:
            self._next.close()
            self._turn.close()


class _LockFile:
    def __init__(self, path: Path) -> None:
        self._path = path
        self._handle: int | None = None

    @contextlib.contextmanager
    def held(self, until: float) -> Iterator[bool]:
        had = self.take(until)
        try:
            yield had
        finally:
            self.release()

    def take(self, until: float) -> bool:
        """Whether it was had in time; so it was where there can be no such file."""
        handle, pause = self._opened(), LEAST_PAUSE
        while handle is not None and not locked(handle, fcntl.LOCK_EX):
            left = until - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(2 * pause, MOST_PAUSE)
        return True

    def release(self) -> None:
        if self._handle is not None:
            fcntl.flock(self._handle, fcntl.LOCK_UN)

    def close(self) -> None:
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None

    def _opened(self) -> int | None:
        if self._handle is not None and not self._is_there(self._handle):
            self.close()  # somebody removed the file: others lock the one that is there now
        if self._handle is None:
            with contextlib.suppress(OSError):
                self._handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE)
        return self._handle

    def _is_there(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), self._path.lstat())
        except OSError:
            return False


class TurnConnection(sqlite3.Connection):
    """A connection whose writing transactions wait for their turn (`inbond.store.migrations.transaction`)."""

    turns: Turns | None = None
    until: float = 0.0  # of the monotonic clock: when whatever is waited for counts as not to be had

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """What a writing transaction is within. Raises NoTurn."""
        if self.turns is None:
            yield
            return
        with self.turns.taken(_left(self.until)):
            self.execute(f"PRAGMA busy_timeout = {_milliseconds(_left(self.until))}").fetchall()
            yield

    def close(self) -> None:
        """Ends the connection, and gives the turns' files back."""
        super().close()
        if self.turns is not None:
            self.turns.close()


def wait_at_most(connection: sqlite3.Connection, seconds: float) -> None:
    """How long, from now on and in all, a connection waits for its turn and for locks."""
    if isinstance(connection, TurnConnection):
        connection.until = time.monotonic() + seconds
    connection.execute(f"PRAGMA busy_timeout = {_milliseconds(seconds)}").fetchall()


def turn_of(connection: sqlite3.Connection) -> contextlib.AbstractContextManager[None]:
    """The turn that a connection must have to write; none where it knows of no turns."""
    return connection.turn() if isinstance(connection, TurnConnection) else contextlib.nullcontext()


def _left(until: float) -> float:
    return max(LEAST_SECONDS, until - time.monotonic())


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
