"""The short form of what `make faults` does with many cold requests; then a worker is killed, and all are stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import aiohttp

from e2e.service import Service
from faults.storm import SIZES, stormed
from faults.table import Scale
from sim.index import SimIndex

LARGE = 9 * 2**20


def children(process: int) -> list[int]:
    """The processes that one has started."""
    return [int(one) for one in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


async def both_serve(session: aiohttp.ClientSession, origin: str) -> None:
    """Waits until the metrics say so."""
    async with asyncio.timeout(60):
        while True:
            async with session.get(f"{origin}/metrics") as answer:
                if "inbond_workers 2.0" in (await answer.text()).splitlines():
                    return
            await asyncio.sleep(0.1)


async def killed_and_stopped(service: Service, index: SimIndex) -> None:
    """A killed worker is started again, and a stop lets a download finish."""
    wheel = index.add_wheel("late", "1.0", size=LARGE)
    gate = index.gate(wheel.path, after=LARGE - 2**19)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
        killed, *_ = before = children(service.process.pid)
        os.kill(killed, signal.SIGKILL)
        async with asyncio.timeout(60):
            while killed in children(service.process.pid):
                await asyncio.sleep(0.01)
        await both_serve(session, service.origin)
        assert len(set(children(service.process.pid)) & set(before)) == 1
        async with session.get(f"{service.origin}{wheel.path}") as answer:
            early = await answer.content.readexactly(LARGE - 2**20)
            service.process.send_signal(signal.SIGTERM)
            gate.open()
            assert early + await answer.read() == wheel.content
    assert await asyncio.to_thread(service.process.wait, 60) == 0


async def test_each_cold_file_is_fetched_once_by_all_workers_which_are_started_again_and_stop(tmp_path: Path) -> None:
    table = await stormed(Scale.SHORT, tmp_path, afterwards=killed_and_stopped)
    assert not table.wrong
    size = SIZES[Scale.SHORT]
    assert table.pairs["downloads from upstream"] == str(size.files)
    assert table.pairs["right answers"] == str(size.requests)
    log = (tmp_path / "serve.log").read_text()
    assert "a worker has ended; it is started again" in log
    assert "worker=1" in log
    assert "worker=2" in log
