"""How long a hot page takes at a fixed rate, 70 % of what the server can do at most, alone and while it verifies."""

from __future__ import annotations

import asyncio
import json
import re
from functools import partial

from harness import plan as names
from harness.asking import must
from harness.catalog import JSON
from harness.figures import Sample
from harness.hot import page_of, page_seen
from harness.paced import Paced, at_rate
from harness.raw import head_of
from harness.servers import ALL, DEVPI, DIRECT, INBOND, STATIC, Server
from harness.work import Bench, Work
from harness.wrk import wrk

LOAD = 0.7
CLIENT_MOST = 10_000.0  # requests a second, half a processor of the client: above them it measures itself
CONNECTIONS = 64
VERIFYING_CONNECTIONS = 64
PEAK_SECONDS = 2.0
SHARE, VERIFIED = "of its most, %", "verifications/s"
WITHOUT = (DIRECT, DEVPI)  # devpi ends the connection after every answer
_PAGE = page_of(names.SMALL)
_ACCEPT = {"Accept": JSON}


def works() -> list[Work]:
    """The second's reference is inbond itself: compare it with the first."""
    servers = tuple(name for name in ALL if name not in WITHOUT)
    return [
        Work(
            name="p99.9 of a hot page at 70 % load", group="latency", client="wrk", unit="ms",
            servers=servers, reference=STATIC, parts=("small",), run=partial(_run, verifying=False), warm=_warm,
        ),
        Work(
            name="p99.9 of a hot page at 70 % load, 500 verifications a second", group="latency", client="wrk",
            unit="ms", servers=(INBOND,), reference=INBOND, parts=("small", "verified"),
            run=partial(_run, verifying=True), warm=_warm,
        ),
    ]  # fmt: skip


def _warm(bench: Bench, to: Server) -> None:
    for _ in range(3):
        must(_PAGE(bench, to), _ACCEPT)
    page_seen(names.SMALL, "json")(bench, to)


def _run(bench: Bench, to: Server, round_: int, *, verifying: bool) -> Sample:
    """Both works of a round have the same rate: what differs is what goes on beside."""
    url, peak = _PAGE(bench, to), _peak(bench, to, round_)
    rate = min(LOAD * peak, CLIENT_MOST)
    checks = verdicts(to, names.young(round_)) if verifying else []
    before = verified(to) if verifying else 0.0
    paced, checked = asyncio.run(_both(to, head_of(url, _ACCEPT), rate, checks, bench))
    assert not paced.wrong, f"{paced.wrong} answers were no success"
    extra = {
        "p50, ms": paced.percentile(50), "p99, ms": paced.percentile(99), "at most, ms": paced.percentile(100),
        "requests/s": paced.rate, SHARE: 100 * min(rate, paced.rate) / peak,
    }  # fmt: skip
    if checked is not None:
        assert not checked.wrong, f"{checked.wrong} verdicts were no success"
        extra[VERIFIED] = (verified(to) - before) / max(paced.seconds, checked.seconds)
    return Sample(value=paced.percentile(99.9), extra=extra)


def _peak(bench: Bench, to: Server, round_: int) -> float:
    """The most that the server gives, found once in each round: the machine is not always equally quick."""
    if (to.name, round_) not in bench.peaks:
        seen = wrk(_PAGE(bench, to), _ACCEPT, connections=CONNECTIONS, seconds=PEAK_SECONDS, running=to.running)
        bench.peaks[to.name, round_] = seen.value
    return bench.peaks[to.name, round_]


async def _both(
    to: Server, page: bytes, rate: float, checks: list[bytes], bench: Bench
) -> tuple[Paced, Paced | None]:  # fmt: skip
    seconds = bench.plan.seconds
    pages = at_rate(to.origin, [page], rate=rate, seconds=seconds, connections=CONNECTIONS)
    if not checks:
        return await pages, None
    verifying = at_rate(
        to.origin, checks, rate=bench.plan.verifications, seconds=seconds, connections=VERIFYING_CONNECTIONS
    )
    return await asyncio.gather(pages, verifying)


def verified(to: Server) -> float:
    """How many verifications have ended, as inbond counts them."""
    told = must(f"{to.origin}/metrics").body.decode()
    return sum(float(count) for count in re.findall(r"^inbond_verifications_total\{[^}]*\} (\S+)", told, re.MULTILINE))


def verdicts(to: Server, project: str) -> list[bytes]:
    """A request for the verdict on each of a project's files: each of them is verified once."""
    page = json.loads(must(to.page(project), _ACCEPT).body)
    paths = (f"{to.origin}/-/verdict/root/{project}/{file['filename']}" for file in page["files"])
    return [head_of(path, {"Accept": "application/json"}) for path in paths]
