"""Cold works: what nobody has asked for, with a round trip to upstream. Each round has projects of its own.

A file is asked for as an installer does it: its page first, then the file, on the same connection. The round trip is
there, and the clock goes, from the page on, so that nothing is ready before it could be.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

from harness import plan as names
from harness.asking import urls_on
from harness.catalog import JSON
from harness.compared import same_file, same_page
from harness.figures import Sample
from harness.raw import Got, Kept, address, fetched, followed
from harness.servers import BARE, DEVPI, DIRECT, INBOND, PROXPI, PROXY, Server
from harness.work import Bench, Work

SERVERS = (DIRECT, PROXY, INBOND, PROXPI, DEVPI)
WITH_FLOOR = (*SERVERS, BARE)
GIVEN_UP = 1200.0  # seconds, for all clients of one file together
FROM_THE_PAGE = "The page and then its file, on one connection that begins with the page; the first byte is the file's."
HERD = "The page is asked for before them, once; the clock begins with the clients. Provenance counts from the page."
ACCEPT = {"Accept": JSON, "Accept-Encoding": "gzip"}


def works() -> list[Work]:
    """All of them."""
    return [
        _work("cold page", "ms", ("cold pages",), _pages, "One after the other on one connection."),
        _work("cold page, 2,000 attested files", "ms", ("attested",), _attested, ""),
        _work("cold file, 100 kB", "ms", ("cold files",), _files, FROM_THE_PAGE),
        _work("cold file, 64 MiB", "s", ("cold large",), _large("free"), FROM_THE_PAGE),
        _work("cold file, 64 MiB, at 1 Gbit/s", "s", ("cold large",), _large("paced"), FROM_THE_PAGE),
        _work("200 clients, one cold file", "s", ("herd",), _herd, HERD),
    ]


def _work(name: str, unit: str, parts: tuple[str, ...], run: Callable[[Bench, Server, int], Sample], told: str) -> Work:
    group, servers = ("storm", SERVERS) if run is _herd else ("cold", WITH_FLOOR)
    return Work(name=name, group=group, unit=unit, servers=servers, reference=DIRECT, parts=parts, run=run, told=told)


def _pages(bench: Bench, to: Server, round_: int) -> Sample:
    """Each of a project of its own."""
    projects = [names.cold_page(round_, number) for number in range(names.COLD_PAGES)]
    _begun(bench)
    got = asyncio.run(_in_turn([to.page(project) for project in projects]))
    asked = bench.upstream.counts().total() / len(projects)
    for project, one in zip(projects, got, strict=True):
        same_page(bench.upstream, project, to.page(project), one.body)
    times = [one.seconds * 1000 for one in got]
    return Sample(value=statistics.median(times), extra={"ms at most": max(times), "upstream requests each": asked})


def _attested(bench: Bench, to: Server, round_: int) -> Sample:
    project = f"{names.ATTESTED}-{round_}"
    url = to.page(project)
    _begun(bench)
    (first, again) = asyncio.run(_in_turn([url, url]))
    asked = bench.upstream.counts()
    same_page(bench.upstream, project, url, first.body)
    extra = {"ms again": again.seconds * 1000, "provenance requests": float(asked["provenance"])}
    return Sample(value=first.seconds * 1000, extra=extra)


def _files(bench: Bench, to: Server, round_: int) -> Sample:
    """Ten projects on one connection, each page followed by its file."""
    projects = [names.cold_file(round_, number) for number in range(names.COLD_FILES)]
    _begun(bench)
    got = asyncio.run(_pages_and_files(to, projects))
    counts = bench.upstream.counts()
    _compared(bench, projects, got)
    extra = {
        "page, ms": statistics.median(one.page.seconds for one in got) * 1000,
        "file alone, ms": statistics.median(one.file.seconds for one in got) * 1000,
        "provenance requests each": counts["provenance"] / len(projects),
    }  # fmt: skip
    return Sample(value=statistics.median(one.seconds for one in got) * 1000, extra=extra)


def _large(kind: str) -> Callable[[Bench, Server, int], Sample]:
    def run(bench: Bench, to: Server, round_: int) -> Sample:
        project = names.cold_large(round_, kind)
        rate = bench.plan.rate if kind == "paced" else 0.0
        _begun(bench, rate=rate)
        got = asyncio.run(_pages_and_files(to, [project]))
        counts = bench.upstream.counts()
        _compared(bench, [project], got)
        (one,) = got
        extra = {
            "page, ms": one.page.seconds * 1000, "file alone, s": one.file.seconds,
            "first byte, ms": one.file.first_byte * 1000, "provenance requests": float(counts["provenance"]),
            "sent past it": float(one.file.location is not None),
        }  # fmt: skip
        if to.name == DIRECT:  # what the handshake of a new one costs, which a server that keeps its own does not pay
            extra["first byte on a new connection, ms"] = asyncio.run(fetched(one.url)).first_byte * 1000
        return Sample(value=one.seconds, extra=extra)

    return run


def _herd(bench: Bench, to: Server, round_: int) -> Sample:
    """All at once. What the first gets is compared, the others count."""
    project = names.cold_large(round_, "herd")
    _begun(bench)
    url = to.file(project)
    got, seconds = asyncio.run(at_once(url, bench.plan.herd))
    counts = bench.upstream.counts()
    same_file(bench.upstream, project, url, got[0].sha256)
    extra = {
        "upstream downloads": float(counts["file"]), "provenance requests": float(counts["provenance"]),
        "first byte, ms": statistics.median(one.first_byte for one in got) * 1000,
    }  # fmt: skip
    return Sample(value=seconds, extra=extra)


def _begun(bench: Bench, *, rate: float = 0.0) -> None:
    bench.upstream.begin(round_trip=bench.plan.round_trip, rate=rate)


async def at_once(url: str, clients: int, done: Callable[[], None] = lambda: None) -> tuple[list[Got], float]:
    """So many clients for one file, and how long they take together; all must have it whole. The first keeps it.
    `done` is called as each of them has it."""

    async def one(number: int) -> Got:
        got = await fetched(url, keeping=not number)
        done()
        return got

    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(GIVEN_UP):
        got = await asyncio.gather(*(one(number) for number in range(clients)))
    seconds = loop.time() - begun
    assert all(each.status == 200 and each.length == got[0].length for each in got), "not all have the whole file"
    return got, seconds


@dataclass(frozen=True, kw_only=True)
class PageAndFile:
    """What a client has asked for that wants one file."""

    page: Got
    file: Got
    url: str  # of the file

    @property
    def seconds(self) -> float:
        return self.page.seconds + self.file.seconds


async def _pages_and_files(to: Server, projects: list[str]) -> list[PageAndFile]:
    found = []
    with closing(await Kept.to(to.origin, keeping=True)) as line:
        for project in projects:
            page = await _got(line, to.page(project))
            url = list(urls_on(page.body, to.page(project)).values())[-1]
            found.append(PageAndFile(page=page, file=await _got(line, url), url=url))
    return found


def _compared(bench: Bench, projects: list[str], got: list[PageAndFile]) -> None:
    for project, one in zip(projects, got, strict=True):
        same_file(bench.upstream, project, one.url, one.file.sha256)


async def _in_turn(urls: list[str]) -> list[Got]:
    """One after the other."""
    with closing(await Kept.to(urls[0], keeping=True)) as line:
        return [await _got(line, url) for url in urls]


async def _got(line: Kept, url: str) -> Got:
    """On the connection, or, where it leads elsewhere, on one of its own."""
    if address(url) == line.address:
        got = await followed(await line.get(url, ACCEPT), ACCEPT, keeping=True)
    else:
        got = await fetched(url, ACCEPT, keeping=True)
    assert got.status == 200, f"{url} answers {got.status}"
    return got
