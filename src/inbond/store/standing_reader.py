"""Decisions and established repositories, read at once on the event loop: before each verdict, by whoever asks.

A connection of its own, which only reads, so that it waits for nobody: in a write-ahead log readers do not wait for
writers. Nothing written: `PRAGMA data_version` says so (about 4 µs). Anything written, by whichever process: one row
more is read (about 40 µs, once for each write). What it says is current at each call, so a decision is in force at
the next request.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from inbond.access.tokens import KeptSession, Token
from inbond.model.decisions import Decided
from inbond.model.memory import NewestPage
from inbond.model.names import ProjectName
from inbond.model.standing import Established
from inbond.store import attached, decisions, pages, publishers, tokens
from inbond.store.ledger_file import connect_to_read

# A reader waits only while somebody recovers the log after a crash, or shuts all others out; the event loop waits too.
READER_WAITS: Final = 50  # milliseconds
MAX_PAGES: Final = 10_000  # of which something is kept until something is written


class NotAsMade(sqlite3.DatabaseError):
    """SQLite can read it, and it is not what inbond keeps there: the ledger is damaged."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
        self.sqlite_errorname = "SQLITE_CORRUPT"


class StandingReader:
    """Reads. Every method raises sqlite3.Error. Of the event loop's thread, or of one that nobody else uses."""

    def __init__(self, path: Path) -> None:
        self._connection = connect_to_read(path)
        self._connection.execute(f"PRAGMA busy_timeout = {READER_WAITS}").fetchall()
        self._looked: int | None = None
        self._data_version = -1
        self._version = 0
        self._pages_version = -1
        self._pages: dict[tuple[str, ProjectName], tuple[int | None, NewestPage | None]] = {}  # as read since

    def hold(self) -> None:
        """Looks whether anything was written; until `release` that look counts."""
        self._looked = self._written()

    def release(self) -> None:
        """From now on it is looked each time again."""
        self._looked = None

    def _written(self) -> int:
        """Differs whenever anything was written."""
        if self._looked is not None:
            return self._looked
        ((data_version,),) = self._connection.execute("PRAGMA data_version").fetchall()
        return int(data_version)

    def version(self) -> int:
        """Differs whenever a decision, a repository, an import, what is attached or a token was written since."""
        data_version = self._written()
        if data_version != self._data_version:
            # In this order: what is written in between is seen at the next call.
            rows = self._connection.execute("SELECT version FROM standing").fetchall()
            if len(rows) != 1:
                raise NotAsMade(f"the table standing has {len(rows)} rows, not 1")
            ((self._version,),) = rows
            self._data_version = data_version
        return self._version

    def decided_on(self, project: ProjectName) -> tuple[Decided, ...]:
        """Decisions in force about a project, in the order in which they were made."""
        return decisions.about(self._connection, project)

    def established_of(self, upstream: str, project: ProjectName) -> tuple[Established, ...]:
        """A project's established repositories, ordered by repository."""
        return publishers.established(self._connection, upstream, project)

    def attached_version(self) -> tuple[int, int]:
        """Differs whenever something else is attached to any file; (0, 0) where nothing is."""
        return attached.version(self._connection)

    def token_of(self, digest: bytes) -> Token | None:
        """The token whose secret has that sha256, or None."""
        return tokens.by_digest(self._connection, digest)

    def session_of(self, digest: bytes) -> KeptSession | None:
        """The session whose cookie has that sha256, or None."""
        return tokens.session(self._connection, digest)

    def highest_serial(self, upstream: str, project: ProjectName) -> int | None:
        """The highest serial of any page remembered, or None."""
        return self._newest_of(upstream, project)[0]

    def newest_page(self, upstream: str, project: ProjectName) -> NewestPage | None:
        """The newest page of those without a serial, or None."""
        return self._newest_of(upstream, project)[1]

    def _newest_of(self, upstream: str, project: ProjectName) -> tuple[int | None, NewestPage | None]:
        self._forget_pages_if_written()
        key = (upstream, project)
        found = self._pages.get(key)
        if found is None:
            found = self._pages[key] = pages.newest(self._connection, upstream, project)
        return found

    def _forget_pages_if_written(self) -> None:
        data_version = self._written()
        if data_version != self._pages_version or len(self._pages) >= MAX_PAGES:
            # In this order: what is written in between is seen at the next call.
            self._pages.clear()
            self._pages_version = data_version

    def close(self) -> None:
        """Ends the connection."""
        self._connection.close()
