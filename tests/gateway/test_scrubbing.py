"""Files that nobody asks for are compared with their digests too: rot shows in no time and no length."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import cast

import pytest

from gateway.shelves import Bench, bench, flip, kept
from inbond.gateway import stored_bytes
from inbond.gateway.scrub_rounds import ScrubRounds
from inbond.gateway.scrubbing import Scrubbed, Scrubber
from inbond.gateway.stored_bytes import Left, Place, StoredBytes
from inbond.model.errors import BytesLost, StoreUnavailable
from inbond.model.events import Alert, FileScrubbed
from inbond.store import stamps
from inbond.store.behind import DocumentsBehind
from inbond.store.documents import DiskDocuments
from inbond.store.flocks import alone
from inbond.store.protocols import Blob, Documents
from inbond.store.quarantine import Quarantine
from inbond.store.scrubbing import Damaged, Foreign, Pace, Unread, Whole, passed, scrub, size_of, walk
from inbond.web.metrics import Metrics

__all__ = ["bench"]

SECOND_ROUND = timedelta(seconds=0.2)


def unchanged(_count: int) -> None:
    """No pace."""


async def scrubbed(bench: Bench, place: Place = Place.CACHE) -> list[Scrubbed]:
    with ThreadPoolExecutor(1) as pool:
        scrubber = Scrubber(
            bench.shelf(place), documents=bench.documents, observer=bench.told.append, pool=pool, pace=unchanged
        )
        found = [await scrubber.scrub(path) async for path in scrubber.paths()]
    return [one for one in found if one is not None]


async def put_right(bench: Bench, blob: Blob) -> None:
    """Makes the stamp what the file is like now: as if the disk had changed bytes beneath the file system."""
    stamp, _ = stamps.read(blob.path, bench.cache.generation)
    await bench.documents.put(stamps.document("cache", blob.sha256), stamps.encoded(stamp))


async def test_rot_that_no_stamp_tells_is_found_and_put_aside(bench: Bench) -> None:
    whole, rotten = await kept(bench.cache, b"whole"), await kept(bench.cache, b"rotten")
    flip(rotten.path)
    await put_right(bench, rotten)
    found = {one.found.path.name: one for one in await scrubbed(bench)}
    assert isinstance(found[whole.sha256].found, Whole)
    assert isinstance(found[rotten.sha256].found, Damaged)
    assert found[rotten.sha256].aside == bench.place / "cache-quarantine" / f"{rotten.sha256}.1"
    assert not rotten.path.exists()
    assert await bench.documents.get(stamps.document("cache", rotten.sha256)) is None
    assert bench.alerts == ["stored-file-damaged"]
    assert sorted(event.size for event in bench.told if isinstance(event, FileScrubbed)) == [5, 6]


async def test_what_was_read_is_stamped(bench: Bench) -> None:
    blob = await kept(bench.mirror)
    await scrubbed(bench, Place.MIRROR)
    raw = await bench.documents.get(stamps.document("mirror", blob.sha256))
    assert stamps.decoded(raw) == stamps.stamp_of(blob.path.lstat(), bench.mirror.generation)


async def test_being_read_is_no_use_that_keeps_a_file_from_eviction(bench: Bench) -> None:
    blob = await kept(bench.cache)
    os.utime(blob.path, (10**9, blob.path.lstat().st_mtime))
    await scrubbed(bench)
    assert blob.path.lstat().st_atime == 10**9


async def test_the_files_of_another_user_are_read_all_the_same(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    really = os.open

    def another_users(path: str, flags: int, *rest: int) -> int:
        if flags & os.O_NOATIME:
            raise PermissionError(1, "Operation not permitted")
        return really(path, flags, *rest)

    blob = await kept(bench.cache)
    monkeypatch.setattr(os, "open", another_users)
    assert stamps.read(blob.path, "a")[1] == blob.sha256
    with pytest.raises(OSError, match="not a regular file"):
        stamps.read(blob.path.parent, "a")


async def test_what_does_not_belong_is_named_and_left(bench: Bench) -> None:
    blob = await kept(bench.cache)
    content = bench.shelf(Place.CACHE).content
    link = content / "00" / ("00" + "1" * 62)
    link.parent.mkdir()
    link.symlink_to(blob.path)
    strangers = [content / "notes.txt", blob.path.with_name("x.tmp"), content / "00" / ("11" + "1" * 62)]
    for stranger in strangers:
        stranger.write_bytes(b"x")
    found = [one.found.path for one in await scrubbed(bench) if isinstance(one.found, Foreign)]
    assert sorted(found) == sorted([*strangers, link])
    assert all(stranger.exists() for stranger in strangers)
    assert await asyncio.to_thread(size_of, content) == (2, len(b"content") + link.lstat().st_size)


async def test_what_cannot_be_read_is_told_and_what_is_gone_is_nothing(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await kept(bench.cache)

    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(stamps, "read", broken)
    stamp = stamps.stamp_of(blob.path.lstat(), bench.cache.generation)
    (one,) = await scrubbed(bench)
    assert one.found == Unread(path=blob.path, reason="Input/output error", stamp=stamp)
    assert bench.alerts == ["stored-file-unreadable"]
    assert scrub(blob.path, "a", unchanged) is None
    with ThreadPoolExecutor(1) as pool:
        scrubber = Scrubber(
            bench.shelf(Place.CACHE), documents=bench.documents, observer=bench.told.append, pool=pool, pace=unchanged
        )
        assert await scrubber.scrub(blob.path) is None
        assert await scrubber.hashed(blob.path) == 0.0


def failing(number: int) -> Callable[..., object]:
    def fails(*_: object, **__: object) -> object:
        raise OSError(number, os.strerror(number))

    return fails


async def served(known: StoredBytes, blob: Blob) -> bool:
    """Whether a process would send the file."""
    try:
        return await known.whole("demo.whl", blob, until=asyncio.get_running_loop().time() + 60)
    except (FileNotFoundError, BytesLost):
        return False


@pytest.mark.parametrize("place", list(Place))
@pytest.mark.parametrize("ways", [("take",), ("take", "remove")])
async def test_rot_that_cannot_be_put_aside_is_served_no_more(
    bench: Bench, place: Place, ways: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await kept(bench.cache if place is Place.CACHE else bench.mirror)
    here, elsewhere = bench.process(), bench.process()
    flip(blob.path)
    for process in (here, elsewhere):
        process.committed(blob)  # as if it had rotted since, with all that is known of it as it was
        await asyncio.gather(*process._behind)  # a stamp that is written later would count for more than doubt
    for way in ways:
        monkeypatch.setattr(Quarantine, way, failing(errno.EROFS))
    with ThreadPoolExecutor(1) as pool:
        scrubber = Scrubber(
            bench.shelf(place),
            documents=bench.documents,
            observer=bench.told.append,
            pool=pool,
            pace=unchanged,
            forget=here.forget,
        )
        assert await served(here, blob)
        one = await scrubber.scrub(blob.path)
    stays = len(ways) == 2
    assert one is not None
    assert one.aside is (Left.STAYS if stays else Left.REMOVED)
    assert blob.path.exists() is stays
    assert not await served(here, blob)
    monkeypatch.setattr(stored_bytes, "LOOK_EVERY", 0.0)
    assert not await served(elsewhere, blob)
    alert = next(event for event in bench.told if isinstance(event, Alert))
    assert str(one.aside) in alert.message
    await here.aclose()
    await elsewhere.aclose()


@pytest.mark.parametrize("together", [True, False])
async def test_where_the_other_processes_cannot_be_told_people_are(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, *, together: bool
) -> None:
    flip((await kept(bench.cache)).path)
    for way in ("take", "remove"):
        monkeypatch.setattr(Quarantine, way, failing(errno.EROFS))

    async def lost(*_: object) -> None:
        pass

    monkeypatch.setattr(bench.documents, "put_many", lost)
    if together:  # as when serving
        bench.documents = cast("DiskDocuments", DocumentsBehind(bench.documents))
    await scrubbed(bench)
    assert bench.alerts == ["damage-not-noted", "stored-file-damaged"]


@pytest.mark.parametrize("place", list(Place))
async def test_a_file_that_the_disk_does_not_give_is_served_no_more(
    bench: Bench, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await kept(bench.cache if place is Place.CACHE else bench.mirror)
    known = bench.process()
    known.committed(blob)
    monkeypatch.setattr(stamps, "read", failing(errno.EIO))
    monkeypatch.setattr(stored_bytes, "LOOK_EVERY", 0.0)
    await asyncio.sleep(0)
    assert await served(known, blob)
    (one,) = await scrubbed(bench, place)
    assert blob.path.exists() is (place is Place.MIRROR)  # which nobody else could give
    assert isinstance(one.aside, Path) is (place is Place.CACHE)
    assert not await served(known, blob)
    await known.aclose()


async def test_a_file_that_is_not_read_for_want_of_something_else_stays_as_it_is(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    blob = await kept(bench.cache)
    known = bench.process()
    known.committed(blob)
    monkeypatch.setattr(stamps, "read", failing(errno.EMFILE))
    (one,) = await scrubbed(bench)
    assert (one.aside, bench.alerts) == (None, ["stored-file-unreadable"])
    assert await served(known, blob)
    await known.aclose()


async def test_a_walk_goes_on_behind_a_digest(bench: Bench) -> None:
    blobs = sorted([(await kept(bench.cache, bytes([n]))).sha256 for n in range(9)])
    content = bench.shelf(Place.CACHE).content
    for after in ["", *blobs]:
        names = [path.name for path in walk(content, after) if isinstance(path, Path)]
        assert names == [sha256 for sha256 in blobs if sha256 > after]


def test_how_far_a_walk_is_follows_from_the_digest() -> None:
    assert [passed(""), passed("0" * 64), passed("8" + "0" * 63)] == [0.0, 0.0, 0.5]
    assert 0.99 < passed("f" * 64) < 1.0


def test_a_pace_spends_the_time_that_bytes_are_to_take(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], []
    monkeypatch.setattr("inbond.store.scrubbing.time.monotonic", lambda: now[0])

    class Stop(threading.Event):
        def wait(self, timeout: float | None = None) -> bool:
            assert timeout is not None
            waited.append(timeout)
            now[0] += timeout
            return False

    pace = Pace(100.0, Stop())
    for count in (100, 50):
        pace(count)
    now[0] += 0.25  # as long as reading took
    pace(50)
    assert waited == [1.0, 0.5, 0.5]


def test_a_stop_ends_a_pace() -> None:
    stop = threading.Event()
    stop.set()
    for pace in (Pace(None, stop), Pace(1.0, stop)):
        with pytest.raises(StoreUnavailable):
            pace(1)
    Pace(None)(1)


def test_what_was_read_is_counted() -> None:
    metrics = Metrics()
    for size in (5, 6):
        metrics(FileScrubbed(place="mirror", size=size))
    assert metrics.registry.get_sample_value("inbond_scrubbed_bytes_total", {"place": "mirror"}) == 11


# --- behind a server


@asynccontextmanager
async def rounds(
    bench: Bench, length: timedelta = SECOND_ROUND, ahead: timedelta = timedelta(days=1), lock: str = "lock"
) -> AsyncIterator[None]:
    """Scrubbing behind, at a time when everything was read long ago."""
    running = ScrubRounds(
        [bench.shelf(place) for place in Place],
        length=length,
        lock=bench.place / lock,
        documents=bench.documents,
        clock=lambda: datetime.now(UTC) + ahead,
        observer=bench.told.append,
        retry_every=0.01,
        begin_after=0,
    )
    running.start()
    try:
        yield
    finally:
        await running.aclose()


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not done():
            await asyncio.sleep(0.01)


async def test_rot_is_found_behind_a_server_in_both_stores(bench: Bench) -> None:
    cached, imported = await kept(bench.cache, b"cached"), await kept(bench.mirror, b"imported")
    for blob in (cached, imported):
        flip(blob.path)
    await put_right(bench, cached)
    async with rounds(bench):
        await until(lambda: len(bench.alerts) == 2)
    assert sorted(bench.alerts) == ["imported-file-damaged", "stored-file-damaged"]
    assert not cached.path.exists()


async def test_what_was_read_a_moment_ago_is_passed_over(bench: Bench) -> None:
    for content in (b"first", b"second"):
        await kept(bench.cache, content)
    await scrubbed(bench)
    bench.told.clear()
    await kept(bench.mirror, b"not read yet")
    async with rounds(bench, ahead=-timedelta(days=1)):
        await until(lambda: any(isinstance(event, FileScrubbed) for event in bench.told))
    assert [event.place for event in bench.told if isinstance(event, FileScrubbed)] == ["mirror"]


async def test_it_goes_on_where_it_stopped(bench: Bench) -> None:
    blobs = sorted([await kept(bench.cache, bytes([n])) for n in range(4)], key=lambda blob: blob.sha256)
    await bench.documents.put("scrub/cache", blobs[-2].sha256.encode())
    left = 1 - passed(blobs[-2].sha256)
    async with rounds(bench, length=timedelta(seconds=1.0 / left)):
        await until(lambda: any(isinstance(event, FileScrubbed) for event in bench.told))
    raw = await bench.documents.get(stamps.document("cache", blobs[-1].sha256))
    assert stamps.decoded(raw) is not None
    assert [await bench.documents.get(stamps.document("cache", blob.sha256)) for blob in blobs[:-1]] == [None] * 3
    assert await bench.documents.get("scrub/cache") in {blobs[-1].sha256.encode(), b""}


async def test_one_process_does_it_and_another_when_that_one_is_gone(bench: Bench) -> None:
    await kept(bench.cache)
    with alone(bench.place / "lock") as is_alone:
        assert is_alone
        async with rounds(bench):
            await asyncio.sleep(0.3)
            assert not bench.told
    async with rounds(bench):
        await until(lambda: bool(bench.told))


async def test_a_disk_that_refuses_is_told_and_tried_again(bench: Bench) -> None:
    content = bench.shelf(Place.CACHE).content
    content.rename(content.with_name("away"))
    async with rounds(bench):
        await until(lambda: "scrubbing-failed" in bench.alerts)
        content.with_name("away").rename(content)
        await kept(bench.cache)
        await until(lambda: any(isinstance(event, FileScrubbed) for event in bench.told))
    (bench.place / "no-lock").mkdir()
    bench.told.clear()
    async with rounds(bench, lock="no-lock"):
        await until(lambda: "scrubbing-failed" in bench.alerts)


class Ill:
    """Documents that cannot be had at first."""

    def __init__(self, documents: Documents, *errors: Exception) -> None:
        self._documents = documents
        self.errors = list(errors)

    def __getattr__(self, name: str) -> object:
        return getattr(self._documents, name)

    async def get(self, key: str) -> bytes | None:
        if self.errors:
            raise self.errors.pop()
        return await self._documents.get(key)


async def test_whatever_goes_wrong_is_told_and_tried_again(bench: Bench) -> None:
    await kept(bench.cache)
    ill = Ill(bench.documents, StoreUnavailable("no space"), OSError("no disk"), RuntimeError("no idea"))
    bench.documents = cast("DiskDocuments", ill)
    async with rounds(bench):
        await until(lambda: any(isinstance(event, FileScrubbed) for event in bench.told))
    assert bench.alerts == ["scrubbing-failed"] * 3
    assert not ill.errors


async def test_a_stop_does_not_wait_for_a_round(bench: Bench) -> None:
    await kept(bench.cache)
    async with asyncio.timeout(60), rounds(bench, length=timedelta(days=30)):
        await asyncio.sleep(0)
    assert not bench.told
