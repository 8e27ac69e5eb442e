"""What a backup takes over from the ledger whose place it is to take: nobody undoes an act by restoring. Blocks.

Acts that the backup does not know, and that tokens were revoked since. Whoever was signed in on the pages signs in
anew. Numbers of acts go on from the time in milliseconds, above all that a ledger that is lost may have given: nobody
who asks for what came `--after` a number misses any.
"""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Final
from urllib.parse import quote

from inbond.model.acts import Act
from inbond.store import acts
from inbond.store.ledger_file import connect
from inbond.store.migrations import migrate, transaction

_ACTS: Final = "key, kind, at, made_by, client, index_name, project, target, message, detail"
_NUMBERS: Final = (
    "UPDATE sqlite_sequence SET seq = max(seq, :number) WHERE name = 'act'",
    """
    INSERT INTO sqlite_sequence (name, seq)
    SELECT 'act', :number WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE name = 'act')
    """,
)
_CARRIED: Final = (
    "UPDATE act_kept SET since = max(since, (SELECT since FROM replaced.act_kept))",
    f"INSERT OR IGNORE INTO main.act ({_ACTS}) SELECT {_ACTS} FROM replaced.act ORDER BY number",  # noqa: S608 (ours)
    """
    UPDATE main.token SET revoked_at = ended.revoked_at, revoked_by = ended.revoked_by
    FROM replaced.token AS ended
    WHERE ended.id = main.token.id AND ended.revoked_at IS NOT NULL AND main.token.revoked_at IS NULL
    """,
)


def carry(copy: Path, replaced: Path | None, told: Act | None) -> None:
    """Brings a backup's copy to today's schema, and takes over what it must not forget; `told`: the act of restoring.

    What cannot be read of the other ledger is not taken over, which its comparison with the copy tells. Raises
    sqlite3.Error for a copy that cannot be written.
    """
    with contextlib.closing(connect(copy)) as into:
        migrate(into)
        if told is not None:
            _raise_numbers(into, int(told.at.timestamp() * 1000))
    if replaced is not None:
        with contextlib.suppress(sqlite3.Error), contextlib.closing(_both(copy, replaced)) as both:
            _take_over(both)
    with contextlib.closing(connect(copy)) as into:
        with transaction(into, "IMMEDIATE"):
            into.execute("DELETE FROM session")
            if told is not None:
                acts.add(into, told)
        into.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()  # the copy alone takes the ledger's place


def _raise_numbers(into: sqlite3.Connection, number: int) -> None:
    with transaction(into, "IMMEDIATE"):
        for statement in _NUMBERS:
            into.execute(statement, {"number": number})


def _both(copy: Path, replaced: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(f"file:{quote(str(copy))}", uri=True, isolation_level=None)
    try:
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("ATTACH DATABASE ? AS replaced", (f"file:{quote(str(replaced))}?mode=ro",))
    except BaseException:
        connection.close()
        raise
    return connection


def _take_over(both: sqlite3.Connection) -> None:
    both.execute("BEGIN IMMEDIATE")
    try:
        for statement in _CARRIED:
            both.execute(statement)
        both.execute("COMMIT")
    finally:
        if both.in_transaction:
            both.execute("ROLLBACK")
