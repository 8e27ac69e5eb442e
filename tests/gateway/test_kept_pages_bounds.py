"""What is kept of pages is bounded by what it takes, held by nobody else, and worked out once, in a thread."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from gateway.test_kept_pages import MANY, WAIVED, state_of
from inbond.cli.compose import Parts
from inbond.gateway import kept_pages
from inbond.gateway.clearances import CLEARED_SECONDS, MENDING_SECONDS, Clearances
from inbond.gateway.indexes import Index
from inbond.gateway.inspection import InspectionKeeper
from inbond.gateway.judging import NothingDownloaded
from inbond.gateway.kept_pages import KeptPages, looked_at, looked_at_for_memory
from inbond.gateway.located import Located
from inbond.gateway.page_state import PageState
from inbond.gateway.telling_findings import TellingFindings
from inbond.model.advisory import Advisory
from inbond.model.errors import StoreUnavailable
from inbond.model.memory import PageMemory
from inbond.model.names import ProjectName
from inbond.model.standing import NOTHING_STANDS, Standing
from inbond.model.verdict import Finding, Judgement, Outcome, Verdict
from inbond.policy import needed
from inbond.policy.case import ABSENT, PageCase
from inbond.policy.kept import Kept
from policy.cases import DAY, NOW, OLD, file_of, page_of, policy
from sim.index import SimIndex
from stack import inbond

INDEX = Index(name="root", policy=policy(), policy_digest="1", upstreams=("pypi",))
FROZEN = replace(INDEX, policy=policy(freeze=NOW - 10 * DAY))
ADVISED = Standing(digest="2", advisories=(Advisory(id="TEST-1"),))
LIMIT = 2**16  # bytes


def clock() -> Any:
    return NOW


def state(files: int, name: str = "demo", **changes: Any) -> PageState:
    """Of old wheels, the first of them young, the last no wheel."""
    wheels = [file_of(f"{name}-1.{n}-py3-none-any.whl", upload_time=OLD if n else NOW - DAY) for n in range(files - 1)]
    page = page_of(*wheels, file_of(f"{name}-0.1.tar.gz"), name=ProjectName(name))
    seen = {file.filename: OLD for file in page.files}
    return replace(state_of(page), memory=PageMemory(project_first_seen=OLD, first_seen=seen), **changes)


def alive() -> int:
    gc.collect()
    return sum(isinstance(one, Kept) for one in gc.get_objects())


@pytest.mark.parametrize("standing", [NOTHING_STANDS, WAIVED], ids=["", "waived"])
@pytest.mark.parametrize("grown", ["versions", "remembered", "heavy", "files"])
def test_no_more_is_kept_than_there_is_room_for(
    grown: str, standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept_pages, "MAX_KEPT_BYTES", LIMIT)
    before, pages = alive(), KeptPages(clock)
    one = state(1)
    for n in range(40):
        one = state(12 if grown == "files" else 1, f"p{n}", weight=LIMIT // 8 if grown == "heavy" else 1)
        if grown == "versions":
            one = replace(one, page=replace(one.page, versions=tuple(map(str, range(64)))))
        if grown == "remembered":
            gone = {f"{k}.whl": OLD for k in range(64)}
            one = replace(one, memory=replace(one.memory, first_seen=gone))  # type: ignore[arg-type]  # plain texts
        pages.of(INDEX, one, standing)
    assert 1 <= len(pages._pages) < 8
    assert pages._pages.weight <= LIMIT
    del one
    assert alive() - before == len(pages._pages) * (2 if standing is WAIVED else 1)


@pytest.mark.parametrize("limit", ["MAX_PAGE_FILES", "MAX_PAGE_BYTES"])
def test_of_a_large_or_heavy_page_nothing_is_kept(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, pages = state(MANY, weight=LIMIT), KeptPages(clock)
    old = pages.of(INDEX, one, NOTHING_STANDS)
    assert old is not None
    monkeypatch.setattr(kept_pages, limit, MANY - 1 if limit == "MAX_PAGE_FILES" else LIMIT - 1)
    larger = replace(one, page=replace(one.page, serial=7))
    assert pages.of(INDEX, larger, NOTHING_STANDS) is None is pages.memorable(INDEX, larger, WAIVED)
    assert len(pages._pages) == pages._pages.weight == 0
    assert looked_at(None, larger, one.page.files[1:2], {}, clock=clock) == MANY


@pytest.fixture
def may_end() -> Event:
    """Preparing ends no sooner than this is set."""
    return Event()


@pytest.fixture
def prepared(monkeypatch: pytest.MonkeyPatch, may_end: Event) -> list[PageCase]:
    """What was prepared, in order."""
    found: list[PageCase] = []

    def counted(shared: PageCase) -> None:
        found.append(shared)
        may_end.wait(30)
        needed.prepare(shared)

    monkeypatch.setattr(kept_pages, "prepare", counted)
    return found


async def test_a_page_is_prepared_once_for_all_who_ask_and_for_memory_too(
    prepared: list[PageCase], may_end: Event
) -> None:
    one, pages = state(MANY), KeptPages(clock)
    young = one.page.files[:1]
    memorable = pages.memorable(INDEX, one, WAIVED)
    assert looked_at(pages.of(INDEX, one, WAIVED), one, young, {}, clock=clock) == MANY
    assert looked_at_for_memory(memorable, one, young) == MANY
    asking = [asyncio.create_task(pages.prepare(INDEX, one, WAIVED, files=young, evidence={})) for _ in range(16)]
    while not prepared:
        await asyncio.sleep(0.001)
    may_end.set()
    await asyncio.gather(*asking)
    await pages.prepare(INDEX, one, WAIVED, files=young, evidence={})
    assert len(prepared) == 2
    assert looked_at(pages.of(INDEX, one, WAIVED), one, young, {}, clock=clock) == 1
    assert looked_at_for_memory(memorable, one, young) == 1


async def test_an_old_wheel_asks_for_no_look_at_its_page(prepared: list[PageCase]) -> None:
    one, pages = state(MANY), KeptPages(clock)
    old, kept = one.page.files[1:], pages.of(INDEX, one, NOTHING_STANDS)
    await pages.prepare(INDEX, one, NOTHING_STANDS, files=old, evidence={})
    assert not prepared
    assert looked_at(kept, one, old[:1], {}, clock=clock) == 1
    assert looked_at(kept, one, old[-1:], {}, clock=clock) == MANY  # the wheels beside it are looked for


@pytest.mark.parametrize(("index", "standing"), [(FROZEN, NOTHING_STANDS), (INDEX, ADVISED)], ids=["freeze", "advised"])
async def test_what_looks_at_all_releases_is_never_on_the_loop(index: Index, standing: Standing) -> None:
    one, pages = state(MANY), KeptPages(clock)
    young = one.page.files[:1]
    await pages.prepare(index, one, standing, files=young, evidence={})
    assert looked_at(pages.of(index, one, standing), one, young, {}, clock=clock) == MANY
    assert looked_at_for_memory(pages.memorable(index, one, standing), one, young) == MANY


async def test_nothing_but_its_keeper_holds_what_is_kept(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, ahead=False) as proxy:
            before = alive()
            await proxy.page("demo")
            await proxy.verdict("demo", wheel.filename)
            parts: Parts = proxy.up.parts
            assert alive() > before
            parts.judge._kept = KeptPages(clock)
            assert alive() == before


async def test_what_could_not_be_told_is_told_at_the_next_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real: Callable[..., None] = TellingFindings.page
    told: list[Any] = []

    def once_in_vain(self: TellingFindings, *about: Any) -> None:
        told.append(about[-1])
        if len(told) == 1:
            raise StoreUnavailable("busy")
        real(self, *about)

    monkeypatch.setattr(TellingFindings, "page", once_in_vain)
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, ahead=False) as proxy:
            for _ in range(3):
                await proxy.get("/simple/demo/")
    assert told == [{}, {}]


@pytest.mark.parametrize(("code", "seconds"), [("security-fix", MENDING_SECONDS), ("locked", CLEARED_SECONDS)])
async def test_what_is_let_through_for_what_it_mends_is_looked_at_sooner(code: str, seconds: float) -> None:
    one = state(2)
    finding = Finding(rule="cooldown", outcome=Outcome.ALLOW, message="let through", remedy="", code=code)
    judgement = Judgement(
        index="root", project=one.page.name, file=one.page.files[0], version="1.0", evidence=ABSENT,
        verdict=Verdict.of([finding]),
    )  # fmt: skip
    keeper: Any = None  # nobody is asked
    inspections: InspectionKeeper = keeper
    clearances = Clearances(keeper, keeper, inspections, mismatches=NothingDownloaded(), clock=clock)
    basis = ("policy", "1", ("1", 0, ""), 0, 0)
    cleared = clearances.keep(Located(index=INDEX, state=one, file=one.page.files[0]), judgement, None, basis)
    assert cleared is not None
    assert cleared.until - cleared.since == timedelta(seconds=seconds)
