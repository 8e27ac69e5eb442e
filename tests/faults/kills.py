"""`kill -9` at random moments under mixed load: nothing wrong is served afterwards, nothing acknowledged is lost."""

from __future__ import annotations

import asyncio
import hashlib
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from e2e.service import plain_environment
from faults.load import Clients, Content, Seen
from faults.table import Scale, Table
from inbond.model.decisions import Pin
from inbond.model.events import unobserved
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.store.ledger import open_ledger
from inbond.store.ledger_facts import examine
from sim.index import SimIndex

ROUNDS: Final = {Scale.SHORT: 3, Scale.LONG: 500}
CLIENTS: Final = {Scale.SHORT: 8, Scale.LONG: 16}
LONGEST_LIFE: Final = 1.5  # seconds after it is ready
IN_THE_START: Final = 0.1  # the share of lives that end before that
ONE_ALONE: Final = 0.5  # the share of lives with workers in which one of them is killed first
SEED: Final = 7
INTRO: Final = """\
A server is killed with SIGKILL at a random moment, again and again over one directory, while raw clients ask for pages
and files of every size, new releases appear upstream, and pins are written to the ledger beside it. Each tenth dies
before it is ready; with workers, sometimes one of them alone is killed and the rest go on. Every complete answer is
compared with the index: a file with its digest, a page's serial with the highest that any client ever got."""


def run(scale: Scale, scratch: Path) -> Table:
    """The part of docs/faults.md."""
    return asyncio.run(killed(scale, scratch))


@dataclass
class Killing:
    """Where it is done, and what was."""

    scratch: Path
    upstream: str
    clients: Clients
    content: Content
    chance: random.Random
    deaths: Counter[str] = field(default_factory=Counter)
    pins: list[str] = field(default_factory=list)  # acknowledged
    starts: list[float] = field(default_factory=list)  # seconds


async def killed(scale: Scale, scratch: Path) -> Table:
    """Kills, and looks at what is left."""
    chance, seen, stop = random.Random(SEED), Seen(), asyncio.Event()
    async with SimIndex() as index:
        content = Content(index, chance)
        content.fill(30)
        clients = Clients(content, seen, chance)
        done = Killing(scratch, index.url, clients, content, chance)
        load = asyncio.create_task(clients.run(CLIENTS[scale], stop))
        for number in range(ROUNDS[scale]):
            await _life(done, workers=1 if number % 2 == 0 or scale is Scale.SHORT else 2)
        await _life(done, workers=1, die=False)
        stop.set()
        await load
        seen.wrong += await left_behind(scratch, done)
    return table(seen, done)


async def _life(done: Killing, *, workers: int, die: bool = True) -> None:
    began = time.perf_counter()
    process = await started(done.scratch, done.upstream, workers=workers)
    if die and done.chance.random() < IN_THE_START:
        await asyncio.sleep(done.chance.random())
        done.deaths["before it was ready"] += 1
    else:
        done.clients.origin = await ready(process)
        done.starts.append(time.perf_counter() - began)
        await _lived(done, process, workers=workers)
        done.deaths["all at once, under load" if die else "not at all"] += 1
    done.clients.origin = None
    await ended(process, kill=die)


async def _lived(done: Killing, process: asyncio.subprocess.Process, *, workers: int) -> None:
    done.content.publish()
    await pinned(done)
    await asyncio.sleep(done.chance.random() * LONGEST_LIFE)
    if workers > 1 and done.chance.random() < ONE_ALONE:
        kill_one(process.pid, done.chance)
        done.deaths["one worker of two"] += 1
        await asyncio.sleep(done.chance.random() * LONGEST_LIFE)


async def started(scratch: Path, upstream: str, *, workers: int = 1) -> asyncio.subprocess.Process:
    """`inbond serve`, in a process group of its own."""
    with (scratch / "serve.log").open("a") as errors:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "inbond", "serve",
            "--listen", "127.0.0.1:0", "--upstream", upstream, "--data", str(scratch / "data"),
            stdout=asyncio.subprocess.PIPE, stderr=errors, start_new_session=True,
            env={
                **plain_environment(scratch),
                "INBOND_SERVER__WORKERS": str(workers),
                "INBOND_POLICIES__DEFAULT__MIN_AGE": "0",
                "INBOND_UPSTREAMS__PYPI__FRESH_FOR": "1s",
            },
        )  # fmt: skip


async def ready(process: asyncio.subprocess.Process) -> str:
    """Where it serves, once it does."""
    assert process.stdout is not None
    async for line in process.stdout:
        if b"/simple/" in line:
            return line.decode().split("/simple/")[0].strip()
    raise AssertionError("inbond did not start")


async def ended(process: asyncio.subprocess.Process, *, kill: bool) -> None:
    """Kills the whole group at once, or asks it to stop."""
    if kill:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.terminate()
    await process.wait()
    if process.stdout is not None:
        await process.stdout.read()


def kill_one(supervisor: int, chance: random.Random) -> None:
    """Kills one of a supervisor's workers."""
    children = Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split()
    with suppress(ProcessLookupError, IndexError):
        os.kill(int(chance.choice(children)), signal.SIGKILL)


async def pinned(done: Killing) -> None:
    """A decision made beside the server; what this returns from was acknowledged."""
    ledger = open_ledger(done.scratch / "data" / "ledger" / "ledger.sqlite3", observer=unobserved)
    try:
        number = len(done.pins)
        publisher = PublisherPattern.parse(f"github:acme/demo{number}@release.yml")
        pin = Pin(project=ProjectName("demo0"), publisher=publisher, reason="tried", by="test", at=datetime.now(UTC))
        await ledger.decide(pin, now=datetime.now(UTC))
        done.pins.append(pin.id)
    finally:
        await ledger.aclose()


async def left_behind(scratch: Path, done: Killing) -> list[str]:
    """What is wrong with the directory afterwards."""
    blobs = scratch / "data" / "cache" / "blobs"
    stored = [path for path in sorted((blobs / "sha256").rglob("*")) if path.is_file()]
    damaged = [path for path in stored if hashlib.sha256(path.read_bytes()).hexdigest() != path.name]
    wrong = [f"the blob {path.name} has other bytes" for path in damaged]
    if growing := [path.name for path in (blobs / "incoming").iterdir()]:
        wrong.append(f"{len(growing)} things were left growing")
    place = scratch / "data" / "ledger" / "ledger.sqlite3"
    if not examine(place).is_whole:
        wrong.append("the ledger is damaged")
    ledger = open_ledger(place, observer=unobserved)
    kept = {decided.id for decided in ledger.decided_on(ProjectName("demo0"))}
    await ledger.aclose()
    return wrong + [f"the pin {one}, which was acknowledged, is lost" for one in done.pins if one not in kept]


def table(seen: Seen, done: Killing) -> Table:
    """What was done and seen."""
    right = seen.ended["file 200"]
    half, most = (median(done.starts), max(done.starts)) if done.starts else (0.0, 0.0)
    rows = [
        *((f"killed: {how}", str(count)) for how, count in sorted(done.deaths.items())),
        ("complete pages that clients got", str(seen.ended["page 200"])),
        ("complete files that clients got", str(right)),
        ("answers broken off by a kill", str(seen.ended["broken off"])),
        ("pins acknowledged, and there afterwards", str(len(done.pins))),
        ("from the start to the line that it serves: half of them, the longest", f"{half:.1f} s, {most:.1f} s"),
        ("wrong", str(len(seen.wrong))),
    ]
    return Table(title="kill -9", intro=INTRO, columns=("what", "seen"), rows=rows, wrong=seen.wrong)
