"""The project list: merged, kept, stale when it must be, never whole in memory."""

from __future__ import annotations

import gzip
import json
import shutil
from datetime import timedelta
from pathlib import Path

import aiohttp

from sim.index import Cut, HangUp, SimIndex
from stack import JSON, inbond

TWO = """
[upstreams.acme]
url = "{upstream1}"
[indexes.root]
policy = "default"
upstreams = ["pypi", "acme"]
"""


async def test_names_of_all_upstreams_once(tmp_path: Path) -> None:
    async with SimIndex(json=False) as public, SimIndex() as private:
        for name in ("one", "both"):
            public.add_wheel(name, "1.0")
        for name in ("both", "two"):
            private.add_wheel(name, "1.0")
        async with inbond(tmp_path, public, private, more=TWO) as proxy:
            _, body, _ = await proxy.get("/simple/", Accept=JSON)
            assert sorted(p["name"] for p in json.loads(body)["projects"]) == ["both", "one", "two"]


async def test_every_coding_is_the_same_list(tmp_path: Path) -> None:
    async with SimIndex(listed=2000) as index, inbond(tmp_path, index) as proxy:
        bodies = {}
        async with aiohttp.ClientSession(auto_decompress=False) as raw:
            for coding in ("identity", "gzip", "zstd"):
                asked = {"Accept": JSON, "Accept-Encoding": coding}
                async with raw.get(proxy.url("/simple/"), headers=asked) as response:
                    assert response.headers.get("Content-Encoding", "identity") == coding
                    bodies[coding] = await response.read()
        assert gzip.decompress(bodies["gzip"]) == bodies["identity"]
        assert 0 < len(bodies["zstd"]) < len(bodies["identity"])


async def test_it_is_renewed_when_old_and_stale_while_upstream_is_down(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("one", "1.0")
        async with inbond(tmp_path, index) as proxy:
            first = (await proxy.get("/simple/", Accept=JSON))[1]
            index.fault("/simple/", HangUp())
            proxy.clock.advance(timedelta(minutes=11))
            assert (await proxy.get("/simple/", Accept=JSON))[1] == first
            asked = index.count("list")
            assert (await proxy.get("/simple/", Accept=JSON))[1] == first
            assert index.count("list") == asked  # not asked again at once
            index.heal()
            index.add_wheel("two", "1.0")
            proxy.clock.advance(timedelta(seconds=11))
            body = (await proxy.get("/simple/", Accept=JSON))[1]
            assert [p["name"] for p in json.loads(body)["projects"]] == ["one", "two"]
            index.fault("/simple/", HangUp())
            proxy.clock.advance(timedelta(days=8))
            assert (await proxy.get("/simple/", Accept=JSON))[0] == 502


async def test_a_list_that_is_cut_is_not_taken_for_a_list(tmp_path: Path) -> None:
    async with SimIndex(listed=2000) as index, inbond(tmp_path, index) as proxy:
        index.fault("/simple/", Cut(after=3000))
        assert (await proxy.get("/simple/", Accept=JSON))[0] == 502


async def test_what_was_evicted_is_made_again(tmp_path: Path) -> None:
    async with SimIndex(listed=100) as index, inbond(tmp_path, index) as proxy:
        first = (await proxy.get("/simple/", Accept=JSON))[1]
        for shard in (tmp_path / "data/cache/blobs/sha256").iterdir():
            shutil.rmtree(shard)
        assert (await proxy.get("/simple/", Accept=JSON))[1] == first


async def test_a_renewed_list_leaves_nothing_of_the_old(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("one", "1.0")
        async with inbond(tmp_path, index) as proxy:
            for number in range(4):
                await proxy.get("/simple/", Accept=JSON)
                index.add_wheel(f"more-{number}", "1.0")
                proxy.clock.advance(timedelta(minutes=11))
            blobs = [file for file in (tmp_path / "data/cache/blobs/sha256").rglob("*") if file.is_file()]
            assert len(blobs) == 2


async def test_indexes_over_one_upstream_share_their_list(tmp_path: Path) -> None:
    other = '[indexes.other]\npolicy = "default"\nupstreams = ["pypi"]\n'
    async with SimIndex(listed=50) as index, inbond(tmp_path, index, more=other) as proxy:
        first = (await proxy.get("/simple/", Accept=JSON))[1]
        assert (await proxy.get("/other/simple/", Accept=JSON))[1] == first
        proxy.clock.advance(timedelta(minutes=11))
        await proxy.get("/simple/", Accept=JSON)
        index.fault("/simple/", HangUp())
        assert (await proxy.get("/other/simple/", Accept=JSON))[1] == first
        assert index.count("list") == 2


async def test_an_index_without_projects_has_an_empty_list(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        status, body, _ = await proxy.get("/simple/", Accept=JSON)
        assert (status, json.loads(body)["projects"]) == (200, [])


async def test_one_list_that_is_soon_old_has_no_other_fetched_again(tmp_path: Path) -> None:
    quick = TWO.replace('url = "{upstream1}"', 'url = "{upstream1}"\nfresh_for = "1s"')
    async with SimIndex() as public, SimIndex() as private:
        public.add_wheel("one", "1.0")
        private.add_wheel("two", "1.0")
        async with inbond(tmp_path, public, private, more=quick) as proxy:
            body = b""
            for number in range(3):
                _, body, _ = await proxy.get("/simple/", Accept=JSON)
                private.add_wheel(f"more-{number}", "1.0")
                proxy.clock.advance(timedelta(seconds=2))
            assert [p["name"] for p in json.loads(body)["projects"]] == ["one", "more-0", "more-1", "two"]
            assert (public.count("list"), private.count("list")) == (1, 3)
