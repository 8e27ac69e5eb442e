"""A disk without space: files are passed on without being stored, loudly, and stored again when there is space."""

from __future__ import annotations

import asyncio
import errno
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from io import FileIO
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from inbond.store import blobs, disk, room, space
from sim.index import SimIndex
from stack import ONE_INDEX, Inbond, inbond

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

LARGE = 12 * 2**20  # more than is checked whole before its headers go
ALL_OF_IT = 900  # times the disk: a reserve that no disk has
CONFIG = ONE_INDEX.replace("[storage]\n", '[storage]\nreserve = "999TB"\n')


class Disk:
    """How full the disk is, as far as inbond sees."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._patch = patch
        self.frees()
        patch.setattr(room, "RECHECK_SECONDS", 0.05)

    def fills(self) -> None:
        """Less than the reserve is free."""
        self._patch.setattr(space, "RESERVE_SHARE", ALL_OF_IT)

    def frees(self) -> None:
        """The reserve is there."""
        self._patch.setattr(space, "RESERVE_SHARE", 0.0)


@pytest.fixture(name="storage")
def _storage(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


@asynccontextmanager
async def proxied(tmp_path: Path) -> AsyncIterator[tuple[SimIndex, Inbond]]:
    async with SimIndex() as index, inbond(tmp_path, index, config=CONFIG) as proxy:
        yield index, proxy


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not done():
            await asyncio.sleep(0.01)


def stored(tmp_path: Path) -> set[str]:
    return {path.name for path in (tmp_path / "data" / "cache" / "blobs" / "sha256").rglob("*") if path.is_file()}


async def advice(proxy: Inbond) -> str | None:
    async with proxy.session.get(proxy.url("/-/ready")) as response:
        assert response.status == 200
        said: str | None = (await response.json())["advice"].get("storage")
        return said


async def test_files_are_passed_on_unstored_until_there_is_space(tmp_path: Path, storage: Disk) -> None:
    async with proxied(tmp_path) as (index, proxy):
        warm, cold = index.add_wheel("warm", "1.0"), index.add_wheel("cold", "1.0", size=LARGE)
        await proxy.get(warm.path)
        storage.fills()
        for _ in range(2):
            status, body, _ = await proxy.get(cold.path)
            assert (status, hashlib.sha256(body).hexdigest()) == (200, cold.sha256)
        assert index.count("file", path=cold.path) == 1  # as long as it is among the latest
        status, names, _ = await proxy.get("/simple/")
        assert (status, b"cold" in names) == (200, True)
        assert (await proxy.get(warm.path))[1] == warm.content
        assert index.count("file", path=warm.path) == 1
        assert stored(tmp_path) == {warm.sha256}
        assert await proxy.metric("inbond_alerts_total", name="disk-full") == 1
        assert await proxy.metric("inbond_storing") == 0
        assert "are to stay free" in (await advice(proxy) or "")

        storage.frees()
        await until(lambda: proxy.up.metrics.registry.get_sample_value("inbond_storing") == 1)
        assert await advice(proxy) is None
        await proxy.get(cold.path)
        await until(lambda: stored(tmp_path) == {warm.sha256, cold.sha256})


async def test_a_disk_that_fills_while_a_file_is_on_its_way_costs_no_client_a_byte(
    tmp_path: Path, storage: Disk
) -> None:
    async with proxied(tmp_path) as (index, proxy):
        wheel = index.add_wheel("demo", "1.0", size=2 * LARGE)
        gate = index.gate(wheel.path, after=10 * 2**20)
        first = asyncio.create_task(proxy.get(wheel.path))
        await gate.reached.wait()
        async with proxy.session.get(proxy.url(wheel.path)) as second:
            begun = await second.content.readexactly(9 * 2**20)
            storage.fills()
            gate.open()
            assert begun + await second.read() == wheel.content
        assert (await first)[1] == wheel.content
        assert index.count("file") == 1
        assert stored(tmp_path) == set()
        assert await proxy.metric("inbond_storing") == 0


async def test_a_disk_that_refuses_in_the_middle_costs_no_client_a_byte(
    tmp_path: Path, storage: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ENOSPC comes where the reserve could not be seen in time, or a quota is reached."""
    full = False

    class Filling(FileIO):
        def write(self, data: ReadableBuffer, /) -> int:
            if full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def create(_self: disk.LocalDisk, path: Path) -> FileIO:
        path.touch(mode=0o600, exist_ok=False)
        return Filling(str(path), "r+")

    monkeypatch.setattr(disk.LocalDisk, "create", create)
    async with proxied(tmp_path) as (index, proxy):
        wheel, other = index.add_wheel("demo", "1.0", size=LARGE), index.add_wheel("other", "1.0")
        gate = index.gate(wheel.path, after=10 * 2**20)
        getting = asyncio.create_task(proxy.get(wheel.path))
        await gate.reached.wait()
        full = True
        gate.open()
        assert (await getting)[1] == wheel.content
        assert (await proxy.get(other.path))[1] == other.content
        assert stored(tmp_path) == set()
        assert "No space left" in (await advice(proxy) or "")
        full = False
        await until(lambda: proxy.up.metrics.registry.get_sample_value("inbond_storing") == 1)
        await proxy.get(other.path)
        assert stored(tmp_path) == {other.sha256}
    assert storage is not None


async def test_what_does_not_fit_into_memory_either_is_refused_with_a_remedy(
    tmp_path: Path, storage: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blobs, "UNSTORED_BYTES", 10 * 2**20)
    async with proxied(tmp_path) as (index, proxy):
        large = index.add_wheel("large", "1.0", size=LARGE)
        small = [index.add_wheel("small", f"1.{number}", size=6 * 2**20) for number in range(2)]
        storage.fills()
        status, body, response = await proxy.get(large.path)
        assert (status, response.headers["Retry-After"]) == (503, "5")
        assert b"free some space" in body.lower()
        for wheel in small:  # the memory of those before is given back, and that of the latest where it is needed
            assert (await proxy.get(wheel.path))[1] == wheel.content
