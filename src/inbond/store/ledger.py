"""What cannot be asked for again, in one SQLite database that is never rebuilt behind the operator's back.

One thread owns the connection that writes; what it has confirmed is on disk (WAL, synchronous FULL). What pages look up
has a thread and a connection of its own, so that it waits for no lock; so has what reads long, through the audit trail,
so that no page waits for it; and so have pages for people, which anybody may ask for who may read: nothing else waits
for them, and one of their questions goes on for `PAGE_SECONDS` at most. Several processes may share a ledger on one
machine. The SQL is in the modules beside this one, `pages`, `page_records`, `decisions`, `publishers`, `imports`,
`attached`, `history`, `occurrences`, `deliveries`, `serials`, `acts`, `traffic` and `tokens`; `ledger_connections`
lends them a connection, and the other `ledger_` modules put them under the protocols.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Final

from inbond.model.errors import StoreUnavailable
from inbond.model.events import Observer
from inbond.store.disk import DISK, Disk
from inbond.store.ledger_acts import LedgerActs
from inbond.store.ledger_copy import copy_without_history
from inbond.store.ledger_decisions import LedgerDecisions
from inbond.store.ledger_file import connect_to_read, copy_file, open_file
from inbond.store.ledger_history import LedgerHistory
from inbond.store.ledger_imports import LedgerImports
from inbond.store.ledger_overview import LedgerOverview
from inbond.store.ledger_pages import LedgerPages
from inbond.store.ledger_soundness import Soundness, check_behind
from inbond.store.ledger_thread import LedgerThread
from inbond.store.ledger_tokens import LedgerTokens
from inbond.store.standing_reader import StandingReader

PAGE_SECONDS: Final = 3.0  # for one question of a page for people; some hundred thousand rows are read in that time


def open_ledger(path: Path, *, observer: Observer, disk: Disk = DISK, look_behind: bool = False) -> Ledger:
    """Opens the ledger in the file `path`, or makes one; its directory becomes this user's alone. Blocks.

    `look_behind`: a large ledger is not read through before this returns, but while it is in use already. Raises
    OperatorFault for a ledger that is damaged, foreign or newer than this inbond, StoreUnavailable where the disk
    refuses.
    """
    writing = LedgerThread(lambda: open_file(path, disk), name="ledger")
    begun = [writing]
    try:
        soundness = Soundness(path)
        for name, most_seconds in (("ledger-reads", None), ("ledger-pages", None), ("ledger-people", PAGE_SECONDS)):
            begun.append(LedgerThread(lambda: connect_to_read(path), name=name, most_seconds=most_seconds))
        standing = StandingReader(path)
        check = check_behind(path, soundness) if look_behind else None
    except BaseException as error:
        for one in reversed(begun):
            one.close_soon()
        if isinstance(error, sqlite3.Error | OSError):
            raise StoreUnavailable(f"the ledger cannot be opened: {error}", remedy="see who else uses it") from error
        raise
    _, reading, looking, showing = begun
    return Ledger(
        path,
        writing=writing,
        reading=reading,
        looking=looking,
        showing=showing,
        standing=standing,
        soundness=soundness,
        check=check,
        observer=observer,
        disk=disk,
    )


class Ledger(LedgerPages, LedgerDecisions, LedgerHistory, LedgerImports, LedgerActs, LedgerOverview, LedgerTokens):
    """All protocols of the ledger, in SQLite."""

    async def backup(self, to: Path) -> None:
        """Writes the ledger as it is now to the file `to`, whole or not at all, while work goes on.

        A backup is one file that is opened like any ledger.
        """
        await self._copy("write the backup", copy_file, to)

    async def copy_without_history(self, to: Path) -> None:
        """As `backup`, without the audit trail, occurrences and webhooks."""
        await self._copy("copy the ledger", copy_without_history, to)
