"""A file's bytes are on their way while its provenance is checked, and leave to nobody before."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.store.growing import DiskBlobWriter
from inbond.web.send import WHOLE_CHECK_BYTES
from sim.attested import attested_files
from sim.index import SimFile, SimIndex, Status
from stack import Inbond, inbond, sigstore

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


async def test_bytes_and_provenance_are_on_their_way_together_and_the_bytes_wait(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        file = attested(index)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("file") == 1 and index.count("provenance") == 1)
        await until(lambda: index.bytes_sent[file.path] == file.size)
        assert not asking.done()
        gate.open()
        status, body, _ = await asking
        assert (status, body) == (200, file.content)
        assert await sent(proxy) == {"upstream": file.size, "cache": 0}
        assert await proxy.metric("inbond_cache_lookups_total", kind="blob", result="miss") == 1
        assert (await proxy.get(file.path))[:2] == (200, file.content)
        assert index.count("file") == index.count("provenance") == 1


async def test_what_its_provenance_stops_leaves_to_nobody(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
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
    async with SimIndex() as index, inbond(tmp_path, index, more=more, ahead=True) as proxy:
        file = attested(index)
        assert (await proxy.get(file.path))[0] == status
        assert index.count("file") == (1 if status == 200 else 0)


async def test_what_is_too_young_is_not_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        file = attested(index, age=timedelta(hours=1))
        assert (await proxy.get(file.path))[0] == 403
        assert index.count("file") == 0


async def test_who_wants_no_bytes_has_none_fetched(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
        file = attested(index)
        assert (await proxy.get(f"{file.path}.metadata"))[:2] == (200, file.metadata)
        other = attested(index, "2.0")
        async with proxy.session.head(proxy.url(other.path)) as response:
            assert response.status in (200, 404)  # its page may be a moment old
        assert index.count("file") == 0


async def test_a_download_that_failed_early_is_told_as_it_would_be(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
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


async def test_a_large_file_that_has_passed_all_checks_leaves_while_the_disk_is_still_to_keep_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, sync = threading.Event(), DiskBlobWriter._sync

    def slowly(writer: DiskBlobWriter) -> None:
        assert kept.wait(60)
        sync(writer)

    monkeypatch.setattr(DiskBlobWriter, "_sync", slowly)
    async with SimIndex() as index, inbond(tmp_path, index, ahead=True) as proxy:
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
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        file = attested(index)
        gate = index.gate(file.provenance_path)
        asking = asyncio.create_task(proxy.get(file.path))
        await until(lambda: index.count("provenance") == 1)
        assert index.count("file") == 0
        gate.open()
        assert (await asking)[:2] == (200, file.content)
        assert [seen.kind for seen in index.requests] == ["page", "provenance", "file"]
