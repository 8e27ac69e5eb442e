from __future__ import annotations

import asyncio
import tracemalloc
from datetime import UTC, datetime

import pytest

from inbond.model.errors import (
    UpstreamBroken,
    UpstreamFault,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamTooLarge,
    UpstreamUnavailable,
)
from inbond.model.page import Claim, Status
from inbond.upstream.answers import FetchedPage, NotModified, ProjectUnknown, Validators
from inbond.upstream.limits import Limits
from sim.index import (
    Cut,
    Endless,
    Fault,
    GzipBomb,
    HangUp,
    Headers,
    HtmlInsteadOfJson,
    InvalidUtf8,
    Mute,
    NotJson,
    Reset,
    SerialGoesBack,
    SimIndex,
    Slow,
    Stall,
    WrongLength,
    index_fixture,
)
from sim.index import Status as Answers
from upstream.support import DEMO, ONCE, QUICK, Heard, fetched, upstream_at

JSON_TYPE = "application/vnd.pypi.simple.v1+json"
index = index_fixture()
html_index = index_fixture(json=False)
bare_index = index_fixture(json=False, serials=False, etag=False, gzip=False)


async def test_a_page_comes_as_json_with_all_it_says(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", requires_python=">=3.9", yanked="broken", provenance=b"{}")
    before = datetime.now(UTC)
    async with upstream_at(index.url) as upstream:
        answer = await fetched(upstream)
    [file] = answer.page.files
    assert (file.filename, file.url, file.sha256, file.size) == (wheel.filename, wheel.url, wheel.sha256, wheel.size)
    assert (file.requires_python, file.yanked, file.upload_time) == (">=3.9", "broken", wheel.upload_time)
    assert file.metadata_sha256 == wheel.metadata_hashes["sha256"]
    assert file.provenance == wheel.claim
    assert answer.page.api_version == (1, 4)
    assert before <= answer.received <= datetime.now(UTC)


async def test_what_is_asked_prefers_json_and_names_inbond(index: SimIndex) -> None:
    index.add_project("demo")
    async with upstream_at(index.url) as upstream:
        await upstream.page(DEMO)
    [seen] = index.requests
    assert seen.path == "/simple/demo/"
    assert seen.headers["User-Agent"] == "inbond/test"
    assert seen.headers["Accept"].startswith(JSON_TYPE + ",")
    assert seen.headers["Accept-Encoding"] == "gzip"
    assert not {"Authorization", "Cookie", "If-None-Match", "Cache-Control"} & set(seen.headers)


async def test_html_is_understood_and_its_serial_read_from_the_header(html_index: SimIndex) -> None:
    wheel = html_index.add_wheel("demo", "1.0")
    html_index.add_project("demo", status="archived")
    async with upstream_at(html_index.url) as upstream:
        answer = await fetched(upstream)
    [file] = answer.page.files
    assert (file.filename, file.url, file.sha256) == (wheel.filename, wheel.url, wheel.sha256)
    assert file.provenance is Claim.SILENT
    assert (answer.page.serial, answer.page.status) == (html_index._projects["demo"].serial, Status.ARCHIVED)


async def test_a_page_without_serial_and_validators_says_so(bare_index: SimIndex) -> None:
    bare_index.add_wheel("demo", "1.0")
    async with upstream_at(bare_index.url) as upstream:
        answer = await fetched(upstream)
    assert answer.page.serial is None
    assert answer.validators == Validators()


@pytest.mark.parametrize(("header", "expected"), [("77", 77), ("-1", None), ("٣", None), ("9" * 40, None), ("", None)])
async def test_a_json_page_without_serial_takes_the_headers(index: SimIndex, header: str, expected: int | None) -> None:
    body = b'{"meta": {"api-version": "1.0"}, "name": "demo", "files": []}'
    headers = {"Content-Type": JSON_TYPE, "X-PyPI-Last-Serial": header}
    index.fault(index.page_path("demo"), Answers(200, headers, body))
    async with upstream_at(index.url) as upstream:
        assert (await fetched(upstream)).page.serial == expected


async def test_relative_urls_are_resolved_against_where_the_page_finally_was(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0", url="../../files/x.whl")
    index.fault("/old/demo/", Answers(301, {"Location": "/simple/demo/"}))
    async with upstream_at(f"{index.origin}/old/") as upstream:
        [file] = (await fetched(upstream)).page.files
    assert file.url == f"{index.origin}/files/x.whl"


async def test_an_unknown_project_is_no_error(index: SimIndex) -> None:
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        assert await upstream.page(DEMO) == ProjectUnknown()
    assert heard.outcomes == ["page not-found"]


@pytest.mark.parametrize("dated", [True, False])
async def test_an_unchanged_page_is_revalidated_by_tag_or_date(*, dated: bool) -> None:
    heard = Heard()
    async with SimIndex(etag=not dated, last_modified=dated) as index, upstream_at(index.url, heard=heard) as upstream:
        index.add_wheel("demo", "1.0")
        first = await fetched(upstream)
        assert await upstream.page(DEMO, first.validators) == NotModified()
        index.add_wheel("demo", "2.0")
        second = await upstream.page(DEMO, first.validators)
    assert isinstance(second, FetchedPage)
    assert len(second.page.files) == 2
    assert heard.outcomes == ["page ok", "page not-modified", "page ok"]


async def test_caches_on_the_way_can_be_bypassed(index: SimIndex) -> None:
    index.add_project("demo")
    async with upstream_at(index.url) as upstream:
        await upstream.page(DEMO, bypass_caches=True)
    assert index.requests[0].headers["Cache-Control"] == "no-cache"


async def test_a_304_that_nobody_asked_for_is_broken(index: SimIndex) -> None:
    index.fault(index.page_path("demo"), Answers(304))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamBroken, match="answered 304"):
            await upstream.page(DEMO)


async def test_a_lower_serial_is_passed_on_for_others_to_judge(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    async with upstream_at(index.url) as upstream:
        first = await fetched(upstream)
        index.fault(index.page_path("demo"), SerialGoesBack(1))
        second = await fetched(upstream)
    assert first.page.serial is not None
    assert second.page.serial == first.page.serial - 1


async def test_a_large_page_is_read_beside_the_event_loop(index: SimIndex) -> None:
    for number in range(400):
        index.add_file("demo", f"demo-{number}.tar.gz", b"x", version=str(number))
    async with upstream_at(index.url) as upstream:
        assert len((await fetched(upstream)).page.files) == 400


FAULTS: list[tuple[Fault, type[UpstreamFault], str, str]] = [
    (Answers(500), UpstreamUnavailable, "answered 500", "unavailable"),
    (Answers(503, {"Retry-After": "0"}), UpstreamUnavailable, "answered 503", "unavailable"),
    (Answers(429), UpstreamUnavailable, "answered 429", "unavailable"),
    (Answers(408), UpstreamUnavailable, "answered 408", "unavailable"),
    (Answers(401), UpstreamRefused, "answered 401", "refused"),
    (Answers(403), UpstreamRefused, "answered 403", "refused"),
    (Answers(410), UpstreamRefused, "answered 410", "not-found"),
    (Answers(451), UpstreamRefused, "answered 451", "refused"),
    (Answers(406), UpstreamBroken, "answered 406", "broken"),
    (Answers(204), UpstreamBroken, "answered 204", "broken"),
    (Answers(206), UpstreamBroken, "answered 206", "broken"),
    (Answers(300), UpstreamBroken, "answered 300", "broken"),
    (Answers(302), UpstreamBroken, "redirects to nowhere", "broken"),
    (HangUp(), UpstreamUnavailable, "connection was lost", "unavailable"),
    (Cut(0), UpstreamBroken, "was cut", "broken"),
    (Cut(50), UpstreamBroken, "was cut", "broken"),
    (WrongLength(100_000), UpstreamBroken, "was cut", "broken"),
    (WrongLength(20), UpstreamBroken, "was cut", "broken"),
    (Reset(50), UpstreamUnavailable, "reset|lost", "unavailable"),
    (Stall(50), UpstreamTimeout, "fell silent", "timeout"),
    (Mute(), UpstreamTimeout, "fell silent", "timeout"),
    (GzipBomb(65 * 2**20), UpstreamTooLarge, "larger than 64.0 MiB", "broken"),
    (InvalidUtf8(), UpstreamBroken, "JSON|UTF-8", "broken"),
    (NotJson(), UpstreamBroken, "JSON", "broken"),
    (Headers({"Content-Encoding": "br"}), UpstreamBroken, "content coding 'br'", "broken"),
    (Headers({"Content-Encoding": "deflate"}), UpstreamBroken, "content coding 'deflate'", "broken"),
    (Headers({"Content-Encoding": None}), UpstreamBroken, "JSON", "broken"),
    (Headers({"Content-Type": "application/json"}), UpstreamBroken, "came as 'application/json'", "broken"),
    (Headers({"Content-Type": None}), UpstreamBroken, "came as '(application/octet-stream)?'", "broken"),
    (
        Headers({"Content-Type": "application/vnd.pypi.simple.v2+json"}),
        UpstreamBroken,
        r"came as 'application/vnd\.pypi\.simple\.v2\+json'",
        "broken",
    ),
]


@pytest.mark.parametrize(("fault", "expected", "message", "outcome"), FAULTS, ids=lambda value: str(value)[:60])
async def test_each_fault_has_its_name(
    index: SimIndex, fault: Fault, expected: type[UpstreamFault], message: str, outcome: str
) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), fault)
    heard = Heard()
    async with upstream_at(index.url, heard=heard, limits=ONCE) as upstream:
        with pytest.raises(UpstreamFault, match=message) as caught:
            await upstream.page(DEMO)
        assert type(caught.value) is expected
        assert caught.value.message.startswith(f"sim: {index.url}demo/")
        assert heard.outcomes == [f"page {outcome}"]
        index.heal()
        assert len((await fetched(upstream)).page.files) == 1


@pytest.mark.parametrize("kind", [JSON_TYPE + "; charset=UTF-8", JSON_TYPE.upper(), f" {JSON_TYPE} ;x=y"])
async def test_parameters_and_case_of_the_content_type_do_not_matter(index: SimIndex, kind: str) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), Headers({"Content-Type": kind}))
    async with upstream_at(index.url) as upstream:
        assert (await fetched(upstream)).page.files


@pytest.mark.parametrize(
    "fault", [Answers(502), HangUp(), Cut(50), Reset(50), Stall(50), Mute(), Answers(429)], ids=str
)
async def test_a_fault_that_passes_is_not_noticed(index: SimIndex, fault: Fault) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), fault, times=2)
    async with upstream_at(index.url) as upstream:
        assert (await fetched(upstream)).page.files


@pytest.mark.parametrize("fault", [Answers(403), Answers(406), NotJson(), GzipBomb(65 * 2**20)], ids=str)
async def test_what_asking_again_does_not_change_is_asked_once(index: SimIndex, fault: Fault) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), fault, times=1)
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamFault):
            await upstream.page(DEMO)
    assert index.count("page") == 1


async def test_an_upstream_that_asks_for_a_long_pause_is_left_alone(index: SimIndex) -> None:
    index.fault(index.page_path("demo"), Answers(503, {"Retry-After": "3600"}))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamUnavailable):
            await asyncio.wait_for(upstream.page(DEMO), 30.0)
    assert index.count("page") == 1


async def test_nothing_listening_is_unavailable(index: SimIndex) -> None:
    await index.stop()
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamUnavailable, match=r"no connection to 127\.0\.0\.1 port"):
            await upstream.page(DEMO)
    assert heard.outcomes == ["page unavailable"] * 3


async def test_something_that_speaks_no_http_is_broken() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server, upstream_at(f"http://127.0.0.1:{port}/simple/") as upstream:
        with pytest.raises(UpstreamBroken, match="no HTTP answer"):
            await upstream.page(DEMO)


async def test_https_to_a_server_without_tls_is_a_fault_and_nothing_is_sent(index: SimIndex) -> None:
    async with upstream_at(index.url.replace("http:", "https:"), limits=ONCE) as upstream:
        with pytest.raises(UpstreamFault):
            await upstream.page(DEMO)
    assert index.requests == []


async def test_a_trickle_ends_at_the_deadline(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), Slow(rate=100))
    limits = Limits(idle=5.0, deadline=0.5)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with upstream_at(index.url, limits=limits) as upstream:
        with pytest.raises(UpstreamTimeout, match="no answer in time"):
            await upstream.page(DEMO)
    assert 0.4 < loop.time() - began < 2.0
    assert index.count("page") == 1


async def test_all_tries_together_stay_within_the_deadline(index: SimIndex) -> None:
    index.fault(index.page_path("demo"), Mute())
    limits = Limits(idle=0.4, deadline=1.0, attempts=50, backoff_first=0.0, backoff_max=0.0, backoff_jitter=0.0)
    loop = asyncio.get_running_loop()
    began = loop.time()
    async with upstream_at(index.url, limits=limits) as upstream:
        with pytest.raises(UpstreamTimeout):
            await upstream.page(DEMO)
    assert loop.time() - began < 2.0
    assert 2 <= index.count("page") <= 4


@pytest.mark.parametrize("fault", [GzipBomb(2**30), Endless()], ids=str)
async def test_a_bomb_costs_no_more_memory_than_the_limit_allows(index: SimIndex, fault: Fault) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), fault)
    async with upstream_at(index.url, limits=Limits(page_bytes=2**20, attempts=1)) as upstream:
        tracemalloc.start()
        try:
            with pytest.raises(UpstreamFault):
                await upstream.page(DEMO)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 16 * 2**20


async def test_a_sign_in_page_lists_nothing(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    index.fault(index.page_path("demo"), HtmlInsteadOfJson())
    async with upstream_at(index.url) as upstream:
        assert (await fetched(upstream)).page.files == ()


async def test_a_caller_who_leaves_is_one_event_and_leaves_nothing_behind(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0")
    gate = index.gate(index.page_path("demo"))
    heard = Heard()
    async with upstream_at(index.url, heard=heard, limits=QUICK) as upstream:
        task = asyncio.create_task(upstream.page(DEMO))
        await gate.reached.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert heard.outcomes == ["page cancelled"]
        gate.open()
        assert (await fetched(upstream)).page.files


async def test_an_upstream_that_was_never_asked_can_be_closed(index: SimIndex) -> None:
    async with upstream_at(index.url) as upstream:
        await upstream.aclose()
    assert index.requests == []
