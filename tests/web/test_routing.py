"""Routes say what they need, and those that write need more than to read."""

from __future__ import annotations

import pytest
from aiohttp import web

from inbond.access.needs import Need, OfAnyIndex, OfInbond, OfIndex, Open
from inbond.access.roles import Role
from inbond.web.routing import add_routes, route


async def answer(_request: web.Request) -> web.Response:
    return web.Response()


@pytest.mark.parametrize("need", [Open(), OfIndex(), OfAnyIndex(Role.READER), OfInbond(Role.READER)])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_what_writes_is_not_made_for_those_who_may_only_read(method: str, need: Need) -> None:
    with pytest.raises(ValueError, match="needs a role above reader"):
        route(method, "/", answer, name="x", need=need)
    assert route(method, "/", answer, name="x", need=need, reads=True).reads
    assert not route(method, "/", answer, name="x", need=need, anonymous=True).reads


@pytest.mark.parametrize("need", [OfIndex(Role.OPERATOR), OfInbond(), OfAnyIndex(Role.ADMIN)])
def test_operators_may_write(need: Need) -> None:
    assert not route("POST", "/", answer, name="x", need=need).reads


def test_no_two_routes_have_one_name() -> None:
    routes = [route("GET", path, answer, name="x", need=Open()) for path in ("/a", "/b")]
    with pytest.raises(ValueError, match="two routes are called x"):
        add_routes(web.Application(), routes)
