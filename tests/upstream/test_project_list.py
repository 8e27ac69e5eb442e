from __future__ import annotations

import json
import tracemalloc

import pytest

from inbond.model.errors import UpstreamBroken, UpstreamFault
from inbond.upstream.index import Upstream
from inbond.upstream.limits import Limits
from sim.index import Cut, Fault, GzipBomb, Headers, SimIndex, Status, index_fixture
from upstream.support import ONCE, Heard, drained, upstream_at


async def list_size(upstream: Upstream) -> int:
    async with upstream.project_list() as body:
        return await drained(body.chunks)


index = index_fixture()
html_index = index_fixture(json=False, serials=False)
long_index = index_fixture(listed=200_000)


async def test_the_list_comes_decoded_with_format_and_serial(index: SimIndex) -> None:
    index.add_project("demo")
    index.add_project("other")
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream, upstream.project_list() as body:
        assert body.is_json
        assert body.serial == index._serial
        text = b"".join([chunk async for chunk in body.chunks])
    assert [project["name"] for project in json.loads(text)["projects"]] == ["demo", "other"]
    assert heard.outcomes == ["list ok"]
    assert index.requests[0].path == "/simple/"


async def test_the_list_comes_as_html_where_upstream_has_nothing_else(html_index: SimIndex) -> None:
    html_index.add_project("demo")
    async with upstream_at(html_index.url) as upstream, upstream.project_list() as body:
        assert not body.is_json
        assert body.serial is None
        assert b'<a href="/simple/demo/">demo</a>' in b"".join([chunk async for chunk in body.chunks])


async def test_a_long_list_is_never_held_whole(long_index: SimIndex) -> None:
    size = 0
    async with upstream_at(long_index.url) as upstream:
        tracemalloc.start()
        try:
            async with upstream.project_list() as body:
                async for chunk in body.chunks:
                    size += len(chunk)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert size > 8 * 2**20
    assert peak < 4 * 2**20


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Status(500), "answered 500"),
        (Status(404), "answered 404"),
        (Cut(20), "was cut"),
        (GzipBomb(2**22), "larger than 1.0 MiB"),
        (Headers({"Content-Type": "application/json"}), "application/json"),
        (Headers({"Content-Encoding": "zstd"}), "content coding 'zstd'"),
    ],
    ids=str,
)
async def test_a_fault_is_a_fault(index: SimIndex, fault: Fault, message: str) -> None:
    for number in range(50):
        index.add_project(f"project-{number}")
    index.fault("/simple/", fault)
    limits = Limits(list_bytes=2**20, attempts=ONCE.attempts)
    heard = Heard()
    async with upstream_at(index.url, limits=limits, heard=heard) as upstream:
        with pytest.raises(UpstreamFault, match=message):
            await list_size(upstream)
    assert len(heard.outcomes) == 1
    assert heard.outcomes != ["list ok"]


async def test_the_limit_counts_decoded_bytes(long_index: SimIndex) -> None:
    async with (
        upstream_at(long_index.url, limits=Limits(list_bytes=2**20)) as upstream,
        upstream.project_list() as body,
    ):
        with pytest.raises(UpstreamBroken, match=r"larger than 1\.0 MiB"):
            await drained(body.chunks)
