"""Start-up beside very many files: nothing of them is looked at before they are asked for."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp

from faults.kills import ended, ready, started
from faults.table import Scale, Table
from sim.index import SimIndex

BLOBS: Final = {Scale.SHORT: 500, Scale.LONG: 1_000_000}
STARTS: Final = {Scale.SHORT: 1, Scale.LONG: 7}
ALLOWED_SECONDS: Final = 1.5  # with a million; looked at in the long form alone
LONG_AGO: Final = 1_000_000_000  # seconds since 1970
INTRO: Final = """\
The time from the start of `inbond serve` to its first answer to a client, with an empty cache and with very many files
in it, in turn. Whether a directory of files was read is told by its time of access, which the file system keeps."""


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(starting(scale, scratch))


async def starting(scale: Scale, scratch: Path) -> Table:
    """Starts with nothing and with very much."""
    empty, full = scratch / "empty", scratch / "full"
    empty.mkdir()
    groups = await asyncio.to_thread(filled, full / "data" / "cache" / "blobs" / "sha256", BLOBS[scale])
    with_none: list[float] = []
    with_many: list[float] = []
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        for _ in range(STARTS[scale]):
            with_none.append(await first_answer(empty, index.url))
            with_many.append(await first_answer(full, index.url))
    read = sum(group.stat().st_atime_ns != LONG_AGO * 10**9 for group in groups)
    wrong = [f"{read} directories of files were read at the start"] if read else []
    if scale is Scale.LONG and median(with_many) > ALLOWED_SECONDS:
        wrong.append(f"the start took {median(with_many):.2f} s")
    rows = [
        ("files in the cache", f"{BLOBS[scale]:,}"),
        ("directories of files that were read at the start", str(read)),
        (f"first answer, empty cache (median of {len(with_none)})", f"{median(with_none):.2f} s"),
        (f"first answer, with these files (median of {len(with_many)})", f"{median(with_many):.2f} s"),
    ]
    return Table(title="Start-up", intro=INTRO, columns=("what", "seen"), rows=rows, wrong=wrong)


def filled(content: Path, count: int) -> list[Path]:
    """Makes so many files that look like blobs; the directories they are in, as if nobody had read these for years."""
    groups = [content / f"{number:02x}" for number in range(256)]
    for group in groups:
        group.mkdir(mode=0o700, parents=True)
    for number in range(count):
        name = hashlib.sha256(str(number).encode()).hexdigest()
        os.close(os.open(content / name[:2] / name, os.O_CREAT | os.O_WRONLY, 0o600))
    for group in groups:
        os.utime(group, (LONG_AGO, LONG_AGO))
    return groups


async def first_answer(place: Path, upstream: str) -> float:
    """Seconds until a client that asks all the time gets the page of a project."""
    began = time.perf_counter()
    process = await started(place, upstream)
    origin = await ready(process)
    async with aiohttp.ClientSession() as session, session.get(f"{origin}/simple/demo/") as response:
        assert response.status == 200, await response.text()
    seconds = time.perf_counter() - began
    await ended(process, kill=False)
    return seconds
