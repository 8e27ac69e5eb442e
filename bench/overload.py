"""Clients that do not read, and an upstream that does not answer: memory, and how long what is at hand takes meanwhile.

    python bench/overload.py [--megabytes 64]

All traffic stays on this machine, the clients' part of the processor included. Writes bench/results/overload.md.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import socket
import statistics
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import aiohttp
from run import inbond

from sim.index import SimIndex

HERE = Path(__file__).parent
HANGING = (10, 200, 1000)
COLD = 3000  # requests for pages of which upstream does not say a word
PAGE_CHARS = 4_000_000
ASKED = 400  # times for the hot page
CONFIG = '[server]\nlisten = "127.0.0.1:0"\ntrusted_proxies = ["127.0.0.1"]\n'


def main() -> None:
    """Measures, prints and writes what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        text = asyncio.run(measured(Path(scratch), size=options.megabytes * 2**20))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "overload.md").write_text(text)
    print(text)


async def measured(scratch: Path, *, size: int) -> str:
    """One inbond after the other, so that none has grown before."""
    lines = [
        "# Clients that hang, and an upstream that does",
        "",
        "| what | p50 | p99 | resident |",
        "|---|---|---|---|",
    ]
    for kind in ("growing file", "page of 4 MB"):
        for clients in HANGING:
            (place := scratch / f"{kind[:4]}{clients}").mkdir()
            lines.append(await with_hanging(place, kind, clients, size=size))
    (place := scratch / "cold").mkdir()
    lines.append(await with_cold(place))
    head = "p50 and p99: of a hot page meanwhile. Resident: of the serving process, before and with the clients.\n"
    return "\n".join([*lines[:2], head, *lines[2:]]) + "\n"


async def with_hanging(scratch: Path, kind: str, clients: int, *, size: int) -> str:
    """Clients that read a little and then nothing."""
    async with SimIndex() as index:
        index.add_wheel("hot", "1.0")
        index.yank(index.add_wheel("page", "1.0"), "x" * PAGE_CHARS)
        wheel = index.add_wheel("large", "1.0", size=size)
        gate = index.gate(wheel.path, after=size - 2**20)
        path = wheel.path if kind == "growing file" else "/simple/page/"
        async with started(scratch, index) as (origin, process):
            for name in ("hot", "page", "large"):
                await hot_page(origin, name, times=5)
            async with hanging(origin, path, 1):
                before = memory(process.pid)
                async with hanging(origin, path, clients):
                    p50, p99 = await hot_page(origin, "hot", times=ASKED)
                    after = memory(process.pid)
            gate.open()
    return f"| {clients} clients hang in a {kind} | {p50:.1f} ms | {p99:.1f} ms | {before:.0f} → {after:.0f} MB |"


async def with_cold(scratch: Path) -> str:
    """Very many requests that wait for an upstream, of several clients."""
    async with SimIndex() as index:
        for number in range(COLD):
            index.add_project(f"cold{number}")
        gates = [index.gate(index.page_path(f"cold{number}")) for number in range(COLD)]
        index.add_wheel("hot", "1.0")
        async with started(scratch, index) as (origin, process):
            await hot_page(origin, "hot", times=5)
            before = memory(process.pid)
            async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
                asked = [asyncio.create_task(status(session, origin, number)) for number in range(COLD)]
                await asyncio.sleep(1)
                p50, p99 = await hot_page(origin, "hot", times=ASKED)
                after = memory(process.pid)
                answers = Counter(await asyncio.gather(*asked))
                for gate in gates:
                    gate.open()
    told = ", ".join(f"{code}: {count}" for code, count in sorted(answers.items()))
    return (
        f"| {COLD} requests for pages of an upstream that does not answer ({told}) "
        f"| {p50:.1f} ms | {p99:.1f} ms | {before:.0f} → {after:.0f} MB |"
    )


async def status(session: aiohttp.ClientSession, origin: str, number: int) -> int:
    """What a request for a cold page is answered; four clients in turns."""
    headers = {"X-Forwarded-For": f"192.0.2.{number % 4}"}
    async with session.get(f"{origin}/simple/cold{number}/", headers=headers) as response:
        await response.read()
        return response.status


@asynccontextmanager
async def started(scratch: Path, index: SimIndex) -> AsyncIterator[tuple[str, subprocess.Popen[str]]]:
    """inbond behind a proxy, for the clients to be told apart; it stops while the index goes on."""
    config = scratch / "inbond.toml"
    config.write_text(CONFIG)
    with ExitStack() as stack:
        yield stack.enter_context(inbond(scratch, index.url, "--config", str(config)))
        await asyncio.to_thread(stack.close)


@asynccontextmanager
async def hanging(origin: str, path: str, clients: int) -> AsyncIterator[None]:
    """Clients that have read the head of an answer, and stop there."""
    loop = asyncio.get_running_loop()
    host, _, port = origin.removeprefix("http://").partition(":")
    socks = []
    for _ in range(clients):
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await loop.sock_connect(sock, (host, int(port)))
        await loop.sock_sendall(sock, f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        socks.append(sock)
    for sock in socks:
        head = await loop.sock_recv(sock, 1024)
        assert head.startswith(b"HTTP/1.1 200"), head
    try:
        yield
    finally:
        for sock in socks:
            sock.close()


async def hot_page(origin: str, name: str, *, times: int) -> tuple[float, float]:
    """Median and 99th percentile of the time that a page takes, in milliseconds."""
    seconds = []
    async with aiohttp.ClientSession() as session:
        for _ in range(times):
            begun = time.perf_counter()
            async with session.get(f"{origin}/simple/{name}/") as response:
                await response.read()
                assert response.status == 200
            seconds.append(time.perf_counter() - begun)
    cuts = statistics.quantiles(seconds, n=100)
    return cuts[49] * 1000, cuts[98] * 1000


def memory(pid: int) -> float:
    """Resident memory of a process without its children, MB."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return int(match[1]) / 1024


if __name__ == "__main__":
    main()
