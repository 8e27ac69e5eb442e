"""Proportional memory of all of a server's processes: after many pages, and with many clients on one large file."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

from harness import plan as names
from harness.catalog import JSON
from harness.cold import at_once
from harness.compared import same_file
from harness.figures import Sample
from harness.processes import Running
from harness.raw import Kept
from harness.servers import INBOND, PROXPI, PROXY, Server
from harness.work import Bench, Work

T = TypeVar("T")
SERVERS = (PROXY, INBOND, PROXPI)
LINES = 8  # connections that the pages are asked for on
LOOK_EVERY = 0.5  # seconds
TELL_EVERY = 20  # seconds, of work that takes minutes
TOLD = (
    "The pages are many and small, each asked for once. Every client of the file takes it whole, and all but the first "
    "throw it away as it comes; what they wait for is mostly that all of it goes through the machine."
)
NO_MORE_THAN = 1  # rounds: a process that has just begun is the same every time


def works() -> list[Work]:
    """The one: its two parts belong to the same life of a server."""
    return [
        Work(
            name="memory after pages, and with 200 clients on one cold file", group="memory", unit="MB",
            servers=SERVERS, reference=PROXY, parts=("giant",), run=_run, most_rounds=NO_MORE_THAN, own_servers=True,
            told=TOLD,
        )
    ]  # fmt: skip


def _run(bench: Bench, to: Server, _: int) -> Sample:
    pages, clients = bench.plan.pages, bench.plan.herd
    with bench.fresh(to.name) as server:
        running = server.running
        assert running is not None
        extra = {"at start": running.memory()}
        told = Told(f"{to.name}, {pages:,} pages", running)
        extra["s of the pages"] = asyncio.run(told.all_the_while(_pages(server, pages, told)))
        after_pages = extra[f"after {pages:,} pages"] = running.memory()
        url = server.file(names.GIANT)
        with peak(running) as seen:
            told = Told(f"{to.name}, {clients} clients", running)
            got, seconds = asyncio.run(told.all_the_while(at_once(url, clients, told.count)))
        same_file(bench.upstream, names.GIANT, url, got[0].sha256)
        extra |= {
            "added by the clients, at most": max(seen) - after_pages, "afterwards": running.memory(),
            "s of the file": seconds,
        }  # fmt: skip
    return Sample(value=max(seen), extra=extra)


class Told:
    """Tells how far it is, in what takes minutes: whoever waits sees whether anything moves."""

    def __init__(self, what: str, running: Running) -> None:
        self._what, self._running = what, running
        self._done = 0

    def count(self) -> None:
        """One more is done."""
        self._done += 1

    async def all_the_while(self, work: Coroutine[None, None, T]) -> T:
        """The work's own result."""
        telling = asyncio.create_task(self._tell())
        try:
            return await work
        finally:
            telling.cancel()
            await asyncio.gather(telling, return_exceptions=True)

    async def _tell(self) -> None:
        begun = time.monotonic()
        while True:
            await asyncio.sleep(TELL_EVERY)
            passed, memory = time.monotonic() - begun, await asyncio.to_thread(self._running.memory)
            print(f"  {self._what}: {self._done:,} done after {passed:.0f} s, {memory:.0f} MB", flush=True)


async def _pages(server: Server, count: int, told: Told) -> float:
    """Asks for all of them; the seconds that it takes."""
    begun = time.monotonic()
    await asyncio.gather(*(_some(server, range(line, count, LINES), told) for line in range(LINES)))
    return time.monotonic() - begun


async def _some(server: Server, numbers: range, told: Told) -> None:
    with closing(await Kept.to(server.origin)) as client:
        for number in numbers:
            got = await client.get(server.page(names.bulk(number)), {"Accept": JSON, "Accept-Encoding": "gzip"})
            assert got.status == 200, f"page {number} answers {got.status}"
            told.count()


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
