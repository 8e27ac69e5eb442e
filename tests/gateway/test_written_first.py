"""What a later answer rests on is on the disk before this one leaves: a process that is killed then takes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from inbond.store.documents import DiskDocuments
from sim.index import SimIndex
from stack import Inbond, inbond


@dataclass
class Held:
    """Lets nothing be written from a document on whose key begins so."""

    prefix: str
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go: asyncio.Event = field(default_factory=asyncio.Event)


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> Held:
    held = Held("nothing")
    put_many = DiskDocuments.put_many

    async def later(documents: DiskDocuments, values: Mapping[str, bytes | None]) -> None:
        if any(key.startswith(held.prefix) for key in values):
            held.reached.set()
            await held.go.wait()
        await put_many(documents, values)

    monkeypatch.setattr(DiskDocuments, "put_many", later)
    return held


async def path_of_odd_wheel(index: SimIndex, proxy: Inbond) -> str:
    """A wheel whose core metadata, which its index gives no digest of, is not what it holds."""
    wheel = index.add_wheel("demo", "1.0", upload_time=datetime(2026, 6, 1, tzinfo=UTC))
    assert wheel.metadata is not None
    other = wheel.metadata.replace(b"Version: 1.0", b"Version: 1.0\nRequires-Dist: other")
    index.change(wheel, metadata=other, metadata_hashes={})
    return await proxy.path_of("demo", wheel.filename)


@pytest.mark.parametrize("prefix", ["page/", "sent-metadata/", "why/"])
async def test_it_is_written_before_it_is_answered(tmp_path: Path, held: Held, prefix: str) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        path = await path_of_odd_wheel(index, proxy)
        if prefix == "why/":
            await proxy.get(f"{path}.metadata")
        if prefix == "page/":
            proxy.clock.advance(timedelta(hours=1))
        held.prefix = prefix
        asked = {"page/": "/simple/demo/", "sent-metadata/": f"{path}.metadata", "why/": path}[prefix]
        asking = asyncio.create_task(proxy.get(asked))
        async with asyncio.timeout(20):
            await held.reached.wait()
            done, _ = await asyncio.wait([asking], timeout=0.1)
            assert not done
            held.go.set()
            assert (await asking)[0] == (403 if prefix == "why/" else 200)


async def test_what_can_be_asked_for_again_is_not_waited_for(tmp_path: Path, held: Held) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        wheel = index.add_wheel("demo", "1.0")
        path = await proxy.path_of("demo", wheel.filename)
        held.prefix = "metadata/"
        async with asyncio.timeout(20):
            assert (await proxy.get(f"{path}.metadata"))[:2] == (200, wheel.metadata)
            await held.reached.wait()
            assert (await proxy.get(f"{path}.metadata"))[:2] == (200, wheel.metadata)
        held.go.set()
        assert index.count("metadata") == 1
