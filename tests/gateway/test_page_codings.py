"""A page in several content codings: rendered once, and the same bytes in each."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from inbond.gateway import page_service
from inbond.simple.render import render_json
from sim.index import SimIndex, index_fixture
from stack import JSON, inbond

index = index_fixture()
CODINGS = ("gzip", "identity", "zstd", "gzip")


async def test_a_page_is_rendered_once_for_all_codings(
    tmp_path: Path, index: SimIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def counted(*args: object) -> bytes:
        rendered.append("JSON")
        return render_json(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(page_service, "render_json", counted)
    index.add_wheel("demo", "1.0")
    async with inbond(tmp_path, index) as proxy:
        tags, bodies = set(), set()
        for coding in CODINGS:
            status, body, response = await proxy.get("/simple/demo/", Accept=JSON, **{"Accept-Encoding": coding})
            assert (status, response.headers.get("Content-Encoding", "identity")) == (200, coding)
            tags.add(response.headers["ETag"])
            bodies.add(body)  # which the client has expanded
        assert len(rendered) == 1
        assert len(tags) == 3
        assert len(bodies) == 1
        index.add_wheel("demo", "2.0")
        proxy.clock.advance(timedelta(hours=1))
        _, _, changed = await proxy.get("/simple/demo/", Accept=JSON, **{"Cache-Control": "max-age=0"})
        assert changed.headers["ETag"] not in tags
        assert len(rendered) == 2


async def test_a_page_is_rendered_once_for_all_who_ask_at_once(
    tmp_path: Path, index: SimIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []

    def counted(*args: object) -> bytes:
        rendered.append("JSON")
        return render_json(*args)  # type: ignore[arg-type]  # passed on as they came

    monkeypatch.setattr(page_service, "render_json", counted)
    index.add_wheel("demo", "1.0")
    async with inbond(tmp_path, index) as proxy:
        gate = index.gate("/simple/demo/")
        asking = [asyncio.create_task(proxy.get("/simple/demo/", Accept=JSON)) for _ in range(8)]
        await gate.reached.wait()
        gate.open()
        assert {status for status, _, _ in await asyncio.gather(*asking)} == {200}
        assert len(rendered) == 1
