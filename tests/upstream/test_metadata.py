from __future__ import annotations

from contextlib import suppress

import pytest

from inbond.model.errors import DigestMismatch, UpstreamBroken, UpstreamFault, UpstreamRefused, UpstreamUnavailable
from sim.index import Cut, SimIndex, Status, WrongBytes, index_fixture
from upstream.support import Heard, only_file, upstream_at

index = index_fixture()


async def test_core_metadata_lies_beside_the_file(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", requires=["other>=1"])
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        body = await upstream.metadata(await only_file(upstream))
    assert body == wheel.metadata
    assert b"Requires-Dist: other>=1" in body
    assert heard.outcomes == ["page ok", "metadata ok"]


async def test_a_fragment_in_the_files_url_is_not_part_of_it(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    wheel = index.change(wheel, url=wheel.url + "#egg=demo")
    async with upstream_at(index.url) as upstream:
        assert await upstream.metadata(await only_file(upstream)) == wheel.metadata
    assert index.requests[-1].path == wheel.metadata_path


async def test_metadata_of_another_digest_is_a_finding(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.metadata_path, WrongBytes())
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(DigestMismatch) as caught:
            await upstream.metadata(await only_file(upstream))
    assert caught.value.filename == f"{wheel.filename}.metadata"
    assert caught.value.expected == wheel.metadata_hashes["sha256"]
    assert caught.value.actual != caught.value.expected
    assert heard.outcomes == ["page ok", "metadata broken"]
    assert index.count("metadata") == 1


async def test_metadata_whose_digest_is_unknown_passes(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0", metadata_hashes={})
    async with upstream_at(index.url) as upstream:
        assert await upstream.metadata(await only_file(upstream)) == wheel.metadata


async def test_metadata_that_is_not_there_is_refused(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.metadata_path, Status(404))
    heard = Heard()
    async with upstream_at(index.url, heard=heard) as upstream:
        with pytest.raises(UpstreamRefused) as caught:
            await upstream.metadata(await only_file(upstream))
    assert caught.value.status == 404
    assert heard.outcomes == ["page ok", "metadata not-found"]


async def test_a_fault_that_passes_is_not_noticed(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.metadata_path, Status(502), times=1)
    index.fault(wheel.metadata_path, Cut(3), times=1)
    async with upstream_at(index.url) as upstream:
        assert await upstream.metadata(await only_file(upstream)) == wheel.metadata


async def test_metadata_has_a_limit(index: SimIndex) -> None:
    index.add_wheel("demo", "1.0", metadata=b"x" * (16 * 2**20 + 1))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamBroken, match=r"larger than 16\.0 MiB"):
            await upstream.metadata(await only_file(upstream))


async def test_an_upstream_in_trouble_is_unavailable(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.fault(wheel.metadata_path, Status(503))
    async with upstream_at(index.url) as upstream:
        with pytest.raises(UpstreamUnavailable, match="answered 503"):
            await upstream.metadata(await only_file(upstream))
    assert index.count("metadata") == 3


async def test_a_query_stays_behind_the_path_of_the_metadata(index: SimIndex) -> None:
    wheel = index.add_wheel("demo", "1.0")
    index.change(wheel, url=f"{index.origin}{wheel.path}?signature=a%2Bb")
    async with upstream_at(index.url) as upstream:
        with suppress(UpstreamFault):  # the simulator knows no such query; what was asked is what counts
            await upstream.metadata(await only_file(upstream))
    assert index.requests[-1].path == f"{wheel.path}.metadata?signature=a%2Bb"
