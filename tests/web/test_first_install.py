"""The thin line through the whole house: a page, a file, what is kept."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from sim.index import SimIndex
from stack import JSON, inbond


async def test_a_page_and_its_file_come_through_and_are_kept(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            page = await proxy.page("demo")
            assert [file["filename"] for file in page["files"]] == [wheel.filename]
            assert page["files"][0]["hashes"] == {"sha256": wheel.sha256}
            assert page["meta"]["api-version"] == "1.4"
            path = await proxy.path_of("demo", wheel.filename)
            assert path == wheel.path
            for _ in range(2):
                status, body, response = await proxy.get(path)
                assert status == 200
                assert hashlib.sha256(body).hexdigest() == wheel.sha256
                assert response.headers["ETag"] == f'"{wheel.sha256}"'
            assert index.count("file") == 1
            status, body, response = await proxy.get(f"{path}.metadata")
            assert (status, body) == (200, wheel.metadata)
            assert response.headers["Cache-Control"] == "no-cache"


async def test_what_was_kept_is_found_again_after_a_restart(tmp_path: Path) -> None:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            path = await proxy.path_of("demo", wheel.filename)
            assert (await proxy.get(path))[0] == 200
        seen = len(index.requests)
        async with inbond(tmp_path, index) as proxy:
            assert (await proxy.get(path))[1] == wheel.content
            assert (await proxy.get("/simple/demo/", Accept=JSON))[0] == 200
        assert len(index.requests) == seen


async def test_the_project_list_is_served_in_both_formats(tmp_path: Path) -> None:
    async with SimIndex(listed=3000) as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            status, body, response = await proxy.get("/simple/", Accept=JSON, **{"Accept-Encoding": "gzip"})
            assert status == 200
            assert response.headers["Content-Type"] == JSON
            assert len(json.loads(body)["projects"]) == 3001
            etag = response.headers["ETag"]
            status, _, _ = await proxy.get(
                "/simple/", Accept=JSON, **{"Accept-Encoding": "gzip", "If-None-Match": etag}
            )
            assert status == 304
            status, body, _ = await proxy.get("/simple/", Accept="text/html")
            assert body.count(b"</a>") == 3001
            assert index.count("list") == 1
