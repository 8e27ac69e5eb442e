"""Whatever happens to the database while requests run: a document is right or missing, and the cache is soon in use.

Nothing raises, and in the end what is put is got back.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from diskcache.core import DBNAME  # type: ignore[import-untyped, unused-ignore]

from inbond.model.errors import StoreUnavailable
from inbond.model.events import Alert
from inbond.store.documents import DiskDocuments, open_documents
from inbond.store.files import exclusively
from store.heard import Heard

KEYS = 15
LIMIT = 2**24  # bytes
PATIENCE = 200  # rounds until the cache is in use again; the first few do


def value_of(key: str) -> bytes:
    return f"what stands under {key}".encode() * 100


def database(directory: Path, suffix: str = "") -> Path:
    return directory / f"{DBNAME}{suffix}"


def deleted(directory: Path) -> None:
    database(directory).unlink()


def deleted_with_all_there_is(directory: Path) -> None:
    shutil.rmtree(directory)


def cut_short(directory: Path) -> None:
    os.truncate(database(directory), 5000)


def emptied(directory: Path) -> None:
    os.truncate(database(directory), 0)


def zeroed(directory: Path) -> None:
    with database(directory).open("r+b") as file:
        file.write(bytes(database(directory).stat().st_size))


def overwritten_in_the_middle(directory: Path) -> None:
    with database(directory).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (database(directory).stat().st_size - 4096))


def a_directory_in_its_place(directory: Path) -> None:
    database(directory).unlink()
    database(directory).mkdir()


def another_cache_in_its_place(directory: Path) -> None:
    """As a restored backup of the cache would be, which is none of ours: its rows are sealed all the same."""
    other = directory.with_name("other")
    shutil.copytree(directory, other)
    shutil.rmtree(directory)
    other.rename(directory)


def log_flipped(directory: Path) -> None:
    with database(directory, "-wal").open("r+b") as file:
        size = database(directory, "-wal").stat().st_size
        for place in range(100, size, 997):
            file.seek(place)
            (byte,) = file.read(1) or b"\x00"
            file.seek(place)
            file.write(bytes([byte ^ 0x10]))


def log_removed(directory: Path) -> None:
    database(directory, "-wal").unlink()


def log_index_zeroed(directory: Path) -> None:
    with database(directory, "-shm").open("r+b") as file:
        file.write(bytes(database(directory, "-shm").stat().st_size))


DAMAGES: tuple[Callable[[Path], None], ...] = (
    deleted,
    deleted_with_all_there_is,
    cut_short,
    emptied,
    zeroed,
    overwritten_in_the_middle,
    a_directory_in_its_place,
    another_cache_in_its_place,
    log_flipped,
    log_removed,
    log_index_zeroed,
)


async def use(documents: DiskDocuments, key: str) -> bool:
    """Whether the document was there; what is there is right."""
    found = await documents.get(key)
    assert found in (None, value_of(key))
    await documents.put(key, value_of(key))
    return found is not None


async def in_use_again(documents: DiskDocuments) -> None:
    keys = [f"key {number}" for number in range(KEYS)]
    for _ in range(PATIENCE):
        await asyncio.gather(*(use(documents, key) for key in keys))
        if await documents.get_many(keys) == {key: value_of(key) for key in keys}:
            return
    pytest.fail("the cache is not used any more")


@pytest.mark.parametrize("damage", DAMAGES)
async def test_the_cache_is_mended_while_requests_run(
    tmp_path: Path, events: Heard, damage: Callable[[Path], None]
) -> None:
    directory = tmp_path / "documents"
    documents = open_documents(directory, size_limit=LIMIT, observer=events)
    await in_use_again(documents)
    requests = asyncio.gather(*(use(documents, f"key {number}") for number in range(KEYS)))
    await asyncio.sleep(0)
    await asyncio.to_thread(damage, directory)
    await requests
    await in_use_again(documents)
    await documents.aclose()
    again = open_documents(directory, size_limit=LIMIT, observer=events)
    assert await again.get("key 1") == value_of("key 1")
    await again.aclose()


SHARING = """
import asyncio, json, sys
from pathlib import Path
from inbond.model.events import Alert
from inbond.store.documents import open_documents

async def main(directory):
    heard = []
    documents = open_documents(directory, size_limit=2**24, observer=heard.append)
    async def round():
        for number in range(20):
            value = f"what stands under key {number}".encode() * 100
            assert await documents.get(f"key {number}") in (None, value)
            await documents.put(f"key {number}", value)
    await round()
    print("ready", flush=True)
    sys.stdin.readline()
    for _ in range(5):
        await round()
    await documents.aclose()
    print(json.dumps([one.name for one in heard if isinstance(one, Alert)]), flush=True)

asyncio.run(main(Path(sys.argv[1])))
"""


async def test_of_several_processes_that_find_the_same_damage_one_sets_it_aside(tmp_path: Path) -> None:
    directory = tmp_path / "documents"
    program = [sys.executable, "-c", SHARING, str(directory)]
    processes = [subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    zeroed(directory)
    log_flipped(directory)
    log_index_zeroed(directory)
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    told = [name for process in processes for name in json.loads(process.communicate(timeout=60)[0])]
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert told == ["document-store-set-aside"]
    assert [path.name for path in tmp_path.glob("*.broken-*")] == ["documents.broken-1"]
    documents = open_documents(directory, size_limit=LIMIT, observer=Heard())
    await in_use_again(documents)
    await documents.aclose()


async def test_a_lock_that_another_process_holds_is_waited_for_only_so_long(
    tmp_path: Path, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "documents"
    documents = open_documents(directory, size_limit=LIMIT, observer=events)
    monkeypatch.setattr("inbond.store.documents.OPENED_WITHIN", 0.05)
    monkeypatch.setattr("inbond.store.documents.LOCK_SECONDS", 0.05)
    with exclusively(tmp_path / "documents.lock"):
        with pytest.raises(StoreUnavailable, match=r"documents\.lock") as raised:
            open_documents(directory, size_limit=LIMIT, observer=events)
        assert raised.value.remedy is not None
        assert "which process" in raised.value.remedy
        shutil.rmtree(directory)
        await asyncio.gather(*(documents.get(f"key {number}") for number in range(40)))
    waited = [event for event in events if isinstance(event, Alert) and "has held" in event.message]
    assert len(waited) == 1  # the others knew
    monkeypatch.setattr(documents, "_not_before", 0.0)
    await in_use_again(documents)
    await documents.aclose()


async def test_who_comes_second_to_the_same_damage_opens_what_the_first_has_made(
    tmp_path: Path, events: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "documents"
    both = [open_documents(directory, size_limit=LIMIT, observer=events) for _ in range(2)]
    await in_use_again(both[0])
    met = threading.Barrier(2)

    @contextlib.contextmanager
    def together(lock: Path, *, at_most: float) -> Iterator[None]:
        met.wait(60)
        with exclusively(lock, at_most=at_most):
            yield

    monkeypatch.setattr("inbond.store.documents.exclusively", together)
    zeroed(directory)
    log_flipped(directory)
    log_index_zeroed(directory)
    await asyncio.gather(*(one.put("key", value_of("key")) for one in both))
    assert events.alerts == ["document-store-set-aside"]
    assert [path.name for path in tmp_path.glob("*.broken-*")] == ["documents.broken-1"]
    assert [await one.get("key") for one in both] == [value_of("key")] * 2
    for one in both:
        await one.aclose()
