"""Many clean installs at once, as a CI system begins its morning: with real uv, and with clients that do no work."""

from __future__ import annotations

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Coroutine
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from harness import plan as names
from harness.compared import same_file
from harness.figures import Sample
from harness.installers import uv_environment, uv_lock, uv_sync
from harness.installs import pinned
from harness.plan import Plan
from harness.raw import Kept, head_of
from harness.servers import INBOND, PROXPI, PROXY, Server
from harness.work import Bench, NotOffered, Work

SERVERS = (PROXY, INBOND, PROXPI)  # the first of them is the reference
PROBE_EVERY = 0.05  # seconds, a page that everybody knows, meanwhile
LINES = 4  # connections of each client that does no work
MOST_ROUNDS = 3
BEFORE = (
    "The pages are asked for before the clock begins, by one client, at the same round trip: *provenance before*, and "
    "*files before* where a server has had them ahead by then."
)


def works() -> list[Work]:
    """All of them."""
    return [
        Work(
            name="storm of uv sync", group="storm", client="uv", unit="s", servers=SERVERS, reference=PROXY,
            parts=("storm", "small"), run=_syncs, most_rounds=MOST_ROUNDS, told=BEFORE,
        ),
        Work(
            name="storm of clients without work", group="storm", unit="s", servers=SERVERS, reference=PROXY,
            parts=("replay", "small"), run=_replayed, most_rounds=MOST_ROUNDS, told=BEFORE,
        ),
    ]  # fmt: skip


def _syncs(bench: Bench, to: Server, round_: int) -> Sample:
    """Each with a cache of its own that begins empty. The pages are known from locking, the files to nobody."""
    bench.upstream.begin(round_trip=bench.plan.round_trip)
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
    """The same files, asked for by clients that throw them away: what is left is the server. The first compares."""
    bench.upstream.begin(round_trip=bench.plan.round_trip)
    projects = [names.package(names.replay_set(round_), number) for number in range(bench.plan.packages)]
    urls = {to.file(project): project for project in projects}
    if not all(url.startswith(to.origin) for url in urls):
        raise NotOffered("its pages send clients past it")
    kept: dict[str, str | None] = {}
    sample = _meanwhile(bench, to, _all_clients(list(urls), bench.plan, kept))
    for url, project in urls.items():
        same_file(bench.upstream, project, url, kept.get(url))
    return sample


async def _all_clients(urls: list[str], plan: Plan, kept: dict[str, str | None]) -> None:
    """The sha256 of what the first gets is in `kept` then."""
    clients = [(number, line) for number in range(plan.installs) for line in range(LINES)]
    await asyncio.gather(*(_client(urls[line::LINES], None if number else kept) for number, line in clients))


async def _client(urls: list[str], kept: dict[str, str | None] | None) -> None:
    with closing(await Kept.to(urls[0], keeping=kept is not None)) as client:
        for url in urls:
            got = await client.get(url, {"Accept-Encoding": "identity"})
            if got.location is not None:
                raise NotOffered(f"answers {got.status} to some of them: its clients go past it")
            if got.status != 200:
                raise RuntimeError(f"{url} answers {got.status}")
            if kept is not None:
                kept[url] = got.sha256


def _meanwhile(bench: Bench, to: Server, storm: Coroutine[None, None, None]) -> Sample:
    """Runs the storm; a page that is known is asked for all the while."""
    before = bench.upstream.counts()
    spent = to.running.processor_seconds() if to.running is not None else 0.0
    seconds, probe = asyncio.run(_probed(to.page(names.SMALL), storm))
    counts = bench.upstream.counts()
    extra = {
        "page p50, ms": probe.percentile(50), "page p99, ms": probe.percentile(99),
        "files upstream": float(counts["file"]), "provenance upstream": float(counts["provenance"]),
        "provenance before": float(before["provenance"]), "files before": float(before["file"]),
    }  # fmt: skip
    if to.running is not None:
        extra["CPU s"] = to.running.processor_seconds() - spent
    return Sample(value=seconds, extra=extra)


@dataclass(kw_only=True)
class Probe:
    """What a page that everybody knows was answered, and how soon."""

    times: list[float] = field(default_factory=list)  # seconds
    refused: Counter[int] = field(default_factory=Counter)  # by status

    def percentile(self, percent: float) -> float:
        """In milliseconds."""
        ordered = sorted(self.times)
        return ordered[min(len(ordered) - 1, int(len(ordered) * percent / 100))] * 1000

    def must_be_whole(self) -> None:
        """Fails where any page was refused, or none was there: a refusal is not a quick page."""
        if self.refused or not self.times:
            told = ", ".join(f"{count} with {status}" for status, count in sorted(self.refused.items()))
            raise RuntimeError(f"of {len(self.times) + self.refused.total()} pages meanwhile were refused: {told}")


async def _probed(page: str, storm: Coroutine[None, None, None]) -> tuple[float, Probe]:
    probe = Probe()
    prober = asyncio.create_task(_probe(page, probe))
    begun = time.perf_counter()
    try:
        await storm
    finally:
        seconds = time.perf_counter() - begun
        prober.cancel()
        with suppress(asyncio.CancelledError):
            await prober
    probe.must_be_whole()
    return seconds, probe


async def _probe(page: str, probe: Probe) -> None:
    """A page at even intervals; its time counts from the moment at which it was due."""
    head, due = head_of(page, {"Accept": "*/*"}), time.perf_counter()
    with closing(await Kept.to(page)) as line:
        while True:
            got = await line.send(head)
            if got.status == 200:
                probe.times.append(time.perf_counter() - due)
            else:
                probe.refused[got.status] += 1
            due += PROBE_EVERY
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
