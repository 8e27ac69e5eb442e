"""What was imported stays, whatever else comes and whoever else is at work, and is found below what the cache has."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inbond.model.errors import StoreUnavailable
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.eviction import GRACE_SECONDS
from inbond.store.layered import LayeredBlobs
from inbond.store.mirror_blobs import open_mirror_blobs
from store.heard import Heard
from store.test_blobs import BODY, backdate, digest, files_below, store

BODIES = [bytes([n]) * 5000 for n in range(8)]


@pytest.fixture
async def mirror(tmp_path: Path) -> AsyncIterator[DiskBlobs]:
    opened = open_mirror_blobs(tmp_path / "mirror" / "blobs", observer=Heard())
    yield opened
    await opened.aclose()


@pytest.fixture
async def cache(tmp_path: Path) -> AsyncIterator[DiskBlobs]:
    opened = open_blobs(tmp_path / "cache", observer=Heard(), max_size=10_000)
    yield opened
    await opened.aclose()


async def test_what_was_imported_is_never_evicted_and_the_cache_beside_it_is(
    mirror: DiskBlobs, cache: DiskBlobs
) -> None:
    for body in BODIES:
        for blobs in (mirror, cache):
            backdate((await store(blobs, body)).path, GRACE_SECONDS * 100)
            await blobs.settled()
    assert [await mirror.find(digest(body)) is not None for body in BODIES] == [True] * len(BODIES)
    assert sum([await cache.find(digest(body)) is not None for body in BODIES]) < len(BODIES)


async def test_a_server_finds_what_another_process_brings_while_both_are_open(
    tmp_path: Path, mirror: DiskBlobs
) -> None:
    assert await mirror.find(digest(BODY)) is None
    importer = open_mirror_blobs(tmp_path / "mirror" / "blobs", observer=Heard())
    async with importer.writer() as growing:
        await growing.write(BODY)
        await growing.flush()
        assert await mirror.find(digest(BODY)) is None
        third = open_mirror_blobs(tmp_path / "mirror" / "blobs", observer=Heard())  # sweeps what the dead left
        await third.aclose()
        await growing.commit(sha256=digest(BODY))
    await importer.aclose()
    blob = await mirror.find(digest(BODY))
    assert blob is not None
    assert blob.path.read_bytes() == BODY


async def test_two_that_bring_the_same_at_once_leave_it_once(tmp_path: Path, mirror: DiskBlobs) -> None:
    other = open_mirror_blobs(tmp_path / "mirror" / "blobs", observer=Heard())
    await asyncio.gather(*(store(blobs, body) for body in BODIES for blobs in (mirror, other)))
    await other.aclose()
    assert [path.name for path in files_below(tmp_path)] == sorted(map(digest, BODIES))


WRITING = """
import asyncio, sys
from pathlib import Path
from inbond.model.events import unobserved
from inbond.store.mirror_blobs import open_mirror_blobs

async def main() -> None:
    blobs = open_mirror_blobs(Path(sys.argv[1]), observer=unobserved)
    async with blobs.writer() as writer:
        await writer.write(b"half of a file")
        await writer.flush()
        print("written", flush=True)
        sys.stdin.readline()

asyncio.run(main())
"""


async def test_what_a_killed_import_left_growing_goes_when_the_next_begins(tmp_path: Path, mirror: DiskBlobs) -> None:
    kept = await store(mirror, BODY)
    place = tmp_path / "mirror" / "blobs"
    with subprocess.Popen(
        [sys.executable, "-c", WRITING, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as importer:
        assert importer.stdout is not None
        assert importer.stdout.readline() == b"written\n"
        beside = open_mirror_blobs(place, observer=Heard())
        assert len(files_below(place)) == 2  # it lives: what it writes is its own
        importer.kill()
        importer.wait()
    await open_mirror_blobs(place, observer=Heard()).aclose()
    await beside.aclose()
    assert files_below(place) == [kept.path]


async def test_a_directory_that_is_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs").symlink_to(tmp_path)
    with pytest.raises(StoreUnavailable, match="not a directory"):
        open_mirror_blobs(tmp_path / "blobs", observer=Heard())


async def test_layers_are_looked_through_in_order(mirror: DiskBlobs, cache: DiskBlobs) -> None:
    layered = LayeredBlobs(cache, mirror)
    assert await layered.find(digest(BODIES[0])) is None
    below = await store(mirror, BODIES[0])
    assert await layered.find(digest(BODIES[0])) == below
    above = await store(cache, BODIES[0])
    assert await layered.find(digest(BODIES[0])) == above
    with pytest.raises(ValueError, match="no sha256"):
        await layered.find("md5")


async def test_what_is_written_and_removed_is_the_firsts(mirror: DiskBlobs, cache: DiskBlobs) -> None:
    layered = LayeredBlobs(cache, mirror)
    below = await store(mirror, BODIES[0])
    async with layered.writer() as writer:
        await writer.write(BODIES[0])
        blob = await writer.commit(sha256=digest(BODIES[0]))
    assert await cache.find(digest(BODIES[0])) == blob
    await layered.remove(digest(BODIES[0]))
    assert await cache.find(digest(BODIES[0])) is None
    assert await layered.find(digest(BODIES[0])) == below


async def test_what_is_leased_stays_wherever_it_lies(tmp_path: Path, cache: DiskBlobs) -> None:
    other = open_blobs(tmp_path / "other", observer=Heard(), max_size=10_000)
    layered = LayeredBlobs(cache, other)
    with layered.lease(digest(BODIES[0])):
        for blobs in (cache, other):
            for body in BODIES:
                backdate((await store(blobs, body)).path, GRACE_SECONDS * 100)
                await blobs.settled()
        assert await cache.find(digest(BODIES[0])) is not None
        assert await other.find(digest(BODIES[0])) is not None
    for blobs in (cache, other):
        backdate(tmp_path / blobs_name(blobs, cache) / "sha256" / digest(BODIES[0])[:2] / digest(BODIES[0]), 10**6)
        for body in BODIES[1:]:
            backdate((await store(blobs, body)).path, GRACE_SECONDS * 100)
            await blobs.settled()
        assert await blobs.find(digest(BODIES[0])) is None
    await other.aclose()


def blobs_name(blobs: DiskBlobs, cache: DiskBlobs) -> str:
    return "cache" if blobs is cache else "other"
