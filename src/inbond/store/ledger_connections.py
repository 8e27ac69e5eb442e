"""The ledger's connections, each on a thread of its own, and what is told where one of them fails."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from inbond.model.errors import StoreUnavailable, TakesTooLong
from inbond.model.events import Alert, Observer
from inbond.store.disk import DISK, Disk
from inbond.store.files import unavailable
from inbond.store.ledger_gone import remedy_at
from inbond.store.ledger_soundness import BehindCheck, Soundness, is_lock
from inbond.store.ledger_thread import Interrupted, LedgerThread
from inbond.store.standing_reader import StandingReader

WRITING: Final = "writing"
READING: Final = "reading"
LOOKING: Final = "looking up pages"
SHOWING: Final = "reading for pages for people"
STANDING: Final = "reading what is decided"

T = TypeVar("T")


class LedgerConnections:
    """Lends its connections to work. Every call raises StoreUnavailable, with an alert.

    Close it with `aclose`.
    """

    def __init__(
        self,
        path: Path,
        *,
        writing: LedgerThread,
        reading: LedgerThread,
        looking: LedgerThread,
        showing: LedgerThread,
        standing: StandingReader,
        soundness: Soundness,
        check: BehindCheck | None,
        observer: Observer,
        disk: Disk = DISK,
    ) -> None:
        self._path = path
        self._soundness = soundness
        self._looked = False  # in this turn of the event loop
        self._check = check
        self._told = False  # that it may not be used any more
        self._failures: dict[str, str] = {}  # what failed the last time, and was told
        self._writing = writing
        self._reading = reading  # what takes long
        self._looking = looking  # what pages wait for
        self._showing = showing  # what pages for people wait for, no longer than it lets them
        self._standing = standing  # of the event loop
        self._observer = observer
        self._disk = disk

    @property
    def failing(self) -> str | None:
        """What fails, where reading or writing did so the last time, or None."""
        return "; ".join(dict.fromkeys(self._failures.values())) or None

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    async def aclose(self) -> None:
        """Waits for what is under way, and closes. Calling it twice is fine."""
        if self._check is not None:
            await asyncio.to_thread(self._check.close)
        await self._reading.aclose()
        await self._looking.aclose()
        await self._showing.aclose()
        await self._writing.aclose()
        self._standing.close()

    def _at_once(self, read: Callable[[StandingReader], T]) -> T:
        try:
            if not self._looked:
                self._look_once_a_turn()
            found = read(self._standing)
        except sqlite3.Error as error:
            raise self._failed(error, STANDING) from error
        if self._failures:
            self._failures.pop(STANDING, None)
        return found

    def _look_once_a_turn(self) -> None:
        """One look counts for all that is read in a turn of the event loop, in which nobody can wait for a write."""
        self._see_that_it_may_be_used()
        asyncio.get_running_loop().call_soon(self._turn_ends)  # first: a look that nothing ends would stand for ever
        self._standing.hold()
        self._looked = True

    def _turn_ends(self) -> None:
        self._looked = False
        self._standing.release()

    async def _run(self, work: Callable[[sqlite3.Connection], T], asked_at: float | None = None) -> T:
        found, written = await self._on(self._writing, lambda connection: _noting(connection, work), WRITING, asked_at)
        if written:  # that it can be read says nothing about that
            self._failures.pop(WRITING, None)
        return found

    async def _look(self, work: Callable[[sqlite3.Connection], T]) -> T:
        found = await self._on(self._looking, work, LOOKING)
        self._failures.pop(LOOKING, None)
        return found

    async def _show(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Also raises `TakesTooLong`."""
        found = await self._on(self._showing, work, SHOWING)
        self._failures.pop(SHOWING, None)
        return found

    async def _read(self, work: Callable[[sqlite3.Connection], T], *, for_page: bool = False) -> T:
        if for_page:
            return await self._show(work)
        found = await self._on(self._reading, work, READING)
        self._failures.pop(READING, None)
        return found

    async def _copy(self, doing: str, copy: Callable[[Path, Path, Disk], None], to: Path) -> None:
        self._see_that_it_may_be_used()
        try:
            await asyncio.to_thread(copy, self._path, to, self._disk)
        except OSError as error:
            raise unavailable(doing, error) from error
        except sqlite3.Error as error:
            raise self._failed(error, READING) from error

    async def _on(
        self, thread: LedgerThread, work: Callable[[sqlite3.Connection], T], doing: str, asked_at: float | None = None
    ) -> T:
        self._see_that_it_may_be_used()
        try:
            return await thread.run(work, asked_at)
        except Interrupted as error:  # nothing is wrong with the ledger
            raise TakesTooLong(
                f"what this page asks of the ledger cannot be had in time: {error}",
                remedy="narrow it: a shorter time, one index or one project",
            ) from error
        except sqlite3.Error as error:
            raise self._failed(error, doing) from error

    def _see_that_it_may_be_used(self) -> None:
        if (problem := self._soundness.problem()) is not None:
            raise self._ended(problem)

    def _failed(self, error: sqlite3.Error, doing: str) -> StoreUnavailable:
        self._soundness.note(error)
        self._turn_ends()  # the next use looks again
        if (problem := self._soundness.problem()) is not None:
            return self._ended(problem)
        message = f"the ledger cannot be used: {error}"
        if doing not in self._failures:  # told once, and not for each request
            self._observer(Alert(name="ledger-failing", message=message))
        self._failures[doing] = message
        return StoreUnavailable(f"the ledger cannot be used: {error}", remedy=_remedy(error))

    def _ended(self, problem: str) -> StoreUnavailable:
        if not self._told:
            self._told = True
            self._observer(Alert(name="ledger-damaged", message=f"{problem}: nothing is served"))
        return StoreUnavailable(problem, remedy=f"stop inbond, {remedy_at(self.path)}")


def _noting(connection: sqlite3.Connection, work: Callable[[sqlite3.Connection], T]) -> tuple[T, bool]:
    """What the work returns, and whether it wrote."""
    before = connection.total_changes
    found = work(connection)
    return found, connection.total_changes != before


def _remedy(error: sqlite3.Error) -> str:
    if is_lock(error):
        return "another process holds its lock: see which one has ledger.sqlite3 open (lsof), and end or wait for it"
    return "see that its disk is whole, writable and not full"
