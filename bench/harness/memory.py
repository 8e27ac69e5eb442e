"""Proportional memory of all of a server's processes: after many pages, and with many clients on one large file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

from harness import plan as names
from harness.catalog import JSON
from harness.cold import at_once
from harness.compared import same_file
from harness.figures import Sample
from harness.processes import Running
from harness.raw import Kept
from harness.servers import INBOND, PROXPI, PROXY, Server
from harness.work import Bench, Work

SERVERS = (PROXY, INBOND, PROXPI)
LINES = 8  # connections that the pages are asked for on
LOOK_EVERY = 0.5  # seconds
NO_MORE_THAN = 1  # rounds: a process that has just begun is the same every time


def works() -> list[Work]:
    """The one: its two parts belong to the same life of a server."""
    return [
        Work(
            name="memory after pages, and with 200 clients on one cold file", group="memory", unit="MB",
            servers=SERVERS, reference=PROXY, parts=("giant",), run=_run, most_rounds=NO_MORE_THAN, own_servers=True,
        )
    ]  # fmt: skip


def _run(bench: Bench, to: Server, _: int) -> Sample:
    with bench.fresh(to.name) as server:
        assert server.running is not None
        extra = {"at start": server.running.memory()}
        asyncio.run(_pages(server, bench.plan.pages))
        after_pages = extra[f"after {bench.plan.pages:,} pages"] = server.running.memory()
        url = server.file(names.GIANT)
        with peak(server.running) as seen:
            got, seconds = asyncio.run(at_once(url, bench.plan.herd))
        same_file(bench.upstream, names.GIANT, url, got[0].sha256)
        extra |= {
            "added by the clients, at most": max(seen) - after_pages, "afterwards": server.running.memory(),
            "s of the file": seconds,
        }  # fmt: skip
    return Sample(value=max(seen), extra=extra)


async def _pages(server: Server, count: int) -> None:
    await asyncio.gather(*(_some(server, range(line, count, LINES)) for line in range(LINES)))


async def _some(server: Server, numbers: range) -> None:
    with closing(await Kept.to(server.origin)) as client:
        for number in numbers:
            got = await client.get(server.page(names.bulk(number)), {"Accept": JSON, "Accept-Encoding": "gzip"})
            assert got.status == 200, f"page {number} answers {got.status}"


@contextmanager
def peak(running: Running) -> Iterator[list[float]]:
    """Looks at the memory every now and then; what was seen is there after the block."""
    seen, over = [running.memory()], threading.Event()

    def look() -> None:
        while not over.wait(LOOK_EVERY):
            seen.append(running.memory())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield seen
    finally:
        over.set()
        looking.join()
