"""Installing many packages with real installers, through servers that know none of them, and again.

Cold: nobody has asked for any of the packages before. Warm: the same packages once more, by a client whose own cache is
empty again. All of them are attested, and verified where the server does that.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from harness import plan as names
from harness.figures import Sample
from harness.installers import pip, uv_pip_sync
from harness.plan import Plan
from harness.servers import BARE, DEVPI, DIRECT, INBOND, PROXPI, PROXY, Server
from harness.work import Bench, Work

SERVERS = (DIRECT, PROXY, INBOND, PROXPI, DEVPI)
COLD = (*SERVERS, BARE)  # which keeps nothing, so that it is never warm
Install = Callable[[Bench, Server, int], None]


def works() -> list[Work]:
    """Warm comes after cold in each round: it is what the other has left."""
    return [
        _work("pip install, cold", "pip", _pip),
        _work("pip install, warm", "pip", _pip, warm=True),
        _work("uv pip sync, cold", "uv", _uv),
        _work("uv pip sync, warm", "uv", _uv, warm=True),
    ]


def _work(name: str, part: str, install: Install, *, warm: bool = False) -> Work:
    def run(bench: Bench, to: Server, round_: int) -> Sample:
        if warm:
            bench.upstream.behave()
            install(bench, to, round_)  # whether or not the cold work was chosen, and run before
        return timed(bench, to, round_, install)

    return Work(
        name=name, group="installs", client=part, unit="s", servers=SERVERS if warm else COLD, reference=DIRECT,
        parts=(part,), run=run,
    )  # fmt: skip


def timed(bench: Bench, to: Server, round_: int, install: Install) -> Sample:
    """The whole command, from start to end."""
    bench.upstream.begin(round_trip=bench.plan.round_trip)
    spent = to.running.processor_seconds() if to.running else 0.0
    begun = time.perf_counter()
    install(bench, to, round_)
    seconds = time.perf_counter() - begun
    extra = {f"{kind} upstream": float(count) for kind, count in bench.upstream.counts().items()}
    if to.running is not None:
        extra["CPU s"] = to.running.processor_seconds() - spent
    return Sample(value=seconds, extra=extra)


def pinned(plan: Plan, set_: str) -> list[str]:
    return [f"{names.package(set_, number)}=={names.PINNED}" for number in range(plan.packages)]


def _pip(bench: Bench, to: Server, round_: int) -> None:
    scratch = bench.scratch()
    pip(to.index, list(names.tops(bench.plan, names.pip_set(round_))), scratch)
    _whole(bench, scratch)


def _uv(bench: Bench, to: Server, round_: int) -> None:
    scratch = bench.scratch()
    uv_pip_sync(to.index, pinned(bench.plan, names.uv_set(round_)), scratch)
    _whole(bench, scratch)


def _whole(bench: Bench, scratch: Path) -> None:
    """All packages are there; then they are taken away, for they are many."""
    found = len(list((scratch / "installed").glob("*.dist-info")))
    assert found == bench.plan.packages, f"{found} of {bench.plan.packages} packages were installed"
    shutil.rmtree(scratch)
