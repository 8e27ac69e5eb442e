"""Many simultaneous requests for files that nobody has yet, over several workers: each is fetched once."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Final

import aiohttp
from yarl import URL

from e2e.service import Service, serving
from faults.table import Scale, Table
from sim.index import SimFile, SimIndex


@dataclass(frozen=True, kw_only=True)
class Size:
    """How much of it."""

    workers: int
    requests: int
    files: int
    bytes: int  # of most files
    large: int  # bytes of every tenth, which leaves before it has arrived


Afterwards = Callable[[Service, SimIndex], Awaitable[None]]
SIZES: Final = {
    Scale.SHORT: Size(workers=2, requests=60, files=6, bytes=300_000, large=9_000_000),
    Scale.LONG: Size(workers=4, requests=1000, files=50, bytes=1_000_000, large=12_000_000),
}
JSON: Final = "application/vnd.pypi.simple.v1+json"
OVERLOADED: Final = frozenset({HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})
TIMES: Final = 6  # that a client asks, as pip does
PATIENCE: Final = aiohttp.ClientTimeout(total=100)
INTRO: Final = """\
All clients ask at once, as evenly over the files as can be, of a server with several workers that has the pages and
none of the files. Upstream counts what it is asked for; each client compares the bytes that it got with those upstream
has. Who is told to come back later does, as installers do."""


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(stormed(scale, scratch))


async def stormed(scale: Scale, scratch: Path, *, afterwards: Afterwards | None = None) -> Table:
    """Asks, and compares. `afterwards`: what else is done with the same server."""
    size = SIZES[scale]
    async with SimIndex() as index:
        sizes = [size.bytes if number % 10 else size.large for number in range(size.files)]
        files = [index.add_wheel(f"demo{number}", "1.0", size=one) for number, one in enumerate(sizes)]
        config = {"INBOND_SERVER__WORKERS": str(size.workers), "INBOND_SERVER__MAX_REQUESTS": "4000"}
        async with _running(scratch, index.url, config) as service:
            table = await _asked(service.origin, index, files, size)
            if afterwards is not None:
                await afterwards(service, index)
            return table


@asynccontextmanager
async def _running(scratch: Path, upstream: str, config: dict[str, str]) -> AsyncIterator[Service]:
    """A server, started and stopped while upstream answers in this process."""
    with ExitStack() as stack:
        service = await asyncio.to_thread(stack.enter_context, serving(scratch, upstream, **config))
        try:
            yield service
        finally:
            await asyncio.to_thread(stack.close)


async def _asked(origin: str, index: SimIndex, files: list[SimFile], size: Size) -> Table:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, force_close=True), timeout=PATIENCE
    ) as one:
        urls = {file.filename: await _url(one, origin, file) for file in files}
        wanted = [files[number % len(files)] for number in range(size.requests)]
        took: list[float] = []
        again: list[int] = []
        outcomes = Counter(
            await asyncio.gather(*(_got(one, urls[file.filename], file, took, again) for file in wanted))
        )
        async with one.get(f"{origin}/metrics") as answer:
            counted = (await answer.text()).splitlines()
    downloads = Counter({file.filename: index.count(path=file.path) for file in files})
    wrong = [f"{what}: {times} times" for what, times in outcomes.items() if what != "right"]
    wrong += [f"{name} was fetched {times} times" for name, times in downloads.items() if times != 1]
    told = _told(counted)
    if told != outcomes["right"]:
        wrong.append(f"the workers' metrics together tell of {told} files, clients got {outcomes['right']}")
    rows = {
        "workers": size.workers,
        "simultaneous requests": size.requests,
        "files, of which none was there": f"{size.files}, {size.bytes / 1e6:g} or {size.large / 1e6:g} MB each",
        "right answers": outcomes["right"],
        "503 and 504 before, after which clients asked again": len(again),
        "downloads from upstream": sum(downloads.values()),
        "files sent, by the metrics of all workers": told,
        "seconds until the last byte, half of the clients": f"{sorted(took)[len(took) // 2]:.2f}",
        "seconds until the last byte, all clients": f"{max(took):.2f}",
    }
    cells = [(name, str(value)) for name, value in rows.items()]
    return Table(
        title="Many cold requests, several workers", intro=INTRO, columns=("what", "figure"), rows=cells, wrong=wrong
    )


async def _url(session: aiohttp.ClientSession, origin: str, file: SimFile) -> str:
    page = f"{origin}/simple/{file.project}/"
    async with session.get(page, headers={"Accept": JSON}) as answer:
        found = (await answer.json(content_type=None))["files"][0]
    return str(answer.url.join(URL(found["url"])))


async def _got(session: aiohttp.ClientSession, url: str, file: SimFile, took: list[float], again: list[int]) -> str:
    """What became of one client, which asks again where it is told to, as installers do."""
    begun = time.monotonic()
    for _ in range(TIMES):
        try:
            async with session.get(url) as answer:
                body, status = await answer.read(), answer.status
        except (aiohttp.ClientError, TimeoutError) as error:
            return f"no whole answer ({type(error).__name__})"
        if status == HTTPStatus.OK:
            took.append(time.monotonic() - begun)
            return "right" if body == file.content else "other bytes"
        if status not in OVERLOADED:
            return f"status {status}"
        again.append(status)
        await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
    return f"told to come back {TIMES} times"


def _told(lines: list[str]) -> int:
    """How many answers with a file all workers together counted."""
    found = [line for line in lines if line.startswith('inbond_requests_total{route="file",status="200"}')]
    return int(float(found[0].rpartition(" ")[2])) if found else 0
