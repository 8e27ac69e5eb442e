"""Cold works: what nobody has asked for, with a round trip to upstream. Each round has projects of its own."""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Callable

from harness import plan as names
from harness.catalog import JSON
from harness.figures import Sample
from harness.raw import Client, Got, fetched
from harness.servers import DEVPI, DIRECT, INBOND, PROXPI, PROXY, Server
from harness.work import Bench, Work

SERVERS = (DIRECT, PROXY, INBOND, PROXPI, DEVPI)
GIVEN_UP = 1200.0  # seconds, for all clients of one file together
ACCEPT = {"Accept": JSON, "Accept-Encoding": "gzip"}


def works() -> list[Work]:
    """All of them."""
    return [
        _work("cold page", "ms", ("cold pages",), _pages),
        _work("cold page, 2,000 attested files", "ms", ("attested",), _attested),
        _work("cold file, 100 kB", "ms", ("cold files",), _files),
        _work("cold file, 64 MiB", "s", ("cold files",), _large("free")),
        _work("cold file, 64 MiB, at 1 Gbit/s", "s", ("cold files",), _large("paced")),
        _work("200 clients, one cold file", "s", ("herd",), _herd),
    ]


def _work(name: str, unit: str, parts: tuple[str, ...], run: Callable[[Bench, Server, int], Sample]) -> Work:
    group = "storm" if run is _herd else "cold"
    return Work(name=name, group=group, unit=unit, servers=SERVERS, reference=DIRECT, parts=parts, run=run)


def _pages(bench: Bench, to: Server, round_: int) -> Sample:
    """One after the other on one connection."""
    urls = [to.page(names.cold_page(round_, number)) for number in range(names.COLD_PAGES)]
    bench.upstream.counts()
    bench.upstream.behave(round_trip=bench.plan.round_trip)
    times = [got.seconds * 1000 for got in asyncio.run(_in_turn(urls))]
    asked = bench.upstream.counts().total() / len(urls)
    return Sample(value=statistics.median(times), extra={"ms at most": max(times), "upstream requests each": asked})


def _attested(bench: Bench, to: Server, round_: int) -> Sample:
    url = to.page(f"{names.ATTESTED}-{round_}")
    bench.upstream.counts()
    bench.upstream.behave(round_trip=bench.plan.round_trip)
    (first, again) = asyncio.run(_in_turn([url, url]))
    asked = bench.upstream.counts()
    extra = {"ms again": again.seconds * 1000, "provenance requests": float(asked["provenance"])}
    return Sample(value=first.seconds * 1000, extra=extra)


def _files(bench: Bench, to: Server, round_: int) -> Sample:
    """Their pages are known; each file on a connection that is there already."""
    urls = [to.file(names.cold_file(round_, number)) for number in range(names.COLD_FILES)]
    bench.upstream.counts()
    bench.upstream.behave(round_trip=bench.plan.round_trip)
    got = asyncio.run(_in_turn(urls))
    assert all(one.length == names.MEDIUM_SIZE for one in got), "not the whole file"
    counts = bench.upstream.counts()
    extra = {"provenance requests each": counts["provenance"] / len(urls)}
    return Sample(value=statistics.median(one.seconds for one in got) * 1000, extra=extra)


def _large(kind: str) -> Callable[[Bench, Server, int], Sample]:
    def run(bench: Bench, to: Server, round_: int) -> Sample:
        url = to.file(names.cold_large(round_, kind))
        bench.upstream.behave(round_trip=bench.plan.round_trip, rate=bench.plan.rate if kind == "paced" else 0.0)
        got = asyncio.run(fetched(url))
        assert got.length > names.LARGE_SIZE, "not the whole file"
        past = float(got.location is not None)
        return Sample(value=got.seconds, extra={"first byte, ms": got.first_byte * 1000, "sent past it": past})

    return run


def _herd(bench: Bench, to: Server, round_: int) -> Sample:
    """All at once; a few of them hash what they get, the others count."""
    url = to.file(names.cold_large(round_, "herd"))
    bench.upstream.counts()
    bench.upstream.behave(round_trip=bench.plan.round_trip)
    got, seconds = asyncio.run(at_once(url, bench.plan.herd))
    downloads = float(bench.upstream.counts()["file"])
    return Sample(value=seconds, extra={"upstream downloads": downloads, "first byte, ms": _median_first(got)})


def _median_first(got: list[Got]) -> float:
    return statistics.median(one.first_byte for one in got) * 1000


async def at_once(url: str, clients: int) -> tuple[list[Got], float]:
    """So many clients for one file, and how long they take together; all must have it whole."""
    loop = asyncio.get_running_loop()
    begun = loop.time()
    async with asyncio.timeout(GIVEN_UP):
        got = await asyncio.gather(*(fetched(url) for _ in range(clients)))
    seconds = loop.time() - begun
    assert all(one.status == 200 and one.length == got[0].length for one in got), "not all have the whole file"
    return got, seconds


async def _in_turn(urls: list[str]) -> list[Got]:
    """One after the other; a server that ends the connection is connected to anew."""
    client, answers = await Client.connected(urls[0]), []
    for url in urls:
        try:
            got = await client.get(url, ACCEPT)
        except ConnectionResetError:
            client = await Client.connected(url)
            got = await client.get(url, ACCEPT)
        if got.location is not None:
            got = await fetched(got.location, ACCEPT)
        assert got.status == 200, f"{url} answers {got.status}"
        answers.append(got)
    client.close()
    return answers
