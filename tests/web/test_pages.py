"""Project pages on the wire: formats, validators, staleness, serials, and which upstream answers."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path

import aiohttp
import pytest

from sim.index import HangUp, SerialGoesBack, SimIndex, Status
from stack import JSON, inbond

HTML = "application/vnd.pypi.simple.v1+html"
PIP = f"{JSON}, {HTML}; q=0.1, text/html; q=0.01"


@pytest.mark.parametrize(
    ("query", "accept", "content_type"),
    [
        ("", PIP, JSON),
        ("", HTML, HTML),
        ("", "text/html", "text/html"),
        ("", "*/*", "text/html"),
        ("", "application/vnd.pypi.simple.latest+json", JSON),
        (f"?format={JSON}", "text/html", JSON),
    ],
)
async def test_format(query: str, accept: str, content_type: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            status, _, response = await proxy.get(f"/simple/demo/{query}", Accept=accept)
            assert status == 200
            assert response.headers["Content-Type"].split(";")[0] == content_type
            assert response.headers["Vary"] == "Accept, Accept-Encoding"
            assert response.headers["Cache-Control"] == "no-cache"
            assert "Date" in response.headers


async def test_a_format_that_is_not_offered_is_406(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        status, body, response = await proxy.get("/simple/demo/", Accept="image/png")
        assert status == 406
        assert response.headers["Content-Type"] == "application/problem+json"
        assert json.loads(body)["detail"]


@pytest.mark.parametrize("path", ["/simple/De_Mo/", "/simple/De.Mo", "/simple/de-mo", "/other/simple/De.mo/"])
async def test_other_writings_of_a_name_redirect_once_and_not_for_ever(path: str, tmp_path: Path) -> None:
    more = '[indexes.other]\npolicy = "default"\nupstreams = ["pypi"]\n'
    async with SimIndex() as index, inbond(tmp_path, index, more=more) as proxy:
        status, _, response = await proxy.get(f"{path}?format=json")
        expected = "../de-mo/?format=json" if path.endswith("/") else "de-mo/?format=json"
        assert (status, response.headers["Location"]) == (302, expected)


async def test_the_long_name_of_root_redirects_to_the_short(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        status, _, response = await proxy.get("/root/simple/demo/")
        assert (status, response.headers["Location"]) == (302, "../../../simple/demo/")


@pytest.mark.parametrize("coding", ["identity", "gzip", "zstd"])
async def test_codings_have_etags_of_their_own(coding: str, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy, aiohttp.ClientSession(auto_decompress=False) as raw:
            asked = {"Accept": JSON, "Accept-Encoding": coding}
            async with raw.get(proxy.url("/simple/demo/"), headers=asked) as response:
                assert response.headers.get("Content-Encoding", "identity") == coding
                body, etag = await response.read(), response.headers["ETag"]
            if coding == "gzip":
                assert json.loads(gzip.decompress(body))["name"] == "demo"
            for known in (etag, f"W/{etag}"):
                async with raw.get(proxy.url("/simple/demo/"), headers={**asked, "If-None-Match": known}) as response:
                    assert (response.status, await response.read()) == (304, b"")
                    assert response.headers["ETag"] == etag
            others = [c for c in ("identity", "gzip", "zstd") if c != coding]
            for other in others:
                again = {"Accept": JSON, "Accept-Encoding": other, "If-None-Match": etag}
                async with raw.get(proxy.url("/simple/demo/"), headers=again) as response:
                    assert response.status == 200


async def test_a_page_is_asked_for_once_and_revalidated_when_it_is_old(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            for _ in range(3):
                await proxy.page("demo")
            assert index.count("page") == 1
            proxy.clock.advance(timedelta(minutes=11))
            await proxy.page("demo")
            assert index.count("page") == 2
            assert "If-None-Match" in index.seen("page")[-1].headers
            index.add_wheel("demo", "2.0")
            proxy.clock.advance(timedelta(minutes=11))
            assert len((await proxy.page("demo"))["files"]) == 2


async def test_an_insisting_client_forces_one_revalidation_in_ten_seconds(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            proxy.clock.advance(timedelta(seconds=11))
            for _ in range(3):
                await proxy.get("/simple/demo/", **{"Cache-Control": "max-age=0"})
            assert index.count("page") == 2


async def test_a_page_is_stale_while_upstream_is_down_but_not_for_ever(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            await proxy.get(wheel.path)
            index.fault("/simple/demo/", HangUp())
            proxy.clock.advance(timedelta(days=1))
            status, _, response = await proxy.get("/simple/demo/")
            assert (status, response.headers["Inbond-Freshness"]) == (200, "stale")
            assert (await proxy.get(wheel.path))[0] == 200
            proxy.clock.advance(timedelta(days=7))
            status, _, _ = await proxy.get("/simple/demo/")
            assert status == 502
            assert (await proxy.get(wheel.path))[0] == 502


@pytest.mark.parametrize("code", [403, 500, 503])
async def test_an_upstream_error_is_never_taken_for_an_unknown_project(code: int, tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        index.fault("/simple/demo/", Status(code))
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get("/simple/demo/"))[0] == 502


async def test_an_unknown_project_is_404_and_upstream_is_not_asked_each_time(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for _ in range(3):
            assert (await proxy.get("/simple/nothing/"))[0] == 404
        assert index.count("page") == 1
        index.add_wheel("nothing", "1.0")
        proxy.clock.advance(timedelta(seconds=31))
        assert (await proxy.get("/simple/nothing/"))[0] == 200


async def test_a_page_that_goes_back_is_not_accepted(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            before = await proxy.page("demo")
            index.add_wheel("demo", "2.0")
            index.fault("/simple/demo/", SerialGoesBack(by=2))
            proxy.clock.advance(timedelta(minutes=11))
            assert await proxy.page("demo") == before  # stale rather than older
            assert await proxy.metric("inbond_alerts_total", name="serial-went-back") == 1


async def test_a_page_behind_is_asked_for_past_caches_on_the_way(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            index.add_wheel("demo", "2.0")
            index.fault("/simple/demo/", SerialGoesBack(by=2), times=1)
            proxy.clock.advance(timedelta(minutes=11))
            assert len((await proxy.page("demo"))["files"]) == 2


async def test_the_memory_of_serials_outlives_the_cache(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
        for file in sorted((tmp_path / "data" / "cache").rglob("*"), reverse=True):
            file.rmdir() if file.is_dir() else file.unlink()
        index.fault("/simple/demo/", SerialGoesBack(by=1))
        async with inbond(tmp_path, index) as proxy:
            status, body, _ = await proxy.get("/simple/demo/")
            assert status == 502
            assert b"went back to serial" in body


async def test_an_index_without_serials_says_so(tmp_path: Path) -> None:
    async with SimIndex(serials=False) as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            _, _, response = await proxy.get("/simple/demo/")
            assert response.headers["Inbond-Serial"] == "none"
            assert "X-PyPI-Last-Serial" not in response.headers


async def test_html_only_without_anything_else_is_enough(tmp_path: Path) -> None:
    poor = SimIndex(
        json=False, etag=False, serials=False, sizes=False, upload_times=False, metadata=False, claims=False
    )
    async with poor as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            page = await proxy.page("demo")
            assert page["meta"]["api-version"] == "1.0"
            assert (await proxy.get(wheel.path))[1] == wheel.content
            verdict = await proxy.verdict("demo", wheel.filename)
            assert verdict["decision"] == "allow"
            assert verdict["evidence"]["state"] == "absent"


TWO = """
[upstreams.acme]
url = "{upstream1}"
projects = ["acme-*"]
[indexes.root]
policy = "default"
upstreams = ["pypi", "acme"]
[indexes.public]
policy = "default"
upstreams = ["pypi"]
"""


async def test_a_project_belongs_to_the_first_upstream_that_has_it(tmp_path: Path) -> None:
    async with SimIndex() as public, SimIndex() as private:
        public.add_wheel("both", "1.0")
        private.add_wheel("both", "2.0")
        private.add_wheel("only-there", "1.0")
        async with inbond(tmp_path, public, private, more=TWO) as proxy:
            assert [f["filename"] for f in (await proxy.page("both"))["files"]] == ["both-1.0-py3-none-any.whl"]
            assert private.count("page") == 0
            assert (await proxy.page("only-there"))["files"]
            public.fault("/simple/only-here/", Status(500))
            private.add_wheel("only-here", "6.6.6")
            assert (await proxy.get("/simple/only-here/"))[0] == 502  # an error is no "unknown"
            assert private.count(path="/simple/only-here/") == 0


async def test_an_owned_name_is_asked_at_its_owner_only(tmp_path: Path) -> None:
    async with SimIndex() as public, SimIndex() as private:
        public.add_wheel("acme-tools", "99.0")
        private.add_wheel("acme-tools", "1.0")
        async with inbond(tmp_path, public, private, more=TWO) as proxy:
            names = [f["filename"] for f in (await proxy.page("acme-tools"))["files"]]
            assert names == ["acme_tools-1.0-py3-none-any.whl"]
            assert (await proxy.get("/public/simple/acme-tools/"))[0] == 404
            assert (await proxy.get("/simple/acme-unknown/"))[0] == 404
            assert public.count() == 0


async def test_a_page_in_memory_and_one_after_a_restart_are_the_same_bytes(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0", yanked="broken", requires_python=">=3.8")
        index.add_sdist("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            first = await proxy.get("/simple/demo/", Accept=JSON)
        async with inbond(tmp_path, index) as proxy:
            second = await proxy.get("/simple/demo/", Accept=JSON)
        assert first[1] == second[1]
        assert first[2].headers["ETag"] == second[2].headers["ETag"]
