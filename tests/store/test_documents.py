"""What a cache of documents is for, and what it survives without being attacked."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.model.events import DocumentRefused
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.protocols import MAX_DOCUMENT_BYTES, MAX_KEY_BYTES
from store.heard import Heard, disk_full_at

LIMIT = 32 * 2**20


@asynccontextmanager
async def documents_in(
    directory: Path, events: Heard | None = None, *, size_limit: int = LIMIT
) -> AsyncIterator[DiskDocuments]:
    documents = open_documents(directory, size_limit=size_limit, observer=Heard() if events is None else events)
    try:
        yield documents
    finally:
        await documents.aclose()


async def test_what_was_put_is_got_back_and_what_was_not_is_missing(tmp_path: Path) -> None:
    async with documents_in(tmp_path / "documents") as documents:
        await documents.put("page/pypi/requests", b"\x80\x05binary\x00")
        await documents.put("empty", b"")
        assert await documents.get("page/pypi/requests") == b"\x80\x05binary\x00"
        assert await documents.get("empty") == b""
        assert await documents.get("page/pypi/Requests") is None


async def test_a_put_replaces_and_a_delete_forgets(tmp_path: Path) -> None:
    async with documents_in(tmp_path / "documents") as documents:
        await documents.put("key", b"one")
        await documents.put("key", b"two")
        assert await documents.get("key") == b"two"
        await documents.delete("key")
        await documents.delete("key")
        assert await documents.get("key") is None


async def test_many_documents_are_got_at_once_and_the_missing_are_left_out(tmp_path: Path) -> None:
    async with documents_in(tmp_path / "documents") as documents:
        for key in ("one", "two"):
            await documents.put(key, key.encode())
        assert await documents.get_many(["two", "missing", "one"]) == {"one": b"one", "two": b"two"}
        assert await documents.get_many([]) == {}
        with pytest.raises(ValueError):
            await documents.get_many(["one", ""])


async def test_documents_outlast_a_restart(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:
        await documents.put("key", b"value" * 100_000)
    async with documents_in(tmp_path / "documents", events) as documents:
        assert await documents.get("key") == b"value" * 100_000
    assert events == []


async def test_the_directory_is_for_this_user_alone(tmp_path: Path) -> None:
    directory = tmp_path / "cache" / "documents"
    directory.mkdir(parents=True, mode=0o755)
    async with documents_in(directory):
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("key", ["", "x" * (MAX_KEY_BYTES + 1), "\ud800"])
async def test_a_key_that_cannot_be_one_is_an_error(tmp_path: Path, key: str) -> None:
    async with documents_in(tmp_path / "documents") as documents:
        with pytest.raises(ValueError):
            await documents.get(key)
        with pytest.raises(ValueError):
            await documents.put(key, b"")
        with pytest.raises(ValueError):
            await documents.delete(key)


async def test_a_document_over_the_limit_leaves_its_key_empty(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:
        await documents.put("key", b"before")
        await documents.put("key", bytes(MAX_DOCUMENT_BYTES + 1))
        assert await documents.get("key") is None
        assert events.alerts == ["document-too-large"]


async def test_a_document_of_just_the_limit_is_kept(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events, size_limit=2 * MAX_DOCUMENT_BYTES) as documents:
        await documents.put("key", bytes(MAX_DOCUMENT_BYTES))
        assert await documents.get("key") == bytes(MAX_DOCUMENT_BYTES)
    assert events == []


async def test_the_size_limit_holds_and_the_oldest_go_first(tmp_path: Path) -> None:
    async with documents_in(tmp_path / "documents", size_limit=2**20) as documents:
        for number in range(200):
            await documents.put(f"small/{number}", bytes(1000))
        for number in range(20):
            await documents.put(f"large/{number}", bytes(100_000))
            assert (tmp_path / "documents" / "cache.db").stat().st_size <= 2**20 + 200_000
        assert await documents.get("large/19") is not None
        assert await documents.get("large/0") is None
        assert await documents.get("small/0") is None


async def test_the_limit_is_asked_for_at_every_put(tmp_path: Path) -> None:
    allowed = [2**30]

    def limit() -> int:
        if not allowed:
            raise OSError("nobody knows")
        return allowed[0]

    documents = open_documents(tmp_path / "documents", size_limit=LIMIT, limit=limit, observer=Heard())
    for number in range(5):
        await documents.put(f"large/{number}", bytes(100_000))
    assert await documents.get("large/0") is not None
    allowed[0] = 250_000
    await documents.put("small/0", b"value")
    assert await documents.get("large/0") is None
    allowed.clear()  # what was said last goes on
    await documents.put("large/5", bytes(100_000))
    assert await documents.get("large/3") is None
    assert await documents.get("large/5") is not None
    await documents.aclose()


@pytest.mark.parametrize("reads", [True, False])
async def test_a_cache_that_cannot_be_written_is_told_once_until_it_can(
    tmp_path: Path, events: Heard, monkeypatch: pytest.MonkeyPatch, *, reads: bool
) -> None:
    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    async with documents_in(tmp_path / "documents", events) as documents:
        for spell in (1, 2):
            with monkeypatch.context() as patch:
                patch.setattr("inbond.store.documents._set", full)
                for number in range(3):
                    await documents.put("key", b"value")
                    assert not reads or await documents.get(f"another/{number}") is None
            assert events.alerts == ["document-store-failing"] * spell
            await documents.put("key", b"value")


async def test_reading_does_not_write(tmp_path: Path) -> None:
    async with documents_in(tmp_path / "documents") as documents:
        await documents.put("key", b"value")
        with contextlib.closing(sqlite3.connect(tmp_path / "documents" / "cache.db")) as watcher:
            before = watcher.execute("PRAGMA data_version").fetchone()
            for _ in range(20):
                assert await documents.get("key") == b"value"
                assert await documents.get("missing") is None
            assert watcher.execute("PRAGMA data_version").fetchone() == before


async def test_many_writers_and_readers_at_once(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:

        async def one(number: int) -> None:
            key = f"key/{number % 7}"
            await documents.put(key, key.encode() * 1000)
            assert await documents.get(key) == key.encode() * 1000

        await asyncio.gather(*(one(number) for number in range(200)))
    assert events == []


async def test_two_processes_worth_of_caches_share_a_directory(tmp_path: Path, events: Heard) -> None:
    async with (
        documents_in(tmp_path / "documents", events) as one,
        documents_in(tmp_path / "documents", events) as other,
    ):
        await one.put("key", b"of one")
        assert await other.get("key") == b"of one"
        await other.put("key", b"of the other")
        assert await one.get("key") == b"of the other"
    assert events == []


@pytest.mark.parametrize("damage", [b"this is no database" * 500, b"SQLite format 3\0" + bytes(4080), bytes(8192)])
async def test_a_database_that_is_none_is_moved_aside_at_opening(tmp_path: Path, events: Heard, damage: bytes) -> None:
    directory = tmp_path / "documents"
    directory.mkdir()
    (directory / "cache.db").write_bytes(damage)
    async with documents_in(directory, events) as documents:
        assert events.alerts == ["document-store-set-aside"]
        await documents.put("key", b"value")
        assert await documents.get("key") == b"value"
    assert (tmp_path / "documents.broken-1" / "cache.db").read_bytes() == damage


async def test_an_empty_database_file_is_filled(tmp_path: Path, events: Heard) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents" / "cache.db").touch()
    async with documents_in(tmp_path / "documents", events) as documents:
        await documents.put("key", b"value")
        assert await documents.get("key") == b"value"
    assert events == []


async def test_only_a_few_broken_directories_are_kept(tmp_path: Path, events: Heard) -> None:
    for number in range(6):
        (tmp_path / "documents").mkdir(exist_ok=True)
        (tmp_path / "documents" / "cache.db").write_bytes(b"%d" % number * 1000)
        async with documents_in(tmp_path / "documents", events):
            pass
    assert sorted(path.name for path in tmp_path.glob("*.broken-*")) == [f"documents.broken-{n}" for n in (4, 5, 6)]


async def test_damage_found_while_serving_is_a_miss_and_an_empty_cache_takes_over(
    tmp_path: Path, events: Heard
) -> None:
    database = tmp_path / "documents" / "cache.db"
    async with documents_in(tmp_path / "documents") as documents:
        for number in range(300):
            await documents.put(f"key/{number}", os.urandom(2000))
    async with documents_in(tmp_path / "documents", events) as documents:
        size = database.stat().st_size
        with database.open("r+b") as file:
            for page in range(16, size // 4096):  # the schema's first pages stay whole: it opens
                file.seek(page * 4096)
                file.write(b"\xff" * 4096)
        found = await asyncio.gather(*(documents.get(f"key/{number}") for number in range(300)))
        assert found.count(None) > 250
        assert DocumentRefused(reason="unreadable") in events
        assert events.alerts == ["document-store-set-aside"]
        await documents.put("key/1", b"anew")
        assert await documents.get("key/1") == b"anew"
    assert (tmp_path / "documents.broken-1").is_dir()


async def test_damage_found_by_a_put_does_not_lose_the_document(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:
        with contextlib.closing(sqlite3.connect(tmp_path / "documents" / "cache.db")) as other:
            other.execute("DROP TABLE Cache")
        await documents.put("key", b"value")
        assert await documents.get("key") == b"value"
        assert events.alerts == ["document-store-set-aside"]


async def test_a_cache_removed_while_serving_starts_empty(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:
        await asyncio.gather(*(documents.put(f"key/{number}", b"value") for number in range(10)))
        shutil.rmtree(tmp_path / "documents")
        assert await documents.get("key/0") is None
        await asyncio.gather(*(documents.put(f"key/{number}", b"anew") for number in range(10)))
        assert await asyncio.gather(*(documents.get(f"key/{number}") for number in range(10))) == [b"anew"] * 10
    assert events == []
    async with documents_in(tmp_path / "documents", events) as documents:
        assert await documents.get("key/9") == b"anew"


async def test_where_no_cache_can_be_made_the_operator_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="refused to open the document cache") as raised:
        open_documents(tmp_path / "file" / "documents", size_limit=LIMIT, observer=Heard())
    assert raised.value.remedy is not None


async def test_a_cache_that_cannot_be_made_again_is_a_miss_and_an_alert(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "cache" / "documents", events) as documents:
        await documents.put("key", b"value")
        shutil.rmtree(tmp_path / "cache")
        (tmp_path / "cache").write_text("in the way")
        await documents.put("key", b"anew")
        assert set(events.alerts) == {"document-store-failing"}
        (tmp_path / "cache").unlink()
        await documents.put("key", b"at last")
        assert await documents.get("key") == b"at last"


async def test_a_full_disk_is_an_alert_and_what_was_kept_stays(tmp_path: Path, events: Heard) -> None:
    async with documents_in(tmp_path / "documents", events) as documents:
        await documents.put("kept", b"kept" * 10_000)
        with disk_full_at(2**20):
            for number in range(30):
                await documents.put(f"key/{number}", bytes([number]) * 100_000)
                assert await documents.get(f"key/{number}") in (None, bytes([number]) * 100_000)
            assert await documents.get("key/29") is None
            assert await documents.get("kept") == b"kept" * 10_000
        assert set(events.alerts) == {"document-store-failing"}
        await documents.put("after", b"after")
        assert await documents.get("after") == b"after"
        assert await documents.get("kept") == b"kept" * 10_000


async def test_a_cache_on_a_full_disk_cannot_be_made(tmp_path: Path) -> None:
    with disk_full_at(1000), pytest.raises(StoreUnavailable, match="refused to open the document cache"):
        open_documents(tmp_path / "documents", size_limit=LIMIT, observer=Heard())
