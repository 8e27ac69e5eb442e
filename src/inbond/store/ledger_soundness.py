"""Whether the ledger that is open may still be believed. Once it may not, nothing is read from it or written to it.

A page that cannot be read may have held a rejection, and a file that somebody put away takes what is written with it.
So damage that anybody comes upon ends the use of the ledger, until inbond is started anew with one that is whole.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

from inbond.store.ledger_file import complaints_of, connect_to_read, is_large

LOWEST_PRIORITY: Final = 19  # as `nice` has it
INTERRUPT_EVERY: Final = 0.05  # seconds

_PRIMARY_CODE: Final = 0xFF  # of SQLite's extended result codes
_DAMAGE: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})


class Soundness:
    """Of the ledger that is open at `path`. Of any thread."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)  # looked at in every turn of the event loop
        opened = os.stat(self._path)  # noqa: PTH116 (a Path's takes twice as long)
        self._opened = (opened.st_dev, opened.st_ino)
        self.damage: str | None = None

    def problem(self) -> str | None:
        """What forbids to use it, or None."""
        if self.damage is not None:
            return f"the ledger is damaged: {self.damage}"
        try:
            found = os.stat(self._path)  # noqa: PTH116
        except OSError as error:
            return f"the ledger's file is gone: {error.strerror or error}"
        same = (found.st_dev, found.st_ino) == self._opened
        return None if same else "the ledger's file was replaced while it was in use"

    def note(self, error: sqlite3.Error) -> None:
        """Where an error means that the ledger is damaged, it stays so."""
        if _code(error) in _DAMAGE and self.damage is None:
            self.damage = str(error)


class BehindCheck:
    """Reads a large ledger through, in a thread that gives way to all others. Blocks. Raises sqlite3.Error."""

    def __init__(self, path: Path, soundness: Soundness) -> None:
        self._soundness = soundness
        self._connection = connect_to_read(path)
        self._thread = threading.Thread(target=self._run, name="ledger-check", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LOWEST_PRIORITY)  # Linux: of this thread
        try:
            self._soundness.damage = complaints_of(self._connection) or self._soundness.damage
        except sqlite3.Error as error:
            self._soundness.note(error)

    def close(self) -> None:
        """Ends it, wherever it is. Calling it twice is fine."""
        while self._thread.is_alive():
            self._connection.interrupt()
            self._thread.join(INTERRUPT_EVERY)
        self._connection.close()


def check_behind(path: Path, soundness: Soundness) -> BehindCheck | None:
    """Checks a ledger that was too large to be read through at opening. Raises OSError, sqlite3.Error."""
    return BehindCheck(path, soundness) if is_large(path) else None


def is_lock(error: sqlite3.Error) -> bool:
    """Whether somebody else's lock was in the way."""
    return _code(error) in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}


def _code(error: sqlite3.Error) -> int:
    return int(getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK)) & _PRIMARY_CODE
