"""Clients that do not read, and an upstream that does not answer: memory, and what a known page takes meanwhile.

    python bench/overload.py [--short] [--results DIR]

inbond, upstream and the clients are processes of their own on the same machine. Writes bench/results/overload.md.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import socket
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import urlsplit

from harness import plan as names
from harness.asking import must
from harness.catalog import JSON
from harness.machine import machine
from harness.paced import at_rate
from harness.plan import Plan
from harness.raw import address, fetched, head_of
from harness.servers import Server, inbond
from harness.upstream import Upstream, upstream

RESULTS = Path(__file__).parent / "results"
KEPT_BACK = 2**20  # bytes at the end of a file that do not come while it is looked at: it stands still
PAGE_FILES = 10_000  # of the large page: some 4 MB
SILENT = 3600.0  # seconds until upstream answers
SETTLES = 1.0  # seconds until all that has been asked for is under way
RATE, CONNECTIONS = 50.0, 4  # of the known page
GIVEN_UP = 60.0  # seconds after which a client of a silent upstream no longer waits
SETTINGS = {"INBOND_SERVER__TRUSTED_PROXIES": "127.0.0.1"}  # so that the clients count as several
HEAD = """\
# Clients that hang, and an upstream that does

{machine}. One inbond after the other, so that none has grown before. p50 and p99: of a known page meanwhile, {rate:.0f}
requests a second, each timed from the moment at which it was due. Memory: proportional, of all processes, before and
with the clients.

| what | p50 | p99 | memory | |
|---|--:|--:|--:|---|
"""


@dataclass(frozen=True, kw_only=True)
class Amount:
    """How much of it."""

    hanging: tuple[int, ...] = (10, 200, 1000)
    cold: int = 3000  # requests for pages of which upstream does not say a word
    seconds: float = 8.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """What was seen."""

    what: str
    p50: float
    p99: float
    before: float
    after: float
    told: str = ""

    def __str__(self) -> str:
        memory = f"{self.before:.0f} to {self.after:.0f} MB"
        return f"| {self.what} | {self.p50:.1f} ms | {self.p99:.1f} ms | {memory} | {self.told} |"


def main() -> None:
    """Measures, prints and writes what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--short", action="store_true", help="few clients, to see that it works")
    parser.add_argument("--results", type=Path, default=RESULTS)
    options = parser.parse_args()
    amount = Amount(hanging=(5,), cold=50, seconds=1.0) if options.short else Amount()
    _as_many_files_as_allowed()
    told = "; ".join(f"{what}: {value}" for what, value in machine({}).items())
    text = HEAD.format(machine=told, rate=RATE) + "".join(f"{row}\n" for row in measured(amount))
    options.results.mkdir(parents=True, exist_ok=True)
    (options.results / "overload.md").write_text(text)
    print(text)


def _as_many_files_as_allowed() -> None:
    """For this process and those that it starts: every connection takes a descriptor at either end."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def measured(amount: Amount) -> list[Row]:
    """All of it."""
    with TemporaryDirectory(prefix="inbond-bench-") as scratch:
        place = Path(scratch)
        with upstream(replace(Plan(), rounds=1, page_files=PAGE_FILES), ["small", "vast", "files"], place) as up:
            rows = []
            for number, clients in enumerate(amount.hanging):
                for project in (names.LARGE, names.VAST):
                    with _fresh(up, place / f"{project}{number}") as server:
                        rows.append(asyncio.run(with_hanging(server, up, project, clients, amount.seconds)))
            with _fresh(up, place / "cold") as server:
                rows.append(asyncio.run(with_cold(server, up, amount)))
    return rows


def _fresh(up: Upstream, home: Path) -> AbstractContextManager[Server]:
    home.mkdir()
    up.behave()
    return inbond(up, home, SETTINGS)


async def with_hanging(server: Server, up: Upstream, project: str, clients: int, seconds: float) -> Row:
    """Clients that read the head of an answer and then nothing: a large page, or a file that is not whole yet."""
    assert server.running is not None
    must(server.page(names.SMALL), {"Accept": JSON})
    url = server.page(project) if project == names.VAST else server.file(project)
    size = len(must(url, {"Accept": JSON}).body) if project == names.VAST else 0
    up.behave(kept_back=KEPT_BACK)
    async with hanging(url, 1):
        before = server.running.memory()
        async with hanging(url, clients):
            p50, p99, told = await known_page(server, seconds)
            after = server.running.memory()
    what = f"page of {size / 1e6:.1f} MB" if project == names.VAST else "file that stands still 1 MiB before its end"
    return Row(what=f"{clients} clients hang in a {what}", p50=p50, p99=p99, before=before, after=after, told=told)


async def with_cold(server: Server, up: Upstream, amount: Amount) -> Row:
    """Very many requests that wait for an upstream, of several clients."""
    assert server.running is not None
    must(server.page(names.SMALL), {"Accept": JSON})
    before = server.running.memory()
    up.behave(round_trip=SILENT)
    waiting = [asyncio.create_task(_status(server, number)) for number in range(amount.cold)]
    await asyncio.sleep(SETTLES)
    p50, p99, told = await known_page(server, amount.seconds)
    after = server.running.memory()
    counted = sorted(Counter(await asyncio.gather(*waiting)).items())
    answers = ", ".join(f"{count} were answered {status}" for status, count in counted)
    what = f"{amount.cold} requests for pages of an upstream that does not answer"
    return Row(what=what, p50=p50, p99=p99, before=before, after=after, told=f"{answers}. {told}".strip())


async def _status(server: Server, number: int) -> str:
    """What a request for a cold page is answered; four clients in turns."""
    headers = {"X-Forwarded-For": f"192.0.2.{number % 4}", "Accept": JSON}
    try:
        got = await asyncio.wait_for(fetched(server.page(names.bulk(number)), headers), GIVEN_UP)
    except (TimeoutError, ConnectionError) as error:
        return type(error).__name__
    return str(got.status)


async def known_page(server: Server, seconds: float) -> tuple[float, float, str]:
    """Median and 99th percentile in milliseconds, and how many were answered otherwise."""
    head = head_of(server.page(names.SMALL), {"Accept": JSON, "X-Forwarded-For": "192.0.2.99"})
    paced = await at_rate(server.origin, [head], rate=RATE, seconds=seconds, connections=CONNECTIONS)
    told = f"{paced.wrong} of {paced.asked} answers were no success" if paced.wrong else ""
    return paced.percentile(50), paced.percentile(99), told


@asynccontextmanager
async def hanging(url: str, clients: int) -> AsyncIterator[None]:
    """Clients that have read the head of an answer, and stop there."""
    loop, opened = asyncio.get_running_loop(), list[socket.socket]()
    try:
        for _ in range(clients):
            sock = socket.socket()
            opened.append(sock)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            sock.setblocking(False)
            await loop.sock_connect(sock, address(url))
            await loop.sock_sendall(sock, head_of(url, {"Accept": JSON}))
        for sock in opened:
            head = await loop.sock_recv(sock, 1024)
            assert head.startswith(b"HTTP/1.1 200"), f"{urlsplit(url).path}: {head[:200]!r}"
        yield
    finally:
        for sock in opened:
            with suppress(OSError):
                sock.close()


if __name__ == "__main__":
    main()
