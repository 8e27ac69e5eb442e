"""What people, readiness and metrics are told of imports."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from selectolax.lexbor import LexborHTMLParser

from cli.test_serve import stopped
from e2e.service import serving
from inbond.mirror.in_force import FedUpstream, told
from mirror.importing import KEY, Cargo, Carrier, connected, fed, stores, taken_over
from sim.index import SimIndex
from stack import Inbond

WITH_AGE = '[imports]\nmax_age = "8d"\n'


@pytest.fixture
async def index() -> AsyncIterator[SimIndex]:
    async with SimIndex() as running:
        yield running


async def page(far: Inbond, path: str) -> str:
    status, body, _ = await far.get(path)
    assert status == 200, body
    main = LexborHTMLParser(body.decode()).css_first("main")
    assert main is not None
    return " ".join(main.text(separator=" ").split())


async def ready(far: Inbond) -> tuple[bool, str | None, str | None]:
    _, body, _ = await far.get("/-/ready")
    found: dict[str, Any] = json.loads(body)
    return found["ready"], found["problems"].get("imports"), found["advice"].get("imports")


async def test_the_page_of_use_says_what_was_imported_and_since_when(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    made = datetime(2026, 11, 20, 8, tzinfo=UTC)
    async with fed(tmp_path / "far", index) as far:
        assert "upstream pypi, of which nothing was imported yet" in await page(far, "/-/use")
        await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(name="team-a", created_at=made))
        home = await page(far, "/-/use")
    assert f"what was imported of {index.url} as of 2026-11-20 08:00 UTC" in home
    assert "Bundle As of Taken in Files Signed by team-a 2026-11-20 08:00 UTC" in home
    assert home.count(KEY) == 1


async def test_a_files_story_says_where_it_comes_from_and_whether_it_is_here(tmp_path: Path, index: SimIndex) -> None:
    one, two = (index.add_wheel("demo", version) for version in ("1.0", "2.0"))
    made = datetime(2026, 11, 20, 8, tzinfo=UTC)
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(files={one.filename}, created_at=made))
    async with fed(tmp_path / "far", index) as far:
        for file in (one, two):
            await far.verdict("demo", file.filename)
        carried, left = await page(far, f"/why/{one.sha256[:12]}"), await page(far, f"/why/{two.sha256[:12]}")
    for story in (carried, left):
        assert "imported from bundle default as of 2026-11-20 08:00 UTC, taken in 20" in story
    assert "Its bytes are not here: it was not carried over" in left
    assert "Its bytes are not here" not in carried


async def test_nothing_here_speaks_of_imports_where_there_are_none(tmp_path: Path, index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    async with connected(tmp_path, index) as online:
        await online.verdict("demo", wheel.filename)
        pages = [await page(online, "/-/use"), await page(online, f"/why/{wheel.sha256[:12]}")]
        assert "imports" not in json.loads((await online.get("/-/ready"))[1])["checks"]
        assert b"inbond_imports" not in (await online.get("/metrics"))[1]
        _, _, answer = await online.get("/simple/demo/")
        assert "Inbond-As-Of" not in answer.headers
    assert not any("mported" in text for text in pages)


# --- readiness


async def test_an_index_that_nothing_was_imported_for_is_not_ready(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    async with fed(tmp_path / "far", index) as far:
        assert await ready(far) == (
            False, "nothing was imported for upstream pypi: run inbond bundle import FILE", None,
        )  # fmt: skip
        assert await far.metric("inbond_imports_age_seconds") == math.inf
        await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo())
        assert await ready(far) == (True, None, None)


async def test_a_clock_before_the_newest_bundle_is_a_problem_that_names_both_times(
    tmp_path: Path, index: SimIndex
) -> None:
    index.add_wheel("demo", "1.0")
    async with fed(tmp_path / "far", index) as far:
        ahead = (far.clock() + timedelta(minutes=10)).replace(microsecond=0)
        await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(created_at=ahead))
        is_ready, problem, _ = await ready(far)
        assert (is_ready, "the clock says 20" in str(problem)) == (False, True)
        assert f"the newest bundle, default, was made {ahead:%Y-%m-%dT%H:%M:%SZ}: set the clock" in str(problem)
        far.clock.advance(timedelta(minutes=6))
        assert await ready(far) == (True, None, None)


async def test_imports_that_grow_old_are_told_before_they_bite(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    index.add_wheel("other", "1.0")
    place = tmp_path / "far"
    async with connected(tmp_path / "here", index) as online, stores(place) as to:
        carrier = Carrier(online, to)
        await carrier.take(Cargo())
        async with fed(place, index, more=WITH_AGE) as far:
            far.clock.advance(timedelta(days=5))
            assert await ready(far) == (True, None, None)
            far.clock.advance(timedelta(days=2))
            is_ready, problem, advice = await ready(far)
            assert (is_ready, problem) == (True, None)
            assert str(advice).startswith("what was imported will be too old in ")
            far.clock.advance(timedelta(days=2))
            is_ready, problem, advice = await ready(far)
            assert (is_ready, advice) == (False, None)
            assert str(problem).startswith("what was imported is too old since ")
            assert str(problem).endswith(": run inbond bundle import FILE")
            _, body, _ = await far.get("/metrics")
            (line,) = [one for one in body.decode().splitlines() if one.startswith("inbond_imports_age_seconds ")]
            assert float(line.split()[1]) == pytest.approx(timedelta(days=9).total_seconds(), abs=600)
            await carrier.take(Cargo(projects=["other"], name="more", created_at=far.clock()))
            is_ready, problem, advice = await ready(far)
            assert (is_ready, problem) == (True, None)
            assert str(advice).startswith("what was imported as default is too old since ")


async def test_a_ledger_that_cannot_be_read_is_a_problem(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo())
    async with fed(tmp_path / "far", index) as far:
        await far.up.parts.base.ledger.aclose()
        is_ready, problem, _ = await ready(far)
        assert (is_ready, "ledger" in str(problem)) == (False, True)
        assert [(await far.get(path))[0] for path in ("/metrics", "/-/use")] == [200, 200]


# --- the banner


def test_an_upstream_in_words() -> None:
    at = datetime(2026, 11, 21, 10, tzinfo=UTC)
    assert told(FedUpstream(name="pypi")) == "nothing imported yet"
    whole = FedUpstream(name="pypi", projects=1200, as_of=at - timedelta(days=1), imported_at=at)
    assert told(whole) == "imported 2026-11-21T10:00:00Z, as of 2026-11-20T10:00:00Z (1,200 projects)"


async def test_serving_offline_says_what_it_goes_by(tmp_path: Path, index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    made = datetime(2026, 11, 20, 8, tzinfo=UTC)
    await taken_over(tmp_path / "here", index, tmp_path / "far", Cargo(created_at=made))
    config = tmp_path / "inbond.toml"
    config.write_text(
        f'[upstreams.acme]\nurl = "{index.url}"\n[indexes.zz]\npolicy = "default"\nupstreams = ["acme"]\n'
    )
    asked = index.count()

    def served() -> tuple[str, str]:
        with serving(tmp_path / "far", "pypi", "--offline", "--config", str(config)) as service:
            return service.announced, stopped(service)

    announced, rest = await asyncio.to_thread(served)
    assert f"<-  what was imported of {index.url}  policy default" in announced
    assert re.search(r"pypi: imported 20\S+Z, as of 2026-11-20T08:00:00Z \(1 project\)", rest)
    assert f"/zz/simple/  <-  what the cache holds of {index.url}  policy default" in rest
    assert "upstream acme is answered for by the cache alone" in (tmp_path / "far" / "serve.log").read_text()
    assert index.count() == asked
