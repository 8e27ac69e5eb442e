"""A file's bytes are on their way once its core metadata was given: for whom, how much, and what a failure leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway import early, files_ahead, likely
from inbond.gateway.download import BEGINNING
from inbond.upstream.limits import DEFAULT
from sim.attested import attested_files
from sim.index import Gate, SimFile, SimIndex, Status
from sim.index_faults import Fault, Mute, WrongBytes
from stack import SetClock, inbond, sigstore

LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)
SOON = replace(DEFAULT, attempts=1, guess=0.2)


def added(index: SimIndex, version: str = "1.0", project: str = "demo", *, size: int | None = None) -> SimFile:
    return index.add_wheel(project, version, size=size, upload_time=LONG_AGO)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not done():
            await asyncio.sleep(0.01)


async def reached(gate: Gate) -> None:
    async with asyncio.timeout(20):
        await gate.reached.wait()


async def nothing_under_way() -> None:
    """Waits until all has ended that was begun for nobody."""
    await until(lambda: not any("Ahead" in repr(task.get_coro()) for task in asyncio.all_tasks()))


def files(index: SimIndex) -> list[str]:
    return [seen.path for seen in index.seen("file")]


def stored(place: Path) -> list[Path]:
    """The files of the cache, also those that are not whole."""
    found = (file for part in ("sha256", "incoming") for file in (place / "data/cache/blobs" / part).rglob("*"))
    return [file for file in found if file.is_file() and file.stat().st_size]


async def test_whoever_was_given_core_metadata_finds_the_file_stored(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = added(index)
        for _ in range(3):
            assert (await proxy.get(f"{file.path}.metadata"))[:2] == (200, file.metadata)
            await nothing_under_way()
        assert (await proxy.get(file.path))[:2] == (200, file.content)
        assert files(index) == [file.path]
        assert await proxy.metric("inbond_upstream_ahead_total", kind="file") == 1
        assert await proxy.metric("inbond_file_bytes_total", source="cache") == file.size


async def test_whoever_asks_meanwhile_joins_the_download(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = added(index)
        gate = index.gate(file.path, after=1)
        await proxy.get(f"{file.path}.metadata")
        await reached(gate)
        asking = asyncio.create_task(proxy.get(file.path))
        async with asyncio.timeout(20):
            while not await proxy.metric("inbond_cache_lookups_total", kind="blob", result="miss"):
                await asyncio.sleep(0.01)
        gate.open()
        assert (await asking)[:2] == (200, file.content)
        assert files(index) == [file.path]


@pytest.mark.parametrize("trouble", [Status(404), Status(503), WrongBytes()], ids=str)
async def test_of_a_failure_nothing_is_left_and_whoever_asks_has_it_asked_for_anew(
    tmp_path: Path, trouble: Fault
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, limits=SOON) as proxy:
        file = added(index)
        index.fault(file.path, trouble, times=1)
        await proxy.get(f"{file.path}.metadata")
        await until(lambda: bool(files(index)))
        await nothing_under_way()
        assert stored(tmp_path) == []
        await proxy.get(f"{file.path}.metadata")
        await nothing_under_way()
        assert files(index) == [file.path]
        assert "yanked" not in {key for key, value in (await proxy.listed("demo", file.filename)).items() if value}
        assert (await proxy.get(file.path))[:2] == (200, file.content)
        assert files(index) == [file.path] * 2
        assert proxy.up.parts.base.upstreams["pypi"].at_ease


async def test_whoever_joins_one_that_hangs_has_it_asked_for_anew(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, limits=SOON) as proxy:
        file = added(index)
        index.fault(file.path, Mute(), times=1)
        await proxy.get(f"{file.path}.metadata")
        await until(lambda: bool(files(index)))
        assert (await proxy.get(file.path))[:2] == (200, file.content)
        assert files(index) == [file.path] * 2


async def test_whoever_stops_inbond_does_not_wait_for_what_nobody_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = added(index)
        gate = index.gate(file.path, after=1)
        await proxy.get(f"{file.path}.metadata")
        await reached(gate)
        assert len(proxy.up.gateway.downloads) == 1
        async with asyncio.timeout(20):
            await proxy.up.gateway.downloads.wait()
        assert len(proxy.up.gateway.downloads) == 1


async def test_who_asks_for_core_metadata_at_the_same_time_begins_one_download(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = added(index, size=300_000)
        gate = index.gate(file.path, after=1)
        await asyncio.gather(*(proxy.get(f"{file.path}.metadata") for _ in range(20)))
        await reached(gate)
        assert await proxy.metric("inbond_upstream_ahead_total", kind="file") == 1
        gate.open()
        await nothing_under_way()
        assert files(index) == [file.path]


async def test_of_a_project_the_last_is_fetched_that_was_asked_about_and_soon_none(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        *versions, later = [added(index, f"{number}.0") for number in range(6)]
        first = index.gate(versions[0].path, after=1)
        for file in versions:
            await proxy.get(f"{file.path}.metadata")
            await (reached(first) if file is versions[0] else nothing_under_way())
        assert files(index) == [file.path for file in versions[:3]]
        assert sorted(one.name for one in stored(tmp_path)) == sorted(file.sha256 for file in versions[1:3])
        assert (await proxy.get(versions[2].path))[0] == 200
        await proxy.get(f"{later.path}.metadata")
        await until(lambda: files(index)[3:] == [later.path])


@pytest.mark.parametrize("because", ["spared", "large", "no size", "budget", "places", "stopped", "nobody wants any"])
async def test_it_is_left_to_whoever_asks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, because: str) -> None:
    limits = replace(DEFAULT, downloads_at_once=1) if because == "places" else DEFAULT
    more = {"spared": "ahead = false\n", "stopped": '[policies.default]\ndeny = ["demo"]\n'}.get(because, "")
    async with SimIndex(sizes=because != "no size") as index:
        file = added(index)
        if because == "large":
            monkeypatch.setattr(files_ahead, "LARGEST", file.size - 1)
        if because == "budget":
            monkeypatch.setattr(early, "STOPPED_A_MINUTE", file.size - 1)
        if because == "nobody wants any":
            monkeypatch.setattr(likely, "MAX_FILES_UNWANTED", 0)
        async with inbond(tmp_path, index, more=more, limits=limits) as proxy:
            assert (await proxy.get(f"{file.path}.metadata"))[0] == (403 if because == "stopped" else 200)
            await nothing_under_way()
            assert files(index) == []
            assert (await proxy.get(file.path))[0] == (403 if because == "stopped" else 200)


async def test_what_somebody_asks_for_after_all_leaves_room_for_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        several = [added(index, project=f"demo{number}") for number in range(3)]
        monkeypatch.setattr(early, "STOPPED_A_MINUTE", several[0].size + 10)
        clock = SetClock()
        async with inbond(tmp_path, index, clock=clock) as proxy:
            for file in several[:2]:
                await proxy.get(f"{file.path}.metadata")
                await nothing_under_way()
            assert files(index) == [several[0].path]
            assert (await proxy.get(several[0].path))[0] == 200
            await proxy.get(f"{several[2].path}.metadata")
            await nothing_under_way()
            assert files(index) == [several[0].path, several[2].path]


async def test_what_is_stored_already_is_not_asked_for(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = added(index)
        assert (await proxy.get(file.path))[0] == 200
        await proxy.get(f"{file.path}.metadata")
        await nothing_under_way()
        assert files(index) == [file.path]


# --- by a page alone


def sdist(index: SimIndex, size: int = 3 * 2**20) -> SimFile:
    """A file that has no core metadata to ask for first."""
    return index.add_file("demo", "demo-1.0.zip", b"x" * size, upload_time=LONG_AGO)


async def test_of_a_file_without_core_metadata_the_beginning_comes_with_its_page(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more='[policies.default]\nsdists = "allow"\n') as proxy:
        file = sdist(index)
        path = await proxy.path_of("demo", file.filename)
        await until(lambda: bool(files(index)))
        (download,) = [one for one, _ in proxy.up.gateway.downloads._running.values()]
        await until(lambda: download.arrived >= BEGINNING)
        assert not download.received
        assert (await proxy.get(path))[1] == file.content
        assert files(index) == [file.path]


async def test_what_nobody_asks_for_is_broken_off_and_asked_for_anew_by_whoever_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files_ahead, "ABANDONED_AFTER", 0.05)
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = sdist(index)
        path = await proxy.path_of("demo", file.filename)
        await until(lambda: bool(files(index)))
        await nothing_under_way()
        await proxy.up.gateway.downloads.wait()
        assert stored(tmp_path) == []
        assert (await proxy.get(path))[1] == file.content
        assert files(index) == [file.path] * 2


async def test_a_small_one_comes_whole(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = sdist(index, 1000)
        path = await proxy.path_of("demo", file.filename)
        await until(lambda: [one.name for one in stored(tmp_path)] == [file.sha256])
        assert (await proxy.get(path))[1] == file.content
        assert files(index) == [file.path]


async def test_core_metadata_of_a_young_release_comes_while_its_page_waits_for_evidence(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        uploaded = datetime.now(UTC) - timedelta(days=3)
        (file,) = attested_files(index, sigstore(), "demo", ["1.0"], uploaded=uploaded)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.page("demo"))
        await until(lambda: index.count("metadata") == 1)
        assert not asking.done()
        gate.open()
        await asking
        assert (await proxy.get(f"{file.path}.metadata"))[:2] == (200, file.metadata)
        assert index.count("metadata") == index.count("provenance") == 1


async def test_while_a_page_waits_nothing_comes_that_hangs_on_who_signed_it(tmp_path: Path) -> None:
    more = '[[policies.default.rules]]\nprojects = ["demo"]\npublishers = ["github:else/*"]\n'
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        uploaded = datetime.now(UTC) - timedelta(days=3)
        attested_files(index, sigstore(), "demo", ["1.0"], uploaded=uploaded)
        await proxy.page("demo")
        await nothing_under_way()
        assert index.count("metadata") == index.count("file") == 0


@pytest.mark.parametrize(("pinned", "comes"), [("", 1), ('publishers = ["github:else/*"]\n', 0)])
async def test_by_its_page_nothing_comes_that_hangs_on_who_signed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pinned: str, comes: int
) -> None:
    monkeypatch.setattr(likely, "MAX_UNWANTED", 1)
    more = f'[[policies.default.rules]]\nprojects = ["demo"]\nsdists = "allow"\n{pinned}'
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        attested_files(index, sigstore(), "other", ["1.0"], uploaded=LONG_AGO)
        attested_files(index, sigstore(), "demo", ["1.0"], uploaded=LONG_AGO)
        await proxy.page("other")  # its core metadata is had, and from then on none: nobody asked for it
        await nothing_under_way()
        before = index.count("file")
        await proxy.page("demo")
        await nothing_under_way()
        assert index.count("file") == before + comes
