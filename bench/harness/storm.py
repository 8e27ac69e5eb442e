"""Many clean installs at once, as a CI system begins its morning: with real uv, and with clients that do no work."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path

from harness import plan as names
from harness.figures import Sample
from harness.installers import uv_environment, uv_lock, uv_sync
from harness.installs import pinned
from harness.plan import Plan
from harness.raw import Client, head_of
from harness.servers import INBOND, PROXPI, PROXY, Server
from harness.work import Bench, NotOffered, Work

SERVERS = (PROXY, INBOND, PROXPI)  # the first of them is the reference
PROBE_EVERY = 0.05  # seconds, a page that everybody knows, meanwhile
LINES = 4  # connections of each client that does no work
MOST_ROUNDS = 3


def works() -> list[Work]:
    """All of them."""
    return [
        Work(
            name="storm of uv sync", group="storm", client="uv", unit="s", servers=SERVERS, reference=PROXY,
            parts=("storm", "small"), run=_syncs, most_rounds=MOST_ROUNDS,
        ),
        Work(
            name="storm of clients without work", group="storm", unit="s", servers=SERVERS, reference=PROXY,
            parts=("replay", "small"), run=_replayed, most_rounds=MOST_ROUNDS,
        ),
    ]  # fmt: skip


def _syncs(bench: Bench, to: Server, round_: int) -> Sample:
    """Each with a cache of its own that begins empty. The pages are known from locking, the files to nobody."""
    locked = bench.scratch()
    uv_lock(to.index, pinned(bench.plan, names.storm_set(round_)), locked)
    return _meanwhile(bench, to, _all_syncs(bench, locked))


async def _all_syncs(bench: Bench, locked: Path) -> None:
    places = asyncio.Semaphore(bench.plan.at_once)

    async def one() -> None:
        async with places:
            project = bench.scratch()
            for name in ("pyproject.toml", "uv.lock"):
                shutil.copy(locked / name, project)
            await _sync(project, bench.plan.packages)
            await asyncio.to_thread(shutil.rmtree, project)

    await asyncio.gather(*(one() for _ in range(bench.plan.installs)))


async def _sync(project: Path, packages: int) -> None:
    process = await asyncio.create_subprocess_exec(
        *uv_sync(project), env=uv_environment(project), stderr=asyncio.subprocess.PIPE
    )
    _, told = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"uv sync ends with {process.returncode}: {told.decode()[-600:]}")
    found = len(list(project.glob(".venv/lib/*/site-packages/*_package_*.dist-info")))
    assert found == packages, f"{found} of {packages} packages were installed"


def _replayed(bench: Bench, to: Server, round_: int) -> Sample:
    """The same files, asked for by clients that throw them away: what is left is the server."""
    urls = [to.file(names.package(names.replay_set(round_), number)) for number in range(bench.plan.packages)]
    if not all(url.startswith(to.origin) for url in urls):
        raise NotOffered("its pages send clients past it")
    return _meanwhile(bench, to, _all_clients(urls, bench.plan))


async def _all_clients(urls: list[str], plan: Plan) -> None:
    await asyncio.gather(*(_client(urls[line::LINES]) for _ in range(plan.installs) for line in range(LINES)))


async def _client(urls: list[str]) -> None:
    client = await Client.connected(urls[0])
    for url in urls:
        got = await client.get(url, {"Accept-Encoding": "identity"})
        if got.status != 200:
            client.close()
            raise NotOffered(f"answers {got.status} to some of them: its clients go past it")
    client.close()


def _meanwhile(bench: Bench, to: Server, storm: Coroutine[None, None, None]) -> Sample:
    """Runs the storm; a page that is known is asked for all the while."""
    bench.upstream.counts()
    bench.upstream.behave(round_trip=bench.plan.round_trip)
    spent = to.running.processor_seconds() if to.running is not None else 0.0
    seconds, times = asyncio.run(_probed(to.page(names.SMALL), storm))
    counts = bench.upstream.counts()
    extra = {
        "page p50, ms": _percentile(times, 50), "page p99, ms": _percentile(times, 99),
        "files upstream": float(counts["file"]), "provenance upstream": float(counts["provenance"]),
    }  # fmt: skip
    if to.running is not None:
        extra["CPU s"] = to.running.processor_seconds() - spent
    return Sample(value=seconds, extra=extra)


async def _probed(page: str, storm: Coroutine[None, None, None]) -> tuple[float, list[float]]:
    times: list[float] = []
    prober = asyncio.create_task(_probe(page, times))
    begun = time.perf_counter()
    try:
        await storm
    finally:
        seconds = time.perf_counter() - begun
        prober.cancel()
        with suppress(asyncio.CancelledError):
            await prober
    return seconds, times


async def _probe(page: str, times: list[float]) -> None:
    """A page at even intervals; its time counts from the moment at which it was due."""
    client, head, due = await Client.connected(page), head_of(page, {"Accept": "*/*"}), time.perf_counter()
    while True:
        try:
            await client.send(head)
        except ConnectionResetError:  # servers end connections now and then
            client = await Client.connected(page)
            await client.send(head)
        times.append(time.perf_counter() - due)
        due += PROBE_EVERY
        await asyncio.sleep(max(0.0, due - time.perf_counter()))


def _percentile(times: list[float], percent: float) -> float:
    """In milliseconds."""
    ordered = sorted(times)
    return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000
