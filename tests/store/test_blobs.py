"""Whole files by their digest: right bytes or nothing, whatever happens in between."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store.blobs import DEFAULT_MAX_SIZE, DiskBlobs, open_blobs
from inbond.store.eviction import LOCK
from inbond.store.growing import BATCH_BYTES, read_at
from inbond.store.incoming import GENERATION
from inbond.store.protocols import Blob
from store.heard import Heard, disk_full_at

BODY = bytes(range(256)) * 4096 * 3 + b"and a tail"


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


@asynccontextmanager
async def blobs_in(
    directory: Path, events: Heard | None = None, *, max_size: int = DEFAULT_MAX_SIZE
) -> AsyncIterator[DiskBlobs]:
    blobs = open_blobs(directory, max_size=max_size, observer=Heard() if events is None else events)
    try:
        yield blobs
    finally:
        await blobs.aclose()


async def store(blobs: DiskBlobs, body: bytes, *, chunk: int = 50_000) -> Blob:
    async with blobs.writer() as writer:
        for start in range(0, len(body), chunk):
            await writer.write(body[start : start + chunk])
        return await writer.commit(sha256=digest(body))


def files_below(directory: Path) -> list[Path]:
    """All files but the one that tells how the store was left, and the one that who evicts has locked."""
    return sorted(path for path in directory.rglob("*") if not path.is_dir() and path.name not in {GENERATION, LOCK})


def backdate(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds, path.stat().st_mtime))


async def test_a_committed_file_is_found_by_its_digest_and_outlasts_a_restart(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        assert await blobs.find(digest(BODY)) is None
        blob = await store(blobs, BODY)
        assert blob == Blob(
            sha256=digest(BODY), size=len(BODY), path=tmp_path / "blobs" / "sha256" / blob.sha256[:2] / blob.sha256
        )
        assert await blobs.find(digest(BODY)) == blob
    async with blobs_in(tmp_path / "blobs") as blobs:
        assert await blobs.find(digest(BODY)) == blob
        assert blob.path.read_bytes() == BODY


async def test_everything_is_for_this_user_alone(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        blob = await store(blobs, BODY)
        async with blobs.writer() as writer:
            assert stat.S_IMODE(writer.path.stat().st_mode) == 0o600
            for path in (tmp_path / "blobs").rglob("*"):
                assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        assert stat.S_IMODE(blob.path.stat().st_mode) == 0o600


async def test_a_file_with_another_digest_is_never_kept(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        async with blobs.writer() as writer:
            await writer.write(BODY)
            with pytest.raises(ValueError, match="the bytes have sha256"):
                await writer.commit(sha256=digest(b"other"))
        assert await blobs.find(digest(b"other")) is None
        assert await blobs.find(digest(BODY)) is None
    assert files_below(tmp_path) == []


async def test_an_empty_file_is_never_kept(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        with pytest.raises(ValueError, match="empty"):
            await writer.commit(sha256=digest(b""))


async def test_what_is_not_committed_is_removed(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        with contextlib.suppress(ConnectionResetError):
            async with blobs.writer() as writer:
                await writer.write(BODY)
                await writer.flush()
                assert writer.path.stat().st_size == len(BODY)
                raise ConnectionResetError
        assert not writer.path.exists()
        assert files_below(tmp_path) == []


async def test_a_cancelled_writer_leaves_nothing(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:

        async def write_for_ever() -> None:
            async with blobs.writer() as writer:
                while True:
                    await writer.write(bytes(BATCH_BYTES // 3))

        tasks = [asyncio.create_task(write_for_ever()) for _ in range(5)]
        for delay, task in enumerate(tasks):
            await asyncio.sleep(0.01 * delay)
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(task.cancelled() for task in tasks)
        assert files_below(tmp_path) == []


async def test_a_writer_that_was_interrupted_cannot_be_committed(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        writing = asyncio.create_task(writer.write(BODY))
        await asyncio.sleep(0)  # it has begun
        writing.cancel()
        await asyncio.gather(writing, return_exceptions=True)
        assert writing.cancelled()
        for attempt in (writer.write(b"more"), writer.flush(), writer.commit(sha256=digest(BODY))):
            with pytest.raises(StoreUnavailable, match="interrupted"):
                await attempt


async def test_a_writer_that_was_committed_takes_no_more(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        await writer.write(BODY)
        await writer.commit(sha256=digest(BODY))
        with pytest.raises(StoreUnavailable):
            await writer.write(b"more")
        assert writer.path.read_bytes() == BODY


async def test_a_file_that_lost_bytes_on_the_disk_is_not_kept(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        await writer.write(BODY)
        await writer.flush()
        os.truncate(writer.path, 1000)
        with pytest.raises(StoreUnavailable, match="not as long"):
            await writer.commit(sha256=digest(BODY))
        assert await blobs.find(digest(BODY)) is None


async def test_a_reader_follows_the_growing_file_across_its_commit(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        await writer.write(b"some bytes")
        assert (writer.size, writer.readable) == (10, 0)
        await writer.flush()
        assert (writer.size, writer.readable) == (10, 10)
        assert writer.hexdigest == digest(b"some bytes")
        with await writer.reader() as early:
            assert await read_at(early, 5, 100) == b"bytes"
            await writer.write(b" and more")
            blob = await writer.commit(sha256=digest(b"some bytes and more"))
            assert await read_at(early, 0, 4) == b"some"
            assert await read_at(early, 11, 100) == b"and more"
            assert await read_at(early, 19, 100) == b""
        assert writer.path == blob.path
        with await writer.reader() as late:
            assert await read_at(late, 0, 100) == b"some bytes and more"
        with pytest.raises(ValueError):
            await read_at(late, 0, 1)  # closed


async def test_readers_that_come_at_any_moment_of_a_commit_get_the_file(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        await writer.write(BODY)
        await writer.flush()
        committing = asyncio.create_task(writer.commit(sha256=digest(BODY)))
        count = 0
        while not committing.done() or not count:
            with await writer.reader() as reader:
                assert await read_at(reader, len(BODY) - 4, 4) == BODY[-4:]
            count += 1
        await committing


async def test_a_reader_of_a_file_that_is_gone_is_told(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        async with blobs.writer() as writer:
            await writer.write(BODY)
        with pytest.raises(StoreUnavailable, match="refused to open a growing file"):
            await writer.reader()
        with pytest.raises(StoreUnavailable):
            await writer.write(BODY)


@pytest.mark.parametrize("defect", ["link", "pipe", "directory"])
async def test_a_reader_opens_nothing_but_a_file(tmp_path: Path, defect: str) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs, blobs.writer() as writer:
        writer.path.unlink()
        match defect:
            case "link":
                writer.path.symlink_to("/etc/passwd")
            case "pipe":
                os.mkfifo(writer.path)
            case _:
                writer.path.mkdir()
        with pytest.raises(StoreUnavailable, match="refused to open a growing file"):
            await writer.reader()


async def test_a_handle_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with (tmp_path / "write-only").open("wb") as file, pytest.raises(StoreUnavailable, match="refused to read a file"):
        await read_at(file, 0, 1)


async def test_many_writers_of_the_same_file_all_succeed(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        stored = await asyncio.gather(*(store(blobs, BODY, chunk=100_000 + number) for number in range(20)))
        assert len(set(stored)) == 1
        assert files_below(tmp_path) == [stored[0].path]
        assert stored[0].path.read_bytes() == BODY


async def test_committing_again_mends_what_was_tampered_with(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        blob = await store(blobs, BODY)
        blob.path.write_bytes(b"tampered")
        await store(blobs, BODY)
        assert blob.path.read_bytes() == BODY


async def test_a_removed_blob_is_gone_but_not_for_who_has_it_open(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        blob = await store(blobs, BODY)
        with blob.path.open("rb") as reader:
            await blobs.remove(blob.sha256)
            await blobs.remove(blob.sha256)
            assert await blobs.find(blob.sha256) is None
            assert reader.read() == BODY


@pytest.mark.parametrize("text", ["", "../../etc/passwd", "A" * 64, "0" * 63, "0" * 64 + "\n"])
async def test_what_is_no_digest_is_never_a_path(tmp_path: Path, text: str) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        with pytest.raises(ValueError, match="no sha256"):
            await blobs.find(text)
        with pytest.raises(ValueError, match="no sha256"):
            await blobs.remove(text)


@pytest.mark.parametrize("defect", ["empty", "symbolic-link", "dangling-link", "directory", "pipe"])
async def test_what_is_no_blob_in_a_blobs_place_is_removed(tmp_path: Path, events: Heard, defect: str) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(BODY)
    async with blobs_in(tmp_path / "blobs", events) as blobs:
        blob = await store(blobs, BODY)
        blob.path.unlink()
        match defect:
            case "empty":
                blob.path.touch()
            case "symbolic-link":
                blob.path.symlink_to(outside)
            case "dangling-link":
                blob.path.symlink_to(tmp_path / "nowhere")
            case "directory":
                blob.path.mkdir()
            case _:
                os.mkfifo(blob.path)
        assert await blobs.find(blob.sha256) is None
        assert events.alerts == ["blob-refused"]
        assert not os.path.lexists(blob.path)
        assert outside.read_bytes() == BODY
        await store(blobs, BODY)
        assert await blobs.find(blob.sha256) == blob


async def test_too_much_is_evicted_least_recently_used_first(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 100_000 for number in range(11)]
    async with blobs_in(tmp_path / "blobs", max_size=1_000_000) as blobs:
        for body in bodies[:10]:
            backdate((await store(blobs, body)).path, 7200)
        await blobs.settled()
        for age, number in enumerate((3, 0, 1, 2, 4, 5, 6)):  # 7, 8 and 9 are not asked for
            blob = await blobs.find(digest(bodies[number]))
            assert blob is not None
            backdate(blob.path, 1000 - age)
        backdate((await store(blobs, bodies[10])).path, 0)
        await blobs.settled()
        kept = [number for number in range(11) if await blobs.find(digest(bodies[number]))]
        assert len(kept) == 9  # down to nine tenths
        assert kept[:7] == [0, 1, 2, 3, 4, 5, 6]
        assert kept[-1] == 10


async def test_what_was_committed_or_used_a_moment_ago_is_not_evicted(tmp_path: Path) -> None:
    old, found, new = (bytes([number]) * 600_000 for number in range(3))
    async with blobs_in(tmp_path / "blobs") as blobs:
        backdate((await store(blobs, old)).path, 9000)
        backdate((await store(blobs, found)).path, 0)
    async with blobs_in(tmp_path / "blobs", max_size=500_000) as blobs:
        await store(blobs, new)
        await blobs.settled()
        assert await blobs.find(digest(old)) is None
        assert await blobs.find(digest(found)) is not None
        assert await blobs.find(digest(new)) is not None


async def test_what_is_already_there_counts_after_a_restart(tmp_path: Path) -> None:
    bodies = [bytes([number]) * 100_000 for number in range(12)]
    async with blobs_in(tmp_path / "blobs") as blobs:
        for age, body in enumerate(bodies[:11]):
            backdate((await store(blobs, body)).path, 3000 - age)
    async with blobs_in(tmp_path / "blobs", max_size=1_000_000) as blobs:
        await store(blobs, bodies[11])
        await blobs.settled()
        assert [await blobs.find(digest(body)) is not None for body in bodies] == [False] * 3 + [True] * 9


async def test_a_leased_blob_is_not_evicted(tmp_path: Path) -> None:
    leased, other, first, second = (bytes([number]) * 600_000 for number in range(4))
    async with blobs_in(tmp_path / "blobs") as blobs:
        backdate((await store(blobs, leased)).path, 3000)
        backdate((await store(blobs, other)).path, 2000)
    async with blobs_in(tmp_path / "blobs", max_size=1_300_000) as blobs:
        with blobs.lease(digest(leased)):
            with blobs.lease(digest(leased)):
                pass  # one of two readers is done
            await store(blobs, first)
            await blobs.settled()
            assert await blobs.find(digest(leased)) is not None
            assert await blobs.find(digest(other)) is None
        await store(blobs, second)
        await blobs.settled()
        assert await blobs.find(digest(leased)) is None


async def test_looking_for_a_blob_leaves_its_times_as_they_are(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        blob = await store(blobs, BODY)
        backdate(blob.path, 90_000)
        before = blob.path.stat()
        await blobs.find(blob.sha256)
        after = blob.path.stat()
        assert (after.st_atime_ns, after.st_ctime_ns) == (before.st_atime_ns, before.st_ctime_ns)


async def test_what_cannot_be_evicted_does_not_keep_the_rest(tmp_path: Path, events: Heard) -> None:
    async with blobs_in(tmp_path / "blobs", events, max_size=500_000) as blobs:
        odd = tmp_path / "blobs" / "sha256" / "00" / "directory"
        odd.mkdir(parents=True)
        backdate(odd, 90_000)
        (tmp_path / "blobs" / "sha256" / "a-file").touch()
        for number in range(10):
            backdate((await store(blobs, bytes([number]) * 100_000)).path, 1000)
            await blobs.settled()
        assert sum(path.stat().st_size for path in files_below(tmp_path)) <= 500_000
    assert events == []


async def test_an_eviction_that_fails_is_an_alert_and_is_tried_again(tmp_path: Path, events: Heard) -> None:
    async with blobs_in(tmp_path / "blobs", events) as blobs:
        content = tmp_path / "blobs" / "sha256"
        async with blobs.writer() as writer:
            await writer.write(BODY)
            committing = asyncio.create_task(writer.commit(sha256=digest(BODY)))
            while not (content / digest(BODY)[:2] / digest(BODY)).exists():
                await asyncio.sleep(0)
            content.rename(tmp_path / "away")  # before the walk, or before the directory is synced
            await asyncio.gather(committing, return_exceptions=True)
            await blobs.settled()
        (tmp_path / "away").rename(content)
        assert set(events.alerts) <= {"eviction-failed"}
        await store(blobs, BODY)
        await blobs.settled()
        assert await blobs.find(digest(BODY)) is not None


async def test_where_no_directory_can_be_made_the_operator_is_told(tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("in the way")
    with pytest.raises(StoreUnavailable, match="refused to open the file cache") as raised:
        open_blobs(tmp_path / "blobs", observer=Heard())
    assert raised.value.remedy is not None


async def test_a_disk_that_is_gone_is_not_a_missing_file(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        (tmp_path / "blobs" / "sha256").rename(tmp_path / "away")
        (tmp_path / "blobs" / "sha256").symlink_to("sha256")  # a loop: the error is no "not found"
        with pytest.raises(StoreUnavailable):
            await blobs.find(digest(BODY))
        (tmp_path / "blobs" / "incoming").rename(tmp_path / "away-too")
        (tmp_path / "blobs" / "incoming").symlink_to("incoming")
        with pytest.raises(StoreUnavailable, match="refused to begin a file"):
            await blobs.writer().__aenter__()


async def test_where_files_grow_is_made_anew_where_somebody_removed_it(tmp_path: Path) -> None:
    heard = Heard()
    async with blobs_in(tmp_path / "blobs", heard) as blobs:
        before = blobs.generation
        shutil.rmtree(tmp_path / "blobs")
        blob, again = await asyncio.gather(store(blobs, BODY), store(blobs, b"other"))
        assert (blob.path.read_bytes(), again.path.read_bytes()) == (BODY, b"other")
        assert heard.alerts == ["cache-removed"]
        async with blobs_in(tmp_path / "blobs") as beside:
            assert beside.generation == before == blobs.generation


async def test_where_not_even_memory_takes_it_the_operator_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    async with blobs_in(tmp_path / "blobs") as blobs:
        with disk_full_at(2_000_000), pytest.raises(StoreUnavailable, match="refused to keep a file") as raised:
            await store(blobs, BODY)
        assert raised.value.remedy is not None
        assert "free some space" in raised.value.remedy
        assert await blobs.find(digest(BODY)) is None
        assert files_below(tmp_path) == []
        await store(blobs, BODY)


@pytest.mark.parametrize("part", ["", "sha256", "incoming"])
async def test_a_link_in_place_of_a_directory_is_not_followed(tmp_path: Path, part: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    if part:
        (tmp_path / "blobs").mkdir()
    (tmp_path / "blobs" / part).symlink_to(outside)
    with pytest.raises(StoreUnavailable, match="not a directory"):
        open_blobs(tmp_path / "blobs", observer=Heard())
    assert (outside / "precious").exists()


WRITING = """
import asyncio, hashlib, os, sys
from pathlib import Path
from inbond.model.events import unobserved
from inbond.store.blobs import open_blobs

async def main() -> None:
    blobs = open_blobs(Path(sys.argv[1]), observer=unobserved)
    while True:
        body = os.urandom(16) * 40_000
        async with blobs.writer() as writer:
            for start in range(0, len(body), 65536):
                await writer.write(body[start:start + 65536])
                await writer.flush()
            await writer.commit(sha256=hashlib.sha256(body).hexdigest())
        print("stored", flush=True)

asyncio.run(main())
"""


def start_writing(directory: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen([sys.executable, "-c", WRITING, str(directory)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "stored\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


async def test_killed_at_any_moment_leaves_right_bytes_or_nothing(tmp_path: Path) -> None:
    directory = tmp_path / "blobs"
    leftovers = 0
    for _ in range(6):
        process = start_writing(directory)
        await asyncio.sleep(random.uniform(0, 0.05))
        kill(process)
        leftovers += len(files_below(directory / "incoming"))
        async with blobs_in(directory) as blobs:
            assert files_below(directory / "incoming") == []
            stored = files_below(directory / "sha256")
            assert stored
            for path in stored:
                assert digest(path.read_bytes()) == path.name
                blob = await blobs.find(path.name)
                assert blob is not None
                assert blob.size == path.stat().st_size
    assert leftovers, "no kill came in the middle of a file: the test shows nothing"


async def test_a_living_process_keeps_its_growing_files(tmp_path: Path) -> None:
    directory = tmp_path / "blobs"
    async with blobs_in(directory) as one, one.writer() as writer:
        await writer.write(BODY)
        await writer.flush()
        other = start_writing(directory)
        try:
            async with blobs_in(directory) as third:
                assert writer.path.exists()
                blob = await writer.commit(sha256=digest(BODY))
                assert await third.find(digest(BODY)) == blob
            assert other.stdout is not None
            assert other.stdout.readline() == "stored\n"
        finally:
            kill(other)


async def test_whatever_lies_in_incoming_goes_when_nobody_holds_it(tmp_path: Path) -> None:
    incoming = tmp_path / "blobs" / "incoming"
    (incoming / "0123" / "deeper").mkdir(parents=True)
    (incoming / "0123" / "partial").write_bytes(BODY)
    (incoming / "stray").write_bytes(BODY)
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "file").touch()
    (incoming / "link").symlink_to(outside)
    async with blobs_in(tmp_path / "blobs"):
        assert len(list(incoming.iterdir())) == 1
    assert list(incoming.iterdir()) == []
    assert (outside / "file").exists()


async def test_closing_twice_is_fine(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path / "blobs", observer=Heard())
    await blobs.aclose()
    await blobs.aclose()
