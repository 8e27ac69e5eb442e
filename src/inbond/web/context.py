"""What the handlers tell the log line of their request."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

NOTES: Final = web.RequestKey("notes", dict[str, Any])


def note(request: web.Request, **facts: Any) -> None:
    """Adds facts to the request's log line."""
    notes_of(request).update(facts)


def notes_of(request: web.Request) -> dict[str, Any]:
    """The facts noted so far."""
    if NOTES not in request:
        request[NOTES] = {}
    return request[NOTES]
