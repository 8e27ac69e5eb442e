"""inbond beside nginx, proxpi and devpi: the same work against all in turn, in the same run.

    make bench        (or: python bench/compare.py [--only "hot page"] [--rounds 5] [--add] [--short] [--list])

Needs nginx and wrk; proxpi, devpi and uv are installed into .bench/ from the package index that pip is set up for, and
left out where that cannot be. All else stays on this machine. Writes .md, .json and .svg of each group to
bench/results/; where only some works or servers are chosen, to .bench/results/, so that no full run is overwritten by a
part of one. A group by itself: --only "storm:" --results bench/results; with --add, more rounds of it.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
from dataclasses import dataclass, replace
from pathlib import Path

from harness import cold, hot, installs, latency, memory, storm, targets
from harness.earlier import Earlier, Otherwise, earlier
from harness.figures import Figures
from harness.machine import machine
from harness.peers import PLACE, WANTED, peers
from harness.plan import Plan, short
from harness.report import plans, put, stored, written
from harness.rounds import measured
from harness.servers import ALL, INBOND, PROXY, STATIC
from harness.work import Work

RESULTS = Path(__file__).parent / "results"
STOPPED = 130  # exit code, as a shell gives it for SIGINT


def all_works() -> list[Work]:
    """Every work, in the order in which it is run in each round."""
    return [
        *hot.works(), *cold.works(), *installs.works(), *storm.works(), *latency.works(), *memory.works(),
    ]  # fmt: skip


def named(work: Work) -> str:
    """As it is listed, and chosen by `--only`."""
    return f"{work.group}: {work.name}"


def main() -> None:
    """Measures, prints and writes."""
    options = _options()
    works = [work for work in all_works() if not options.only or any(part in named(work) for part in options.only)]
    if options.list or not works:
        print("\n".join(named(work) for work in works or all_works()))
        sys.exit(0 if options.list else "no work has such a name; these are there")
    wanted = {name for work in works for name in work.servers} & {INBOND, *(options.servers or ALL)}
    clients = {work.client for work in works}
    _there("nginx", wanted & {STATIC, PROXY})
    _there("wrk", clients & {"wrk"})
    plan = _plan(options)
    told = machine(peers((wanted | clients) & set(WANTED)))
    whole = not (options.only or options.servers or options.short)
    place = options.results or (RESULTS if whole else PLACE / "results")
    run = Run(works=works, plan=plan, machine=told, place=place, before=_before(options.add, place, works, plan, told))
    for stop in (signal.SIGINT, signal.SIGTERM):
        signal.signal(stop, signal.default_int_handler)
    try:
        measured(works, plan, options.servers, run.figures, run.after_round)
    except BaseException as why:
        print(f"stopped; what was measured is in {run.stopped()}", file=sys.stderr)
        if isinstance(why, KeyboardInterrupt):
            sys.exit(STOPPED)
        raise
    print("\n".join(run.written(place)))
    print(f"written to {place}")
    if failed := [work.name for work in works if run.figures[work.name].failed(INBOND)]:
        sys.exit(f"inbond failed at: {', '.join(failed)}")


@dataclass(kw_only=True)
class Run:
    """What is measured, and where it goes."""

    works: list[Work]
    plan: Plan
    machine: dict[str, str]
    place: Path
    before: Earlier
    rounds: int = 0  # that are whole

    @property
    def figures(self) -> dict[str, Figures]:
        """By work; with those that the run is added to."""
        return self.before.figures

    def after_round(self, rounds: int) -> None:
        """So many are whole: what is there is written."""
        self.rounds = rounds
        self.written(self.place)

    def stopped(self) -> Path:
        """Writes what is there; where some work had no round at all it takes no other results' place."""
        seen = [self.figures[work.name] for work in self.works if work.name in self.figures]
        if any(one.rounds > self.rounds + self.before.rounds.get(one.group, 0) for one in seen):
            self.rounds += 1  # the one that was under way
        whole = len(seen) == len(self.works) and all(one.rounds for one in seen)
        place = self.place if whole else PLACE / "stopped"
        self.written(place)
        return place

    def written(self, place: Path) -> list[str]:
        """Writes each group and the targets; the pages' texts."""
        plan = replace(self.plan, rounds=self.rounds)
        pages = written(self.figures.values(), plan, self.machine, place, self.before.rounds)
        pages.append(targets.table(stored(place), plans(place)))
        put(place / "targets.md", pages[-1])
        return pages


def _before(add: bool, place: Path, works: list[Work], plan: Plan, machine: dict[str, str]) -> Earlier:
    """What the run is added to; ends it where that was measured otherwise."""
    try:
        return earlier(place, works, plan, machine) if add else Earlier()
    except Otherwise as why:
        sys.exit(str(why))


def _there(tool: str, needed: set[str]) -> None:
    """Ends the run where a tool is missing that it needs."""
    if needed and shutil.which(tool) is None:
        sys.exit(f"{tool} is needed: install the Debian package {tool}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", default=[], help="works that are listed with this; may be repeated")
    parser.add_argument("--servers", action="append", choices=ALL, help="these beside inbond; may be repeated")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="of each hot run")
    parser.add_argument("--installs", type=int, help="clean `uv sync` of a storm, and its clients without work")
    parser.add_argument("--round-trip", type=float, help="milliseconds to upstream, in the cold works")
    parser.add_argument("--short", action="store_true", help="everything small, one round: to see that it works")
    parser.add_argument("--add", action="store_true", help="the rounds to those that are there, of the same plan")
    parser.add_argument("--list", action="store_true", help="the works' names")
    parser.add_argument("--results", type=Path)
    return parser.parse_args()


def _plan(options: argparse.Namespace) -> Plan:
    plan = short() if options.short else Plan()
    if options.rounds is not None:
        plan = replace(plan, rounds=options.rounds)
    if options.seconds is not None:
        plan = replace(plan, seconds=options.seconds)
    if options.installs is not None:
        plan = replace(plan, installs=options.installs)
    if options.round_trip is not None:
        plan = replace(plan, round_trip=options.round_trip / 1000)
    return plan


if __name__ == "__main__":
    main()
