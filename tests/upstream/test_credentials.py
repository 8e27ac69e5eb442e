"""Threat: credentials leave for another host, or into a log."""

from __future__ import annotations

import base64
import traceback

import pytest

from inbond.model.errors import InbondError, UpstreamBroken, UpstreamRefused
from sim.index import Fault, HangUp, Mute, RedirectLoop, RedirectTo, SimIndex, Status, index_fixture
from upstream.support import DEMO, ONCE, fetched, only_file, read, upstream_at

index = index_fixture(credentials="user:s3cret")
split_index = index_fixture(credentials="user:s3cret", files_origin=True)
other = index_fixture()
BASIC = "Basic " + base64.b64encode(b"user:s3cret").decode()


def signed_in(index: SimIndex) -> str:
    return index.url.replace("http://", "http://user:s3cret@")


async def test_the_own_origin_gets_the_credentials_for_pages_and_files(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", provenance=b"{}")
    async with upstream_at(signed_in(index)) as upstream:
        file = await only_file(upstream)
        assert await read(upstream, file.url) == wheel.content
        await upstream.metadata(file)
        await upstream.provenance(DEMO, "1.0", file)
    assert [seen.headers.get("Authorization") for seen in index.requests] == [BASIC] * 4


async def test_without_credentials_an_index_that_asks_for_them_refuses(index: SimIndex) -> None:
    index.add_project("demo")
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.page(DEMO)
    assert caught.value.status == 401
    assert caught.value.remedy is not None
    assert "credentials" in caught.value.remedy


async def test_another_port_is_another_origin(split_index: SimIndex) -> None:
    wheel = split_index.add_wheel("demo", "1.0", provenance=b"{}")
    async with upstream_at(signed_in(split_index)) as upstream:
        file = await only_file(upstream)
        assert await read(upstream, file.url) == wheel.content
        await upstream.metadata(file)
        await upstream.provenance(DEMO, "1.0", file)
    for seen in split_index.requests:
        assert ("Authorization" in seen.headers) == (seen.port == split_index.port)
    assert {seen.port for seen in split_index.requests} == {split_index.port, split_index.files_port}


async def test_a_redirect_to_another_origin_drops_the_credentials(index: SimIndex, other: SimIndex) -> None:
    other.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), RedirectTo(f"{other.url}demo/"))
    async with upstream_at(signed_in(index)) as upstream:
        assert (await fetched(upstream)).page.files
    assert index.requests[0].headers["Authorization"] == BASIC
    assert "Authorization" not in other.requests[0].headers


async def test_credentials_do_not_come_back_once_dropped(index: SimIndex, other: SimIndex) -> None:
    index.fault("/first", RedirectTo(f"{other.origin}/bounce"))
    other.fault("/bounce", RedirectTo(f"{index.url}demo/"))
    async with upstream_at(signed_in(index)) as upstream:
        with pytest.raises(UpstreamRefused, match="answered 401"):
            await read(upstream, f"{index.origin}/first")
    assert [seen.headers.get("Authorization") for seen in index.requests] == [BASIC, None]


async def test_a_redirect_within_the_origin_keeps_them(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    index.fault("/simple/demo/", RedirectTo("/simple/demo/?again", code=307), times=1)
    async with upstream_at(signed_in(index)) as upstream:
        assert (await fetched(upstream)).page.files
    assert [seen.headers.get("Authorization") for seen in index.requests] == [BASIC, BASIC]


async def test_a_cookie_is_never_sent_back(other: SimIndex) -> None:
    other.fault(other.page_path("demo"), Status(404, {"Set-Cookie": "session=1; Path=/"}))
    async with upstream_at(other.url) as upstream:
        await upstream.page(DEMO)
        await upstream.page(DEMO)
    assert all("Cookie" not in seen.headers for seen in other.requests)


@pytest.mark.parametrize(
    "fault",
    [Status(403), Status(500), HangUp(), Mute(), RedirectLoop(), RedirectTo("ftp://h.example/?token=t0ken")],
    ids=str,
)
async def test_no_error_shows_credentials_or_a_token(index: SimIndex, fault: Fault) -> None:
    index.fault("/x*", fault)
    secret_url = f"{index.origin}/x?token=t0ken"
    async with upstream_at(signed_in(index), limits=ONCE) as upstream:
        with pytest.raises(InbondError) as caught:
            await read(upstream, secret_url)
    shown = f"{caught.value!r} {caught.value.message} {caught.value.remedy} "
    shown += "".join(traceback.format_exception(caught.value))
    for secret in ("s3cret", BASIC, "t0ken"):
        assert secret not in shown


async def test_a_file_url_with_a_user_in_it_is_refused(other: SimIndex) -> None:
    async with upstream_at(other.url) as upstream:
        with pytest.raises(UpstreamBroken, match="user or password") as caught:
            await read(upstream, f"http://user:s3cret@127.0.0.1:{other.port}/x")
    assert "s3cret" not in caught.value.message
    assert other.requests == []
