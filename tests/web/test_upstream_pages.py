"""The page of the upstreams says whether they answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from selectolax.lexbor import LexborHTMLParser

from sim.index import SimIndex, Status
from stack import ONE_INDEX, Inbond, inbond

TWO = """
[upstreams.own]
url = "http://user:secret@packages.acme.example/simple/"
[access]
readers = "granted"
[indexes.root]
policy = "default"
upstreams = ["pypi"]
readers = "anybody"
[indexes.staff]
policy = "default"
upstreams = ["own"]
"""


async def upstreams(proxy: Inbond) -> list[dict[str, Any]]:
    status, body, _ = await proxy.get("/-/upstreams", Accept="application/json")
    assert status == 200, body
    found: list[dict[str, Any]] = json.loads(body)["upstreams"]
    return found


async def test_it_tells_answers_failures_and_what_is_not_asked_any_more(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, ahead=False) as proxy:
            (unasked,) = await upstreams(proxy)
            await proxy.page("demo")
            (answering,) = await upstreams(proxy)
            index.fault("/simple/*", Status(500))
            for name in ("one", "two", "three", "four", "five", "six"):
                await proxy.get(f"/simple/{name}/")
            (held,) = await upstreams(proxy)
            _, body, _ = await proxy.get("/-/upstreams")
    assert (unasked["state"], unasked["answers"]) == ("unasked", [])
    assert answering["state"] == "answers"
    (pages,) = [one for one in answering["answers"] if one["kind"] == "page"]
    assert (pages["answers"], pages["failures"], pages["failure"]) == (1, 0, None)
    assert held["state"] == "held"
    assert "(page)" in held["held"]
    (pages,) = [one for one in held["answers"] if one["kind"] == "page"]
    assert pages["failures"] > 0
    assert pages["failure"] == "unavailable"
    (badge,) = LexborHTMLParser(body).css("h2 .badge")
    assert badge.text() == "not asked now"


async def test_one_failure_after_an_answer_is_told(tmp_path: Path) -> None:
    async with SimIndex() as index:
        index.add_wheel("demo", "1.0")
        async with inbond(tmp_path, index, ahead=False) as proxy:
            await proxy.page("demo")
            index.fault("/simple/other/", Status(500))
            await proxy.get("/simple/other/")
            (failing,) = await upstreams(proxy)
    assert failing["state"] == "failing"


async def test_upstreams_of_other_indexes_and_credentials_are_not_shown(tmp_path: Path) -> None:
    async with SimIndex() as index, inbond(tmp_path, index, config=ONE_INDEX + TWO) as proxy:
        found = await upstreams(proxy)
        _, body, _ = await proxy.get("/-/upstreams")
    assert [(one["name"], one["indexes"]) for one in found] == [("pypi", ["root"])]
    for word in ("secret", "acme", "staff"):
        assert word not in body.decode()
