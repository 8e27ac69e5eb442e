"""A file's bytes are on their way while its provenance is checked, and leave to nobody before."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.gateway import early
from inbond.gateway.download import BEGINNING, Download
from inbond.gateway.off_loop import SMALL_PAGE_FILES
from inbond.store.growing import DiskBlobWriter
from inbond.store.standing_reader import StandingReader
from inbond.upstream.limits import DEFAULT
from inbond.web.send import WHOLE_CHECK_BYTES
from sim.attested import attested_files
from sim.index import Gate, SimFile, SimIndex, Status
from sim.sigstore_identities import GitHub
from stack import THREE_POLICIES, Inbond, inbond, sigstore

LONG_AGO = datetime(2025, 7, 1, tzinfo=UTC)


def attested(index: SimIndex, version: str = "1.0", *, age: timedelta | None = None) -> SimFile:
    uploaded = LONG_AGO if age is None else datetime.now(UTC) - age
    return attested_files(index, sigstore(), "demo", [version], uploaded=uploaded)[0]


async def until(done: Callable[[], bool], seconds: float = 20.0) -> None:
    async with asyncio.timeout(seconds):
        while not done():
            await asyncio.sleep(0.01)


async def sent(proxy: Inbond) -> dict[str, float]:
    return {source: await proxy.metric("inbond_file_bytes_total", source=source) for source in ("upstream", "cache")}


def blobs(place: Path) -> list[Path]:
    """The files of the cache, also those that are not whole."""
    found = (file for part in ("sha256", "incoming") for file in (place / "data/cache/blobs" / part).rglob("*"))
    return [file for file in found if file.is_file() and file.stat().st_size]


def downloads(proxy: Inbond) -> list[Download]:
    return [download for download, _ in proxy.up.gateway.downloads._running.values()]


async def reached(*gates: Gate) -> None:
    async with asyncio.timeout(20):
        for gate in gates:
            await gate.reached.wait()


def stopped(index: SimIndex, project: str) -> SimFile:
    """A file that only its provenance stops."""
    return index.add_wheel(project, "1.0", provenance=b"not json", upload_time=LONG_AGO)


async def test_bytes_and_provenance_are_on_their_way_together_and_the_bytes_wait(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("file") == 1 and index.count("provenance") == 1)
        await until(lambda: len(proxy.up.gateway.downloads) == 0)
        assert not asking.done()
        gate.open()
        status, body, _ = await asking
        assert (status, body) == (200, file.content)
        assert await sent(proxy) == {"upstream": 0, "cache": file.size}  # where it lies by now
        assert (await proxy.get(file.path))[:2] == (200, file.content)
        assert index.count("file") == index.count("provenance") == 1


async def test_what_is_still_on_its_way_at_the_verdict_is_followed(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        gate = index.gate(file.path)
        asking = asyncio.create_task(proxy.get(file.path))
        await reached(gate)
        async with asyncio.timeout(20):
            while not await proxy.metric("inbond_cache_lookups_total", kind="blob", result="miss"):
                await asyncio.sleep(0.01)
        gate.open()
        assert (await asking)[:2] == (200, file.content)
        assert await sent(proxy) == {"upstream": file.size, "cache": 0}
        assert index.count("file") == 1


@pytest.mark.parametrize("happens", ["evicted", "cut short"])
async def test_what_came_early_and_is_lost_again_before_the_verdict_is_fetched_anew(
    happens: str, tmp_path: Path
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("file") == 1 and len(proxy.up.gateway.downloads) == 0)
        [stored] = [one for one in blobs(tmp_path) if one.name == file.sha256]
        if happens == "evicted":
            stored.unlink()
        else:
            os.truncate(stored, 100)
        gate.open()
        assert (await asking)[:2] == (200, file.content)
        assert index.count("file") == 2


async def test_what_its_provenance_stops_leaves_to_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        index.change(file, provenance=b"not json")
        for _ in range(3):
            status, body, _ = await proxy.get(file.path)
            assert status == 403
            assert file.content not in body
        await until(lambda: len(proxy.up.gateway.downloads) == 0)
        assert index.count("file") == 1
        assert await sent(proxy) == {"upstream": 0, "cache": 0}


@pytest.mark.parametrize(
    ("policy", "status"),
    [
        ('deny = ["demo"]', 403),
        ('[[policies.default.rules]]\nprojects = ["demo"]\npublishers = ["github:else/*"]', 403),
        ('attestations = "off"\ncontinuity = "off"', 200),
    ],
)
async def test_a_verdict_that_can_be_foreseen_or_hangs_on_who_signed_comes_first(
    tmp_path: Path, policy: str, status: int
) -> None:
    more = f"[policies.default]\n{policy}\n"
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        file = attested(index)
        assert (await proxy.get(file.path))[0] == status
        assert index.count("file") == (1 if status == 200 else 0)


async def test_what_is_too_young_is_not_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index, age=timedelta(hours=1))
        assert (await proxy.get(file.path))[0] == 403
        assert index.count("file") == 0


async def test_who_wants_no_bytes_has_none_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        first, second = (attested(index, version) for version in ("1.0", "2.0"))
        for path in (first.path, f"{first.path}.metadata"):
            async with proxy.session.head(proxy.url(path)) as response:
                assert response.status == 200
        assert (await proxy.get(second.path, **{"If-None-Match": f'"{second.sha256}"'}))[0] == 304
        assert index.count("provenance") == 2
        assert index.count("file") == 0


async def test_a_download_that_failed_early_is_told_as_it_would_be(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        index.fault(file.path, Status(404))
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("file") == 1)
        gate.open()
        early = await asking
        later = await proxy.get(file.path)
        assert early[0] == later[0] == 404
        assert index.count("file") == 1


# --- what turns out to be for nobody


async def test_a_transfer_is_broken_off_once_the_verdict_stops_its_file(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = index.add_wheel("demo", "1.0", size=3 * 2**20, provenance=b"not json", upload_time=LONG_AGO)
        provenance, bytes_of = index.gate(file.provenance_path), index.gate(file.path, after=2 * 2**20)
        asking = [asyncio.create_task(proxy.get(file.path)) for _ in range(2)]
        await reached(bytes_of)
        await until(lambda: bool(blobs(tmp_path)))
        provenance.open()
        assert [(await one)[0] for one in asking] == [403, 403]
        await proxy.up.gateway.downloads.wait()
        assert blobs(tmp_path) == []
        bytes_of.open()
        assert await proxy.metric("inbond_downloads_in_flight") == 0
        assert index.count("file") == 1


async def test_a_transfer_that_somebody_else_may_have_goes_on(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, more=THREE_POLICIES) as proxy:
        file = stopped(index, "demo")
        provenance, bytes_of = index.gate(file.provenance_path), index.gate(file.path)
        denied = asyncio.create_task(proxy.get(file.path))
        await reached(bytes_of)
        allowed = asyncio.create_task(proxy.get(f"/off{file.path}"))
        async with asyncio.timeout(20):
            while not await proxy.metric("inbond_cache_lookups_total", kind="blob", result="miss"):
                await asyncio.sleep(0.01)
        provenance.open()
        assert (await denied)[0] == 403
        bytes_of.open()
        assert (await allowed)[:2] == (200, file.content)
        assert index.count("file") == 1


async def test_no_more_than_so_many_bytes_a_minute_come_for_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        files = [stopped(index, f"demo{number}") for number in range(4)]
        monkeypatch.setattr(early, "STOPPED_A_MINUTE", files[0].size + files[1].size)
        async with inbond(tmp_path, index) as proxy:
            gates = [index.gate(file.provenance_path) for file in files[:3]]
            asking = [asyncio.create_task(proxy.get(file.path)) for file in files[:3]]
            await reached(*gates)  # they may all turn out to be stopped
            for gate in gates:
                gate.open()
            assert [(await one)[0] for one in asking] == [403] * 3
            assert index.count("file") == 2
            proxy.clock.advance(timedelta(minutes=2))
            assert (await proxy.get(files[3].path))[0] == 403
            assert index.count("file") == 3


async def test_a_file_that_may_be_large_comes_after_its_verdict(tmp_path: Path) -> None:
    async with SimIndex(sizes=False) as index, inbond(tmp_path, index) as proxy:
        assert (await proxy.get(stopped(index, "demo").path))[0] == 403
        assert index.count("file") == 0


@pytest.mark.parametrize("good", [True, False], ids=["allowed", "stopped"])
async def test_of_a_large_file_only_the_beginning_comes_before_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, good: bool
) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        signer = sigstore().signer(GitHub(), issued=sigstore().now, integrated_time=sigstore().now)
        provenance = signer.provenance if good else b"not json"
        file = index.add_wheel("demo", "1.0", size=9 * 2**20, provenance=provenance, upload_time=LONG_AGO)
        monkeypatch.setattr(early, "LARGEST", file.size - 1)
        monkeypatch.setattr(early, "STOPPED_A_MINUTE", BEGINNING)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: bool(downloads(proxy)) and downloads(proxy)[0].arrived >= BEGINNING)
        (download,) = downloads(proxy)
        await asyncio.sleep(0.05)
        assert not download.received
        assert download.arrived < 2 * BEGINNING
        gate.open()
        status, body, _ = await asking
        assert (status, body == file.content) == ((200, True) if good else (403, False))
        await proxy.up.gateway.downloads.wait()
        assert index.count("file") == 1
        assert [one.name for one in blobs(tmp_path)] == ([file.sha256] if good else [])


@pytest.mark.parametrize(("places", "begun"), [(1, 0), (2, 1), (8, 2)])
async def test_most_download_places_are_for_files_that_may_leave(places: int, begun: int, tmp_path: Path) -> None:
    limits = replace(DEFAULT, downloads_at_once=places)
    async with SimIndex() as index, inbond(tmp_path, index, limits=limits) as proxy:
        files = [stopped(index, f"demo{number}") for number in range(3)]
        good = index.add_wheel("good", "1.0", upload_time=LONG_AGO)
        bytes_of = [index.gate(file.path) for file in files]
        gates = [index.gate(file.provenance_path) for file in files]
        asking = [asyncio.create_task(proxy.get(file.path)) for file in files]
        await reached(*gates)
        assert len(proxy.up.gateway.downloads) == begun
        assert (await proxy.get(good.path))[:2] == (200, good.content)
        for gate in (*gates, *bytes_of):
            gate.open()
        assert [(await one)[0] for one in asking] == [403] * 3


async def test_on_a_long_page_what_stands_is_read_on_the_event_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger's connection is the event loop's own."""
    threads: set[int] = set()
    version = StandingReader.version

    def watched(reader: StandingReader) -> object:
        threads.add(threading.get_ident())
        return version(reader)

    async with SimIndex() as index:
        file = attested(index)
        for number in range(SMALL_PAGE_FILES + 1):
            index.add_file("demo", f"demo-0.{number}.tar.gz", b"x", upload_time=LONG_AGO)
        async with inbond(tmp_path, index) as proxy:
            monkeypatch.setattr(StandingReader, "version", watched)
            gate = index.gate(file.provenance_path)
            asking = asyncio.create_task(proxy.get(file.path))
            await until(lambda: index.count("file") == 1)
            gate.open()
            assert (await asking)[0] == 200
            assert threads == {threading.get_ident()}


# --- the last bytes


async def test_a_large_file_that_has_passed_all_checks_leaves_while_the_disk_is_still_to_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, sync = threading.Event(), DiskBlobWriter._sync

    def slowly(writer: DiskBlobWriter) -> None:
        assert kept.wait(60)
        sync(writer)

    monkeypatch.setattr(DiskBlobWriter, "_sync", slowly)
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        large = index.add_wheel("demo", "1.0", size=WHOLE_CHECK_BYTES + 1)
        try:
            assert (await proxy.get(large.path))[:2] == (200, large.content)
            assert len(proxy.up.gateway.downloads) == 1
        finally:
            kept.set()
        await until(lambda: len(proxy.up.gateway.downloads) == 0)
        assert (await proxy.get(large.path))[:2] == (200, large.content)
        assert index.count("file") == 1


async def test_an_upstream_that_is_spared_is_asked_for_bytes_after_the_verdict(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=False) as proxy:
        file = attested(index)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("provenance") == 1)
        assert index.count("file") == 0
        gate.open()
        assert (await asking)[:2] == (200, file.content)
        assert [seen.kind for seen in index.requests] == ["page", "provenance", "file"]
