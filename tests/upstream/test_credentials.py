"""Threat: credentials leave for another host, or into a log."""

from __future__ import annotations

import base64
import traceback
from typing import Any

import pytest

from inbond.model.errors import InbondError, UpstreamBroken, UpstreamRefused
from inbond.upstream.credentials import authorization_of, masked
from sim.index import Fault, HangUp, Mute, RedirectLoop, RedirectTo, SimIndex, Status, index_fixture
from upstream.support import DEMO, ONCE, fetched, only_file, read, upstream_at

index = index_fixture(credentials="user:s3cret")
split_index = index_fixture(credentials="user:s3cret", files_origin=True)
token_index = index_fixture(credentials="Bearer t0ken-1")
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


async def test_a_bearer_token_goes_to_the_own_origin_alone(token_index: SimIndex, other: SimIndex) -> None:
    token_index.add_wheel("demo", "1.0", url=f"{other.origin}/x.whl")
    async with upstream_at(token_index.url, authorization="Bearer t0ken-1") as upstream:
        file = await only_file(upstream)
        with pytest.raises(UpstreamRefused, match="answered 404"):
            await read(upstream, file.url)
    assert token_index.requests[0].headers["Authorization"] == "Bearer t0ken-1"
    assert "Authorization" not in other.requests[0].headers


async def test_credentials_that_were_renewed_are_used_once_the_old_ones_are_refused(token_index: SimIndex) -> None:
    token_index.add_wheel("demo", "1.0")
    held = ["Bearer t0ken-1"]
    settings: dict[str, Any] = {"authorization": "Bearer t0ken-0", "renew": lambda: held[0]}
    async with upstream_at(token_index.url, **settings) as upstream:
        assert (await fetched(upstream)).page.files
        assert (await fetched(upstream)).page.files
        token_index.credentials = "Bearer t0ken-2"
        held[0] = "Bearer t0ken-2"
        assert (await fetched(upstream)).page.files
    used = [seen.headers["Authorization"].removeprefix("Bearer t0ken-") for seen in token_index.requests]
    assert used == ["0", "1", "1", "1", "2"]


@pytest.mark.parametrize("renewed", [None, "Bearer t0ken-0"])
async def test_credentials_that_stay_refused_are_not_tried_twice(token_index: SimIndex, renewed: str | None) -> None:
    settings: dict[str, Any] = {"authorization": "Bearer t0ken-0", "renew": lambda: renewed}
    async with upstream_at(token_index.url, **settings) as upstream:
        with pytest.raises(UpstreamRefused, match="answered 401") as caught:
            await upstream.page(DEMO)
    assert len(token_index.requests) == 1
    assert caught.value.remedy == "give it credentials, as credentials in [upstreams.sim], or check those it has"


@pytest.mark.parametrize(
    ("text", "header"),
    [
        ("user:pass", "Basic " + base64.b64encode(b"user:pass").decode()),
        ("user:p:a ss\r\n", "Basic " + base64.b64encode(b"user:p:a ss").decode()),
        ("_:\u00e9", "Basic " + base64.b64encode(b"_:\xc3\xa9").decode()),
        ("user:", "Basic " + base64.b64encode(b"user:").decode()),
        ("bearer:x", "Basic " + base64.b64encode(b"bearer:x").decode()),
        ("Bearer abc.DEF-1_~+/=", "Bearer abc.DEF-1_~+/="),
        ("  bearer   a:b\n\n", "Bearer a:b"),
    ],
)
def test_a_user_with_a_password_is_basic_and_a_token_is_bearer(text: str, header: str) -> None:
    assert authorization_of(text) == header


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is empty"),
        (" \n", "is empty"),
        ("s3cret", "holds neither 'user:password' nor 'Bearer TOKEN'"),
        ("Basic dXNlcjpzM2NyZXQ=", "holds neither"),
        ("user:s3\ncret", "holds more than one line, or a control character"),
        ("user:s3\x00cret", "control character"),
        ("user:s3\x85cret", "control character"),
        ("Bearer", "holds no bearer token"),
        ("Bearer s3 cret", "holds no bearer token"),
        ("Bearer s3cr\u00e9t", "holds no bearer token"),
        ("user:\udcffs3cret", "is not UTF-8"),
    ],
)
def test_what_is_neither_is_refused_without_being_shown(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        authorization_of(text)
    assert "s3" not in "".join(traceback.format_exception(caught.value)).replace("test_credentials", "")


@pytest.mark.parametrize(
    ("text", "url", "host"),
    [
        ("https://a.example/simple/", "https://a.example/simple/", "https://a.example"),
        ("https://me:s3cret@a.example/x/?s3cret#s3cret", "https://***@a.example/x/?***", "https://***@a.example"),
        ("https://me:2024/s3cret@a.example/x/", "https://***@a.example/x/", "https://***@a.example"),
        ("http://me:s3c://s3cret@a.example:1", "http://***@a.example:1", "http://***@a.example:1"),
        ("http://me:s3?c@s3cret@a.example", "http://***@a.example", "http://***@a.example"),
        ("me@s3cret://s3cret@a.example", "***@a.example", "***@a.example"),
        ("me:s3cret@a.example/x", "***@a.example/x", "***@a.example"),
        ("pypi", "pypi", "pypi"),
    ],
)
def test_a_url_is_shown_without_its_secrets_however_it_is_written(text: str, url: str, host: str) -> None:
    assert masked(text) == url
    assert masked(text, path=False) == host
