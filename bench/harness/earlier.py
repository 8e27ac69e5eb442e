"""Results that are there already: more rounds may be added to them, where they were measured in the same way."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from harness.figures import Figures
from harness.plan import Plan
from harness.report import contents, stored
from harness.work import Work

VARIES = ("load before",)  # what of a machine may be another: it is told, and asks for no run of its own


class Otherwise(Exception):
    """The results there were measured in another way: the two cannot be one."""


@dataclass(frozen=True, kw_only=True)
class Earlier:
    """What a run is added to; nothing, where it stands by itself."""

    figures: dict[str, Figures] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)  # by group


def earlier(place: Path, works: list[Work], plan: Plan, machine: Mapping[str, str]) -> Earlier:
    """All works of the groups of these, with the rounds that they have had. Raises Otherwise."""
    groups = {work.group for work in works}
    there = {name: content for name, content in contents(place).items() if name in groups}
    for name, content in there.items():
        _same(f"the plan of {place / name}.json", content["plan"], asdict(plan) | {"rounds": content["plan"]["rounds"]})
        _same(f"the machine of {place / name}.json", *(_lasting(told) for told in (content["machine"], machine)))
    figures = {name: one for name, one in stored(place).items() if one.group in there}
    for work in works:
        if work.name in figures:
            figures[work.name].even(work.servers)
    return Earlier(figures=figures, rounds={name: content["plan"]["rounds"] for name, content in there.items()})


def _lasting(machine: Mapping[str, str]) -> dict[str, str]:
    return {name: told for name, told in machine.items() if name not in VARIES}


def _same(what: str, there: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """The versions of some peers may be missing on either side: not every work asks for all of them."""
    others = {name for name in there.keys() & now.keys() if there[name] != now[name]}
    if others:
        told = ", ".join(f"{name} {there[name]}, and now {now[name]}" for name in sorted(others))
        raise Otherwise(f"{what} is another: {told}. Measure the group anew, without --add.")
