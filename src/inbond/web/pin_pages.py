"""`/-/pins`: which publishers were accepted, the form that accepts one, and ending that.

A pin is about a project wherever it is served, so that accepting and ending one needs the role operator on all indexes.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.deciding import decide
from inbond.gateway.reviewing import unknown_publisher
from inbond.model.decisions import Pin
from inbond.model.errors import InbondError
from inbond.model.names import ProjectName
from inbond.model.publisher import PublisherPattern
from inbond.policy.decision_words import parse_reason, parse_repository_id
from inbond.web import decision_pages
from inbond.web.access import require
from inbond.web.decision_json import decision_json
from inbond.web.decision_pages import PINS
from inbond.web.desk import DESK, author_of, decides_for_all, now_of
from inbond.web.form_pages import Given, done, given, new_page, unusable
from inbond.web.origin import client_of

FIELDS: Final = ("project", "publisher", "repository_id", "reason")


async def pins(request: web.Request) -> web.Response:
    """`GET /-/pins`."""
    return await decision_pages.listing(request, PINS, _notes)


async def pin(request: web.Request) -> web.Response:
    """`GET /-/pins/{id}`."""
    return await decision_pages.one(request, PINS)


async def revoke(request: web.Request) -> web.Response:
    """`POST /-/pins/{id}/revoke`."""
    return await decision_pages.revoke(request, PINS)


async def new(request: web.Request) -> web.Response:
    """`GET /-/pins/new`: the form; its fields may be filled in by the address."""
    return _form(request, Given({name: request.query[name] for name in FIELDS if name in request.query}))


async def make(request: web.Request) -> web.Response:
    """`POST /-/pins`: accepts a publisher, as `inbond pins accept` does."""
    desk, now = request.app[DESK], now_of(request)
    require(request, Role.OPERATOR, None)
    fields = await given(request, FIELDS)
    project = fields.read("project", ProjectName)
    publisher = fields.read("publisher", PublisherPattern.parse)
    repository_id = fields.read("repository_id", lambda text: parse_repository_id(text) if text else "")
    reason = fields.read("reason", lambda text: parse_reason(text) if text else "")
    if fields.errors or project is None or publisher is None:
        return unusable(request, lambda status: _form(request, fields, status=status), fields)
    pin = Pin(
        project=project,
        publisher=publisher,
        repository_id=repository_id or None,
        reason=reason or "",
        by=author_of(request),
        at=now,
    )
    async with desk.turn:
        (made,) = await decide(desk.ledger, [pin], now=now, client=client_of(request))
    warnings = made.warnings or await _odd(request, pin)
    body = {"new": made.new, "pin": decision_json(pin), "warnings": warnings}
    return done(request, f"{PINS.home}?made={pin.id}", body, new=made.new)


def _form(request: web.Request, fields: Given, *, status: int = 200) -> web.Response:
    return new_page(request, "pin_new.html", fields, now_of(request), status=status)


async def _notes(request: web.Request, pin: Pin) -> tuple[str, ...]:
    return await _odd(request, pin)


async def _odd(request: web.Request, pin: Pin) -> tuple[str, ...]:
    if not decides_for_all(request):  # who publishes it elsewhere is not theirs to know
        return ()
    try:
        return await unknown_publisher(request.app[DESK].look, pin)
    except InbondError:  # the pin is in force all the same
        return ()
