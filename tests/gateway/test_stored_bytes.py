"""Stored files are compared with their digests before they leave, and no more often than they must be."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from gateway.shelves import CONTENT, Bench, bench, flip, kept
from inbond.gateway import stored_bytes
from inbond.gateway.checked_blobs import CheckedBlobs
from inbond.gateway.stored_bytes import SMALL_BYTES, TOUCH_SECONDS, Left, Place, StoredBytes, put_aside
from inbond.model.errors import BytesLost, NotYet, StoreUnavailable
from inbond.model.events import Alert, FileDamaged
from inbond.store import stamps
from inbond.store.protocols import Blob
from inbond.store.quarantine import Quarantine

__all__ = ["bench"]

NAME = "demo-1.0-py3-none-any.whl"


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were read, in their order."""
    found: list[Path] = []
    really = stamps.read

    def reading(path: Path, generation: str, paced: Callable[[int], object] = lambda _: None) -> object:
        found.append(path)
        return really(path, generation, paced)

    monkeypatch.setattr(stamps, "read", reading)
    return found


async def committed(bench: Bench, process: StoredBytes, blob: Blob) -> None:
    """Has a process know a file, and returns when that is written too."""
    key = stamps.document("cache", blob.sha256)
    await bench.documents.delete(key)
    process.committed(blob)
    while await bench.documents.get(key) is None:
        await asyncio.sleep(0.001)


def soon(seconds: float = 60.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_what_was_hashed_as_it_came_is_not_read_again_nor_after_a_restart(bench: Bench, read: list[Path]) -> None:
    blob = await kept(bench.cache)
    first = bench.process()
    first.committed(blob)
    assert await first.whole(NAME, blob, until=soon())
    await first.aclose()
    second = bench.process()
    assert await second.whole(NAME, blob, until=soon())
    assert not read
    await second.aclose()


async def test_a_file_is_read_once_and_again_where_it_is_another(bench: Bench, read: list[Path]) -> None:
    for blobs in (bench.mirror, bench.cache):
        known = bench.process()
        blob = await kept(blobs)
        read.clear()
        for _ in range(2):
            assert await known.whole(NAME, blob, until=soon())
        assert len(read) == 1
        other = blob.path.with_name("other")
        other.write_bytes(blob.path.read_bytes())
        other.rename(blob.path)
        assert await known.whole(NAME, blob, until=soon())
        assert len(read) == 2
        await known.aclose()
    assert not bench.told


@pytest.mark.parametrize("part", ["generation", "checks", "inode", "size", "modified", "changed"])
async def test_a_stamp_that_differs_in_anything_is_none(bench: Bench, read: list[Path], part: str) -> None:
    blob = await kept(bench.cache)
    stamp, _ = stamps.read(blob.path, bench.cache.generation)
    found = {name: getattr(stamp, name) for name in stamp.__slots__}
    other = stamps.Stamp(**{**found, part: found[part] + ("x" if part == "generation" else 1)})
    await bench.documents.put(stamps.document("cache", blob.sha256), stamps.encoded(other))
    known = bench.process()
    read.clear()
    assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 1
    await known.aclose()
    written = stamps.decoded(await bench.documents.get(stamps.document("cache", blob.sha256)))
    assert written == stamp


async def test_a_stamp_that_cannot_be_read_is_none(bench: Bench, read: list[Path]) -> None:
    blob = await kept(bench.cache)
    await bench.documents.put(stamps.document("cache", blob.sha256), b"\xc1")
    known = bench.process()
    assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 1
    await known.aclose()


async def test_a_damaged_file_of_the_cache_goes_into_quarantine(bench: Bench) -> None:
    blob = await kept(bench.cache)
    known = bench.process()
    known.committed(blob)
    flip(blob.path)
    assert not await known.whole(NAME, blob, until=soon())
    aside = bench.place / "cache-quarantine" / f"{blob.sha256}.1"
    assert (aside.read_bytes(), blob.path.exists()) == (b"bontent", False)
    assert [event.place for event in bench.told if isinstance(event, FileDamaged)] == ["cache"]
    alert = next(event for event in bench.told if isinstance(event, Alert))
    assert alert.name == "stored-file-damaged"
    assert all(part in alert.message for part in (str(blob.path), str(aside), "has sha256"))
    with pytest.raises(FileNotFoundError):
        await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_what_cannot_be_put_aside_is_not_whole_either(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> Path:
        raise OSError(30, "Read-only file system")

    blob = await kept(bench.cache)
    flip(blob.path)
    for way in ("take", "remove"):
        monkeypatch.setattr(Quarantine, way, refused)
    known = bench.process()
    for _ in range(2):
        assert not await known.whole(NAME, blob, until=soon())
    assert blob.path.exists()
    await known.aclose()


async def test_what_cannot_be_moved_is_removed_but_nothing_that_took_its_place(bench: Bench) -> None:
    blob = await kept(bench.cache)
    stamp, _ = stamps.read(blob.path, bench.cache.generation)
    in_the_way = bench.place / "in-the-way"
    in_the_way.write_text("a file")
    quarantine = Quarantine(in_the_way)
    flip(blob.path)
    assert put_aside(quarantine, blob.path, stamp) is Left.REPLACED
    assert not quarantine.remove(blob.path, stamp)
    assert put_aside(quarantine, blob.path, stamps.read(blob.path, bench.cache.generation)[0]) is Left.REMOVED
    assert not blob.path.exists()
    assert put_aside(quarantine, blob.path, stamp) is Left.REPLACED


async def test_what_one_process_doubts_is_compared_by_all(
    bench: Bench, read: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await kept(bench.cache)
    first, second = bench.process(), bench.process()
    for process in (first, second):
        await committed(bench, process, blob)
    first.doubt(blob.path)
    for elsewhere in (bench.place / blob.sha256, bench.place):
        first.doubt(elsewhere)
        first.forget(elsewhere)
    while await bench.documents.get(stamps.document("cache", blob.sha256)) != stamps.DOUBTED:
        await asyncio.sleep(0.01)
    assert await second.whole(NAME, blob, until=soon())
    assert not read  # it looked a moment ago
    monkeypatch.setattr(stored_bytes, "LOOK_EVERY", 0.0)
    for number, process in enumerate((second, first)):
        assert await process.whole(NAME, blob, until=soon())
        assert len(read) == number + 1
    await first.aclose()
    await second.aclose()


async def test_what_is_doubted_elsewhere_is_not_whole_again_by_being_used(bench: Bench, read: list[Path]) -> None:
    blob = await kept(bench.cache)
    long_ago = time.time() - TOUCH_SECONDS - 60
    os.utime(blob.path, (long_ago, blob.path.stat().st_mtime))
    known, key = bench.process(), stamps.document("cache", blob.sha256)
    await committed(bench, known, blob)
    await bench.documents.put(key, stamps.DOUBTED)  # by another process, a moment after this one looked
    assert await known.whole(NAME, blob, until=soon())  # used: its time of use is set, and its stamp with it
    assert not read
    assert blob.path.stat().st_atime > long_ago + 60
    await known.aclose()
    assert await bench.documents.get(key) == stamps.DOUBTED
    again = bench.process()
    assert await again.whole(NAME, blob, until=soon())
    assert len(read) == 1
    await again.aclose()


async def test_many_who_ask_at_once_have_it_read_once(bench: Bench, read: list[Path]) -> None:
    known = bench.process()
    blob = await kept(bench.cache, bytes(SMALL_BYTES + 1))
    assert all(await asyncio.gather(*(known.whole(NAME, blob, until=soon()) for _ in range(9))))
    assert len(read) == 1
    await known.aclose()


async def test_who_cannot_wait_is_told_and_the_next_finds_it_done(bench: Bench, read: list[Path]) -> None:
    known = bench.process()
    blob = await kept(bench.mirror)
    with pytest.raises(NotYet, match="still being compared with its digest"):
        await known.whole(NAME, blob, until=soon(-1))
    assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 1
    await known.aclose()


async def test_a_stop_ends_what_is_being_read_and_what_waits_for_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()
    really = stamps.read

    def held(path: Path, generation: str, paced: Callable[[int], object]) -> object:
        def at_a_piece(count: int) -> None:
            begun.release()
            go_on.wait()
            paced(count)

        return really(path, generation, at_a_piece)

    monkeypatch.setattr(stamps, "read", held)
    known = bench.process()
    blobs = [
        await kept(bench.cache, bytes([n]) * (SMALL_BYTES + 1)) for n in range(3)
    ]  # one more than are read at once
    asking = [asyncio.create_task(known.whole(NAME, blob, until=soon())) for blob in blobs]
    for _ in range(2):
        await asyncio.to_thread(begun.acquire)
    closing = asyncio.create_task(known.aclose())
    await asyncio.sleep(0)
    go_on.set()
    await closing
    ended = await asyncio.gather(*asking, return_exceptions=True)
    # whoever's file was just read hears of the stop from the thread that read it
    assert all(isinstance(one, asyncio.CancelledError | StoreUnavailable) for one in ended), ended


async def test_what_an_import_has_put_there_meanwhile_is_not_removed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = bench.process()
    blob = await kept(bench.mirror)
    flip(blob.path)
    really = stamps.read

    def reading(path: Path, *rest: object) -> object:
        found = really(path, *rest)  # type: ignore[arg-type]
        mended = path.with_name("mended")
        mended.write_bytes(CONTENT)
        mended.rename(path)
        return found

    monkeypatch.setattr(stamps, "read", reading)
    assert not await known.whole(NAME, blob, until=soon())
    assert bench.alerts == ["imported-file-damaged"]
    monkeypatch.undo()
    assert await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_a_disk_that_does_not_give_it_is_said_of_what_was_imported_and_mended_of_what_is_cached(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    known = bench.process()
    imported, cached = await kept(bench.mirror), await kept(bench.cache)
    monkeypatch.setattr(stamps, "read", broken)
    with pytest.raises(BytesLost, match="cannot be read: Input/output error"):
        await known.whole(NAME, imported, until=soon())
    assert not await known.whole(NAME, cached, until=soon())
    assert bench.alerts == ["stored-file-unreadable"]
    imported.path.unlink()
    with pytest.raises(FileNotFoundError):
        await known.whole(NAME, imported, until=soon())
    await known.aclose()


# --- the time of use


def long_unused(path: Path) -> None:
    status = path.lstat()
    os.utime(path, ns=(status.st_atime_ns - 2 * TOUCH_SECONDS * 10**9, status.st_mtime_ns))


async def test_serving_sets_the_time_of_use_and_no_process_reads_the_file_for_that(
    bench: Bench, read: list[Path]
) -> None:
    blob = await kept(bench.cache)
    long_unused(blob.path)
    before = blob.path.lstat()
    first, second = bench.process(), bench.process()
    for process in (first, second):
        await committed(bench, process, blob)
    for _ in range(2):
        assert await first.whole(NAME, blob, until=soon())
    after = blob.path.lstat()
    assert time.time() - after.st_atime < TOUCH_SECONDS
    assert (after.st_mtime_ns, after.st_ctime_ns != before.st_ctime_ns) == (before.st_mtime_ns, True)
    await first.aclose()
    assert await second.whole(NAME, blob, until=soon())
    assert not read
    await second.aclose()


async def test_what_was_imported_keeps_its_time_of_use(bench: Bench) -> None:
    blob = await kept(bench.mirror)
    long_unused(blob.path)
    before = blob.path.lstat().st_ctime_ns
    known = bench.process()
    assert await known.whole(NAME, blob, until=soon())
    assert blob.path.lstat().st_ctime_ns == before
    await known.aclose()


async def test_a_disk_that_takes_no_time_of_use_still_serves(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise OSError(30, "Read-only file system")

    blob = await kept(bench.cache)
    long_unused(blob.path)
    known = bench.process()
    known.committed(blob)
    monkeypatch.setattr(os, "utime", refused)
    assert await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_a_change_between_looking_and_touching_is_not_vouched_for(bench: Bench) -> None:
    blob = await kept(bench.cache)
    stamp, _ = stamps.read(blob.path, bench.cache.generation)
    flip(blob.path)
    assert stamps.used_now(blob.path, stamp) is None


# --- which file it is


async def test_a_commit_that_something_else_followed_is_not_stamped(bench: Bench, read: list[Path]) -> None:
    blob = await kept(bench.cache)
    known = bench.process()
    blob.path.write_bytes(b"other bytes")
    known.committed(blob)
    assert not await known.whole(NAME, blob, until=soon())
    known.committed(blob)  # gone by now
    assert len(read) == 1
    await known.aclose()


async def test_what_the_cache_fetched_was_not_imported(bench: Bench) -> None:
    assert not bench.process().imported(await kept(bench.cache))
    assert bench.process().imported(await kept(bench.mirror))
    only = StoredBytes(bench.shelf(Place.CACHE), documents=bench.documents, observer=bench.told.append)
    assert not only.imported(await kept(bench.mirror))


async def test_what_lies_on_no_disk_was_hashed_by_this_process(bench: Bench) -> None:
    blob = Blob(sha256="0" * 64, size=1, path=bench.place / "in-memory")
    known = bench.process()
    known.committed(blob)
    assert await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_blobs_that_are_checked_are_found_whole_or_not_at_all(bench: Bench) -> None:
    known = bench.process()
    blobs = CheckedBlobs(bench.cache, known)
    blob = await kept(bench.cache)
    assert await blobs.find(blob.sha256) == blob
    assert await blobs.find("0" * 64) is None
    assert blobs.left("0" * 64) == 0
    with blobs.lease(blob.sha256):
        flip(blob.path)
        assert await blobs.find(blob.sha256) is None
    async with blobs.writer() as writer:
        await writer.write(CONTENT)
        await writer.flush()
        await writer.commit(sha256=blob.sha256)
    assert await blobs.find(blob.sha256) == blob
    await blobs.remove(blob.sha256)
    assert await blobs.find(blob.sha256) is None
    await known.aclose()


async def test_a_blob_that_goes_while_it_is_checked_is_missing(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    blob = await kept(bench.cache)
    known = bench.process()

    def gone(*_: object) -> object:
        raise FileNotFoundError(blob.path)

    monkeypatch.setattr(stamps, "read", gone)
    assert await CheckedBlobs(bench.cache, known).find(blob.sha256) is None
    await known.aclose()


async def test_a_file_that_never_comes_to_rest_is_not_vouched_for(bench: Bench) -> None:
    blob = await kept(bench.cache)

    def write_more(_count: int) -> None:
        status = blob.path.lstat()
        os.utime(blob.path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))

    with pytest.raises(stamps.StillChanging):
        stamps.read(blob.path, bench.cache.generation, write_more)
