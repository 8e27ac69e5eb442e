"""The figures as a page for people, as JSON, and as a plot; one of each for each group of works."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.figures import Figures
from harness.plan import Plan, not_default
from harness.plot import bars
from harness.servers import ALL

FORM = 2  # of the JSON; results of another one are left alone, and count for no target
TITLES = {
    "hot": "Hot pages and files: what is known already",
    "cold": "Cold pages and files: what nobody has asked for",
    "installs": "Installing with pip and uv",
    "storm": "Storms",
    "latency": "Latency at 70 % load",
    "memory": "Memory",
}


def written(
    figures: Iterable[Figures], plan: Plan, machine: dict[str, str], place: Path, more: Mapping[str, int] | None = None
) -> list[str]:
    """Writes the results of each group in which something was measured; the pages' texts. `more`: rounds that were
    there before, by group."""
    place.mkdir(parents=True, exist_ok=True)
    groups: dict[str, list[Figures]] = {}
    for one in figures:
        if one.rounds or one.notes:
            groups.setdefault(one.group, []).append(one)
    of = {name: replace(plan, rounds=plan.rounds + (more or {}).get(name, 0)) for name in groups}
    return [_group(name, works, of[name], machine, place) for name, works in groups.items()]


def put(path: Path, text: str) -> None:
    """Writes a file as a whole or not at all, whenever the run is stopped."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def stored(place: Path) -> dict[str, Figures]:
    """The works whose results are there, of this run or of those before it."""
    found = [Figures.from_json(work) for content in contents(place).values() for work in content["works"]]
    return {work.work: work for work in found}


def plans(place: Path) -> dict[str, str]:
    """What of the plan of each group of results that is there was not the default."""
    return {name: not_default(content["plan"]) for name, content in contents(place).items()}


def contents(place: Path) -> dict[str, dict[str, Any]]:
    """The results that are there, by group; those of another form are not."""
    found = {}
    for name in TITLES:
        with suppress(OSError, ValueError):
            content = json.loads((place / f"{name}.json").read_text())
            if isinstance(content, dict) and content.get("form") == FORM:
                found[name] = content
    return found


def _group(name: str, works: list[Figures], plan: Plan, machine: dict[str, str], place: Path) -> str:
    content = {"form": FORM, "machine": machine, "plan": asdict(plan), "works": [work.as_json() for work in works]}
    put(place / f"{name}.json", json.dumps(content, indent=1) + "\n")
    put(place / f"{name}.svg", bars(TITLES[name], works))
    text = "\n".join(_lines(name, works, plan, machine)) + "\n"
    put(place / f"{name}.md", text)
    return text


def _lines(name: str, works: list[Figures], plan: Plan, machine: dict[str, str]) -> list[str]:
    told = "; ".join(f"{what}: {value}" for what, value in machine.items())
    lines = [f"# {TITLES[name]}", "", f"{told}.", ""]
    if others := not_default(asdict(plan)):
        lines += [f"**Not measured by the default plan**: {others}.", ""]
    lines += [
        f"{plan.rounds} rounds at most, interleaved: every server in turn, in another order each round. Upstream,",
        "clients and servers share the machine. Ratios are medians of the rounds, with the least and the greatest.",
        "", f"![{TITLES[name]}]({name}.svg)", "",
    ]  # fmt: skip
    for work in works:
        lines += _table(work)
    return lines


def _table(work: Figures) -> list[str]:
    extras = work.extras()
    better = "Less is better." if work.less_is_better else "More is better."
    columns = ["server", f"median, {work.unit}", f"ratio to {work.reference}", "spread", *extras]
    lines = [f"## {work.work}", "", f"{better} {work.told}".strip(), "", f"| {' | '.join(columns)} |"]
    lines.append("|---" + "|--:" * (len(columns) - 1) + "|")
    lines += [_row(work, server, extras) for server in ALL if work.values(server)]
    left_out = [f"{server}: {why}" for server, why in work.notes.items()]
    return [*lines, *(["", f"Left out: {'; '.join(left_out)}."] if left_out else []), ""]


def _row(work: Figures, server: str, extras: list[str]) -> str:
    ratios = work.ratios(server)
    ratio = f"{work.ratio(server):.3f}" if ratios else "-"
    spread = f"{min(ratios):.3f} to {max(ratios):.3f}" if ratios else "-"
    others = [work.extra(server, name) for name in extras]
    name = f"{server} (failed later)" if work.failed(server) else server
    cells = [name, _number(work.median(server)), ratio, spread, *(_number(other) for other in others)]
    return f"| {' | '.join(cells)} |"


def _number(value: float | None) -> str:
    """Three digits that count."""
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
