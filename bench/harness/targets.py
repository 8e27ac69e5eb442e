"""What must be shown, and whether a run shows it: each target is one figure and a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.figures import Figures
from harness.servers import ALL, DEVPI, DIRECT, INBOND, PROXPI, PROXY, STATIC

Run = Mapping[str, Figures]


@dataclass(frozen=True, kw_only=True)
class Target:
    """`found` gives the figure, or None where the run has not measured it."""

    text: str
    bound: float
    at_least: bool
    found: Callable[[Run], float | None]

    def row(self, run: Run) -> str:
        figure = self.found(run)
        if figure is None:
            return f"| {self.text} | {self._said} | not measured | |"
        met = figure >= self.bound if self.at_least else figure <= self.bound
        return f"| {self.text} | {self._said} | {figure:.3g} | {'met' if met else '**missed**'} |"

    @property
    def _said(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"


def table(run: Run) -> str:
    """All targets; the page's own work in one process is measured by bench/page.py."""
    lines = ["# What must be shown", "", "| target | bound | found | |", "|---|--:|--:|---|"]
    return "\n".join([*lines, *(target.row(run) for target in TARGETS)]) + "\n"


def ratio(work: str, to: str, server: str = INBOND) -> Callable[[Run], float | None]:
    """The median of the rounds' ratios."""
    return lambda run: run[work].ratio(server, to) if work in run else None


def extra(work: str, name: str) -> Callable[[Run], float | None]:
    """What else was seen of inbond."""
    return lambda run: run[work].extra(INBOND, name) if work in run else None


def between(work: str, other: str) -> Callable[[Run], float | None]:
    """inbond's figures of two works, each round's against the same round's."""

    def found(run: Run) -> float | None:
        if work not in run or other not in run:
            return None
        pair = Figures(work="", group="", unit="", reference=other, less_is_better=False)
        pair.samples = {work: run[work].samples.get(INBOND, []), other: run[other].samples.get(INBOND, [])}
        return pair.ratio(work)

    return found


def to_the_fastest(work: str) -> Callable[[Run], float | None]:
    """inbond's ratio to whichever other server is the fastest by its median."""

    def found(run: Run) -> float | None:
        medians = {name: run[work].median(name) or 0.0 for name in ALL if name != INBOND} if work in run else {}
        best = max(medians, key=lambda name: medians[name], default=None)
        return run[work].ratio(INBOND, best) if best is not None and medians[best] else None

    return found


def first_byte_after(work: str) -> Callable[[Run], float | None]:
    """Milliseconds by which inbond's first byte comes after upstream's own."""

    def found(run: Run) -> float | None:
        if work not in run:
            return None
        ours, theirs = (run[work].extra(server, "first byte, ms") for server in (INBOND, DIRECT))
        return ours - theirs if ours is not None and theirs is not None else None

    return found


def least(text: str, bound: float, found: Callable[[Run], float | None]) -> Target:
    return Target(text=text, bound=bound, at_least=True, found=found)


def most(text: str, bound: float, found: Callable[[Run], float | None]) -> Target:
    return Target(text=text, bound=bound, at_least=False, found=found)


PAGE, LARGE, PACED, STORM = (
    "hot page, 60 files",
    "hot file, 64 MiB",
    "cold file, 64 MiB, at 1 Gbit/s",
    "storm of uv sync",
)
LATENCY = "p99.9 of a hot page at 70 % load"
TARGETS = (
    least("hot small page, to static nginx", 0.8, ratio(PAGE, STATIC)),
    least("hot small page, to proxpi", 40, ratio(PAGE, PROXPI)),
    least("hot small page, to devpi", 150, ratio(PAGE, DEVPI)),
    least("304, to pages", 1.0, between("hot 304", PAGE)),
    least("hot file of 64 MiB, to the fastest other", 1.0, to_the_fastest(LARGE)),
    least("hot file of 100 kB, to static nginx", 0.45, ratio("hot file, 100 kB", STATIC)),
    most("`pip install`, cold, to direct", 0.9, ratio("pip install, cold", DIRECT)),
    most("`uv pip sync`, cold, to direct", 1.1, ratio("uv pip sync, cold", DIRECT)),
    most("`pip install`, warm, to direct", 1.0, ratio("pip install, warm", DIRECT)),
    most("`pip install`, warm, to nginx as caching proxy", 1.1, ratio("pip install, warm", PROXY)),
    most("`uv pip sync`, warm, to direct", 1.0, ratio("uv pip sync, warm", DIRECT)),
    most("`uv pip sync`, warm, to nginx as caching proxy", 1.1, ratio("uv pip sync, warm", PROXY)),
    most("cold file of 64 MiB at 1 Gbit/s, to direct", 1.05, ratio(PACED, DIRECT)),
    most("the same as fast as upstream gives it, to direct", 1.05, ratio("cold file, 64 MiB", DIRECT)),
    most("its first byte after upstream's own, at 1 Gbit/s, ms", 10, first_byte_after(PACED)),
    most("storm of `uv sync`, to nginx as caching proxy", 1.15, ratio(STORM, PROXY)),
    most("a page meanwhile, p99, ms", 25, extra(STORM, "page p99, ms")),
    most(
        "200 clients on one cold file of 1 GiB, memory that they add, MB", 64,
        extra("memory after pages, and with 200 clients on one cold file", "added by the clients, at most"),
    ),
    most(
        "p99.9 at 70 % load with 500 verifications a second, to without", 3,
        between(f"{LATENCY}, 500 verifications a second", LATENCY),
    ),
)  # fmt: skip
