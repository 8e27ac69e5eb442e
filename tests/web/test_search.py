"""Search finds the projects that were seen here, and those alone that one may look at."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from selectolax.lexbor import LexborHTMLParser

from inbond.model.history import Asked, AskedRow
from inbond.model.names import Filename, ProjectName
from inbond.model.verdict import Decision
from inbond.web.search_pages import FOUND_SHOWN, MAX_PAGES
from sim.index import SimIndex
from stack import Inbond, inbond

DAY = timedelta(days=1)
TWO_UPSTREAMS = """
[server]
listen = "127.0.0.1:0"
[storage]
path = "{data}"
[access]
readers = "granted"
[upstreams.pypi]
url = "{upstream}"
[upstreams.own]
url = "{upstream1}"
projects = ["acme-*"]
[indexes.root]
policy = "default"
upstreams = ["pypi"]
readers = "anybody"
[indexes.staff]
policy = "default"
upstreams = ["own", "pypi"]
"""


async def search(proxy: Inbond, query: str) -> dict[str, Any]:
    status, body, _ = await proxy.get(f"/-/search?{query}", Accept="application/json")
    assert status == 200, body
    found: dict[str, Any] = json.loads(body)
    return found


def names(found: dict[str, Any]) -> list[str]:
    return [one["project"] for one in found["found"]]


def asked(project: str, index: str, at: datetime) -> AskedRow:
    """A file of a project, given on an index."""
    return AskedRow.of(
        Asked(
            at=at,
            index=index,
            upstream="pypi",
            project=ProjectName(project),
            filename=Filename(f"{project.replace('-', '_')}-1.0-py3-none-any.whl"),
            version="1.0",
            sha256="a" * 64,
            client="10.0.0.1",
            decision=Decision.ALLOW,
            would=Decision.ALLOW,
        )
    )


async def test_a_project_is_found_once_somebody_asked_for_it(tmp_path: Path) -> None:
    async with SimIndex() as index:
        for name in ("flask", "flask-login", "my-flask", "django"):
            index.add_wheel(name, "1.0")
        async with inbond(tmp_path, index) as proxy:
            assert names(await search(proxy, "q=flask")) == []
            for name in ("flask", "flask-login", "my-flask", "django"):
                await proxy.page(name)
            found = await search(proxy, "q=flask")
            written = [await search(proxy, f"q={quote(one)}") for one in ("Flask_Login", "flask.LOGIN ", "flask login")]
            _, body, _ = await proxy.get("/-/search?q=flask")
    assert names(found) == ["flask", "flask-login", "my-flask"]
    assert found["found"][0]["on"] == [{"index": "root", "href": "/-/projects/root/flask"}]
    assert [names(one) for one in written] == [["flask-login"]] * 3
    parsed = LexborHTMLParser(body)
    assert [link.text() for link in parsed.css("tbody th a")] == names(found)
    assert [field.attributes["value"] for field in parsed.css("input[name=q]")] == ["flask"]


async def test_nobody_learns_of_projects_of_an_index_that_is_not_theirs(tmp_path: Path) -> None:
    async with SimIndex() as index, SimIndex() as own:
        index.add_wheel("demo", "1.0")
        own.add_wheel("acme-secret", "1.0")
        async with inbond(tmp_path, index, own, config=TWO_UPSTREAMS) as proxy:
            ledger, now = proxy.up.parts.base.ledger, proxy.clock()
            for upstream, name in (("pypi", "demo"), ("own", "acme-secret"), ("pypi", "acme-leaked")):
                await ledger.remember_page(upstream, ProjectName(name), serial=1, files=[], now=now)
            unasked = await search(proxy, "q=")
            await ledger.record([asked("demo", "staff", now - DAY), asked("demo", "root", now)])
            for number in range(FOUND_SHOWN):  # of which only whoever may use the other index has files
                await ledger.remember_page("pypi", ProjectName(f"d{number}"), serial=1, files=[], now=now)
                await ledger.record([asked(f"d{number}", "staff", now)])
                await ledger.record([asked(f"acme-{number}", "root", now)])  # which root looks for nowhere
                await ledger.remember_page("pypi", ProjectName(f"acme-{number}"), serial=1, files=[], now=now)
            found = await search(proxy, "q=")
            acme = await search(proxy, "q=acme")
            _, body, _ = await proxy.get("/-/search?q=acme")
    assert (names(unasked), names(found), found["more"]) == ([], ["demo"], False)
    assert datetime.fromisoformat(found["found"][0]["first_seen"]) == now
    assert (acme["found"], acme["more"]) == ([], False)
    assert "secret" not in body.decode()
    assert "staff" not in body.decode()


async def test_many_are_shown_a_page_at_a_time(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index) as proxy:
        for number in range(FOUND_SHOWN + 3):
            name = ProjectName(f"p{number:04}")
            await proxy.up.parts.base.ledger.remember_page("pypi", name, serial=1, files=[], now=proxy.clock())
        first, second = await search(proxy, "q=p"), await search(proxy, "q=p&page=2")
        far = await search(proxy, f"q=p&page={MAX_PAGES + 5}")
        _, body, _ = await proxy.get("/-/search?q=p")
    assert len(names(first)) == FOUND_SHOWN
    assert names(first) + names(second) == [f"p{number:04}" for number in range(FOUND_SHOWN + 3)]
    assert (first["more"], second["more"], far["page"], far["found"]) == (True, False, MAX_PAGES, [])
    (link,) = LexborHTMLParser(body).css("nav.pager a")
    assert link.attributes["href"] == "/-/search?q=p&page=2"


@pytest.mark.parametrize("query", ["%", "_", "'", "\u202e<script>", "a" * 5000, "\x00", "\ud800"])
async def test_a_query_is_text_and_nothing_else(tmp_path: Path, query: str) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index) as proxy:
            await proxy.page("demo")
            path = f"/-/search?q={quote(query.encode(errors='surrogatepass'))}"
            status, body, _ = await proxy.get(path)
            found = json.loads((await proxy.get(path, Accept="application/json"))[1])
    assert status == 200
    assert found["found"] == []
    assert not any(one in body.decode() for one in ("\u202e", "<script", "\x00"))
