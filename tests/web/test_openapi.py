"""The description of the HTTP interface: it is of all routes, whole, and says what the structs say."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from inbond.access.needs import Open
from inbond.web.openapi import describe
from inbond.web.openapi_operations import NOT_DESCRIBED
from inbond.web.openapi_routes import Description
from inbond.web.routing import ROUTES, Route, route
from sim.index import SimIndex
from stack import inbond

REF: Final = "$ref"


async def _described(path: Path) -> tuple[dict[str, Any], tuple[Route, ...]]:
    async with SimIndex() as index, inbond(path, index) as proxy:
        status, body, answer = await proxy.get("/-/openapi.json")
        assert (status, answer.headers["Content-Type"]) == (200, "application/json")
        found: dict[str, Any] = json.loads(body)
        return found, tuple(proxy.app[ROUTES].values())


def _refs(found: Any) -> Iterator[str]:
    if isinstance(found, dict):
        if isinstance(found.get(REF), str):
            yield found[REF]
        for one in found.values():
            yield from _refs(one)
    elif isinstance(found, list):
        for one in found:
            yield from _refs(one)


def _at(description: dict[str, Any], ref: str) -> Any:
    found: Any = description
    for key in ref.removeprefix("#/").split("/"):
        found = found[key]
    return found


async def test_every_route_is_described_once_under_its_name(tmp_path: Path) -> None:
    description, routes = await _described(tmp_path)
    names = [one["operationId"] for item in description["paths"].values() for one in item.values()]
    assert len(names) == len(set(names))
    assert set(names) | set(NOT_DESCRIBED) == {one.name for one in routes}
    assert description["openapi"].startswith("3.1.")


async def test_every_reference_leads_somewhere_and_nothing_is_left_over(tmp_path: Path) -> None:
    description, _ = await _described(tmp_path)
    refs = set(_refs(description))
    for ref in refs:
        assert _at(description, ref)
    assert {f"#/components/schemas/{name}" for name in description["components"]["schemas"]} <= refs
    for item in description["paths"].values():
        for one in item.values():
            assert {tag["name"] for tag in description["tags"]} >= set(one["tags"])


async def test_a_route_that_nobody_described_builds_no_application(tmp_path: Path) -> None:
    description, routes = await _described(tmp_path)

    async def handler(_request: Any) -> Any: ...

    new = route("GET", "/-/new", handler, name="new", need=Open())
    with pytest.raises(LookupError, match="does not describe: new"):
        Description([*routes, new])
    with pytest.raises(LookupError, match="no route: trust"):
        Description([one for one in routes if one.name != "trust"])
    assert json.loads(json.dumps(describe(routes))) == description


async def test_who_may_is_told_of_each(tmp_path: Path) -> None:
    paths = (await _described(tmp_path))[0]["paths"]
    everybody: list[Any] = []
    assert paths["/-/live"]["get"]["security"] == everybody
    assert {} in paths["/simple/{project}/"]["get"]["security"]  # as configured
    assert {} not in paths["/-/tokens"]["post"]["security"]
    assert {"token": []} in paths["/-/tokens"]["post"]["security"]


async def test_what_stands_in_a_path_has_the_pattern_of_its_route(tmp_path: Path) -> None:
    paths = (await _described(tmp_path))[0]["paths"]
    (digits,) = [one for one in paths["/why/{digits}"]["get"]["parameters"] if one["in"] == "path"]
    assert digits["schema"]["pattern"] == "^[0-9a-f]{12}$"
    assert digits["required"]


async def test_the_comment_beside_a_member_describes_it(tmp_path: Path) -> None:
    schemas = (await _described(tmp_path))[0]["components"]["schemas"]
    assert schemas["Verdict"]["properties"]["decision"]["description"] == "allow, hold or deny"
    assert schemas["TrafficPoint"]["properties"]["stopped"]["description"] == "not let through"
    assert schemas["FileFacts"]["properties"]["story"][REF].endswith("/Story")
