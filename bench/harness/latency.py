"""How long a hot page takes at a fixed rate, 70 % of what the server can do at most, alone and while it verifies.

How many verifications a second there can be is the machine's: one takes some 3 ms of a processor. So they come as often
as is wanted, or as often as the verifier has just been seen to end them beside the pages, whichever is less.
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from contextlib import closing

from harness import plan as names
from harness.asking import must
from harness.catalog import JSON
from harness.figures import Sample
from harness.hot import page_of, page_seen
from harness.paced import Paced, at_rate
from harness.raw import Kept, head_of
from harness.servers import ALL, BARE, DEVPI, DIRECT, INBOND, STATIC, Server
from harness.work import Bench, Work
from harness.wrk import wrk

LOAD = 0.7
CLIENT_MOST = 10_000.0  # requests a second, half a processor of the client: above them it measures itself
CONNECTIONS = 64
VERIFYING_CONNECTIONS = 64
PEAK_SECONDS = 2.0
QUIET, QUIET_AT_LAST = 0.5, 30.0  # seconds without a verification, and until no more is waited for it
SHARE, VERIFIED = "of its most, %", "verifications/s"
WANTED, ALONE, TO_WITHOUT = "wanted/s", "at most without pages/s", "to without"
HALF_TO_WITHOUT = "to without, at half as many"
WITHOUT = (DIRECT, DEVPI, BARE)  # devpi ends the connection after every answer
TOLD = (
    "Verdicts are asked for on files of many projects, each of 20 young releases, none of them verified before. *At "
    "most without pages* is how many end in a second when nothing else goes on; *wanted* is the plan's figure, or what "
    "ended beside the pages when they came as fast as they went, if that was less. *To without* is the ratio to the "
    "p99.9 of the same round at the same rate of pages and without any verification. What ended beside the pages is "
    "all that the processors had left, so pages are timed with *half as many* a second as well."
)
_PAGE = page_of(names.SMALL)
_ACCEPT = {"Accept": JSON}


def works() -> list[Work]:
    """The second's reference is inbond itself; it is told beside the first of the same round."""
    servers = tuple(name for name in ALL if name not in WITHOUT)
    return [
        Work(
            name="p99.9 of a hot page at 70 % load", group="latency", client="wrk", unit="ms",
            servers=servers, reference=STATIC, parts=("small",), run=_pages_alone, warm=_warm,
        ),
        Work(
            name="p99.9 of a hot page at 70 % load, 500 verifications a second", group="latency", client="wrk",
            unit="ms", servers=(INBOND,), reference=INBOND, parts=("small", "verified"), run=_verifying, warm=_warm,
            told=TOLD,
        ),
    ]  # fmt: skip


def _warm(bench: Bench, to: Server) -> None:
    for _ in range(3):
        must(_PAGE(bench, to), _ACCEPT)
    page_seen(names.SMALL, "json")(bench, to)


def _pages_alone(bench: Bench, to: Server, round_: int) -> Sample:
    sample = _seen(bench, to, round_, asyncio.run(_pages(bench, to, round_, bench.plan.seconds)))
    bench.quiet[to.name, round_] = sample.value
    return sample


def _verifying(bench: Bench, to: Server, round_: int) -> Sample:
    """At the rate of pages of the work before: what differs is what goes on beside."""
    if (to.name, round_) not in bench.quiet:  # only this work was chosen
        _pages_alone(bench, to, round_)
    alone = asyncio.run(_as_fast_as_it_goes(to, _unverified(bench, to, round_, names.ALONE)))
    beside = asyncio.run(_beside_pages(bench, to, round_, _unverified(bench, to, round_, names.BESIDE)))
    rate = min(bench.plan.verifications, beside)
    half, _ = _while_verifying(bench, to, round_, names.HALF, rate / 2)
    sample, done = _while_verifying(bench, to, round_, names.PACED, rate)
    without = bench.quiet[to.name, round_]
    extra = {VERIFIED: done, WANTED: rate, ALONE: alone, TO_WITHOUT: sample.value / without}
    return Sample(value=sample.value, extra=sample.extra | extra | {HALF_TO_WITHOUT: half.value / without})


def _while_verifying(bench: Bench, to: Server, round_: int, use: str, rate: float) -> tuple[Sample, float]:
    """What pages are like while so many verifications are asked for in a second, and how many of them there were."""
    verdicts, before = _unverified(bench, to, round_, use), verified(to)
    paced, checked = asyncio.run(_both(bench, to, round_, verdicts, rate))
    assert not checked.wrong, f"{checked.wrong} verdicts were no success"
    return _seen(bench, to, round_, paced), (verified(to) - before) / max(paced.seconds, checked.seconds)


def _seen(bench: Bench, to: Server, round_: int, paced: Paced) -> Sample:
    assert not paced.wrong, f"{paced.wrong} answers were no success"
    share = min(_rate(bench, to, round_), paced.rate) / _peak(bench, to, round_)
    extra = {
        "p50, ms": paced.percentile(50), "p99, ms": paced.percentile(99), "at most, ms": paced.percentile(100),
        "requests/s": paced.rate, SHARE: 100 * share,
    }  # fmt: skip
    return Sample(value=paced.percentile(99.9), extra=extra)


def _rate(bench: Bench, to: Server, round_: int) -> float:
    """Of pages: both works of a round have the same."""
    return min(LOAD * _peak(bench, to, round_), CLIENT_MOST)


def _peak(bench: Bench, to: Server, round_: int) -> float:
    """The most that the server gives, found once in each round: the machine is not always equally quick."""
    if (to.name, round_) not in bench.peaks:
        seen = wrk(_PAGE(bench, to), _ACCEPT, connections=CONNECTIONS, seconds=PEAK_SECONDS, running=to.running)
        bench.peaks[to.name, round_] = seen.value
    return bench.peaks[to.name, round_]


async def _pages(bench: Bench, to: Server, round_: int, seconds: float) -> Paced:
    head, rate = head_of(_PAGE(bench, to), _ACCEPT), _rate(bench, to, round_)
    return await at_rate(to.origin, [head], rate=rate, seconds=seconds, connections=CONNECTIONS)


async def _both(bench: Bench, to: Server, round_: int, verdicts: list[bytes], rate: float) -> tuple[Paced, Paced]:
    seconds = bench.plan.seconds
    verifying = at_rate(to.origin, verdicts, rate=rate, seconds=seconds, connections=VERIFYING_CONNECTIONS)
    return await asyncio.gather(_pages(bench, to, round_, seconds), verifying)


async def _beside_pages(bench: Bench, to: Server, round_: int, verdicts: list[bytes]) -> float:
    """How many verifications end in a second while pages are asked for at their rate."""
    pages = _pages(bench, to, round_, names.PROBE_SECONDS)
    done, _ = await asyncio.gather(_as_fast_as_it_goes(to, verdicts), pages)
    return done


async def _as_fast_as_it_goes(to: Server, verdicts: list[bytes]) -> float:
    """How many verifications end in a second, asked for on many connections at once."""
    before, begun, left = await asyncio.to_thread(verified, to), time.monotonic(), verdicts[::-1]

    async def line() -> None:
        with closing(await Kept.to(to.origin)) as client:
            while left and time.monotonic() - begun < names.PROBE_SECONDS:
                got = await client.send(left.pop())
                assert got.status == 200, f"a verdict is answered {got.status}"

    await asyncio.gather(*(line() for _ in range(VERIFYING_CONNECTIONS)))
    seconds = time.monotonic() - begun
    return (await asyncio.to_thread(verified, to) - before) / seconds


def verified(to: Server) -> float:
    """How many verifications have ended, as inbond counts them."""
    told = must(f"{to.origin}/metrics").body.decode()
    return sum(float(count) for count in re.findall(r"^inbond_verifications_total\{[^}]*\} (\S+)", told, re.MULTILINE))


def _unverified(bench: Bench, to: Server, round_: int, use: str) -> list[bytes]:
    """A request for the verdict on each file that has not been verified: one project after the other takes its turn.
    The pages are known then, and what is verified with them, each project's newest file, has been."""
    projects = names.young(bench.plan, round_, use)
    of_each = [_verdicts(to, project) for project in projects]
    until, before = time.monotonic() + QUIET_AT_LAST, -1.0
    while (now := verified(to)) != before and time.monotonic() < until:
        before = now
        time.sleep(QUIET)
    return [verdict for turn in zip(*of_each, strict=True) for verdict in turn]


def _verdicts(to: Server, project: str) -> list[bytes]:
    page = json.loads(must(to.page(project), _ACCEPT).body)
    older = [file["filename"] for file in page["files"][:-1]]
    return [head_of(f"{to.origin}/-/verdict/root/{project}/{name}", {"Accept": "application/json"}) for name in older]
