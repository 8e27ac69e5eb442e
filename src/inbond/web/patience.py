"""How long a client may take over each piece of an answer, and what becomes of one that takes longer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from inbond.web.access_log import METRICS
from inbond.web.origin import SERVER


class ClientGone(ConnectionError):
    """The client hung up, or was let go; there is nobody to answer."""


@asynccontextmanager
async def patience(request: web.Request) -> AsyncIterator[None]:
    """Time for one piece. Aborts the connection and raises `ClientGone` where it is not enough."""
    limit = asyncio.timeout(request.app[SERVER].limits.piece_seconds)
    try:
        async with limit:
            yield
    except TimeoutError as error:
        if not limit.expired():
            raise
        raise give_up(request) from error


def give_up(request: web.Request) -> ClientGone:
    """Aborts the connection of a client that takes too long; what is to be raised then."""
    request.app[METRICS].dropped.labels("slow-reader").inc()
    if request.transport is not None:
        request.transport.abort()
    return ClientGone()
