"""Imported files are compared with their digests before they leave."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from mirror.importing import Cargo, blob_path, fed, taken_over
from sim.index import SimFile, SimIndex
from stack import Inbond


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
        aside = place / "data" / "mirror" / "quarantine" / f"{wheel.sha256}.1"
        assert aside.exists() == (harm is not Path.unlink)
        damaged = 0 if harm is Path.unlink else 1
        assert await far.metric("inbond_alerts_total", name="imported-file-damaged") == damaged
        assert await far.metric("inbond_stored_files_damaged_total", place="mirror") == damaged
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
