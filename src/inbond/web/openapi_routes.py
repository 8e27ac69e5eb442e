"""`/-/openapi.json`: the description of all that is served here."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from aiohttp import web

from inbond.web.openapi import check, describe
from inbond.web.openapi_operations import operations
from inbond.web.routing import Route


@lru_cache(maxsize=1)
def _encoded(routes: tuple[Route, ...]) -> bytes:
    return msgspec.json.encode(describe(routes))


class Description:
    """The description of an application's routes; made when it is first asked for, which takes some milliseconds."""

    def __init__(self, routes: Sequence[Route]) -> None:
        """Raises LookupError for a route that is not described."""
        self._routes = tuple(routes)
        check({one.name for one in routes}, operations())

    async def body(self) -> bytes:
        """It, as JSON."""
        return await asyncio.to_thread(_encoded, self._routes)


DESCRIPTION: Final = web.AppKey("description", Description)


async def openapi(request: web.Request) -> web.Response:
    """`GET /-/openapi.json`."""
    body = await request.app[DESCRIPTION].body()
    return web.Response(body=body, headers={"Content-Type": "application/json", "Cache-Control": "no-cache"})
