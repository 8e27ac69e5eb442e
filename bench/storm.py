"""Many clients at once for one cold file: one upstream download, right bytes for everybody, memory stated.

    python bench/storm.py [--clients 200] [--megabytes 64]

All traffic stays on this machine. Writes bench/results/storm.md.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import re
import tempfile
import time
from pathlib import Path

import aiohttp
from run import inbond, resident

from sim.index import SimIndex

HERE = Path(__file__).parent


def main() -> None:
    """Runs the storm, prints and writes what was seen."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--megabytes", type=int, default=64)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        text = asyncio.run(storm(Path(scratch), clients=options.clients, size=options.megabytes * 2**20))
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "storm.md").write_text(text)
    print(text)


async def storm(scratch: Path, *, clients: int, size: int) -> str:
    """All clients at once, hashing what they get."""
    async with SimIndex() as index:
        wheel = index.add_wheel("large", "1.0", size=size)
        with inbond(scratch, index.url) as (origin, process):
            await fetched(f"{origin}/simple/large/")
            before = resident(process.pid)
            started = time.perf_counter()
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(600)) as session:
                digests = await asyncio.gather(*(digest(session, origin + wheel.path) for _ in range(clients)))
            seconds = time.perf_counter() - started
            peak = high_water(process.pid)
            after = resident(process.pid)
        right = digests.count(wheel.sha256)
        lines = [
            f"# {clients} simultaneous clients for one cold file of {size // 2**20} MiB",
            "",
            "| what | seen |",
            "|---|---|",
            f"| upstream downloads | {index.count('file')} |",
            f"| clients with the right bytes | {right} of {clients} |",
            f"| time, with the clients' own hashing on the same machine | {seconds:.1f} s |",
            f"| resident before, both processes | {before} MB |",
            f"| serving process at its peak | {peak} MB |",
            f"| resident afterwards, both processes | {after} MB |",
        ]
        assert right == clients
        assert index.count("file") == 1
        return "\n".join(lines) + "\n"


async def fetched(url: str) -> None:
    """Asks once and throws the answer away."""
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        await response.read()


async def digest(session: aiohttp.ClientSession, url: str) -> str:
    """The sha256 of what a client gets."""
    seen = hashlib.sha256()
    async with session.get(url) as response:
        async for chunk in response.content.iter_chunked(2**18):
            seen.update(chunk)
    return seen.hexdigest()


def high_water(pid: int) -> float:
    """The most memory that a process ever had resident, MB."""
    match = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert match is not None
    return round(int(match[1]) / 1024, 1)


if __name__ == "__main__":
    main()
