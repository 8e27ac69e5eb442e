"""What transfers left behind: kept for the next try, for a while, and never more than so much."""

from __future__ import annotations

import asyncio
import hashlib
import os
from contextlib import AsyncExitStack
from io import FileIO
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store import growing
from inbond.store import partials as module
from inbond.store.blobs import PARTIAL_SHARE, WORKERS, DiskBlobs, open_blobs
from inbond.store.disk import LocalDisk
from inbond.store.incoming import Incoming
from inbond.store.layered import LayeredBlobs
from inbond.store.partials import PARTIAL_KEPT, PARTIAL_MIN, Partials
from store.heard import Heard

BODY = bytes(range(256)) * (3 * 2**12)
SHA = hashlib.sha256(BODY).hexdigest()
BEGUN = BODY[: 2 * 2**20]


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def partial(directory: Path, sha256: str, size: int) -> Path:
    path = directory / f"{sha256}.{os.urandom(4).hex()}"
    path.write_bytes(bytes(size))
    return path


def dead_process(directory: Path, **files: bytes) -> Path:
    """What a killed process leaves: a directory that nobody holds."""
    dead = directory / "incoming" / "0123456789abcdef"
    dead.mkdir(parents=True)
    for name, content in files.items():
        (dead / name.replace("_", ".")).write_bytes(content)
    return dead


async def finish(blobs: DiskBlobs | LayeredBlobs, expected: int) -> None:
    async with blobs.writer(SHA) as writer:
        assert writer.size == expected == writer.readable
        await writer.write(BODY[expected:])
        blob = await writer.commit(sha256=SHA)
    assert blob.path.read_bytes() == BODY


async def test_what_was_left_is_gone_on_with(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    layered = LayeredBlobs(blobs)
    async with layered.writer(SHA) as writer:
        await writer.write(BEGUN)
        writer.leave()
    assert layered.left(SHA) == len(BEGUN)
    assert layered.left("0" * 64) == 0
    await finish(layered, len(BEGUN))
    assert blobs.left(SHA) == 0
    assert await blobs.find(SHA) is not None
    await blobs.aclose()


async def test_what_nobody_leaves_or_knows_or_is_short_is_removed(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
    async with blobs.writer() as writer:
        await writer.write(BEGUN)
        writer.leave()
    async with blobs.writer(SHA) as writer:
        await writer.write(BODY[: PARTIAL_MIN - 1])
        writer.leave()
    assert blobs.left(SHA) == 0
    assert list(tmp_path.glob("incoming/*/*")) == []
    await blobs.aclose()


async def test_a_writer_that_failed_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
        await writer.flush()

        def refuse(_file: object) -> None:
            raise OSError(5, "it does not")

        monkeypatch.setattr("inbond.store.growing._emptied", refuse)
        with pytest.raises(StoreUnavailable, match="anew"):
            await writer.restart()
        writer.leave()
    assert blobs.left(SHA) == 0
    assert list(tmp_path.glob("incoming/*/*")) == []
    await blobs.aclose()


async def test_a_file_begun_anew_is_as_if_it_had_never_been_begun(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    async with blobs.writer(SHA) as writer:
        await writer.write(b"other" * 2**20)
        await writer.restart()
        assert (writer.size, writer.readable, writer.path.stat().st_size) == (0, 0, 0)
        await writer.write(BODY)
        assert (await writer.commit(sha256=SHA)).path.read_bytes() == BODY
    await blobs.aclose()


async def test_a_killed_ones_beginning_is_taken_over(tmp_path: Path) -> None:
    dead_process(tmp_path, **{f"{SHA}_1234": BEGUN, f"{SHA}_5678": BEGUN + BEGUN[:10], "unnamed": BEGUN})
    blobs = open_blobs(tmp_path, observer=Heard())
    assert blobs.left(SHA) == len(BEGUN) + 10  # the longest
    assert len(list(tmp_path.glob("incoming/*/*"))) == 1
    await finish(blobs, len(BEGUN) + 10)
    await blobs.aclose()
    assert list(tmp_path.glob("incoming/*")) == []


async def test_what_was_not_taken_goes_with_the_process(tmp_path: Path) -> None:
    dead_process(tmp_path, **{f"{SHA}_1234": BEGUN})
    blobs = open_blobs(tmp_path, observer=Heard())
    assert blobs.left(SHA) == len(BEGUN)
    await blobs.aclose()
    assert list(tmp_path.glob("incoming/*")) == []


async def test_only_plain_files_are_taken_over(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(BEGUN)
    dead = dead_process(tmp_path)
    (dead / f"{SHA}.1234").symlink_to(outside)
    (dead / f"{SHA}.5678").mkdir()
    incoming = Incoming(tmp_path / "incoming")
    assert incoming.swept == 1
    assert incoming.partials.count == 0
    assert outside.read_bytes() == BEGUN
    assert list(incoming.directory.iterdir()) == []


async def test_what_was_left_and_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
        path = writer.path
        writer.leave()
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    await finish(blobs, 0)
    await blobs.aclose()


async def test_what_was_left_on_a_disk_that_does_not_read_is_begun_anew(tmp_path: Path) -> None:
    class Unreadable(LocalDisk):
        def extend(self, path: Path) -> FileIO:
            return FileIO(str(path), "a")

    blobs = open_blobs(tmp_path, observer=Heard(), disk=Unreadable())
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
        writer.leave()
    await finish(blobs, 0)
    await blobs.aclose()
    assert list(tmp_path.glob("incoming/*")) == []


def test_all_of_it_is_given_up_where_space_is_wanted(tmp_path: Path) -> None:
    partials = Partials()
    partials.add(SHA, partial(tmp_path, SHA, PARTIAL_MIN), PARTIAL_MIN)
    partials.clear()
    assert (partials.count, partials.left(SHA), list(tmp_path.iterdir())) == (0, 0, [])


async def test_what_is_left_may_take_a_share_of_the_cache(tmp_path: Path) -> None:
    """And goes before any stored file does, where both together are too much."""
    max_size = int(len(BEGUN) / PARTIAL_SHARE)
    stored = bytes(max_size - len(BEGUN) + 1)
    blobs = open_blobs(tmp_path, observer=Heard(), max_size=max_size)
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
        writer.leave()
    async with blobs.writer("0" * 64) as writer:
        await writer.write(BEGUN + b"more")
        writer.leave()
    assert (blobs.left(SHA), blobs.left("0" * 64)) == (0, 0)  # the one was too old, the other too large
    async with blobs.writer(SHA) as writer:
        await writer.write(BEGUN)
        writer.leave()
    assert blobs.left(SHA) == len(BEGUN)
    async with blobs.writer() as writer:
        await writer.write(stored)
        blob = await writer.commit(sha256=hashlib.sha256(stored).hexdigest())
    os.utime(blob.path, (0, 0))
    await blobs.settled()
    assert blobs.left(SHA) == 0
    assert await blobs.find(blob.sha256) == blob
    await blobs.aclose()


async def test_what_is_taken_up_leaves_the_disk_to_others_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blobs = open_blobs(tmp_path, observer=Heard())
    begun = [f"{number:064}" for number in range(WORKERS)]
    for sha256 in begun:
        async with blobs.writer(sha256) as writer:
            await writer.write(BEGUN)
            writer.leave()
    monkeypatch.setattr(growing, "PIECE_BYTES", 1)  # as if they were very long
    async with AsyncExitStack() as stack:
        taking_up = [asyncio.ensure_future(stack.enter_async_context(blobs.writer(sha256))) for sha256 in begun]
        await asyncio.sleep(0.01)
        assert await blobs.find(SHA) is None
        assert not any(one.done() for one in taking_up)
        monkeypatch.setattr(growing, "PIECE_BYTES", 2**20)
        assert [writer.size for writer in await asyncio.gather(*taking_up)] == [len(BEGUN)] * WORKERS
    await blobs.aclose()


def test_it_waits_for_so_long(tmp_path: Path) -> None:
    clock = Clock()
    partials = Partials(clock=clock)
    kept = [partial(tmp_path, sha256, PARTIAL_MIN) for sha256 in (SHA, "0" * 64)]
    partials.add(SHA, kept[0], PARTIAL_MIN)
    clock.now = PARTIAL_KEPT
    assert partials.left(SHA) == PARTIAL_MIN
    partials.add("0" * 64, kept[1], PARTIAL_MIN)
    clock.now += 1
    assert partials.left(SHA) == 0
    assert partials.take(SHA) is None
    assert list(tmp_path.iterdir()) == [kept[1]]
    assert partials.take("0" * 64) == kept[1]
    assert (partials.count, partials.size) == (0, 0)


def test_the_longest_of_one_file_is_kept(tmp_path: Path) -> None:
    partials = Partials()
    for size in (2 * PARTIAL_MIN, 3 * PARTIAL_MIN, PARTIAL_MIN):
        partials.add(SHA, partial(tmp_path, SHA, size), size)
    assert (partials.count, partials.size, partials.left(SHA)) == (1, 3 * PARTIAL_MIN, 3 * PARTIAL_MIN)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(("files", "size"), [(3, 10 * PARTIAL_MIN), (10, 3 * PARTIAL_MIN)])
def test_there_are_never_more_than_so_many(
    files: int, size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_PARTIALS", files)
    partials = Partials(max_bytes=size)
    for number in range(5):
        partials.add(f"{number:064}", partial(tmp_path, f"{number:064}", PARTIAL_MIN), PARTIAL_MIN)
    assert [partials.left(f"{number:064}") > 0 for number in range(5)] == [False, False, True, True, True]
    assert len(list(tmp_path.iterdir())) == partials.count == 3
