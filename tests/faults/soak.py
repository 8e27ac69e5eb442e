"""Half an hour of pip, uv and raw clients: right bytes only, and nothing that grows."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import re
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Final

from e2e.service import UV, plain_environment
from faults.kills import ended, ready, started
from faults.load import Clients, Content, Seen, quantile
from faults.table import Scale, Table
from sim.index import SimIndex

SECONDS: Final = {Scale.SHORT: 4, Scale.LONG: 32 * 60}
CLIENTS: Final = {Scale.SHORT: 4, Scale.LONG: 8}
SAMPLE_SECONDS: Final = {Scale.SHORT: 0.2, Scale.LONG: 5}
PUBLISH_EVERY: Final = 10  # seconds between new releases
PAUSE: Final = 0.1  # seconds between two requests of a raw client, so that the machine is not only queueing
ALLOWED_GROWTH: Final = 1.15  # of memory, from the second quarter of the time to the last
ALLOWED_DESCRIPTORS: Final = 20  # more at the end than in the second quarter
SEED: Final = 11
INTRO: Final = """\
pip and uv install without a cache of their own, one after the other, while raw clients ask for pages and files without
a pause, and new releases appear upstream. Every file is compared with the index. Memory and descriptors are those of
all of inbond's processes together, looked at every few seconds; the second quarter of the time, when caches are warm,
is compared with the last."""


@dataclass
class Samples:
    """Memory in MiB and open descriptors, over time."""

    memory: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(soaked(scale, scratch))


async def soaked(scale: Scale, scratch: Path) -> Table:
    """Asks for as long as the scale says."""
    chance, seen, samples, stop = random.Random(SEED), Seen(), Samples(), asyncio.Event()
    async with SimIndex() as index:
        content = Content(index, chance)
        content.fill(60)
        process = await started(scratch, index.url)
        clients = Clients(content, seen, chance, pause=PAUSE)
        clients.origin = await ready(process)
        installers = Installers(clients.origin, content, seen, scratch)
        work = [
            asyncio.create_task(clients.run(CLIENTS[scale], stop)),
            asyncio.create_task(installers.run(stop)),
            asyncio.create_task(_watch(process.pid, samples, SAMPLE_SECONDS[scale], stop)),
            asyncio.create_task(_publish(content, index, stop)),
        ]
        await asyncio.sleep(SECONDS[scale])
        stop.set()
        await asyncio.gather(*work)
        await ended(process, kill=False)
    return table(scale, seen, samples)


async def _publish(content: Content, index: SimIndex, stop: asyncio.Event) -> None:
    while not stop.is_set():
        content.publish()
        index.forget_requests()
        await _pause(stop, PUBLISH_EVERY)


async def _watch(pid: int, samples: Samples, every: float, stop: asyncio.Event) -> None:
    while not stop.is_set():
        pids = await asyncio.to_thread(family, pid)
        samples.memory.append(sum(map(resident, pids)))
        samples.descriptors.append(sum(map(descriptors, pids)))
        await _pause(stop, every)


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        pass


class Installers:
    """pip and uv in turn, each into a directory of its own."""

    def __init__(self, origin: str, content: Content, seen: Seen, scratch: Path) -> None:
        self._index_url = f"{origin}/simple/"
        self._content = content
        self._seen = seen
        self._scratch = scratch
        self._chance = random.Random(SEED)

    async def run(self, stop: asyncio.Event) -> None:
        """Installs until it is told to stop."""
        while not stop.is_set():
            await self._installed("pip", self._pip)
            await self._installed("uv", self._uv)

    async def _installed(self, name: str, command: Callable[[str, Path], list[str]]) -> None:
        file = self._chance.choice(self._content.files)
        target = self._scratch / "installed"
        process = await asyncio.create_subprocess_exec(
            *command(f"{file.project}==1.0", target), cwd=self._scratch, env=plain_environment(self._scratch),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        self._seen.ended[f"{name} {process.returncode}"] += 1
        if process.returncode != 0:
            self._seen.wrong.append(f"{name} failed: {output.decode().strip()[-300:]}")
        for path in target.glob("*.whl") if target.exists() else ():
            right = next(file.sha256 for file in self._content.files if file.filename == path.name)
            if hashlib.sha256(path.read_bytes()).hexdigest() != right:
                self._seen.wrong.append(f"{name} got other bytes of {path.name}")
        shutil.rmtree(target, ignore_errors=True)

    def _pip(self, what: str, target: Path) -> list[str]:
        pip = [sys.executable, "-m", "pip", "download", "--no-cache-dir", "--no-deps", "--quiet", "--dest", str(target)]
        return [*pip, "--index-url", self._index_url, what]

    def _uv(self, what: str, target: Path) -> list[str]:
        uv = [UV, "pip", "install", "--no-cache", "--no-deps", "--quiet", "--target", str(target)]
        return [*uv, "--python", sys.executable, "--default-index", self._index_url, what]


def family(pid: int) -> list[int]:
    """A process and all below it."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in family(int(child)))]


def resident(pid: int) -> float:
    """MiB of memory that a process has to itself or shares; 0 where it is gone."""
    try:
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return 0.0
    return int(found[1]) / 1024 if found else 0.0


def descriptors(pid: int) -> int:
    """How many descriptors a process has open; 0 where it is gone."""
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 (names are enough)
    except OSError:
        return 0


def table(scale: Scale, seen: Seen, samples: Samples) -> Table:
    """What was seen."""
    wrong = list(seen.wrong)
    quarter = max(1, len(samples.memory) // 4)
    warm, last = samples.memory[quarter : 2 * quarter], samples.memory[-quarter:]
    open_warm, open_last = samples.descriptors[quarter : 2 * quarter], samples.descriptors[-quarter:]
    if scale is Scale.LONG and median(last) > median(warm) * ALLOWED_GROWTH:
        wrong.append(f"memory grew from {median(warm):.0f} to {median(last):.0f} MiB")
    if scale is Scale.LONG and median(open_last) > median(open_warm) + ALLOWED_DESCRIPTORS:
        wrong.append(f"descriptors grew from {median(open_warm):.0f} to {median(open_last):.0f}")
    rows = [
        ("for so long", f"{SECONDS[scale] / 60:.1f} min"),
        ("pages and files for raw clients", f"{seen.ended['page 200']:,} and {seen.ended['file 200']:,}"),
        ("bytes that raw clients compared", f"{seen.bytes / 2**30:.2f} GiB"),
        ("installations by pip and uv", f"{seen.ended['pip 0']:,} and {seen.ended['uv 0']:,}"),
        *(
            (f"{kind}: p50, p99", f"{quantile(times, 0.5) * 1000:.0f} ms, {quantile(times, 0.99) * 1000:.0f} ms")
            for kind, times in seen.seconds.items()
        ),
        ("memory, second quarter and last", f"{median(warm):.0f} MiB, {median(last):.0f} MiB"),
        ("descriptors, second quarter and last", f"{median(open_warm):.0f}, {median(open_last):.0f}"),
        ("wrong", str(len(wrong))),
    ]
    return Table(title="A soak", intro=INTRO, columns=("what", "seen"), rows=rows, wrong=wrong)
