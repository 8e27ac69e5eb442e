from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import pytest

from inbond.model.errors import UpstreamPaused, UpstreamTimeout, UpstreamTooLarge, UpstreamUnavailable
from inbond.model.events import Alert, Event, UpstreamHeld
from inbond.model.names import ProjectName
from inbond.upstream.breaker import OPENS_AFTER
from inbond.upstream.index import Upstream
from inbond.upstream.limits import GUESS_BYTES, Limits
from inbond.upstream.settings import UpstreamSettings
from sim.index import Mute, SimIndex, Status, index_fixture
from upstream.support import DEMO, ONCE, QUICK, Heard, fetched, only_file, read, upstream_at

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


def at_ease(upstream: Upstream) -> bool:
    return upstream.at_ease


async def test_it_is_at_ease_while_more_than_half_of_the_places_of_each_kind_are_free(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", size=3_000_000, provenance=lambda *_: b"{}")
    limits = Limits(requests_at_once=2, provenance_at_once=2, downloads_at_once=2)
    async with upstream_at(index.url, limits=limits) as upstream:
        file = await only_file(upstream)
        version = "1.0"
        for path, ask in (
            (index.page_path("demo"), lambda: upstream.page(DEMO)),
            (wheel.metadata_path, lambda: upstream.metadata(file)),
            (wheel.provenance_path, lambda: upstream.provenance(DEMO, version, file)),
            (wheel.path, lambda: read(upstream, wheel.url)),
        ):
            assert at_ease(upstream)
            gate = index.gate(path)
            asking = asyncio.ensure_future(ask())
            await gate.reached.wait()
            assert not at_ease(upstream)
            gate.open()
            await asking
        assert at_ease(upstream)


async def test_a_guess_is_tried_once_for_a_short_time_and_a_small_answer(index: SimIndex) -> None:
    large = index.add_wheel("demo", "1.0", metadata=bytes(GUESS_BYTES + 1), provenance=lambda *_: b"{}")
    index.fault(large.provenance_path, Mute())
    async with upstream_at(index.url, limits=replace(QUICK, guess=0.1)) as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamTooLarge):
            await upstream.metadata(file, guess=True)
        with pytest.raises(UpstreamTimeout):
            await upstream.provenance(DEMO, "1.0", file, guess=True)
        assert (index.count("metadata"), index.count("provenance")) == (1, 1)
        assert await upstream.metadata(file) == large.metadata


async def test_guesses_that_fail_end_guesses_and_nothing_else(index: SimIndex) -> None:
    heard: list[Event] = []
    for number in range(2):
        index.add_wheel("demo", f"{number}.0")
    index.fault("/packages/*.metadata", Status(503))
    upstream = Upstream.open(
        UpstreamSettings(name="sim", url=index.url), observer=heard.append, user_agent="", limits=ONCE
    )
    async with aclosing(upstream):
        files = (await fetched(upstream)).page.files
        for number in range(OPENS_AFTER):
            assert at_ease(upstream)
            with pytest.raises(UpstreamUnavailable):
                await upstream.metadata(files[number % 2], guess=True)
        assert not at_ease(upstream)
        with pytest.raises(UpstreamPaused):
            await upstream.metadata(files[0], guess=True)
        assert upstream.trouble is None
        assert not any(isinstance(event, UpstreamHeld | Alert) for event in heard)
        index.heal()
        assert await upstream.metadata(files[0])
