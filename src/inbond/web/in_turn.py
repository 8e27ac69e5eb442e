"""Pages for people that take long to make: each client has one at once, and all together a few.

Whoever may read may ask for them, as often as they like. A place is held until the work has ended, also where nobody
waits for it any more; what has not begun by then is not begun. None is held while an upstream is waited for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps

from aiohttp import web

from inbond.web.origin import client_of
from inbond.web.overload import OVERLOAD

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def turn(request: web.Request) -> AsyncIterator[None]:
    """The client's turn. Raises `Overloaded` where it does not come in time, or nobody waits for it any more."""
    overload = request.app[OVERLOAD]
    async with overload.page(client_of(request)):
        if request.transport is None:
            raise overload.refusal("pages")
        yield


def in_turn(handler: Handler) -> Handler:
    """The handler, within the client's turn."""

    @wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        async with turn(request):
            return await handler(request)

    return answering
