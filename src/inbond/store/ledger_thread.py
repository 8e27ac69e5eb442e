"""A thread that owns one connection to the ledger: what is asked of it is done in turn, one piece of work at a time.

Others may be writing, or hold the ledger's lock. Whoever asks waits for them so long in all, however many wait before:
where a lock has just been in the way, what has its turn only after that time fails at once. What nobody waits for any
more is not begun, and a thread may have a bound on how long one piece of work goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from inbond.store.ledger_soundness import is_lock
from inbond.store.turns import LEAST_SECONDS, NoTurn, wait_at_most

T = TypeVar("T")

STEPS_BETWEEN_LOOKS: Final = 10_000  # of SQLite's machine, between two looks at the clock: well below a millisecond
LOCK_SECONDS: Final = 3.0  # installers give up after 15; a page asks for more than one thing


class Interrupted(sqlite3.OperationalError):
    """Work took longer than it may."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"this takes longer than {seconds:.3g} s")
        self.sqlite_errorcode = sqlite3.SQLITE_INTERRUPT
        self.sqlite_errorname = "SQLITE_INTERRUPT"


class LedgerThread:
    """Works with the connection that `connect` makes, which may raise. Close it with `aclose`.

    `most_seconds`: after which work is interrupted, from its beginning; None: never.
    """

    def __init__(
        self, connect: Callable[[], sqlite3.Connection], *, name: str, most_seconds: float | None = None
    ) -> None:
        self._most_seconds = most_seconds
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._locked = False  # whether somebody else's lock was in the way of what was done last
        try:
            self._connection = self._pool.submit(connect).result()
        except BaseException:
            self._pool.shutdown()
            raise

    async def run(self, work: Callable[[sqlite3.Connection], T], asked_at: float | None = None) -> T:
        """What the work returns. Raises what it raises; `sqlite3.OperationalError` where the lock stays held.

        Raises `Interrupted` for what takes longer than work may here.

        `asked_at`: of the monotonic clock, where it was asked for earlier than now.
        """
        asked_at = time.monotonic() if asked_at is None else asked_at
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._do, work, asked_at)

    def _do(self, work: Callable[[sqlite3.Connection], T], asked_at: float) -> T:
        left = LOCK_SECONDS - (time.monotonic() - asked_at)
        if self._locked and left <= 0:
            raise NoTurn(LOCK_SECONDS)
        wait_at_most(self._connection, max(LEAST_SECONDS, left))
        self._locked = False
        try:
            return self._within_bound(work)
        except sqlite3.Error as error:
            self._locked = is_lock(error)
            raise

    def _within_bound(self, work: Callable[[sqlite3.Connection], T]) -> T:
        if self._most_seconds is None:
            return work(self._connection)
        until = time.monotonic() + self._most_seconds
        self._connection.set_progress_handler(lambda: time.monotonic() > until, STEPS_BETWEEN_LOOKS)
        try:
            return work(self._connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode == sqlite3.SQLITE_INTERRUPT:
                raise Interrupted(self._most_seconds) from error
            raise
        finally:
            self._connection.set_progress_handler(None, 0)

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        self.close_soon()
        await asyncio.to_thread(self._pool.shutdown)

    def close_soon(self) -> None:
        """Closes once what is under way is done, and takes nothing more."""
        with contextlib.suppress(RuntimeError):  # closed before
            self._pool.submit(self._connection.close)
        self._pool.shutdown(wait=False)
