"""What must be shown, and whether a run shows it: each target is one figure and a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from harness.figures import Figures
from harness.latency import LOAD, SHARE, VERIFIED
from harness.servers import ALL, DEVPI, DIRECT, INBOND, PROXPI, PROXY, STATIC

Run = Mapping[str, Figures]


class Failed(Exception):
    """A server failed at the work: what was measured of it before says nothing."""


def _as_wanted(_: Run) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Target:
    """`found` gives the figure, or None where the run has not measured it; `short_of` what it was measured at instead
    of what the text says, or nothing."""

    text: str
    bound: float
    at_least: bool
    found: Callable[[Run], float | None]
    short_of: Callable[[Run], str] = _as_wanted

    def row(self, run: Run) -> str:
        try:
            figure = self.found(run)
        except Failed as failed:
            return f"| {self.text} | {self._said} | - | **failed**: {failed} |"
        if figure is None:
            return f"| {self.text} | {self._said} | not measured | |"
        met = figure >= self.bound if self.at_least else figure <= self.bound
        verdict = "met" if met else "**missed**"
        if short := self.short_of(run):
            verdict = f"{verdict}, but only at {short}"
        return f"| {self.text} | {self._said} | {figure:.3g} | {verdict} |"

    @property
    def _said(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"


def table(run: Run, plans: Mapping[str, str]) -> str:
    """All targets; the page's own work in one process is measured by bench/page.py. `plans`: by group of works, what
    of its plan was not the default one."""
    lines = ["# What must be shown", ""]
    if others := [f"- {group}: {told}" for group, told in plans.items() if told]:
        lines += ["**Not measured by the default plan:**", "", *others, ""]
    lines += ["| target | bound | found | |", "|---|--:|--:|---|"]
    return "\n".join([*lines, *(target.row(run) for target in TARGETS)]) + "\n"


def sound(run: Run, work: str, *servers: str) -> Figures | None:
    """The figures of a work, if it was run; raises where one of these failed at it in any round."""
    if work not in run:
        return None
    if failed := [server for server in servers if run[work].failed(server)]:
        raise Failed(", ".join(failed))
    return run[work]


def ratio(work: str, to: str) -> Callable[[Run], float | None]:
    """The median of the rounds' ratios of inbond's figures."""
    return lambda run: figures.ratio(INBOND, to) if (figures := sound(run, work, INBOND, to)) else None


def extra(work: str, name: str) -> Callable[[Run], float | None]:
    """What else was seen of inbond."""
    return lambda run: figures.extra(INBOND, name) if (figures := sound(run, work, INBOND)) else None


def between(work: str, other: str) -> Callable[[Run], float | None]:
    """inbond's figures of two works, each round's against the same round's."""

    def found(run: Run) -> float | None:
        one, against = sound(run, work, INBOND), sound(run, other, INBOND)
        if one is None or against is None:
            return None
        pair = Figures(work="", group="", unit="", reference=other, less_is_better=False)
        pair.samples = {work: one.samples.get(INBOND, []), other: against.samples.get(INBOND, [])}
        return pair.ratio(work)

    return found


def to_the_fastest(work: str) -> Callable[[Run], float | None]:
    """inbond's ratio to whichever other server is the fastest by its median."""

    def found(run: Run) -> float | None:
        if (figures := sound(run, work, INBOND)) is None:
            return None
        medians = {name: median for name in ALL if name != INBOND and (median := figures.median(name))}
        best = max(medians, key=lambda name: medians[name], default=None)
        return ratio(work, best)(run) if best is not None else None

    return found


def first_byte_after(work: str) -> Callable[[Run], float | None]:
    """Milliseconds by which inbond's first byte comes after upstream's own."""

    def found(run: Run) -> float | None:
        if (figures := sound(run, work, INBOND, DIRECT)) is None:
            return None
        ours, theirs = (figures.extra(server, "first byte, ms") for server in (INBOND, DIRECT))
        return ours - theirs if ours is not None and theirs is not None else None

    return found


def load_of(work: str, verifications: float) -> Callable[[Run], str]:
    """What load there was, where it was less than the target's."""

    def short_of(run: Run) -> str:
        share, verified = (run[work].extra(INBOND, name) or 0.0 for name in (SHARE, VERIFIED))
        if share >= ENOUGH * LOAD * 100 and verified >= ENOUGH * verifications:
            return ""
        return f"{share:.0f} % of its most and {verified:.0f} verifications a second"

    return short_of


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
VERIFYING = f"{LATENCY}, 500 verifications a second"
ENOUGH = 0.95  # of a load that a target names
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
    Target(
        text="p99.9 at 70 % load with 500 verifications a second, to without", bound=3, at_least=False,
        found=between(VERIFYING, LATENCY), short_of=load_of(VERIFYING, 500),
    ),
)  # fmt: skip
