"""`/-/waivers`: which waivers there are, the form that makes one, and ending one before its time."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Final

from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.deciding import decide
from inbond.gateway.reviewing import LiftedOn, lifted
from inbond.model.decisions import Target, Waiver
from inbond.model.errors import InbondError
from inbond.model.text import counted
from inbond.policy.decision_words import WAIVABLE, parse_reason, parse_until, parse_waived_rule
from inbond.reporting.reviewing import USUAL_UNTIL
from inbond.web import decision_pages
from inbond.web.access import require
from inbond.web.decision_json import decision_json
from inbond.web.decision_pages import WAIVERS
from inbond.web.desk import DESK, author_of, now_of, operated, warnings_for
from inbond.web.form_pages import Given, done, given, new_page, shown_at, unusable
from inbond.web.index_field import ALL_INDEXES, index_choices, parse_index
from inbond.web.origin import client_of

FIELDS: Final = ("target", "rule", "index", "until", "reason")
SAME_WITHIN: Final = timedelta(minutes=1)  # ends so near to each other, of else equal waivers, were meant to be one
MAX_FILES_SHOWN: Final = 5


async def waivers(request: web.Request) -> web.Response:
    """`GET /-/waivers`."""
    return await decision_pages.listing(request, WAIVERS, _notes)


async def waiver(request: web.Request) -> web.Response:
    """`GET /-/waivers/{id}`."""
    return await decision_pages.one(request, WAIVERS)


async def revoke(request: web.Request) -> web.Response:
    """`POST /-/waivers/{id}/revoke`."""
    return await decision_pages.revoke(request, WAIVERS)


async def new(request: web.Request) -> web.Response:
    """`GET /-/waivers/new`: the form; its fields may be filled in by the address."""
    filled = {name: request.query[name] for name in FIELDS if name in request.query}
    return _form(request, Given({"until": USUAL_UNTIL, "index": _first_index(request), **filled}))


async def make(request: web.Request) -> web.Response:
    """`POST /-/waivers`: puts one in force, as `inbond waive add` does."""
    desk, now = request.app[DESK], now_of(request)
    fields = await given(request, FIELDS)
    since = shown_at(fields, now)
    target = fields.read("target", Target.parse)
    rule = fields.read("rule", parse_waived_rule)
    until = fields.read("until", lambda text: parse_until(text, since))
    reason = fields.read("reason", parse_reason)
    index = fields.read("index", partial(parse_index, request))
    if fields.errors or target is None or rule is None or until is None or reason is None:
        return unusable(request, lambda status: _form(request, fields, status=status), fields)
    where = None if index in (None, ALL_INDEXES) else index
    require(request, Role.OPERATOR, where)
    waiver = Waiver(target=target, rule=rule, until=until, reason=reason, by=author_of(request), at=now, index=where)
    async with desk.turn:
        waiver = _as_decided(waiver, [one for one in await desk.ledger.decisions() if isinstance(one, Waiver)])
        (made,) = await decide(desk.ledger, [waiver], now=now, client=client_of(request))
    body = {"new": made.new, "waiver": decision_json(waiver, now), "warnings": await warnings_for(request, waiver)}
    return done(request, f"{WAIVERS.home}?made={waiver.id}", body, new=made.new)


def _as_decided(waiver: Waiver, in_force: list[Waiver]) -> Waiver:
    """The one in force that is the same but for a moment: a form was sent twice, or a length given twice."""
    for one in in_force:
        same = (one.target, one.rule, one.index, one.reason, one.by)
        alike = (waiver.target, waiver.rule, waiver.index, waiver.reason, waiver.by)
        if same == alike and abs(one.until - waiver.until) <= SAME_WITHIN:
            return one
    return waiver


def _form(request: web.Request, fields: Given, *, status: int = 200) -> web.Response:
    choices = {"rule": WAIVABLE, "index": index_choices(request)}
    return new_page(request, "waiver_new.html", fields, now_of(request), status=status, choices=choices)


def _first_index(request: web.Request) -> str:
    mine = operated(request)
    return mine[0] if mine else ""


async def _notes(request: web.Request, waiver: Waiver) -> tuple[str, ...]:
    """What a waiver that was just made lifts on the pages that are kept."""
    narrower: tuple[str, ...] = ()
    if waiver.target.is_every_version:
        narrower = (f"it covers every version, also those to come: {waiver.target}==… would be narrower",)
    try:
        found = await lifted(request.app[DESK].look, waiver)
    except InbondError as error:  # the waiver is in force all the same
        return (*narrower, f"what it lifts now cannot be told: {error.message}")
    found = tuple(one for one in found if one.index in operated(request))
    if not found:
        return (*narrower, "of the files that are known it lifts nothing now")
    return (*narrower, *map(_lifted, found))


def _lifted(one: LiftedOn) -> str:
    more = f" and {len(one.files) - MAX_FILES_SHOWN} more" if len(one.files) > MAX_FILES_SHOWN else ""
    named = ", ".join(one.files[:MAX_FILES_SHOWN])
    still = f"; still stopped by {', '.join(one.still)}" if one.still else ""
    return f"lifted on index {one.index} for {counted(len(one.files), 'known file')}: {named}{more}{still}"
