from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from inbond.model.errors import UpstreamTimeout
from inbond.model.names import ProjectName
from inbond.upstream.limits import Limits
from sim.index import SimIndex, index_fixture
from upstream.support import Heard, fetched, read, upstream_at

index = index_fixture()


async def test_no_more_pages_than_allowed_are_asked_at_once(index: SimIndex) -> None:
    names = [ProjectName(f"demo-{number}") for number in range(5)]
    gates = [index.gate(index.page_path(name)) for name in names]
    for name in names:
        index.add_project(name)
    async with upstream_at(index.url, limits=Limits(requests_at_once=2)) as upstream:
        tasks = [asyncio.create_task(fetched(upstream, name)) for name in names]
        await gates[0].reached.wait()
        await gates[1].reached.wait()
        await asyncio.sleep(0.05)
        assert index.count("page") == 2
        gates[0].open()
        await gates[2].reached.wait()
        assert index.count("page") == 3
        for gate in gates:
            gate.open()
        assert len(await asyncio.gather(*tasks)) == 5


async def test_downloads_do_not_starve_pages(index: SimIndex) -> None:
    wheels = [index.add_wheel("demo", f"{number}.0", size=3_000_000) for number in range(3)]
    limits = Limits(requests_at_once=1, downloads_at_once=3)
    async with upstream_at(index.url, limits=limits) as upstream, AsyncExitStack() as held:
        for wheel in wheels:
            await held.enter_async_context(upstream.file(wheel.url))
        page = await asyncio.wait_for(fetched(upstream), 30.0)
        assert len(page.page.files) == 3


async def test_who_waits_too_long_for_a_place_is_told_so(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=3_000_000)
    heard = Heard()
    limits = Limits(downloads_at_once=1, deadline=0.3, attempts=1)
    async with upstream_at(index.url, limits=limits, heard=heard) as upstream:
        async with upstream.file(wheel.url):
            with pytest.raises(UpstreamTimeout, match="no answer in time"):
                await read(upstream, wheel.url)
        assert await read(upstream, wheel.url) == wheel.content
    assert index.count("file") == 2
    assert heard.outcomes == ["file timeout", "file cancelled", "file ok"]


async def test_connections_are_used_again(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    async with upstream_at(index.url) as upstream:
        for _ in range(5):
            await fetched(upstream)
    assert len({seen.client for seen in index.requests}) == 1
