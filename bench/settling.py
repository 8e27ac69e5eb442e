"""A page with thousands of attested files, some of them young: what its first reader waits for, and everybody else.

    python bench/settling.py [--files 2000] [--young 20] [--round-trip 30] [--short]

For each way of `listing` a fresh inbond with a fresh cache, in front of an index that answers after a settable round
trip. All files are really signed and really verified. Meanwhile other projects are asked for, and before, while nothing
else goes on, by the same client in the same way. All traffic stays on this machine. Writes bench/results/settling.md.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import platform
import re
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import aiohttp
from run import HERE, JSON, inbond

from sim.attested import attested_files
from sim.index import SimIndex, Slow
from sim.sigstore import Sigstore

LISTINGS = ("lazy", "settled", "verified")
CONFIG = """
[policies.default]
min_age = "0"
listing = "{listing}"
continuity = "off"   # measured is what the files themselves take, not the releases that they are compared with
"""
HEAD = """\
# A page with {files:,} attested files, {young} of them young

{machine}, {cores} processors with a load of {load:.1f} before the run, Python {python}. The index answers after
{round_trip:.0f} ms; it, the client and the verifier are processes of their own on the same machine. All files are
signed by a private Sigstore and verified by the verifier process; every cache begins empty. Under `verified` a page
lists no file before it is verified; the others list old files that nobody has asked for.

| `listing` | first page after | files on it to be had | requests until then (page, provenance) \
| all files to be had after | provenance requests in all | event loop late by at most |
|---|---|---|---|---|---|---|"""
BESIDE = """
What others wait meanwhile, beside the same requests to the same inbond while it is idle; {watched:g} s of each, or
until all is listed. *page kept*: a project's page that was asked for before. *page new*: one that nobody has asked for,
with a young file that is verified before it is shown (not under `lazy`). *file new*: a file that nobody has asked for,
on a page that was; it is verified and fetched.

| `listing` | request | idle p50 | busy p50 | idle p99 | busy p99 | busy / idle, p50 | requests idle, busy |
|---|---|---|---|---|---|---|---|"""
KINDS = ("page kept", "page new", "file new")
PROBE_EVERY = 0.05  # seconds
MOST = 60.0  # seconds until a page that is not settled by then is given up


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is measured."""

    files: int
    young: int
    round_trip: float  # seconds
    watched: float  # seconds that others' requests are measured for, idle and busy

    @property
    def probes(self) -> int:
        """How many projects are asked for once, idle and busy."""
        return 2 * int(self.watched / PROBE_EVERY) + 10


@dataclass(kw_only=True)
class Seen:
    """What was seen under one way of listing. Times in seconds."""

    listing: str
    first_page: float = 0.0
    listed_first: int = 0
    asked_first: Counter[str] = field(default_factory=Counter)
    all_listed: float | None = None
    asked: Counter[str] = field(default_factory=Counter)
    idle: dict[str, list[float]] = field(default_factory=dict)
    busy: dict[str, list[float]] = field(default_factory=dict)
    lag: float = 0.0


def main() -> None:
    """Measures, prints and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--young", type=int, default=20)
    parser.add_argument("--round-trip", type=float, default=30.0, help="milliseconds")
    parser.add_argument("--short", action="store_true", help="a small page and a short look, to see that it works")
    parser.add_argument("--results", type=Path, default=HERE / "results")
    options = parser.parse_args()
    plan = Plan(files=options.files, young=options.young, round_trip=options.round_trip / 1000, watched=5.0)
    if options.short:
        plan = Plan(files=120, young=5, round_trip=0.01, watched=1.0)
    load = os.getloadavg()[0]
    with index_process(plan) as (index, url, root):
        seen = [asyncio.run(measured(listing, index, url, root, plan)) for listing in LISTINGS]
    options.results.mkdir(parents=True, exist_ok=True)
    text = as_markdown(seen, plan, load)
    (options.results / "settling.md").write_text(text)
    print(text)


# --- the index, in a process of its own so that it takes no time from who measures


@contextmanager
def index_process(plan: Plan) -> Iterator[tuple[Connection, str, bytes]]:
    """The index's control, its URL and the trusted root by which its files are genuine."""
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    process = context.Process(target=serve_index, args=(there, plan), daemon=True)
    process.start()
    try:
        url, root = here.recv()
        yield here, url, root
    finally:
        with suppress(OSError):
            here.send("stop")
        process.join(10)


def serve_index(control: Connection, plan: Plan) -> None:
    """Runs in the process."""
    asyncio.run(_serve_index(control, plan))


async def _serve_index(control: Connection, plan: Plan) -> None:
    sigstore = Sigstore()
    async with SimIndex() as index:
        filled(index, sigstore, plan)
        index.fault("*", Slow(delay=plan.round_trip))
        control.send((index.url, sigstore.trusted_root()))
        while await asyncio.to_thread(control.recv) != "stop":
            control.send(Counter(seen.kind for seen in index.requests if "/big/" in seen.path))
            index.forget_requests()


def filled(index: SimIndex, sigstore: Sigstore, plan: Plan) -> None:
    """One big project, and many of one young attested file each to be asked for once."""
    now = datetime.now(UTC)
    ages = [timedelta(hours=1 + n / 100) for n in range(plan.young)]
    ages += [timedelta(days=100 + n) for n in range(plan.files - plan.young)]
    versions = [f"{plan.files - n}.0" for n in range(plan.files)]
    attested_files(index, sigstore, "big", versions, uploaded=[now - age for age in ages])
    names = ["kept", *(f"{kind}{n}" for kind in ("page", "file") for n in range(plan.probes))]
    for name in names:
        attested_files(index, sigstore, name, ["1.0"], uploaded=now - timedelta(hours=1))


def asked(control: Connection) -> Counter[str]:
    """The requests about the big project since this was last asked."""
    control.send("requests")
    counted: Counter[str] = control.recv()
    return counted


# --- what is measured


async def measured(listing: str, control: Connection, url: str, root: bytes, plan: Plan) -> Seen:
    """One run: others alone, then the big page's first reader and the others beside it."""
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place)
        (scratch / "root.json").write_bytes(root)
        config = scratch / "inbond.toml"
        config.write_text(CONFIG.format(listing=listing))
        with inbond(scratch, url, "--config", str(config), root=str(scratch / "root.json")) as (origin, _):
            async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(60)) as session:
                return await Run(origin, session, control, plan, Seen(listing=listing)).seen_through()


@dataclass
class Run:
    """One client of one inbond."""

    origin: str
    session: aiohttp.ClientSession
    control: Connection
    plan: Plan
    seen: Seen
    number: int = 0

    async def seen_through(self) -> Seen:
        """All of one way of listing."""
        seen = self.seen
        await self.get("/simple/kept/")
        async with self.others() as seen.idle:
            await asyncio.sleep(self.plan.watched)
        before = await self.lags()
        asked(self.control)
        async with self.others() as seen.busy:
            started = time.perf_counter()
            first = await self.listed()
            seen.first_page, seen.listed_first = time.perf_counter() - started, first
            seen.asked_first = asked(self.control)
            while first < self.plan.files and time.perf_counter() - started < MOST:
                await asyncio.sleep(PROBE_EVERY)
                if await self.settling() == 0:
                    first = await self.listed()
            if first == self.plan.files:
                seen.all_listed = time.perf_counter() - started
            await asyncio.sleep(max(0.0, self.plan.watched - (time.perf_counter() - started)))
        seen.asked = seen.asked_first + asked(self.control)
        seen.lag = worst(before, await self.lags())
        return seen

    @asynccontextmanager
    async def others(self) -> AsyncIterator[dict[str, list[float]]]:
        """Asks for other projects' pages and files meanwhile, one of each kind at a time."""
        times: dict[str, list[float]] = {kind: [] for kind in KINDS}
        tasks = [asyncio.create_task(self.ask_on(kind, times[kind])) for kind in KINDS]
        try:
            yield times
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for one in ended:
            if isinstance(one, Exception):
                raise one

    async def ask_on(self, kind: str, times: list[float]) -> None:
        """One kind of request, at even intervals, each timed."""
        while True:
            self.number += 1
            which = self.number % self.plan.probes
            path = {"page kept": "/simple/kept/", "page new": f"/simple/page{which}/"}.get(kind)
            if path is None:
                path = await self.path_of(f"file{which}")
            started = time.perf_counter()
            await self.get(path)
            times.append(time.perf_counter() - started)
            await asyncio.sleep(PROBE_EVERY)

    async def path_of(self, project: str) -> str:
        page = await self.page(project)
        return str(page["files"][0]["url"]).removeprefix("../..")

    async def listed(self) -> int:
        """Files of the big page that an installer may take."""
        return sum(1 for file in (await self.page("big"))["files"] if not file.get("yanked"))

    async def page(self, project: str) -> Any:
        async with self.session.get(f"{self.origin}/simple/{project}/", headers={"Accept": JSON}) as answer:
            answer.raise_for_status()
            return await answer.json(content_type=None)

    async def get(self, path: str) -> bytes:
        async with self.session.get(self.origin + path, headers={"Accept": JSON}) as answer:
            answer.raise_for_status()
            return await answer.read()

    async def settling(self) -> float:
        """Files whose evidence is not established yet."""
        text = (await self.get("/metrics")).decode()
        return sum(float(count) for count in re.findall(r"inbond_settling_files\{[^}]*\} (\S+)", text))

    async def lags(self) -> dict[float, float]:
        """How often the event loop was late, by at most so many seconds."""
        text = (await self.get("/metrics")).decode()
        found = re.findall(r'inbond_event_loop_lag_seconds_bucket\{le="([^"]+)"\} (\S+)', text)
        return {float(edge): float(count) for edge, count in found}


def worst(before: dict[float, float], after: dict[float, float]) -> float:
    """The smallest edge under which all of the lags between two looks lie."""
    total = after[float("inf")] - before[float("inf")]
    return min(edge for edge in after if after[edge] - before[edge] == total)


# --- what is written


def as_markdown(seen: list[Seen], plan: Plan, load: float) -> str:
    """The tables for people."""
    text = HEAD.format(
        files=plan.files,
        young=plan.young,
        round_trip=plan.round_trip * 1000,
        machine=platform.machine(),
        cores=os.cpu_count(),
        load=load,
        python=platform.python_version(),
    )
    lines = [text, *(_of_page(one, plan) for one in seen), BESIDE.format(watched=plan.watched)]
    lines += [_of_others(one, kind) for one in seen for kind in KINDS]
    return "\n".join(lines) + "\n"


def _of_page(one: Seen, plan: Plan) -> str:
    done = f"not within {MOST:g} s" if one.all_listed is None else f"{one.all_listed:.2f} s"
    return (
        f"| {one.listing} | {one.first_page:.2f} s | {one.listed_first:,} of {plan.files:,} "
        f"| {one.asked_first['page']}, {one.asked_first['provenance']:,} | {done} "
        f"| {one.asked['provenance']:,} | {_late(one.lag)} |"
    )


def _late(lag: float) -> str:
    return f"{lag * 1000:.0f} ms" if lag < float("inf") else "over 1000 ms"


def _of_others(one: Seen, kind: str) -> str:
    idle, busy = one.idle[kind], one.busy[kind]
    return (
        f"| {one.listing} | {kind} | {ms(idle, 50)} | {ms(busy, 50)} | {ms(idle, 99)} | {ms(busy, 99)} "
        f"| {_times(busy, idle)} | {len(idle)}, {len(busy)} |"
    )


def _times(busy: list[float], idle: list[float]) -> str:
    return f"{statistics.median(busy) / statistics.median(idle):.2f}" if busy and idle else "-"


def ms(times: list[float], percent: int) -> str:
    """A percentile in milliseconds; nothing where fewer than two were seen."""
    if len(times) < 2:
        return "-"
    return f"{statistics.quantiles(times, n=100, method='inclusive')[percent - 1] * 1000:.1f} ms"


if __name__ == "__main__":
    main()
