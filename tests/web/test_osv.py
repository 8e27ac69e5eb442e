"""OSV's API on inbond's own advisories, and what advisories do to pages and files at once."""

from __future__ import annotations

import asyncio
import io
import json
import threading
from pathlib import Path
from typing import Any

import pytest

from inbond.advisories.osv_query import answer_query
from inbond.gateway.advisories import AdvisoryKeeper
from inbond.web import osv_routes
from sim.index import SimIndex
from sim.osv import directory, malware, vulnerability
from stack import ONE_INDEX, Inbond, inbond

ADVISORIES = """
[advisories.own]
path = "{data}/../advisories"
"""
DEMO = {"name": "Demo", "ecosystem": "PyPI"}
FILES = {
    "MAL-1.json": malware("MAL-1", "demo", "2.0"),
    "GHSA-1.json": vulnerability("GHSA-1", "demo", fixed="1.5", severity="CRITICAL"),
    "MAL-9.json": malware("MAL-9", "demo", "1.0", withdrawn="2026-11-02T00:00:00Z"),
}


async def post(proxy: Inbond, path: str, body: Any, **headers: str) -> tuple[int, Any, str]:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with proxy.session.post(proxy.url(path), data=io.BytesIO(content), headers=headers) as response:
        return response.status, json.loads(await response.read()), response.headers["Content-Type"]


async def look(proxy: Inbond) -> None:
    """What happens every ten seconds."""
    advisories = proxy.up.gateway.advisories
    assert isinstance(advisories, AdvisoryKeeper)
    await advisories.look()


async def test_queries_are_answered_from_the_advisories_in_force(tmp_path: Path) -> None:
    directory(tmp_path / "advisories", FILES)
    async with SimIndex() as index, inbond(tmp_path, index, more=ADVISORIES) as proxy:
        status, answer, kind = await post(proxy, "/-/osv/v1/query", {"package": DEMO, "version": "2.0"})
        assert (status, kind) == (200, "application/json")
        assert answer == {"vulns": [json.loads(FILES["MAL-1.json"])]}

        queries = [{"package": DEMO, "version": version} for version in ("1.0", "3.0", "2.0")]
        status, answer, _ = await post(proxy, "/-/osv/v1/querybatch", {"queries": queries})
        at = "2026-11-01T00:00:00Z"
        assert answer == {
            "results": [{"vulns": [{"id": "GHSA-1", "modified": at}]}, {}, {"vulns": [{"id": "MAL-1", "modified": at}]}]
        }

        for name in ("MAL-1", "MAL-9"):
            status, body, _ = await proxy.get(f"/-/osv/v1/vulns/{name}")
            assert (status, body) == (200, FILES[f"{name}.json"])
        status, body, _ = await proxy.get("/-/osv/v1/vulns/MAL-2")
        assert (status, json.loads(body)["detail"]) == (404, "no advisory 'MAL-2' is known here.")


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("query", b"{", 400, "the body is not a query"),
        ("query", {"commit": "abc"}, 400, "commits are not known here"),
        ("query", {"package": {"name": "left-pad", "ecosystem": "npm"}}, 400, "packages of PyPI alone"),
        ("querybatch", {"queries": [{"package": DEMO}, {}]}, 400, "query 1: no package is named"),
        ("query", {"package": DEMO, "version": "1" * 5000}, 400, "a version of more than 200 characters"),
        ("query", b" " * (2**20 + 1), 413, ""),
    ],
    ids=["no JSON", "commit", "npm", "batch", "version", "too large"],
)
async def test_what_cannot_be_answered_is_refused(path: str, body: Any, status: int, said: str, tmp_path: Path) -> None:
    directory(tmp_path / "advisories", FILES)
    async with SimIndex() as index, inbond(tmp_path, index, more=ADVISORIES) as proxy:
        found, answer, kind = await post(proxy, f"/-/osv/v1/{path}", body)

        assert (found, kind) == (status, "application/problem+json")
        assert said in answer["detail"]


async def test_so_many_questions_are_worked_out_at_once_and_more_are_asked_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory(tmp_path / "advisories", FILES)
    go_on, inside = threading.Event(), 0

    def slow(*given: Any) -> bytes:
        nonlocal inside
        inside += 1
        assert go_on.wait(10)
        return answer_query(*given)

    monkeypatch.setattr(osv_routes, "answer_query", slow)
    monkeypatch.setattr(osv_routes, "MAX_WAITING", 3)
    async with SimIndex() as index, inbond(tmp_path, index, more=ADVISORIES) as proxy:
        asked = [asyncio.create_task(post(proxy, "/-/osv/v1/query", {"package": DEMO})) for _ in range(6)]
        done, _ = await asyncio.wait(asked, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = done
        status, body, _ = refused.result()
        async with asyncio.timeout(60):
            while inside < osv_routes.AT_ONCE:
                await asyncio.sleep(0.01)
        assert (status, inside) == (503, osv_routes.AT_ONCE)
        assert "too many questions about advisories are asked at once" in body["detail"]
        go_on.set()
        assert {(await one)[0] for one in asked if one is not refused} == {200}
        assert (await post(proxy, "/-/osv/v1/query", {"package": DEMO}))[0] == 200


async def test_nobody_is_told_nothing_is_known_where_nothing_could_be(tmp_path: Path) -> None:
    async with SimIndex() as index:
        async with inbond(tmp_path, index) as proxy:
            status, answer, _ = await post(proxy, "/-/osv/v1/query", {"package": DEMO})
            assert (status, answer["title"]) == (503, "Nothing can be said about vulnerabilities or malware")
            assert "no advisories are configured" in answer["detail"]
        async with inbond(tmp_path, index, more=ADVISORIES) as proxy:
            for path in ("query", "querybatch"):
                status, answer, _ = await post(proxy, f"/-/osv/v1/{path}", {"queries": []})
                assert status == 503
                assert "[advisories.own] nothing is known from it" in answer["detail"]
            assert (await proxy.get("/-/osv/v1/vulns/MAL-1"))[0] == 503


async def test_a_missing_slash_is_explained(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for path in ("/-/v1/querybatch", "/-/osv/v1/v1/querybatch"):
            status, answer, _ = await post(proxy, path, {})
            assert status == 404
            assert f"{proxy.origin}/-/osv/ with the slash at the end" in answer["detail"]


async def test_a_page_of_the_web_cannot_ask(tmp_path: Path) -> None:
    directory(tmp_path / "advisories", FILES)
    async with SimIndex() as index, inbond(tmp_path, index, more=ADVISORIES) as proxy:
        assert (await post(proxy, "/-/osv/v1/query", {"package": DEMO}, Host="evil.example"))[0] == 421


async def test_malware_is_denied_at_once_when_an_advisory_comes_and_let_through_when_it_goes(tmp_path: Path) -> None:
    place = directory(tmp_path / "advisories", {"other.json": malware("MAL-5", "other")})
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        name = index.add_wheel("demo", "2.0").filename
        async with inbond(tmp_path, index, more=ADVISORIES) as proxy:
            path = await proxy.path_of("demo", name)
            assert (await proxy.get(path))[0] == 200

            (place / "MAL-1.json").write_bytes(FILES["MAL-1.json"])
            await look(proxy)
            status, body, response = await proxy.get(path)
            assert status == 403
            assert "MAL-1 says that this release is malware" in (response.reason or "")
            assert json.loads(body)["verdict"]["newest_allowed"] == "1.0"
            assert "malware" in (await proxy.listed("demo", name))["yanked"]

            (place / "MAL-1.json").unlink()
            await look(proxy)
            assert (await proxy.get(path))[0] == 200


async def test_what_was_served_and_turns_bad_is_told_with_when_and_to_whom(tmp_path: Path) -> None:
    place = directory(tmp_path / "advisories", {"other.json": malware("MAL-5", "other")})
    async with SimIndex() as index:
        name = index.add_wheel("demo", "2.0").filename
        async with inbond(tmp_path, index, config=ONE_INDEX, more=ADVISORIES) as proxy:
            path = await proxy.path_of("demo", name)
            for _ in range(2):
                assert (await proxy.get(path))[0] == 200
            (place / "MAL-1.json").write_bytes(FILES["MAL-1.json"])
            await look(proxy)
            async with asyncio.timeout(30):
                while not await proxy.metric("inbond_occurrences_total", kind="served-turned-bad"):
                    await asyncio.sleep(0.1)
        async with inbond(tmp_path, index, more=ADVISORIES) as proxy:
            assert await proxy.metric("inbond_advisories", source="own") == 2
            assert await proxy.metric("inbond_advisories_age_seconds", source="own") < 60
            status, body, _ = await proxy.get("/-/ready")
            assert (status, "advisories" in json.loads(body)["checks"]) == (200, True)
