"""What the audit trail says of a start: what is served by, and which policies are others than before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from e2e.service import serving
from inbond.cli.reload_changes import Changes, PolicyChange
from inbond.cli.reload_outcome import Outcome, acts_of
from inbond.cli.started import Standing, Unreadable, begun, standing_before
from inbond.model.acts import Act, ActKind
from inbond.model.errors import StoreUnavailable
from inbond.store import ledger_acts
from inbond.store.ledger import Ledger, open_ledger
from sim.index import SimIndex
from store.heard import Heard
from store.samples import ACT, T0, T1, T2, path_in

FIRST = Standing(configuration="c1", policies={"default": "a1", "team": "t1"})
SECOND = Standing(configuration="c2", policies={"default": "a2", "new": "n1"})


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path), observer=Heard())
    yield opened
    await opened.aclose()


def changes_in(acts: list[Act]) -> Mapping[str, tuple[str, str]]:
    return {
        act.target: (act.detail["before"], act.detail["after"]) for act in acts if act.kind is ActKind.POLICY_CHANGED
    }


async def test_a_policy_that_was_changed_between_two_starts_is_an_act(ledger: Ledger) -> None:
    assert await standing_before(ledger) is None
    first = list(begun("x:1", FIRST, None, T0))
    assert (len(first), changes_in(first)) == (1, {})
    await ledger.record_acts(first)
    again = list(begun("x:1", FIRST, await standing_before(ledger), T1))
    assert (len(again), again[0].message.endswith("x:1")) == (1, True)
    second = list(begun("x:1", SECOND, await standing_before(ledger), T1))
    assert changes_in(second) == {"default": ("a1", "a2"), "team": ("t1", ""), "new": ("", "n1")}
    assert second[0].message.endswith("by another configuration than before")
    assert (second[0].detail["configuration_before"], second[0].detail["configuration"]) == ("c1", "c2")
    await ledger.record_acts(second)
    assert await standing_before(ledger) == SECOND


async def test_what_was_reloaded_since_counts(ledger: Ledger) -> None:
    await ledger.record_acts(list(begun("x:1", FIRST, None, T0)))
    changed = tuple(
        PolicyChange(policy=name, before=before, after=after)
        for name, before, after in (("default", "a1", "a2"), ("team", "t1", None), ("new", None, "n1"))
    )
    await ledger.record_acts(list(acts_of(Outcome.of("ada", Changes(policies=changed, configuration="c2")), T1)))
    many = ledger_acts.ACTS_AT_ONCE + 1  # that tell nothing
    await ledger.record_acts([replace(ACT, at=T2 + timedelta(seconds=n), kind=ActKind.STARTED) for n in range(many)])
    assert await standing_before(ledger) == SECOND


class Broken:
    """A ledger that cannot be read."""

    async def acts(self, *_: object, **__: object) -> None:
        raise StoreUnavailable("the ledger cannot be read", remedy="wait")


async def test_where_nobody_knows_what_was_in_force_the_start_says_so() -> None:
    before = await standing_before(Broken())  # type: ignore[arg-type]  # a double
    assert before == Unreadable(why="the ledger cannot be read")
    (act,) = begun("x:1", FIRST, before, T0)
    assert "is not known: the ledger cannot be read" in act.message


def trail(place: Path) -> Iterator[dict[str, str]]:
    (ledger,) = place.glob("data/ledger/ledger.*3")

    async def acts() -> list[Act]:
        opened = open_ledger(ledger, observer=Heard())
        try:
            return [kept.act for kept in await opened.acts(newest_first=False)]
        finally:
            await opened.aclose()

    for act in asyncio.run(acts()):
        yield {"kind": str(act.kind), "target": act.target, **act.detail}


def test_a_server_that_is_started_with_another_policy_says_so(tmp_path: Path) -> None:
    async def served() -> None:
        async with SimIndex() as index:
            for age in ("7d", "0"):
                (tmp_path / "inbond.toml").write_text(f'[policies.default]\nmin_age = "{age}"\n')
                with serving(tmp_path, index.url, "--config", str(tmp_path / "inbond.toml")):
                    pass

    asyncio.run(served())
    told = list(trail(tmp_path))
    assert [one["kind"] for one in told] == ["started", "stopped", "started", "policy-changed", "stopped"]
    first, _, second, changed, _ = told
    assert (changed["target"], changed["before"], changed["after"]) == (
        "default",
        first["policy default"],
        second["policy default"],
    )
    assert second["configuration_before"] == first["configuration"] != second["configuration"]
