"""`/-/rejections`: what was rejected, the form that rejects anything, whether or not it waits, and ending that."""

from __future__ import annotations

from functools import partial
from typing import Final

from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.deciding import decide
from inbond.model.decisions import Rejection, Target
from inbond.policy.decision_words import parse_reason
from inbond.web import decision_pages
from inbond.web.access import require
from inbond.web.decision_json import decision_json
from inbond.web.decision_pages import REJECTIONS
from inbond.web.desk import DESK, author_of, now_of, operated, warnings_for
from inbond.web.form_pages import Given, done, given, new_page, unusable
from inbond.web.index_field import ALL_INDEXES, index_choices, parse_index
from inbond.web.origin import client_of

FIELDS: Final = ("target", "index", "reason")


async def rejections(request: web.Request) -> web.Response:
    """`GET /-/rejections`."""
    return await decision_pages.listing(request, REJECTIONS, _notes)


async def rejection(request: web.Request) -> web.Response:
    """`GET /-/rejections/{id}`."""
    return await decision_pages.one(request, REJECTIONS)


async def revoke(request: web.Request) -> web.Response:
    """`POST /-/rejections/{id}/revoke`."""
    return await decision_pages.revoke(request, REJECTIONS)


async def new(request: web.Request) -> web.Response:
    """`GET /-/rejections/new`: the form; its fields may be filled in by the address."""
    filled = {name: request.query[name] for name in FIELDS if name in request.query}
    return _form(request, Given({"index": next(iter(operated(request)), ""), **filled}))


async def make(request: web.Request) -> web.Response:
    """`POST /-/rejections`: denies a target until that is revoked, as `inbond review reject` does."""
    desk, now = request.app[DESK], now_of(request)
    fields = await given(request, FIELDS)
    target = fields.read("target", Target.parse)
    reason = fields.read("reason", parse_reason)
    index = fields.read("index", partial(parse_index, request))
    if fields.errors or target is None or reason is None:
        return unusable(request, lambda status: _form(request, fields, status=status), fields)
    where = None if index in (None, ALL_INDEXES) else index
    require(request, Role.OPERATOR, where)
    rejection = Rejection(target=target, reason=reason, by=author_of(request), at=now, index=where)
    async with desk.turn:
        (made,) = await decide(desk.ledger, [rejection], now=now, client=client_of(request))
    warnings = await warnings_for(request, rejection)
    body = {"new": made.new, "rejection": decision_json(rejection), "warnings": warnings}
    return done(request, f"{REJECTIONS.home}?made={rejection.id}", body, new=made.new)


def _form(request: web.Request, fields: Given, *, status: int = 200) -> web.Response:
    choices = {"index": index_choices(request)}
    return new_page(request, "rejection_new.html", fields, now_of(request), status=status, choices=choices)


async def _notes(_request: web.Request, rejection: Rejection) -> tuple[str, ...]:
    if rejection.target.is_every_version:
        return (f"it covers every version, also those to come: {rejection.target}==… would be narrower",)
    return ()
