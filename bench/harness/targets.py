"""What must be shown, and whether a run shows it: each target is one figure and a bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from harness.figures import Figures
from harness.latency import ALONE, HALF_TO_WITHOUT, LOAD, SHARE, TO_WITHOUT, VERIFIED
from harness.servers import ALL, BARE, DEVPI, DIRECT, FLOORS, INBOND, PROXPI, PROXY, READY, STATIC

Run = Mapping[str, Figures]


class Failed(Exception):
    """A server failed at the work: what was measured of it before says nothing."""


Found = Callable[[Run], float | None]


def _as_wanted(_: Run) -> str:
    return ""


def _unknown(_: Run) -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Target:
    """`found` gives the figure, or None where the run has not measured it; `floor` the same figure of a server that
    checks nothing and keeps nothing, where there is one; `short_of` what it was measured at instead of what the text
    says, or nothing."""

    text: str
    bound: float
    at_least: bool
    found: Found
    floor: Found = _unknown
    short_of: Callable[[Run], str] = _as_wanted

    def row(self, run: Run) -> str:
        try:
            figure = self.found(run)
        except Failed as failed:
            return f"| {self.text} | {self._said} | - | {self._floor(run)} | **failed**: {failed} |"
        if figure is None:
            return f"| {self.text} | {self._said} | not measured | {self._floor(run)} | |"
        met = figure >= self.bound if self.at_least else figure <= self.bound
        verdict = "met" if met else "**missed**"
        if short := self.short_of(run):
            verdict = f"{verdict}, but only at {short}"
        return f"| {self.text} | {self._said} | {figure:.3g} | {self._floor(run)} | {verdict} |"

    def _floor(self, run: Run) -> str:
        with suppress(Failed):
            figure = self.floor(run)
            return "-" if figure is None else f"{figure:.3g}"
        return "failed"

    @property
    def _said(self) -> str:
        return f"{'at least' if self.at_least else 'at most'} {self.bound:g}"


def table(run: Run, plans: Mapping[str, str]) -> str:
    """All targets; the page's own work in one process is measured by bench/page.py. `plans`: by group of works, what
    of its plan was not the default one."""
    lines = ["# What must be shown", ""]
    if others := [f"- {group}: {told}" for group, told in plans.items() if told]:
        lines += ["**Not measured by the default plan:**", "", *others, ""]
    lines += [FLOOR_TOLD, "", "| target | bound | found | bare | |", "|---|--:|--:|--:|---|"]
    return "\n".join([*lines, *(target.row(run) for target in TARGETS)]) + "\n"


def sound(run: Run, work: str, *servers: str) -> Figures | None:
    """The figures of a work, if it was run; raises where one of these failed at it in any round."""
    if work not in run:
        return None
    if failed := [server for server in servers if run[work].failed(server)]:
        raise Failed(", ".join(failed))
    return run[work]


def ratio(work: str, to: str, of: str = INBOND) -> Found:
    """The median of the rounds' ratios of inbond's figures, or another's."""
    return lambda run: figures.ratio(of, to) if (figures := sound(run, work, of, to)) else None


def extra(work: str, name: str) -> Found:
    """What else was seen of inbond."""
    return lambda run: figures.extra(INBOND, name) if (figures := sound(run, work, INBOND)) else None


def between(work: str, other: str, of: str = INBOND) -> Found:
    """A server's figures of two works, each round's against the same round's."""

    def found(run: Run) -> float | None:
        one, against = sound(run, work, of), sound(run, other, of)
        if one is None or against is None:
            return None
        pair = Figures(work="", group="", unit="", reference=other, less_is_better=False)
        pair.samples = {work: one.samples.get(of, []), other: against.samples.get(of, [])}
        return pair.ratio(work)

    return found


def to_the_fastest(work: str) -> Found:
    """inbond's ratio to whichever other server is the fastest by its median."""

    def found(run: Run) -> float | None:
        if (figures := sound(run, work, INBOND)) is None:
            return None
        others = (name for name in ALL if name not in (INBOND, *FLOORS))
        medians = {name: median for name in others if (median := figures.median(name))}
        best = max(medians, key=lambda name: medians[name], default=None)
        return ratio(work, best)(run) if best is not None else None

    return found


def first_byte_after(work: str, of: str = INBOND) -> Found:
    """Milliseconds by which a server's first byte comes after upstream's own."""

    def found(run: Run) -> float | None:
        if (figures := sound(run, work, of, DIRECT)) is None:
            return None
        ours, theirs = (figures.extra(server, "first byte, ms") for server in (of, DIRECT))
        return ours - theirs if ours is not None and theirs is not None else None

    return found


def load_of(work: str, verifications: float) -> Callable[[Run], str]:
    """What load there was, where it was less than the target's."""

    def short_of(run: Run) -> str:
        share, verified, alone = (run[work].extra(INBOND, name) or 0.0 for name in (SHARE, VERIFIED, ALONE))
        if share >= ENOUGH * LOAD * 100 and verified >= ENOUGH * verifications:
            return ""
        most = f" (without pages {alone:.0f} are the most here)" if alone else ""
        half = run[work].extra(INBOND, HALF_TO_WITHOUT)
        with_half = f"; {half:.3g} with half as many" if half else ""
        return f"{share:.0f} % of its most and {verified:.0f} verifications a second{most}{with_half}"

    return short_of


def least(text: str, bound: float, found: Found, floor: Found = _unknown) -> Target:
    return Target(text=text, bound=bound, at_least=True, found=found, floor=floor)


def most(text: str, bound: float, found: Found, floor: Found = _unknown) -> Target:
    return Target(text=text, bound=bound, at_least=False, found=found, floor=floor)


def least_to(text: str, bound: float, work: str, to: str) -> Target:
    """A ratio on a hot work, and that of ready bytes."""
    return least(text, bound, ratio(work, to), ratio(work, to, of=READY))


def most_to(text: str, bound: float, work: str, to: str) -> Target:
    """A ratio on a cold work, and that of a proxy that passes on."""
    return most(text, bound, ratio(work, to), ratio(work, to, of=BARE))


PAGE, LARGE, PACED, STORM = (
    "hot page, 60 files",
    "hot file, 64 MiB",
    "cold file, 64 MiB, at 1 Gbit/s",
    "storm of uv sync",
)
VERIFYING = "p99.9 of a hot page at 70 % load, 500 verifications a second"
FLOOR_TOLD = """\
*bare*: the same figure of a server that checks nothing and keeps nothing: for what is hot a bare asyncio protocol that
writes ready bytes, for what is cold an aiohttp proxy that passes everything on."""
ENOUGH = 0.95  # of a load that a target names
TARGETS = (
    least_to("hot small page, to static nginx", 0.8, PAGE, STATIC),
    least_to("hot small page, to proxpi", 40, PAGE, PROXPI),
    least_to("hot small page, to devpi", 150, PAGE, DEVPI),
    least("304, to pages", 1.0, between("hot 304", PAGE), between("hot 304", PAGE, of=READY)),
    least("hot file of 64 MiB, to the fastest other", 1.0, to_the_fastest(LARGE)),
    least_to("hot file of 100 kB, to static nginx", 0.45, "hot file, 100 kB", STATIC),
    most_to("`pip install`, cold, to direct", 0.9, "pip install, cold", DIRECT),
    most_to("`uv pip sync`, cold, to direct", 1.1, "uv pip sync, cold", DIRECT),
    most("`pip install`, warm, to direct", 1.0, ratio("pip install, warm", DIRECT)),
    most("`pip install`, warm, to nginx as caching proxy", 1.1, ratio("pip install, warm", PROXY)),
    most("`uv pip sync`, warm, to direct", 1.0, ratio("uv pip sync, warm", DIRECT)),
    most("`uv pip sync`, warm, to nginx as caching proxy", 1.1, ratio("uv pip sync, warm", PROXY)),
    most_to("cold file of 64 MiB at 1 Gbit/s, to direct", 1.05, PACED, DIRECT),
    most_to("the same as fast as upstream gives it, to direct", 1.05, "cold file, 64 MiB", DIRECT),
    most(
        "its first byte after upstream's own, at 1 Gbit/s, ms", 10, first_byte_after(PACED),
        first_byte_after(PACED, of=BARE),
    ),
    most("storm of `uv sync`, to nginx as caching proxy", 1.15, ratio(STORM, PROXY)),
    most("a page meanwhile, p99, ms", 25, extra(STORM, "page p99, ms")),
    most(
        "200 clients on one cold file of 1 GiB, memory that they add, MB", 64,
        extra("memory after pages, and with 200 clients on one cold file", "added by the clients, at most"),
    ),
    Target(
        text="p99.9 at 70 % load with 500 verifications a second, to without", bound=3, at_least=False,
        found=extra(VERIFYING, TO_WITHOUT), short_of=load_of(VERIFYING, 500),
    ),
)  # fmt: skip
