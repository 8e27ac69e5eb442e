"""An archive of advisories at a URL, as guarded as an index."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from inbond.model.errors import StoreUnavailable, UpstreamBroken, UpstreamRefused, UpstreamTimeout, UpstreamUnavailable
from inbond.upstream import feed as module
from inbond.upstream.answers import NotModified, Validators
from inbond.upstream.feed import Feed, FeedSettings
from sim.feed import SimFeed
from upstream.support import ONCE, QUICK, Heard, Names


@asynccontextmanager
async def feed_at(url: str, heard: Heard | None = None, **more: Any) -> AsyncIterator[Feed]:
    names, limits = more.pop("names", None), more.pop("limits", QUICK)
    opened = Feed.open(
        FeedSettings(name="osv", url=url, **more),
        observer=heard or Heard(),
        user_agent="inbond/test",
        limits=limits,
        **({"new_resolver": lambda: names} if names is not None else {}),
    )
    try:
        yield opened
    finally:
        await opened.aclose()


async def test_it_is_fetched_and_then_found_unchanged(tmp_path: Path) -> None:
    heard, into = Heard(), tmp_path / "archive"
    async with SimFeed(b"x" * 3_000_000) as sim, feed_at(f"{sim.url}?token=1", heard) as feed:
        found = await feed.fetch(into, None)
        assert isinstance(found, Validators)
        assert into.read_bytes() == sim.body
        assert isinstance(await feed.fetch(into, found), NotModified)
        assert heard.outcomes == ["advisories ok", "advisories not-modified"]
        assert sim.asked[0]["User-Agent"] == "inbond/test"
        assert sim.asked[0]["Accept-Encoding"] == "identity"


async def test_credentials_are_sent_to_its_own_host(tmp_path: Path) -> None:
    async with SimFeed(b"x") as sim, feed_at(sim.url, authorization="Bearer s3cret") as feed:
        await feed.fetch(tmp_path / "archive", None)
        assert sim.asked[0]["Authorization"] == "Bearer s3cret"


@pytest.mark.parametrize(
    ("status", "error"),
    [(503, UpstreamUnavailable), (429, UpstreamUnavailable), (403, UpstreamRefused), (404, UpstreamRefused)],
)
async def test_other_statuses_are_faults(tmp_path: Path, status: int, error: type[Exception]) -> None:
    async with SimFeed(b"x") as sim, feed_at(f"{sim.url}?token=s3cret") as feed:
        sim.status = status
        with pytest.raises(error, match=f"advisories.osv: http://127.0.0.1.*answered {status}") as raised:
            await feed.fetch(tmp_path / "archive", None)
        assert "s3cret" not in str(raised.value)


async def test_not_modified_without_being_asked_is_a_fault(tmp_path: Path) -> None:
    async with SimFeed(b"x") as sim, feed_at(sim.url) as feed:
        sim.status = 304
        with pytest.raises(UpstreamBroken, match="answered 304"):
            await feed.fetch(tmp_path / "archive", None)


async def test_what_is_cut_is_tried_again(tmp_path: Path) -> None:
    heard = Heard()
    async with SimFeed(b"x" * 1000) as sim, feed_at(sim.url, heard) as feed:
        sim.cut = True
        with pytest.raises(UpstreamBroken, match="was cut"):
            await feed.fetch(tmp_path / "archive", None)
        assert len(sim.asked) == QUICK.attempts


async def test_limits_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with SimFeed(b"x" * 10_000) as sim, feed_at(sim.url) as feed:
        monkeypatch.setattr(module, "FEED_BYTES", 9_999)
        with pytest.raises(UpstreamBroken, match=r"is larger than 9\.8 KiB"):
            await feed.fetch(tmp_path / "archive", None)
        monkeypatch.setattr(module, "FEED_BYTES", 10_000)
        monkeypatch.setattr(module, "FEED_SECONDS", -1.0)
        with pytest.raises(UpstreamTimeout, match="was not here after"):
            await feed.fetch(tmp_path / "archive", None)


async def test_a_coding_that_was_not_asked_for_is_refused(tmp_path: Path) -> None:
    async def coded(_: web.Request) -> web.Response:
        return web.Response(body=gzip.compress(b"x"), headers={"Content-Encoding": "gzip"})

    app = web.Application()
    app.router.add_get("/all.zip", coded)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        async with feed_at(f"http://127.0.0.1:{runner.addresses[0][1]}/all.zip") as feed:
            with pytest.raises(UpstreamBroken, match="content coding"):
                await feed.fetch(tmp_path / "archive", None)
    finally:
        await runner.cleanup()


async def test_a_public_name_leads_to_no_private_address(tmp_path: Path) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPFound("http://inside.example/all.zip")

    app = web.Application()
    app.router.add_get("/all.zip", elsewhere)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    port = runner.addresses[0][1]
    names = Names({"osv.example": ["127.0.0.1"], "inside.example": ["10.0.0.1"]})
    try:
        async with feed_at(f"http://osv.example:{port}/all.zip", names=names, limits=ONCE) as feed:
            with pytest.raises(UpstreamBroken, match=r"10\.0\.0\.1, a private address"):
                await feed.fetch(tmp_path / "archive", None)
    finally:
        await runner.cleanup()


async def test_a_disk_that_refuses_is_no_fault_of_the_url(tmp_path: Path) -> None:
    async with SimFeed(b"x") as sim, feed_at(sim.url) as feed:
        with pytest.raises(StoreUnavailable, match="the disk refused to keep advisories"):
            await feed.fetch(tmp_path / "gone/archive", None)
