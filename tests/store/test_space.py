"""Room for files: the reserve of free disk, spells without storing, and files that are not stored."""

from __future__ import annotations

import asyncio
import errno
import gc
import hashlib
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inbond.model.errors import DiskFull, StoreUnavailable
from inbond.model.events import StoringChanged
from inbond.store import eviction, memory_blob, room
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.disk import LocalDisk
from inbond.store.eviction import evict
from inbond.store.files import unavailable
from inbond.store.flocks import alone
from inbond.store.growing import BATCH_BYTES
from inbond.store.memory_blob import Memory, MemoryBlob, MemoryBlobWriter, UnstoredBytes
from inbond.store.protocols import Blob, BlobWriter
from inbond.store.space import Space
from inbond.store.spilling import CHECK_BYTES
from store.heard import Heard

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

MIB = 2**20
BODY = bytes(range(256)) * 4096 * 6 + b"and a tail"  # 6 MiB: more than one look for room
RESERVE = 10 * MIB


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


class Meter:
    """A disk of a gigabyte, as far as the system says."""

    def __init__(self, free: int = 100 * MIB) -> None:
        self.free = free
        self.asked = 0

    def __call__(self, _path: Path) -> tuple[int, int, int]:
        self.asked += 1
        return 2**30, 2**30 - self.free, self.free


class Refusing(LocalDisk):
    """A disk that is full as soon as it is told so, whatever the system says."""

    def __init__(self) -> None:
        self.full = False
        self.creates = True

    def create(self, path: Path) -> FileIO:
        if not self.creates:
            raise OSError(errno.EDQUOT, "Disk quota exceeded", str(path))
        with super().create(path) as file:
            return Filling(file, self)

    def sync(self, file: FileIO) -> None:
        self.check()
        super().sync(file)

    def check(self) -> None:
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


class Filling(FileIO):
    def __init__(self, file: FileIO, disk: Refusing) -> None:
        super().__init__(str(file.name), "r+", opener=lambda *_: os.dup(file.fileno()))
        self._disk = disk

    def write(self, data: ReadableBuffer, /) -> int:
        self._disk.check()
        return super().write(data)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "RECHECK_SECONDS", 0.01)


@asynccontextmanager
async def blobs_on(
    directory: Path, meter: Meter, heard: Heard, *, disk: LocalDisk | None = None, max_size: int = 2**30
) -> AsyncIterator[DiskBlobs]:
    space = Space(directory=directory, reserve=RESERVE, usage=meter)
    blobs = open_blobs(directory, observer=heard, max_size=max_size, space=space, disk=disk or LocalDisk())
    try:
        yield blobs
    finally:
        await blobs.aclose()


async def store(blobs: DiskBlobs, body: bytes = BODY) -> Blob:
    async with blobs.writer() as writer:
        return await filled(writer, body)


async def filled(writer: BlobWriter, body: bytes, *, begin: int = 0) -> Blob:
    for start in range(begin, len(body), 500_000):
        await writer.write(body[start : start + 500_000])
    return await writer.commit(sha256=digest(body))


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.005)


def storing(heard: Heard) -> list[bool]:
    return [event.storing for event in heard if isinstance(event, StoringChanged)]


def stored(directory: Path) -> set[str]:
    return {path.name for path in (directory / "sha256").rglob("*") if path.is_file()}


# --- the reserve


@pytest.mark.parametrize(
    ("reserve", "free", "lacking", "to_remove"),
    [
        (RESERVE, RESERVE, 0, 0),
        (RESERVE, RESERVE - 1, 1, 1 + RESERVE // 10),
        (0, 0, 0, 0),
        (2**40, 2**30 // 20, 0, 0),  # a twentieth of the disk is less
        (2**40, 0, 2**30 // 20, 2**30 // 20 + 2**30 // 200),
    ],
)
def test_what_is_missing_from_the_reserve(reserve: int, free: int, lacking: int, to_remove: int) -> None:
    space = Space(directory=Path("/"), reserve=reserve, usage=Meter(free))
    assert abs(space.lacking() - lacking) <= 1
    assert abs(space.to_remove() - to_remove) <= 1


async def test_below_the_reserve_the_least_used_go_first(tmp_path: Path) -> None:
    meter, heard = Meter(), Heard()
    async with blobs_on(tmp_path, meter, heard) as blobs:
        old, young = await store(blobs, b"old" * 100_000), await store(blobs, b"young" * 100_000)
        await blobs.settled()
        os.utime(old.path, (1, 1))
        os.utime(young.path, (time.time() - 3600, 1))
        meter.free = RESERVE - 1
        really = eviction._Eviction._removed

        def freeing(self: eviction._Eviction, path: Path) -> bool:
            meter.free += 2 * RESERVE
            return really(self, path)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(eviction._Eviction, "_removed", freeing)
            patch.setattr(Space, "to_remove", lambda _: old.size)
            assert not isinstance(await store(blobs), MemoryBlob)
        assert stored(tmp_path) == {young.sha256, digest(BODY)}
        assert heard.alerts == []


async def test_where_the_directory_is_gone_the_count_says_so(tmp_path: Path) -> None:
    heard = Heard()
    async with blobs_on(tmp_path, Meter(), heard) as blobs:
        await store(blobs)
        await blobs.settled()
        (tmp_path / "sha256").rename(tmp_path / "away")
        assert blobs._room is not None
        blobs._room.stored(2**40)
        await blobs.settled()
        assert heard.alerts == ["eviction-failed"]


async def test_a_spell_is_told_once_and_ends_by_itself(tmp_path: Path) -> None:
    meter, heard = Meter(RESERVE - 1), Heard()
    async with blobs_on(tmp_path, meter, heard) as blobs:
        for _ in range(3):
            assert isinstance(await store(blobs), MemoryBlob)
        assert heard.alerts == ["disk-full"]
        assert "10.0 MiB are to stay free" in (blobs.refusal or "")
        assert storing(heard) == [False]
        asked = meter.asked
        await until(lambda: meter.asked > asked + 4)
        assert storing(heard) == [False]

        meter.free = RESERVE
        await until(lambda: blobs.refusal is None)
        assert not isinstance(await store(blobs), MemoryBlob)
        assert storing(heard) == [False, True]
        meter.free = 0
        assert isinstance(await store(blobs), MemoryBlob)
        assert heard.alerts == ["disk-full", "disk-full"]
    assert stored(tmp_path) == {digest(BODY)}


async def test_a_disk_that_cannot_be_measured_is_used(tmp_path: Path) -> None:
    def unmeasured(_path: Path) -> tuple[int, int, int]:
        raise OSError(errno.EIO, "Input/output error")

    space = Space(directory=tmp_path, usage=unmeasured)
    blobs = open_blobs(tmp_path, observer=Heard(), space=space)
    try:
        assert not isinstance(await store(blobs), MemoryBlob)
    finally:
        await blobs.aclose()


async def test_what_others_store_is_counted_now_and_then(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with blobs_on(tmp_path, Meter(), Heard(), max_size=1_000_000) as one:
        await store(one, b"a" * 300_000)
        await one.settled()
        async with blobs_on(tmp_path, Meter(), Heard(), max_size=10_000_000) as another:
            for letter in (b"b", b"c", b"d"):
                os.utime((await store(another, letter * 300_000)).path, (1, 1))
        await store(one, b"e" * 10_000)
        await one.settled()
        assert len(stored(tmp_path)) == 5
        monkeypatch.setattr(room, "RECOUNT_SECONDS", -1.0)
        await store(one, b"f" * 10_000)
        await one.settled()
        assert len(stored(tmp_path)) == 4


async def test_several_processes_together_stay_below_the_limit(tmp_path: Path) -> None:
    limit, part, many = 1_000_000, 60_000, 12

    def size() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "sha256").rglob("*") if path.is_file())

    async with AsyncExitStack() as stack:
        several = [
            await stack.enter_async_context(blobs_on(tmp_path, Meter(), Heard(), max_size=limit)) for _ in range(3)
        ]
        for number in range(many):
            for each, blobs in enumerate(several):
                os.utime((await store(blobs, f"{number:10}{each:10}".encode() * (part // 20))).path, (number, number))
                await blobs.settled()
            assert size() <= limit + len(several) * part
    assert size() > limit // 2


async def test_who_could_not_count_because_another_did_counts_the_next_time(tmp_path: Path) -> None:
    async with blobs_on(tmp_path, Meter(), Heard(), max_size=1_000_000) as blobs:
        for body in (b"a" * 500_000, b"b" * 400_000):
            os.utime((await store(blobs, body)).path, (1, 1))
            await blobs.settled()
        with alone(tmp_path / eviction.LOCK):
            await store(blobs, b"c" * 300_000)
            await blobs.settled()
        assert len(stored(tmp_path)) == 3
        await store(blobs, b"d")
        await blobs.settled()
        assert len(stored(tmp_path)) == 3  # one of the large ones went


async def test_who_finds_another_process_at_it_leaves_it_to_that(tmp_path: Path) -> None:
    heard = Heard()
    async with blobs_on(tmp_path, Meter(), heard, max_size=100) as blobs:
        await store(blobs)
        await blobs.settled()
        loop = asyncio.get_running_loop()

        def meanwhile(_total: int) -> int:
            asyncio.run_coroutine_threadsafe(store(blobs, b"another"), loop).result()
            asyncio.run_coroutine_threadsafe(blobs.settled(), loop).result()
            return 0

        await asyncio.to_thread(evict, tmp_path / "sha256", meanwhile, leased=lambda _: False)
        assert stored(tmp_path) == {digest(BODY), digest(b"another")}
        assert heard.alerts == []


async def test_the_limit_is_reckoned_anew_at_every_eviction(tmp_path: Path) -> None:
    allowed = [0]

    def limit(there: int) -> int:
        if not allowed:
            raise OSError(errno.EIO, "Input/output error")
        return allowed[0] + there // 10

    space = Space(directory=tmp_path, reserve=0, usage=Meter())
    blobs = open_blobs(tmp_path, observer=Heard(), limit=limit, space=space)
    try:
        for number, letter in enumerate(b"abc"):  # there was no space at first, and then there is
            os.utime((await store(blobs, bytes([letter]) * 1000)).path, (1 + number, 1))
            allowed[0] = 2000
            await blobs.settled()
        assert stored(tmp_path) == {digest(b"b" * 1000), digest(b"c" * 1000)}
        allowed.clear()  # what was reckoned last goes on
        await store(blobs, b"d" * 1000)
        await blobs.settled()
        assert len(stored(tmp_path)) == 2
    finally:
        await blobs.aclose()


async def test_what_was_too_young_to_go_goes_when_it_is_older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "AGAIN_SECONDS", 0.01)
    async with blobs_on(tmp_path, Meter(), Heard(), max_size=1000) as blobs:
        paths = [(await store(blobs, letter * 600)).path for letter in (b"a", b"b")]
        await blobs.settled()
        assert len(stored(tmp_path)) == 2
        os.utime(paths[0], (1, 1))
        await until(lambda: stored(tmp_path) == {paths[1].name})


@pytest.mark.parametrize("reserve", [RESERVE, 0])
async def test_a_full_disk_is_told_though_no_file_comes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reserve: int
) -> None:
    monkeypatch.setattr(room, "WATCH_SECONDS", 0.005)
    meter, heard = Meter(), Heard()
    blobs = open_blobs(
        tmp_path, observer=heard, max_size=2**30, space=Space(directory=tmp_path, reserve=reserve, usage=meter)
    )
    try:
        blobs.watch()
        await until(lambda: meter.asked > 4)
        assert blobs.refusal is None
        meter.free = 0
        await until(lambda: storing(heard) == [False] if reserve else "disk-full" in heard.alerts)
        meter.free = 100 * MIB
        await until(lambda: storing(heard)[-1:] == [True])
    finally:
        await blobs.aclose()


# --- a disk that is full in the middle


@pytest.mark.parametrize("moment", ["write", "flush", "commit"])
async def test_what_has_arrived_when_the_disk_refuses_is_not_lost(tmp_path: Path, moment: str) -> None:
    disk, heard = Refusing(), Heard()
    async with blobs_on(tmp_path, Meter(), heard, disk=disk) as blobs:
        async with blobs.writer() as writer:
            begin = BATCH_BYTES + BATCH_BYTES // 2
            await writer.write(BODY[:begin])
            await writer.flush()
            grown = writer.path
            with await writer.reader() as reader:
                assert reader.read() == BODY[:begin]
                if moment == "write":
                    disk.full = True
                await writer.write(BODY[begin : 2 * BATCH_BYTES])
                disk.full = disk.full or moment == "flush"
                await writer.flush()
                assert (writer.path == grown) == (moment == "commit")
                assert writer.readable == writer.size == 2 * BATCH_BYTES
                disk.full = True
                blob = await filled(writer, BODY, begin=2 * BATCH_BYTES) if moment != "commit" else None
            if blob is None:
                disk.full = False
                await writer.write(BODY[2 * BATCH_BYTES :])
                await writer.flush()
                disk.full = True
                blob = await writer.commit(sha256=digest(BODY))
            assert writer.hexdigest == digest(BODY)
            assert isinstance(blob, MemoryBlob)
            assert blob.path.read_bytes() == BODY
            assert not grown.exists()
        assert blob.path.read_bytes() == BODY
        assert stored(tmp_path) == set()
        assert heard.alerts == ["disk-full"]


async def test_the_latest_unstored_files_are_found_as_long_as_nothing_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory_blob.Latest.__init__, "__defaults__", (250,))
    meter = Meter(free=0)
    async with blobs_on(tmp_path, meter, Heard()) as blobs:
        old, younger, youngest = [(await store(blobs, letter * 100)).sha256 for letter in (b"a", b"b", b"c")]
        assert await blobs.find(old) is None
        found = await blobs.find(younger)
        assert found is not None
        assert found.path.read_bytes() == b"b" * 100
        await blobs.remove(younger)
        assert await blobs.find(younger) is None
        assert (await store(blobs, b"too large" * 50)).size == 450
        assert await blobs.find(youngest) is None
        await store(blobs, b"d" * 100)
        meter.free = 2**30
        await until(lambda: blobs.refusal is None)
        assert await blobs.find(digest(b"d" * 100)) is None


async def test_the_reserve_is_looked_for_while_a_file_grows(tmp_path: Path) -> None:
    meter = Meter()
    async with blobs_on(tmp_path, meter, Heard()) as blobs, blobs.writer() as writer:
        await writer.write(BODY[: CHECK_BYTES // 2])
        meter.free = 0
        await writer.write(BODY[CHECK_BYTES // 2 : CHECK_BYTES])
        grown = writer.path
        assert tmp_path in grown.parents
        assert isinstance(await filled(writer, BODY, begin=CHECK_BYTES), MemoryBlob)
        assert not grown.exists()


async def test_a_disk_that_takes_no_new_file_costs_nothing_but_memory(tmp_path: Path) -> None:
    disk, heard = Refusing(), Heard()
    async with blobs_on(tmp_path, Meter(), heard, disk=disk) as blobs:
        disk.creates = False
        assert isinstance(await store(blobs), MemoryBlob)
        disk.creates = True
        await until(lambda: blobs.refusal is None)
        assert not isinstance(await store(blobs), MemoryBlob)


async def test_bytes_that_the_disk_lost_are_not_passed_on(tmp_path: Path) -> None:
    disk = Refusing()
    async with blobs_on(tmp_path, Meter(), Heard(), disk=disk) as blobs, blobs.writer() as writer:
        await writer.write(BODY[: 2 * BATCH_BYTES])
        os.truncate(writer.path, BATCH_BYTES)
        disk.full = True
        with pytest.raises(StoreUnavailable, match="did not give back"):
            await writer.write(BODY[2 * BATCH_BYTES : 4 * BATCH_BYTES])


async def test_what_was_left_of_another_transfer_is_gone_on_with_and_goes_when_space_is_short(tmp_path: Path) -> None:
    disk, meter = Refusing(), Meter()
    async with blobs_on(tmp_path, meter, Heard(), disk=disk) as blobs:
        sha256 = digest(BODY)
        async with blobs.writer(sha256) as writer:
            await writer.write(BODY[: 2 * BATCH_BYTES])
            writer.leave()
        assert blobs.left(sha256) == 2 * BATCH_BYTES
        async with blobs.writer(sha256) as writer:
            assert writer.size == 2 * BATCH_BYTES
            disk.full = True
            assert isinstance(await filled(writer, BODY, begin=writer.size), MemoryBlob)
            disk.full = False
        await until(lambda: blobs.refusal is None)
        async with blobs.writer(sha256) as writer:
            await writer.write(BODY[: 2 * BATCH_BYTES])
            writer.leave()
        meter.free = 0
        await store(blobs)
        assert blobs.left(sha256) == 0


@pytest.mark.parametrize("full", [False, True])
async def test_a_file_that_begins_anew_has_none_of_its_first_bytes(tmp_path: Path, *, full: bool) -> None:
    disk = Refusing()
    async with blobs_on(tmp_path, Meter(), Heard(), disk=disk) as blobs, blobs.writer() as writer:
        await writer.write(b"wrong" * 500_000)
        disk.full = full
        await writer.write(b"worse" * 500_000)
        await writer.restart()
        assert (writer.size, writer.readable) == (0, 0)
        blob = await filled(writer, BODY)
        assert isinstance(blob, MemoryBlob) == full
        assert blob.path.read_bytes() == BODY


# --- in memory


async def writer_of(budget: UnstoredBytes, body: bytes) -> MemoryBlobWriter:
    writer = MemoryBlobWriter(budget)
    await writer.write(body)
    return writer


async def test_a_file_in_memory_is_there_as_long_as_anybody_has_it() -> None:
    budget = UnstoredBytes(100)
    writer = await writer_of(budget, b"content")
    await writer.flush()
    writer.leave()
    blob = await writer.commit(sha256=digest(b"content"))
    await writer.close()
    path = blob.path
    with await writer.reader() as reader:
        del writer
        gc.collect()
        assert path.read_bytes() == b"content"
        assert budget.taken == 7
        del blob
        gc.collect()
        assert budget.taken == 0
        assert reader.read() == b"content"
    with pytest.raises(OSError, match="directory"):
        path.read_bytes()
    budget.close()
    budget.close()


async def test_a_path_never_leads_to_another_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_blob, "KEPT_NUMBERS", 3)
    budget = UnstoredBytes(100)
    writer = await writer_of(budget, b"content")
    path = writer.path
    await writer.close()
    for number in range(3):
        another = await writer_of(budget, b"another")
        assert another.path != path, number
        await another.close()
    budget.close()


async def test_what_was_not_committed_gives_its_memory_back() -> None:
    budget = UnstoredBytes(10)
    writer = await writer_of(budget, b"0123456789")
    other = MemoryBlobWriter(budget)
    with pytest.raises(StoreUnavailable, match="the disk is full"):
        await other.write(b"x")
    await writer.close()
    await other.write(b"x")
    await other.close()
    assert budget.taken == 0
    late = await writer_of(budget, b"late")
    budget.close()
    await late.close()
    assert not late.path.exists()


async def test_wrong_bytes_and_none_are_not_committed() -> None:
    budget = UnstoredBytes(10)
    writer = MemoryBlobWriter(budget)
    with pytest.raises(ValueError, match="an empty file"):
        await writer.commit(sha256=digest(b""))
    await writer.write(b"wrong")
    with pytest.raises(ValueError, match="the bytes have sha256"):
        await writer.commit(sha256=digest(b"right"))
    await writer.close()
    with pytest.raises(StoreUnavailable, match="open a file in memory"):
        await writer.reader()
    budget.close()


async def test_a_file_that_will_not_fit_is_refused_before_it_begins() -> None:
    budget = UnstoredBytes(100)
    writer = MemoryBlobWriter(budget, size=60)
    with pytest.raises(StoreUnavailable, match="another 41 B do not fit"):
        MemoryBlobWriter(budget, size=41)
    other = MemoryBlobWriter(budget, size=40)
    await other.write(b"x" * 40)
    await other.restart()
    for each, size in ((writer, 60), (other, 40)):  # as many as were announced: nobody takes them in between
        await each.write(b"y" * size)
    with pytest.raises(StoreUnavailable, match="do not fit"):
        await other.write(b"z")
    await writer.close()
    await other.close()
    assert budget.taken == 0
    budget.close()


class Collecting(int):
    """A number in whose addition garbage is collected, as it may be in any."""

    def __radd__(self, other: int) -> int:
        gc.collect()
        return other + int(self)


def test_a_file_that_garbage_collection_finds_keeps_nobody_waiting() -> None:
    budget = UnstoredBytes(100)
    lost = [Memory(budget)]
    lost[0].append(b"lost")
    lost.append(lost)  # type: ignore[arg-type]  # only a collection finds it
    path = lost[0].path
    del lost
    taking = threading.Thread(target=budget.take, args=(Collecting(50),), daemon=True)
    taking.start()
    taking.join(10)
    assert not taking.is_alive()
    assert budget.taken == 50
    assert path.is_dir()
    budget.close()


async def test_where_no_memory_is_had_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> int:
        raise OSError(errno.EMFILE, "Too many open files")

    budget = UnstoredBytes(10)
    monkeypatch.setattr(os, "memfd_create", none)
    with pytest.raises(StoreUnavailable, match="begin a file in memory"):
        MemoryBlobWriter(budget, size=10)
    assert budget.taken == 0
    budget.close()


def test_only_a_lack_of_space_is_a_full_disk() -> None:
    assert isinstance(unavailable("write", OSError(errno.EDQUOT, "quota")), DiskFull)
    assert not isinstance(unavailable("write", OSError(errno.EIO, "broken")), DiskFull)
