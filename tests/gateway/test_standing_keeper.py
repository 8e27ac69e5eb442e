"""What stands about a project: current at every call, cheap, and the same on every replica."""

from __future__ import annotations

import random
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from packaging.version import Version

from inbond.advisories.snapshot import NOTHING_KNOWN, AdvisorySet
from inbond.gateway.advisories import NoAdvisories
from inbond.gateway.standing_keeper import StandingKeeper
from inbond.model.advisory import Advisory
from inbond.model.decisions import Decided, Source
from inbond.model.errors import StoreUnavailable
from inbond.model.names import ProjectName
from inbond.model.standing import NOTHING_STANDS
from inbond.store.ledger import Ledger, open_ledger
from store.heard import Heard
from store.samples import FLASK, PIN, REJECTION, REPOSITORY, T0, T3, WAIVER, path_in

MALWARE = Advisory(id="MAL-2026-1", malicious=True, versions=frozenset({Version("3.1.0")}))


class Known(NoAdvisories):
    """Advisories that a test sets."""

    def __init__(self) -> None:
        self.found: tuple[Advisory, ...] = ()

    @property
    def version(self) -> str:  # type: ignore[override]  # there a constant
        return str(self.found)

    @property
    def set(self) -> AdvisorySet:  # type: ignore[override]  # there a constant
        return NOTHING_KNOWN

    def of(self, project: ProjectName) -> tuple[Advisory, ...]:
        return self.found if project == FLASK else ()

    def digest_of(self, project: ProjectName) -> str:
        return str(self.of(project)) if self.of(project) else ""


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[Ledger]:
    opened = open_ledger(path_in(tmp_path / "one"), observer=Heard())
    yield opened
    await opened.aclose()


@pytest.fixture
async def elsewhere(tmp_path: Path, ledger: Ledger) -> AsyncIterator[Ledger]:
    """The same ledger, as another process has it open."""
    opened = open_ledger(path_in(tmp_path / "one"), observer=Heard())
    yield opened
    await opened.aclose()


@pytest.fixture
async def replica(tmp_path: Path) -> AsyncIterator[Ledger]:
    """A ledger of another machine."""
    opened = open_ledger(path_in(tmp_path / "two"), observer=Heard())
    yield opened
    await opened.aclose()


def keeper_of(ledger: Ledger, *configured: object, advisories: Known | None = None) -> StandingKeeper:
    return StandingKeeper(ledger, configured=configured, advisories=advisories or Known())  # type: ignore[arg-type]


async def test_what_another_process_decides_stands_at_the_next_call(ledger: Ledger, elsewhere: Ledger) -> None:
    keeper = keeper_of(ledger)
    assert keeper.of("pypi", FLASK) is NOTHING_STANDS
    await elsewhere.decide(WAIVER, now=T0)
    assert keeper.of("pypi", FLASK).waivers == (WAIVER,)
    await elsewhere.decide(REJECTION, now=T0)
    await elsewhere.decide(PIN, now=T0)
    await elsewhere.establish("pypi", FLASK, [REPOSITORY])
    standing = keeper.of("pypi", FLASK)
    assert (standing.rejections, standing.pins, standing.established) == ((REJECTION,), (PIN,), (REPOSITORY,))
    await elsewhere.revoke(WAIVER.id, by="ada", now=T3)
    assert keeper.of("pypi", FLASK).waivers == ()


async def test_projects_and_upstreams_are_apart(ledger: Ledger) -> None:
    advisories = Known()
    advisories.found = (MALWARE,)
    await ledger.decide(WAIVER, now=T0)
    await ledger.establish("pypi", FLASK, [REPOSITORY])
    keeper = keeper_of(ledger, advisories=advisories)
    assert keeper.of("pypi", ProjectName("jinja2")) is NOTHING_STANDS
    acme = keeper.of("acme", FLASK)
    assert (acme.waivers, acme.advisories, acme.established) == ((WAIVER,), (MALWARE,), ())


async def test_the_digest_differs_wherever_anything_else_does(ledger: Ledger) -> None:
    advisories = Known()
    keeper = keeper_of(ledger, advisories=advisories)
    seen = [keeper.of("pypi", FLASK).digest]
    for decision in (WAIVER, REJECTION, PIN, replace(PIN, repository_id=None), replace(WAIVER, index=None)):
        await ledger.decide(decision, now=T0)
        seen.append(keeper.of("pypi", FLASK).digest)
    await ledger.establish("pypi", FLASK, [REPOSITORY])
    seen.append(keeper.of("pypi", FLASK).digest)
    advisories.found = (MALWARE,)
    seen.append(keeper.of("pypi", FLASK).digest)
    assert len(set(seen)) == len(seen) == 8
    await ledger.revoke(REJECTION.id, by="ada", now=T3)
    again = await ledger.decide(REJECTION, now=T3)
    assert again
    assert keeper.of("pypi", FLASK).digest == seen[-1]


async def test_replicas_agree_whatever_order_things_were_decided_in(ledger: Ledger, replica: Ledger) -> None:
    decisions: list[Decided] = [
        WAIVER,
        PIN,
        REJECTION,
        *(replace(WAIVER, reason=f"reason {number}") for number in range(5)),
    ]
    for one, seed in ((ledger, 1), (replica, 2)):
        shuffled = list(decisions)
        random.Random(seed).shuffle(shuffled)
        for decision in shuffled:
            await one.decide(decision, now=T0)
    await replica.establish("pypi", ProjectName("x"), [REPOSITORY])
    assert keeper_of(ledger).of("pypi", FLASK) == keeper_of(replica).of("pypi", FLASK)


async def test_a_decision_in_configuration_and_ledger_is_one(ledger: Ledger) -> None:
    written = replace(WAIVER, source=Source.CONFIGURATION, at=None)
    keeper = keeper_of(ledger, written, PIN)
    assert keeper.of("pypi", FLASK).waivers == (written,)
    alone = keeper.of("pypi", FLASK).digest
    await ledger.decide(WAIVER, now=T0)
    assert keeper.of("pypi", FLASK).waivers == (written,)
    assert keeper.of("pypi", FLASK).digest == alone
    assert keeper.of("pypi", FLASK).pins == (PIN,)


async def test_what_others_write_leaves_what_stands_as_it_is(ledger: Ledger, elsewhere: Ledger) -> None:
    await ledger.decide(WAIVER, now=T0)
    keeper = keeper_of(ledger)
    first = keeper.of("pypi", FLASK)
    await elsewhere.decide(replace(WAIVER, target=replace(WAIVER.target, project=ProjectName("x"))), now=T0)
    assert keeper.of("pypi", FLASK) is first


async def test_nothing_stands_where_the_ledger_cannot_be_read(ledger: Ledger) -> None:
    await ledger.decide(WAIVER, now=T0)
    keeper = keeper_of(ledger)
    keeper.of("pypi", FLASK)
    await ledger.aclose()
    with pytest.raises(StoreUnavailable):
        keeper.of("pypi", FLASK)


async def test_asking_costs_microseconds(ledger: Ledger) -> None:
    for number in range(100):
        await ledger.decide(replace(WAIVER, reason=str(number), until=T3 + timedelta(number)), now=T0)
    keeper = keeper_of(ledger)
    keeper.of("pypi", FLASK)
    times = []
    for _ in range(200):
        begun = time.perf_counter()
        keeper.of("pypi", FLASK)
        times.append(time.perf_counter() - begun)
    assert sorted(times)[100] < 0.0005  # 6 µs on an idle machine
