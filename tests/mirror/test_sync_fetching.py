"""Fetching one file: what else may go wrong than what an index does."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from check.support import OLD
from inbond.cli.compose import Running, assembled
from inbond.cli.transfer_progress import Unwatched
from inbond.mirror.fetching import Fetcher
from inbond.mirror.outcomes import State
from inbond.mirror.syncing import Plan, Planned, Syncer
from inbond.model.errors import StoreUnavailable
from inbond.model.names import Filename, ProjectName
from mirror.syncing import Connected
from sim.index import SimFile, SimIndex

DEMO = ProjectName("demo")


@asynccontextmanager
async def fetching(place: Path, index: SimIndex) -> AsyncIterator[tuple[Running, Fetcher]]:
    here = Connected(place, index)
    config = here.config
    async with assembled(config, config.upstreams_at(""), here.verifier, clock=here.clock, serving=False) as up:
        yield up, Fetcher(files=up.gateway.files, pages=up.parts.base.pages, index=up.gateway.indexes["root"])


async def test_a_file_that_was_removed_since_it_was_judged_is_missing(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", upload_time=OLD)
        async with fetching(tmp_path, index) as (_, fetcher):
            outcome = await fetcher.fetch(DEMO, Filename("demo-2.0.tar.gz"), kept=False, told=Unwatched())
        assert outcome.state is State.MISSING
        assert outcome.trouble is not None
        assert outcome.trouble.reason == "the page of demo lists demo-2.0.tar.gz no more"


async def test_a_file_that_is_evicted_while_it_is_fetched_is_missing_and_more_room_is_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0", upload_time=OLD)
        async with fetching(tmp_path, index) as (up, fetcher):

            async def evicted(*_: object, **__: object) -> None:
                raise FileNotFoundError(wheel.filename)

            monkeypatch.setattr(up.gateway.files, "inspected", evicted)
            outcome = await fetcher.fetch(DEMO, Filename(wheel.filename), kept=False, told=Unwatched())
        assert outcome.state is State.MISSING
        assert "max_size" in str(outcome.trouble)


async def test_where_the_disk_refuses_everything_ends_at_once(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheels = [index.add_wheel("demo", f"{number}.0", upload_time=OLD) for number in range(1, 4)]
        async with fetching(tmp_path, index) as (up, fetcher):
            incoming = tmp_path / "data" / "cache" / "blobs" / "incoming"
            shutil.rmtree(incoming)
            incoming.symlink_to("incoming")  # a loop: one that is only gone is made anew
            syncer = Syncer(fetcher=fetcher, blobs=up.parts.blobs, told=Unwatched())
            with pytest.raises(StoreUnavailable):
                await syncer.run(Plan(files={_key(one): await _planned(up, one) for one in wheels}))
            assert syncer.here == {}


def _key(file: SimFile) -> tuple[str, ProjectName, Filename]:
    return "pypi", DEMO, Filename(file.filename)


async def _planned(up: Running, file: SimFile) -> Planned:
    state = await up.parts.base.pages.current("pypi", DEMO)
    assert state is not None
    found = state.page.file(file.filename)
    assert found is not None
    return Planned(file=found, present=False, kept=False)
