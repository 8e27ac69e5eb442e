"""diskcache, with everything taken out that trusts what is in its database (CVE-2025-69872 and its relatives).

What somebody who can write `cache.db`, or put files beside it, could otherwise do, and what stops it here:

- a pickled value or key runs code when read: `BytesDisk` knows bytes and strings, every other mode is refused;
- a row's `filename` reads, and on eviction deletes, any file: such rows are refused, and `remove` deletes nothing;
- rows of `Settings` become attributes of the cache and its disk, and PRAGMA statements on every connection: every
  setting is given at opening, no connection reads them back, and unknown ones are not opened at all;
- a trigger or view runs with our statements, a rollback journal names a file that SQLite then deletes, a link leads
  elsewhere: `examine` opens only exactly the files and exactly the schema that diskcache itself makes;
- a value of a gigabyte, text that is no UTF-8, a size that makes eviction never or always happen: limits and decoding
  are set on the connection, and the volume is counted in pages.

What remains is that rows can be lost or exchanged for others of the same making; `inbond.store.documents` seals each
value to its key, so that a row moved to another key is not believed. Somebody who runs as the same user can seal too:
the directory is for that user alone.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import diskcache  # type: ignore[import-untyped, unused-ignore]
from diskcache.core import DBNAME, MODE_RAW, UNKNOWN  # type: ignore[import-untyped, unused-ignore]

from inbond.store.protocols import MAX_DOCUMENT_BYTES

LOCK_SECONDS: Final = 3.0  # how long one statement waits for another process, and a write for its turn
PAGE_CACHE_KIB: Final = 4096  # for each connection
MAX_ROW_BYTES: Final = MAX_DOCUMENT_BYTES + 2**16  # a document, its seal and its key
MAX_JOURNAL_BYTES: Final = 64 * 2**20  # what the write-ahead log may keep of the disk once it was emptied

_FILES: Final = frozenset({DBNAME, f"{DBNAME}-wal", f"{DBNAME}-shm"})

Schema = frozenset[tuple[str, str, str, str | None]]


class Refused(Exception):
    """A row is not what was written. `reason` is a short constant."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Tampered(Exception):
    """The directory holds something that diskcache did not make. Its message says what."""


class BytesDisk(diskcache.Disk):  # type: ignore[misc, unused-ignore]
    """Turns string keys and bytes into columns and back, and refuses all else."""

    removed: Callable[[], None] | None = None

    def put(self, key: Any) -> tuple[str, bool]:
        """The columns of a key. Raises TypeError for what is no string."""
        if type(key) is not str:
            raise TypeError("keys are strings")
        return key, True

    def get(self, key: Any, raw: Any) -> str:
        """The key of two columns. Raises Refused."""
        if type(key) is not str or raw != 1:
            raise Refused("key")
        return key

    def store(self, value: Any, read: bool, key: Any = UNKNOWN) -> tuple[int, int, None, bytes]:  # noqa: ARG002, FBT001 (diskcache's signature)
        """The columns of a value: always in the database, never in a file of its own."""
        if read or type(value) is not bytes:
            raise TypeError("values are bytes")
        return 0, MODE_RAW, None, value

    def fetch(self, mode: Any, filename: Any, value: Any, read: bool) -> bytes:  # noqa: FBT001 (diskcache's signature)
        """The value of three columns. Raises Refused."""
        if filename is not None or read:
            raise Refused("file")
        if mode != MODE_RAW:
            raise Refused("mode")
        if type(value) is not bytes:
            raise Refused("type")
        return value

    def remove(self, file_path: Any) -> None:  # noqa: ARG002 (diskcache's signature)
        """Tells that a row named a file, and leaves the file alone.

        It must not raise: a key whose row names a file could then never be replaced.
        """
        if self.removed is not None:
            self.removed()


# Larger values are few, and are asked for one by one.
SMALL_BYTES: Final = 8_192
# Whatever a row of another shape holds is for `get` to refuse.
_SMALL: Final = (
    "SELECT json_group_array(json_array(key, CASE WHEN typeof(value) = 'blob' AND length(value) <= ? AND mode = ?"
    " AND filename IS NULL AND expire_time IS NULL THEN hex(value) END))"
    " FROM Cache WHERE key IN (SELECT value FROM json_each(?)) AND raw = 1"
)


class BytesCache(diskcache.Cache):  # type: ignore[misc, unused-ignore]
    """A diskcache of bytes. Each thread has a connection of its own; all are noted in `connections`.

    Raises what sqlite3 and the file system raise.
    """

    identity: tuple[int, int] | None = None  # device and inode of the database that is open

    def __init__(self, directory: Path, *, size_limit: int, connections: list[sqlite3.Connection]) -> None:
        self._database = directory / DBNAME
        self._connections = connections
        try:
            super().__init__(str(directory), timeout=LOCK_SECONDS, disk=BytesDisk, **_settings(size_limit))
        finally:
            self.close()  # a thread that needs a connection makes one then

    @property
    def _con(self) -> sqlite3.Connection:
        # diskcache's own would execute whatever PRAGMA the rows of Settings spell
        connection: sqlite3.Connection | None = getattr(self._local, "con", None)
        if connection is None:
            connection = self._local.con = connect(self._database, timeout=self._timeout)
            self._connections.append(connection)
        return connection

    def get_small(self, keys: Sequence[str]) -> dict[str, bytes | None]:
        """What `get` gives for those of the keys that are there, in one statement; None: to be asked for alone.

        Statement by statement, a thread would give way to others between any two keys.
        """
        ((text,),) = self._sql(_SMALL, (SMALL_BYTES, MODE_RAW, json.dumps(list(keys)))).fetchall()
        return {key: None if value is None else bytes.fromhex(value) for key, value in json.loads(text)}

    def volume(self) -> int:
        """Bytes that the database's pages take; diskcache would add a number found in Settings."""
        ((pages,),) = self._sql("PRAGMA page_count").fetchall()
        return int(pages) * int(self._page_size)


def _settings(size_limit: int) -> dict[str, int | str]:
    # Every setting that diskcache knows is named: one left out would be read from the database.
    return {
        "statistics": 0,
        "tag_index": 0,
        "eviction_policy": "least-recently-stored",  # the others write on every read
        "size_limit": size_limit,
        "cull_limit": 0,  # DiskDocuments evicts after a put, as much as it takes
        "sqlite_auto_vacuum": 1,  # what is evicted gives its disk space back
        "sqlite_cache_size": -PAGE_CACHE_KIB,
        "sqlite_journal_mode": "wal",
        "sqlite_mmap_size": 0,  # a mapped file that another process cuts short kills this one
        "sqlite_synchronous": 1,  # consistent after a loss of power; the last writes may be missing
        "disk_min_file_size": 2**62,
        "disk_pickle_protocol": 0,
    }


def connect(database: Path, *, timeout: float) -> sqlite3.Connection:
    """A connection that reckons with a database somebody else has written. Raises Tampered, sqlite3.Error."""
    if os.path.lexists(f"{database}-journal"):  # never there in WAL mode; SQLite deletes the file such a one names
        raise Tampered("there is a rollback journal")
    connection = sqlite3.connect(database, timeout=timeout, isolation_level=None, check_same_thread=False)
    connection.text_factory = _lenient  # a text that is no UTF-8 must not make its row impossible to replace
    connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_ROW_BYTES)
    connection.setlimit(sqlite3.SQLITE_LIMIT_ATTACHED, 0)
    try:
        for pragma in (
            "trusted_schema = OFF",
            "cell_size_check = ON",
            "mmap_size = 0",
            f"cache_size = -{PAGE_CACHE_KIB}",
            "synchronous = NORMAL",
            f"journal_size_limit = {MAX_JOURNAL_BYTES}",
        ):
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _lenient(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def examine(directory: Path) -> None:
    """Passes a directory that is empty, or holds what diskcache makes and no more.

    Raises Tampered, or sqlite3.Error where the database cannot be read at all.
    """
    present = {entry.name: entry.lstat() for entry in directory.iterdir()}
    for name, status in sorted(present.items()):
        if name not in _FILES:
            raise Tampered(f"{name!r} does not belong there")
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            raise Tampered(f"{name!r} is a link or no plain file")
    if DBNAME in present:
        _examine_database(directory / DBNAME)
    elif present:
        raise Tampered("there is a write-ahead log without its database")


def _examine_database(database: Path) -> None:
    expected_schema, expected_settings = _pristine(database.parent.parent)
    with contextlib.closing(connect(database, timeout=LOCK_SECONDS)) as connection:
        connection.execute("PRAGMA query_only = ON")
        schema = _schema(connection)
        if not schema:
            return  # a database that was made and never filled
        if schema != expected_schema:
            names = sorted(str(row[1]) for row in schema ^ expected_schema)
            raise Tampered(f"its schema differs at {', '.join(names)}")
        if settings := _setting_names(connection) - expected_settings:
            raise Tampered(f"it holds unknown settings: {', '.join(sorted(map(repr, settings)))}")


def _pristine(scratch: Path) -> tuple[Schema, frozenset[Any]]:
    # Asked of diskcache itself, so that a later version with another schema starts empty instead of being trusted.
    connections: list[sqlite3.Connection] = []
    with tempfile.TemporaryDirectory(prefix=".pristine-", dir=scratch) as directory:
        BytesCache(Path(directory), size_limit=0, connections=connections)
        with contextlib.closing(connect(Path(directory) / DBNAME, timeout=LOCK_SECONDS)) as connection:
            return _schema(connection), _setting_names(connection)


def _schema(connection: sqlite3.Connection) -> Schema:
    return frozenset(connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall())


def _setting_names(connection: sqlite3.Connection) -> frozenset[Any]:
    return frozenset(key for (key,) in connection.execute("SELECT key FROM Settings").fetchall())
