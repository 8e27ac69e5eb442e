from __future__ import annotations

import pytest

from inbond.model.errors import UpstreamBroken
from sim.index import RedirectLoop, RedirectTo, SimIndex, index_fixture
from upstream.support import DEMO, Heard, fetched, read, upstream_at

index = index_fixture()


@pytest.mark.parametrize("code", [301, 302, 303, 307, 308])
async def test_redirects_are_followed_as_one_request(index: SimIndex, code: int) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), RedirectTo("?again", code), times=1)
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        assert (await fetched(upstream)).page.files
    assert [seen.method for seen in index.requests] == ["GET", "GET"]
    assert heard.outcomes == ["page ok"]


async def test_five_redirects_are_followed_and_not_one_more(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    for step in range(6):
        index.fault(f"/hop{step}", RedirectTo(f"/hop{step + 1}" if step < 5 else wheel.path))
    async with upstream_at(index.url) as upstream:
        assert await read(upstream, f"{index.origin}/hop1") == wheel.content
        index.forget_requests()
        with pytest.raises(UpstreamBroken, match="redirects more than 5 times"):
            await read(upstream, f"{index.origin}/hop0")
    assert index.count() == 6


async def test_a_loop_ends(index: SimIndex) -> None:
    index.fault(index.page_path("demo"), RedirectLoop())
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamBroken, match="redirects more than 5 times"):
            await upstream.page(DEMO)
    assert index.count() == 6
    assert heard.outcomes == ["page broken"]


@pytest.mark.parametrize("target", ["ftp://127.0.0.1/x", "file:///etc/passwd", "http://user:pw@127.0.0.1/", "http://["])
async def test_a_redirect_to_what_is_not_asked_is_broken(index: SimIndex, target: str) -> None:
    index.fault(index.page_path("demo"), RedirectTo(target))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamBroken):
            await upstream.page(DEMO)
    assert index.count() == 1


async def test_a_signed_url_reaches_its_host_unchanged(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    signed = f"{wheel.path}?signature=a%2Fb%3D%2B&expires=1"
    index.fault("/old.whl", RedirectTo(signed))
    async with upstream_at(index.url) as upstream:
        assert await read(upstream, f"{index.origin}/old.whl") == wheel.content
    assert index.requests[-1].path == signed


async def test_a_file_over_http_from_an_https_upstream_is_refused(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    async with upstream_at("https://127.0.0.1/simple/") as upstream:
        with pytest.raises(UpstreamBroken, match="not encrypted"):
            await read(upstream, wheel.url)
    assert index.requests == []


async def test_files_are_read_again_where_their_page_came_from_another_address(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    async with upstream_at(index.url) as upstream:
        first, again = [(await fetched(upstream)).page.files for _ in range(2)]
        index.fault(index.page_path("demo"), RedirectTo("?signature=1"), times=1)
        elsewhere = (await fetched(upstream)).page.files
    assert again[0] is first[0]
    assert elsewhere == first
    assert elsewhere[0] is not first[0]
