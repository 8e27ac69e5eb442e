"""Imported files are compared with their digests before they leave."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from inbond.gateway import imported_bytes
from inbond.gateway.imported_bytes import ImportedBytes
from inbond.model.errors import BytesLost, NotYet
from inbond.model.events import Alert, Event
from inbond.model.names import Filename
from inbond.store.blobs import DiskBlobs, open_blobs
from inbond.store.mirror_blobs import open_mirror_blobs
from inbond.store.protocols import Blob
from mirror.importing import Cargo, blob_path, fed, put_blob, taken_over
from sim.index import SimFile, SimIndex
from stack import Inbond

NAME = Filename("demo-1.0-py3-none-any.whl")


@pytest.fixture
async def index() -> AsyncIterator[SimIndex]:
    async with SimIndex() as running:
        yield running


def other_bytes(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[::-1])


def fewer_bytes(path: Path) -> None:
    path.chmod(0o600)
    path.write_bytes(path.read_bytes()[:-10])


def other_bytes_of_the_same_age(path: Path) -> None:
    status = path.stat()
    other_bytes(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


async def refused(far: Inbond, wheel: SimFile) -> str:
    status, body, answer = await far.get(await far.path_of("demo", wheel.filename))
    said = json.loads(body)
    assert (status, said["title"], "Retry-After" in answer.headers) == (503, "inbond cannot serve this now", True), said
    detail: str = said["detail"]
    return detail


HARMS = [other_bytes, fewer_bytes, other_bytes_of_the_same_age, Path.unlink]


@pytest.mark.parametrize("harm", HARMS)
async def test_a_damaged_file_never_leaves_and_says_what_to_do(
    tmp_path: Path, index: SimIndex, harm: Callable[[Path], None]
) -> None:
    wheel = index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    blob = blob_path(place, wheel.sha256)
    async with fed(place, index) as far:
        assert (await far.get(await far.path_of("demo", wheel.filename)))[:2] == (200, wheel.content)
        harm(blob)
        for _ in range(2):  # also where it has been removed by then
            assert await refused(far, wheel) == (
                f"{wheel.filename} was imported, and its bytes here are damaged or gone. "
                "Import the bundle that held it again."
            )
        assert not blob.exists()
        damaged = 0 if harm is Path.unlink else 1
        assert await far.metric("inbond_alerts_total", name="imported-file-damaged") == damaged
        await taken_over(tmp_path / "again", index, place, Cargo())
        assert (await far.get(await far.path_of("demo", wheel.filename)))[:2] == (200, wheel.content)


async def test_it_is_seen_by_a_process_that_has_never_served_it(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    place = tmp_path / "far"
    await taken_over(tmp_path / "here", index, place, Cargo())
    other_bytes(blob_path(place, wheel.sha256))
    async with fed(place, index) as far:
        assert "damaged or gone" in await refused(far, wheel)
        path = await far.path_of("demo", wheel.filename)
        assert (await far.get(f"{path}.metadata"))[:2] == (200, wheel.metadata)


# --- how it is told


@pytest.fixture
async def mirror(tmp_path: Path) -> AsyncIterator[DiskBlobs]:
    blobs = open_mirror_blobs(tmp_path / "blobs", observer=lambda _: None)
    yield blobs
    await blobs.aclose()


async def kept(blobs: DiskBlobs, content: bytes = b"content") -> Blob:
    blob = await blobs.find(await put_blob(blobs, content))
    assert blob is not None
    return blob


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Which files were read, in their order."""
    found: list[Path] = []
    really = imported_bytes._digest

    def digest(path: Path, *rest: object) -> object:
        found.append(path)
        return really(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(imported_bytes, "_digest", digest)
    return found


def soon(seconds: float = 30.0) -> float:
    return asyncio.get_running_loop().time() + seconds


async def test_a_file_is_read_once_and_again_where_it_is_another(mirror: DiskBlobs, read: list[Path]) -> None:
    known = ImportedBytes(mirror, lambda _: None)
    blob = await kept(mirror)
    for _ in range(2):
        assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 1
    other = blob.path.with_name("other")
    other.write_bytes(blob.path.read_bytes())
    other.rename(blob.path)
    assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 2
    await known.aclose()


async def test_many_who_ask_at_once_have_it_read_once(mirror: DiskBlobs, read: list[Path]) -> None:
    known = ImportedBytes(mirror, lambda _: None)
    blob = await kept(mirror)
    assert all(await asyncio.gather(*(known.whole(NAME, blob, until=soon()) for _ in range(9))))
    assert len(read) == 1
    await known.aclose()


async def test_who_cannot_wait_is_told_and_the_next_finds_it_done(mirror: DiskBlobs, read: list[Path]) -> None:
    known = ImportedBytes(mirror, lambda _: None)
    blob = await kept(mirror)
    with pytest.raises(NotYet, match="still being compared with its digest"):
        await known.whole(NAME, blob, until=soon(-1))
    assert await known.whole(NAME, blob, until=soon())
    assert len(read) == 1
    await known.aclose()


async def test_what_an_import_has_put_there_meanwhile_is_not_removed(
    mirror: DiskBlobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Event] = []
    known = ImportedBytes(mirror, told.append)
    blob = await kept(mirror)
    other_bytes(blob.path)
    really = imported_bytes._digest

    def digest(path: Path, *rest: object) -> object:
        found = really(path, *rest)  # type: ignore[arg-type]
        mended = path.with_name("mended")
        mended.write_bytes(b"content")
        mended.rename(path)
        return found

    monkeypatch.setattr(imported_bytes, "_digest", digest)
    assert not await known.whole(NAME, blob, until=soon())
    assert [event.name for event in told if isinstance(event, Alert)] == ["imported-file-damaged"]
    monkeypatch.undo()
    assert await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_a_disk_that_does_not_give_it_is_said(mirror: DiskBlobs, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> object:
        raise OSError(5, "Input/output error")

    known = ImportedBytes(mirror, lambda _: None)
    blob = await kept(mirror)
    monkeypatch.setattr(imported_bytes, "_digest", broken)
    with pytest.raises(BytesLost, match="cannot be read: Input/output error"):
        await known.whole(NAME, blob, until=soon())
    blob.path.unlink()
    with pytest.raises(FileNotFoundError):
        await known.whole(NAME, blob, until=soon())
    await known.aclose()


async def test_what_the_cache_fetched_is_none_of_them(mirror: DiskBlobs, tmp_path: Path) -> None:
    cache = open_blobs(tmp_path / "cache", observer=lambda _: None)
    assert not ImportedBytes(mirror, lambda _: None).among(await kept(cache))
    assert ImportedBytes(mirror, lambda _: None).among(await kept(mirror))
    assert not ImportedBytes(None, lambda _: None).among(await kept(mirror))
    await cache.aclose()
