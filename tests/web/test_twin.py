"""Every page has a twin, and what others wrote does no harm on any."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from hypothesis import given
from hypothesis import strategies as st
from markupsafe import Markup
from selectolax.lexbor import LexborHTMLParser

from inbond.model.text import printable
from inbond.web.paging import MAX_PAGE, page_number, paging_of
from inbond.web.rendered import MAX_SHOWN, fit
from sim.index import SimIndex
from stack import Inbond, inbond

PAGES = ("/", "/-/use", "/-/search", "/-/trust", "/-/upstreams", "/-/projects/root/demo", "/-/files/root/demo/{wheel}")


@asynccontextmanager
async def demo(tmp_path: Path) -> AsyncIterator[tuple[Inbond, list[str]]]:
    async with SimIndex() as index:
        wheel = index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.verdict("demo", wheel.filename)
            paths = [path.format(wheel=wheel.filename) for path in PAGES]
            yield proxy, [*paths, f"/why/{wheel.sha256[:12]}"]


async def test_every_page_has_a_twin_at_its_own_address(tmp_path: Path) -> None:
    async with demo(tmp_path) as (proxy, paths):
        for path in paths:
            status, page, answer = await proxy.get(path, Accept="text/html,application/xhtml+xml,*/*;q=0.8")
            assert (status, answer.content_type, answer.headers["Vary"]) == (200, "text/html", "Accept"), path
            status, body, answer = await proxy.get(path, Accept="application/json")
            assert (status, answer.content_type, answer.headers["Vary"]) == (200, "application/json", "Accept"), path
            assert answer.headers["Cache-Control"] == "no-store"
            assert isinstance(json.loads(body), dict)
            (link,) = LexborHTMLParser(page).css("footer a[href*='format=json']")
            status, again, answer = await proxy.get(str(link.attributes["href"]))
            assert (status, answer.content_type) == (200, "application/json")
            assert json.loads(again).keys() == json.loads(body).keys()


async def test_a_form_that_there_is_not_is_refused(tmp_path: Path) -> None:
    async with demo(tmp_path) as (proxy, paths):
        for path in paths:
            status, body, answer = await proxy.get(f"{path}?format=xml")
            assert (status, answer.content_type) == (406, "application/problem+json")
            assert "'xml' is not offered here" in json.loads(body)["detail"]


async def test_each_page_has_what_a_screen_reader_goes_by(tmp_path: Path) -> None:
    async with demo(tmp_path) as (proxy, paths):
        for path in paths:
            parsed = LexborHTMLParser((await proxy.get(path))[1])
            assert len(parsed.css("main#main")) == len(parsed.css("footer")) == 1
            assert [link.attributes["href"] for link in parsed.css("a.skip")] == ["#main"]
            assert len(parsed.css("h1")) == 1
            levels = [int(str(node.tag)[1]) for node in parsed.css("h1, h2, h3, h4")]
            assert all(below <= above + 1 for above, below in pairwise(levels)), path
            for table in parsed.css("table"):
                assert table.css("caption")
                assert table.css("thead th[scope=col]")
            names = [str(node.attributes["id"]) for node in parsed.css("[id]")]
            assert len(names) == len(set(names)), path
            for node in parsed.css("[aria-labelledby], [aria-describedby]"):
                wanted = (
                    f"{node.attributes.get('aria-labelledby') or ''} {node.attributes.get('aria-describedby') or ''}"
                )
                assert set(wanted.split()) <= set(names), path
            for field in parsed.css("input:not([type=hidden]), select, textarea"):
                assert parsed.css(f"label[for='{field.attributes['id']}']"), path


async def test_where_one_is_stands_in_the_navigation(tmp_path: Path) -> None:
    async with demo(tmp_path) as (proxy, paths):
        found = {}
        for path in paths:
            parsed = LexborHTMLParser((await proxy.get(path))[1])
            found[path.split("/root")[0]] = [one.text() for one in parsed.css("nav [aria-current=page]")]
    *_, why = found
    assert found == {
        "/": ["Overview"],
        "/-/use": ["Use it"],
        "/-/search": ["Projects"],
        "/-/trust": ["Trust"],
        "/-/upstreams": ["Upstreams"],
        "/-/projects": ["Projects"],
        "/-/files": ["Projects"],
        why: ["Denials"],
    }


async def test_an_error_is_a_page_for_people_and_problem_details_for_programs(tmp_path: Path) -> None:
    async with demo(tmp_path) as (proxy, _):
        for path in (
            "/-/projects/root/nosuch",
            "/-/files/root/demo/demo-9.9-py3-none-any.whl",
            "/-/projects/none/demo",
        ):
            status, body, answer = await proxy.get(path, Accept="text/html")
            assert (status, answer.content_type) == (404, "text/html"), body
            assert LexborHTMLParser(body).css("main [role=alert]")
            status, _, answer = await proxy.get(path, Accept="application/json")
            assert (status, answer.content_type) == (404, "application/problem+json")


@given(st.text(max_size=200))
def test_whatever_is_shown_has_no_character_that_hides_or_turns_text(text: str) -> None:
    shown = str(fit(text))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert shown == "\n".join(map(printable, text.split("\n")))


def test_a_huge_value_is_cut_and_markup_of_our_own_is_left_alone() -> None:
    assert fit("a" * (MAX_SHOWN + 5)) == "a" * (MAX_SHOWN - 1) + "…"
    assert fit(Markup("<b>\u202e</b>")) == "<b>\u202e</b>"
    assert fit("a\u202eb\x00\nc") == "a\\u202eb\\x00\nc"


@pytest.mark.parametrize(
    ("total", "page", "shown"),
    [(0, 1, (1, 0, 0)), (1, 1, (1, 1, 1)), (100, 1, (1, 1, 100)), (101, 2, (2, 101, 101)), (101, 99, (2, 101, 101))],
)
def test_a_list_is_shown_a_page_at_a_time(total: int, page: int, shown: tuple[int, int, int]) -> None:
    paging = paging_of(total, page, 100)
    assert (paging.page, paging.first, paging.last) == shown
    assert paging.before == (None if shown[0] == 1 else shown[0] - 1)


@given(st.integers(min_value=0, max_value=1000), st.integers(min_value=1, max_value=50))
def test_the_pages_of_a_list_have_every_entry_once(total: int, size: int) -> None:
    seen: list[int] = []
    page: int | None = 1
    while page is not None:
        paging = paging_of(total, page, size)
        seen += range(paging.first, paging.last + 1) if paging.total else ()
        page = paging.after
    assert seen == list(range(1, total + 1))


@pytest.mark.parametrize(
    ("query", "page"),
    [("", 1), ("page=3", 3), ("page=0", 1), ("page=-1", 1), ("page=x", 1), ("page=٣", 1), ("page=99999", MAX_PAGE),
     ("page=999999999999999999", 1)],
)  # fmt: skip
async def test_a_page_number_that_is_none_is_the_first(query: str, page: int) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"page": page_number(request)})

    app = web.Application()
    app.router.add_get("/", answer)
    async with TestServer(app) as server, aiohttp.request("GET", server.make_url(f"/?{query}")) as response:
        found: dict[str, Any] = await response.json()
    assert found == {"page": page}
