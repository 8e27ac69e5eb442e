"""kill -9 in the middle of a download: right bytes afterwards, and nothing but those counts as content (P2)."""

from __future__ import annotations

import asyncio
import hashlib
import os
import urllib.request
from pathlib import Path

from e2e.service import Service, serving, until
from sim.index import SimFile, SimIndex

SIZE = 16 * 2**20


async def test_a_killed_download_leaves_a_beginning_that_is_gone_on_with(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", size=SIZE)
        gate = index.gate(wheel.path, after=10 * 2**20)
        with serving(tmp_path, index.url) as service:
            client = asyncio.create_task(asyncio.to_thread(read_until_cut, service, wheel))
            await gate.reached.wait()
            await asyncio.to_thread(until, lambda: partial_bytes(tmp_path) > 0)
            verifiers = children(service.process.pid)
            assert verifiers
            await asyncio.to_thread(service.kill)
            assert len(await client) < SIZE
            await asyncio.to_thread(until, lambda: not any(alive(pid) for pid in verifiers))
        gate.open()
        assert partial_bytes(tmp_path) > 0
        with serving(tmp_path, index.url) as service:
            body = await asyncio.to_thread(read_until_cut, service, wheel)
            assert hashlib.sha256(body).hexdigest() == wheel.sha256
            blobs = [file for file in (tmp_path / "data/cache/blobs/sha256").rglob("*") if file.is_file()]
            assert [file.name for file in blobs] == [wheel.sha256]
            assert partial_bytes(tmp_path) == 0
    first, rest = index.seen("file")
    assert "Range" not in first.headers
    assert rest.headers["Range"] != "bytes=0-"


def read_until_cut(service: Service, wheel: SimFile) -> bytes:
    body = bytearray()
    try:
        with urllib.request.urlopen(service.origin + wheel.path, timeout=30) as response:
            while piece := response.read1(2**16):
                body += piece
    except OSError:
        pass
    return bytes(body)


def partial_bytes(place: Path) -> int:
    incoming = place / "data/cache/blobs/incoming"
    return sum(file.stat().st_size for file in incoming.rglob("*") if file.is_file())


def children(pid: int) -> list[int]:
    return [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
