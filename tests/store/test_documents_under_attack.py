"""Somebody has written to the cache's directory. Each attack is refused, counted, replaceable, and serving goes on.

Where an attack would work on an unguarded library, a control shows that it does.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import pickle
import sqlite3
import struct
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import diskcache
import pytest

from inbond.model.events import DocumentRefused
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.hardened import BytesDisk, Refused
from inbond.store.protocols import MAX_DOCUMENT_BYTES
from store.heard import Heard

LIMIT = 32 * 2**20
KEY = "page/pypi/requests"
OTHER = "page/pypi/urllib3"
MODE_BINARY, MODE_TEXT, MODE_PICKLE = 2, 3, 4
TAKEN = "document-store-set-aside"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A cache that holds two documents and is closed."""

    async def fill() -> None:
        documents = open_documents(tmp_path / "documents", size_limit=LIMIT, observer=Heard())
        await documents.put(KEY, b"of requests")
        await documents.put(OTHER, b"of urllib3")
        await documents.aclose()

    asyncio.run(fill())
    return tmp_path / "documents"


@asynccontextmanager
async def served(directory: Path, events: Heard) -> AsyncIterator[DiskDocuments]:
    documents = open_documents(directory, size_limit=LIMIT, observer=events)
    try:
        yield documents
    finally:
        await documents.aclose()


def tamper(directory: Path, statement: str, *values: object) -> None:
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as connection, connection:
        connection.execute(statement, values)


async def assert_replaceable(documents: DiskDocuments) -> None:
    await documents.put(KEY, b"anew")
    assert await documents.get(KEY) == b"anew"


class Marking:
    """Pickled, it writes a file when it is loaded."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return os.mkdir, (str(self.marker),)


async def test_a_row_that_carries_a_pickle_is_not_loaded(directory: Path, tmp_path: Path, events: Heard) -> None:
    marker = tmp_path / "marker"
    payload = pickle.dumps(Marking(marker))
    tamper(directory, "UPDATE Cache SET mode = ?, value = ? WHERE key = ?", MODE_PICKLE, payload, KEY)
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        assert not marker.exists()
        assert events == [DocumentRefused(reason="mode")]
        assert await documents.get(OTHER) == b"of urllib3"
        await assert_replaceable(documents)
    tamper(directory, "UPDATE Cache SET mode = ?, value = ? WHERE key = ?", MODE_PICKLE, payload, KEY)
    with diskcache.Cache(str(directory)) as unguarded:
        unguarded.get(KEY)
    assert marker.exists()


@pytest.mark.parametrize("mode", [MODE_BINARY, MODE_TEXT, MODE_PICKLE])
@pytest.mark.parametrize("absolute", [True, False])
async def test_a_row_that_names_a_file_outside_neither_reads_nor_deletes_it(
    directory: Path, tmp_path: Path, events: Heard, mode: int, absolute: bool
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"a secret")
    name = str(outside) if absolute else "../outside"
    plant = "UPDATE Cache SET mode = ?, value = NULL, filename = ? WHERE key = ?"
    tamper(directory, plant, mode, name, KEY)
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        assert events == [DocumentRefused(reason="file")]
        await assert_replaceable(documents)
        assert events == [DocumentRefused(reason="file")] * 2  # the put met it too
    assert outside.read_bytes() == b"a secret"
    tamper(directory, plant, mode, name, KEY)
    with diskcache.Cache(str(directory)) as unguarded:
        unguarded.set(KEY, b"anew")
    assert not outside.exists()


async def test_deleting_and_evicting_rows_that_name_files_deletes_none(
    directory: Path, tmp_path: Path, events: Heard
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    tamper(directory, "UPDATE Cache SET filename = ?", str(outside))
    documents = open_documents(directory, size_limit=200_000, observer=events)
    await documents.delete(OTHER)
    for number in range(5):
        await documents.put(f"filler/{number}", bytes(100_000))
    assert await documents.get(KEY) is None
    await documents.aclose()
    assert outside.read_bytes() == b"precious"
    assert events == [DocumentRefused(reason="file")] * 2


async def test_an_expired_row_that_names_a_file_deletes_none(directory: Path, tmp_path: Path, events: Heard) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    tamper(directory, "UPDATE Cache SET expire_time = 1.0, filename = ?", str(outside))
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        await assert_replaceable(documents)
    assert outside.read_bytes() == b"precious"


TAMPERED_ROWS = {
    "another-value": (
        "digest",
        "UPDATE Cache SET value = CAST(substr(value, 1, 32) || 'O' AS BLOB)",
    ),
    "cut-short": ("digest", "UPDATE Cache SET value = substr(value, 1, length(value) - 1)"),
    "without-a-seal": ("digest", "UPDATE Cache SET value = x'00'"),
    "text": ("type", "UPDATE Cache SET value = CAST(value AS TEXT)"),
    "a-number": ("type", "UPDATE Cache SET value = 42"),
    "nothing": ("type", "UPDATE Cache SET value = NULL"),
    "mode-unknown": ("mode", "UPDATE Cache SET mode = 77"),
    "mode-nothing": ("mode", "UPDATE Cache SET mode = NULL"),
    "mode-text": ("mode", "UPDATE Cache SET mode = 'raw'"),
    "file-of-no-utf-8": ("file", "UPDATE Cache SET filename = CAST(x'ff2f' AS TEXT)"),
    "file-of-bytes": ("file", "UPDATE Cache SET filename = x'2f'"),
}


@pytest.mark.parametrize("defect", TAMPERED_ROWS)
async def test_a_row_that_was_not_written_so_is_refused(directory: Path, events: Heard, defect: str) -> None:
    reason, statement = TAMPERED_ROWS[defect]
    tamper(directory, statement)
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        assert events == [DocumentRefused(reason=reason)]
        await assert_replaceable(documents)
        assert events.alerts == []


async def test_rows_moved_to_each_others_keys_are_refused(directory: Path, events: Heard) -> None:
    swap = "UPDATE Cache SET key = ? WHERE key = ?"
    for new, old in (("swap", KEY), (KEY, OTHER), (OTHER, "swap")):
        tamper(directory, swap, new, old)
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        assert await documents.get(OTHER) is None
        assert events == [DocumentRefused(reason="digest")] * 2
        await assert_replaceable(documents)


async def test_a_row_larger_than_any_document_is_never_read_into_memory(directory: Path, events: Heard) -> None:
    size = MAX_DOCUMENT_BYTES + 2**20
    tamper(directory, "UPDATE Cache SET value = zeroblob(?) WHERE key = ?", size, KEY)
    async with served(directory, events) as documents:
        assert await documents.get(KEY) is None
        assert DocumentRefused(reason="unreadable") in events
        await assert_replaceable(documents)


PLANTED = {
    "a-setting-for-the-disk": "INSERT INTO Settings VALUES ('disk_remove', 'x')",
    "a-setting-of-the-cache": "INSERT INTO Settings VALUES ('_sql', 'x')",
    "a-method-of-the-cache": "INSERT INTO Settings VALUES ('cull', 'x')",
    "a-pragma": "INSERT INTO Settings VALUES ('sqlite_writable_schema', 1)",
    "a-setting-of-bytes": "INSERT INTO Settings VALUES (x'ff', 1)",
    "a-trigger": "CREATE TRIGGER spy AFTER INSERT ON Cache BEGIN DELETE FROM Cache WHERE rowid <> NEW.rowid; END",
    "a-table": "CREATE TABLE more (x)",
    "a-view": "CREATE VIEW more AS SELECT load_extension('x')",
    "an-index": "CREATE INDEX more ON Cache (abs(size))",
    "a-column": "ALTER TABLE Cache ADD COLUMN more",
    "a-missing-table": "DROP TABLE Cache",
    "a-missing-trigger": "DROP TRIGGER Settings_size_insert",
}


@pytest.mark.parametrize("defect", PLANTED)
async def test_a_database_that_diskcache_did_not_make_so_is_moved_aside(
    directory: Path, events: Heard, defect: str
) -> None:
    tamper(directory, PLANTED[defect])
    async with served(directory, events) as documents:
        assert events.alerts == [TAKEN]
        assert await documents.get(KEY) is None
        await assert_replaceable(documents)
    assert (directory.parent / "documents.broken-1" / "cache.db").exists()
    async with served(directory, events) as documents:
        assert await documents.get(KEY) == b"anew"


async def test_a_planted_setting_stops_an_unguarded_cache_from_starting(directory: Path) -> None:
    tamper(directory, PLANTED["a-setting-for-the-disk"].replace("disk_remove", "disk_unknown"))
    unguarded = "import diskcache, sys; diskcache.Cache(sys.argv[1])"
    ran = subprocess.run([sys.executable, "-c", unguarded, directory], capture_output=True, text=True, check=False)
    assert "TypeError" in ran.stderr


MISLEADING_SETTINGS = {
    "mapping-a-terabyte": "UPDATE Settings SET value = 1099511627776 WHERE key = 'sqlite_mmap_size'",
    "no-log": "UPDATE Settings SET value = 'off; x' WHERE key = 'sqlite_journal_mode'",
    "values-to-files": "UPDATE Settings SET value = 0 WHERE key = 'disk_min_file_size'",
    "writing-on-every-read": "UPDATE Settings SET value = 'least-recently-used' WHERE key = 'eviction_policy'",
    "counting": "UPDATE Settings SET value = 1 WHERE key = 'statistics'",
    "unknown-policy": "UPDATE Settings SET value = 'none of these' WHERE key = 'eviction_policy'",
    "never-full": "UPDATE Settings SET value = -1e300 WHERE key = 'size'",
    "always-full": "UPDATE Settings SET value = 1e300 WHERE key = 'size'",
    "size-of-text": "UPDATE Settings SET value = 'much' WHERE key = 'size'",
    "everything-nothing": "UPDATE Settings SET value = NULL",
    "no-settings-at-all": "DELETE FROM Settings",
}


@pytest.mark.parametrize("while_serving", [False, True])
@pytest.mark.parametrize("defect", MISLEADING_SETTINGS)
async def test_values_of_settings_are_not_believed(
    directory: Path, events: Heard, defect: str, while_serving: bool
) -> None:
    if not while_serving:
        tamper(directory, MISLEADING_SETTINGS[defect])
    documents = open_documents(directory, size_limit=400_000, observer=events)
    if while_serving:
        tamper(directory, MISLEADING_SETTINGS[defect])
    assert await documents.get(KEY) == b"of requests"
    for number in range(20):
        await asyncio.gather(*(documents.put(f"filler/{number}/{part}", bytes(30_000)) for part in range(2)))
    assert await documents.get("filler/19/0") == bytes(30_000)
    assert await documents.get("filler/0/0") is None
    await assert_replaceable(documents)
    await documents.aclose()
    assert (directory / "cache.db").stat().st_size <= 600_000
    assert sorted(path.name for path in directory.iterdir()) == ["cache.db"]
    assert events == []


async def test_a_trigger_planted_while_serving_costs_no_more_than_the_cache(directory: Path, events: Heard) -> None:
    async with served(directory, events) as documents:
        tamper(directory, "CREATE TRIGGER spy BEFORE UPDATE ON Cache BEGIN SELECT RAISE(ABORT, 'no'); END")
        await assert_replaceable(documents)
        assert events.alerts == [TAKEN]


@pytest.mark.parametrize("target", ["elsewhere", "nowhere"])
async def test_a_link_in_place_of_the_directory_is_moved_aside(
    directory: Path, tmp_path: Path, events: Heard, target: str
) -> None:
    directory.rename(tmp_path / "elsewhere")
    directory.symlink_to(tmp_path / target)
    async with served(directory, events) as documents:
        assert events.alerts == [TAKEN]
        assert await documents.get(KEY) is None
        await assert_replaceable(documents)
    assert not directory.is_symlink()
    assert (tmp_path / "elsewhere" / "cache.db").exists()


@pytest.mark.parametrize("kind", ["symbolic", "hard"])
async def test_a_link_in_place_of_the_database_is_moved_aside(
    directory: Path, tmp_path: Path, events: Heard, kind: str
) -> None:
    elsewhere = tmp_path / "elsewhere.db"
    (directory / "cache.db").rename(elsewhere)
    before = elsewhere.read_bytes()
    if kind == "symbolic":
        (directory / "cache.db").symlink_to(elsewhere)
    else:
        (directory / "cache.db").hardlink_to(elsewhere)
    async with served(directory, events) as documents:
        assert events.alerts == [TAKEN]
        await assert_replaceable(documents)
    assert elsewhere.read_bytes() == before


async def test_a_log_without_its_database_is_moved_aside(directory: Path, events: Heard) -> None:
    (directory / "cache.db").rename(directory / "cache.db-wal")
    async with served(directory, events) as documents:
        assert events.alerts == [TAKEN]
        await assert_replaceable(documents)


def plant_journal(directory: Path, victim: Path) -> None:
    """A rollback journal whose super-journal is the victim (sqlite.org/fileformat2.html, "The Rollback Journal")."""
    magic = bytes.fromhex("d9d505f920a163d7")
    name = str(victim).encode()
    pages = (directory / "cache.db").stat().st_size // 4096
    header = (magic + struct.pack(">5I", 0, 0, pages, 512, 4096)).ljust(512, b"\0")
    named = struct.pack(">I", 2**30 // 4096 + 1) + name + struct.pack(">2I", len(name), sum(name)) + magic
    (directory / "cache.db-journal").write_bytes(header + named)


@pytest.mark.parametrize("while_serving", [False, True])
async def test_a_journal_that_names_a_file_does_not_delete_it(
    directory: Path, tmp_path: Path, events: Heard, while_serving: bool
) -> None:
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious\n")
    if not while_serving:
        plant_journal(directory, victim)
    async with served(directory, events) as documents:
        if while_serving:
            plant_journal(directory, victim)  # no worker has connected yet
        assert await documents.get(KEY) is None
        await assert_replaceable(documents)
    assert events.alerts == [TAKEN]
    assert victim.exists()
    plant_journal(directory, victim)
    with contextlib.closing(sqlite3.connect(directory / "cache.db")) as unguarded:
        unguarded.execute("SELECT * FROM Cache").fetchall()
    assert not victim.exists()


def test_the_disk_turns_only_strings_and_bytes_into_rows(tmp_path: Path) -> None:
    disk = BytesDisk(str(tmp_path))
    for no_key in (b"bytes", 1, ("a", "tuple")):
        with pytest.raises(TypeError):
            disk.put(no_key)
    for value in ("text", 1, None, bytearray(b"x")):
        with pytest.raises(TypeError):
            disk.store(value, read=False)
    with pytest.raises(TypeError):
        disk.store(b"", read=True)
    assert disk.get("key", 1) == "key"
    for key, raw in ((b"\x80", 0), ("key", 0), (b"key", 1)):
        with pytest.raises(Refused):
            disk.get(key, raw)
    with pytest.raises(Refused):
        disk.fetch(1, None, b"", read=True)
    disk.remove("../anything")  # nobody listens yet; nothing happens
