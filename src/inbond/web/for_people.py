"""Pages for people tell errors as pages, too; programs that ask for JSON get the problem details that others get."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps

from aiohttp import web

from inbond.model.errors import InbondError, NotAcceptable, NotSignedIn
from inbond.web.context import note
from inbond.web.errors import headers_of, status_of
from inbond.web.rendered import rendered
from inbond.web.twin import wants_json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def for_people(handler: Handler) -> Handler:
    """The handler with its errors as pages; that somebody must sign in is left to the guard, which knows how."""

    @wraps(handler)
    async def answering(request: web.Request) -> web.StreamResponse:
        try:
            return await handler(request)
        except (NotAcceptable, NotSignedIn):
            raise
        except InbondError as error:
            if wants_json(request):
                raise
            note(request, error=error.message)
            page = rendered(request, "error.html", status=status_of(error), error=error)
            page.headers.update(headers_of(error, page.status) or {})
            return page

    return answering
