"""`/-/review`: what people asked for and did not get, to accept or reject; and what was rejected.

What `inbond review` does, for the indexes that whoever asks may decide for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final

from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway import deciding
from inbond.gateway.deciding import Made
from inbond.model.decisions import Decided
from inbond.model.errors import Malformed
from inbond.model.history import AskedOnly
from inbond.model.units import parse_duration
from inbond.policy.decision_words import parse_reason, parse_until
from inbond.reporting import reviewing
from inbond.reporting.review_meant import NotWaiting, Queue, accepted, meant_by
from inbond.reporting.review_queue import Entry
from inbond.reporting.reviewing import USUAL_SINCE, USUAL_UNTIL, EndlessPin, NotToWaive, Said
from inbond.web.access import require
from inbond.web.decision_facts import visible
from inbond.web.decision_json import decision_json
from inbond.web.desk import DESK, author_of, decides_for_all, now_of, operated, paged, warnings_for
from inbond.web.form_pages import Given, declined, done, form_page, given, shown_at, unusable
from inbond.web.in_turn import in_turn
from inbond.web.origin import client_of
from inbond.web.review_facts import EntryPage, ReviewPage, fact_of
from inbond.web.twin import shown, wants_json

HOME: Final = "/-/review"
MAX_PROJECTS: Final = 300  # looked at for one page: some seconds of judging at most
MAX_ROWS: Final = 20_000  # of requests; equal ones are one
ACCEPTING: Final = ("reason", "until", "waive")
REJECTING: Final = ("reason",)
_GONE: Final = "load the queue anew: somebody has decided it meanwhile, or nothing stops it any more"


@in_turn
async def review(request: web.Request) -> web.Response:
    """`GET /-/review`: `?since=30d`, `?index=`, `?page=`."""
    index, indexes = request.query.get("index") or None, operated(request)
    fields = Given({"since": _since(request)})
    length = fields.read("since", parse_duration)
    found = Queue(entries=(), pages={}, now=now_of(request), recorded_since=None)
    if length is not None:
        found = await _queue(request, indexes if index is None else tuple({index} & {*indexes}), length)
    part, paging = paged(request, found.entries)
    facts = ReviewPage(
        entries=tuple(fact_of(entry, found) for entry in part),
        paging=paging,
        since=fields["since"],
        index=index,
        indexes=indexes,
        recorded_since=found.recorded_since,
        errors=fields.errors,
        cut=found.cut,
        decided=await _decided(request),
    )
    status = HTTPStatus.UNPROCESSABLE_ENTITY if fields.errors else HTTPStatus.OK
    return await shown(request, "review.html", facts, status=status, form=fields)


@in_turn
async def entry(request: web.Request) -> web.Response:
    """`GET /-/review/{id}`: one entry, with the forms that accept and reject it."""
    found = await _queue(request, operated(request))
    try:
        (one,) = meant_by(found, request.match_info["id"])
    except NotWaiting as error:
        return declined(request, error, HTTPStatus.NOT_FOUND, back=HOME, remedy=_GONE)
    return await _entry_page(request, one, found, Given({"until": USUAL_UNTIL}), Given({}))


@in_turn
async def accept(request: web.Request) -> web.Response:
    """`POST /-/review/{id}/accept`: lets it through, by a waiver, or by pins where another publisher was found."""
    now = now_of(request)
    fields = await given(request, ACCEPTING)
    since = shown_at(fields, now)
    reason = fields.read("reason", parse_reason)
    until = fields.read("until", lambda text: parse_until(text or USUAL_UNTIL, since))
    waive = fields.ticked("waive")
    try:
        wanted = await _wanted(request)  # the whole queue, for which nobody else's turn is to wait
        if reason is None or until is None or fields.errors:
            return await _refused(request, wanted, accepting=fields)
        require(request, Role.OPERATOR, wanted.entry.index)
        async with request.app[DESK].turn:
            wanted = await _still(request, wanted)
            pins = bool(wanted.pins) and not waive
            if pins:
                require(request, Role.OPERATOR, None)
            # An end is for waivers: the form always has one, and a pin takes no notice of it.
            ends = pins and bool(fields["until"]) and fields["until"] != USUAL_UNTIL
            said = Said(reason=reason, by=author_of(request), at=now)
            try:
                decisions = reviewing.accepting(
                    [wanted.entry], wanted.queue.pages, said, until=until, ends=ends, waive=waive
                )
            except EndlessPin as error:
                fields.errors["until"] = f"{error.message}: leave it out, or let this release through alone"
                return await _refused(request, wanted, accepting=fields)
            return await _put_in_force(request, decisions, now)
    except NotWaiting as error:
        return declined(request, error, HTTPStatus.CONFLICT, back=HOME, remedy=_gone(error))
    except NotToWaive as error:
        return declined(request, error, HTTPStatus.CONFLICT, back=HOME)


@in_turn
async def reject(request: web.Request) -> web.Response:
    """`POST /-/review/{id}/reject`: denies it until that is revoked."""
    now = now_of(request)
    fields = await given(request, REJECTING)
    reason = fields.read("reason", parse_reason)
    try:
        wanted = await _wanted(request)
        if reason is None or fields.errors:
            return await _refused(request, wanted, rejecting=fields)
        require(request, Role.OPERATOR, wanted.entry.index)
        async with request.app[DESK].turn:
            wanted = await _still(request, wanted)
            said = Said(reason=reason, by=author_of(request), at=now)
            rejections = reviewing.rejecting(wanted.queue, wanted.entry.id, said, index=wanted.entry.index)
            return await _put_in_force(request, rejections, now)
    except NotWaiting as error:
        return declined(request, error, HTTPStatus.CONFLICT, back=HOME, remedy=_gone(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The entry that a request is about, and the queue that it is of."""

    entry: Entry
    queue: Queue

    @property
    def pins(self) -> tuple[str, ...]:
        """The publishers that accepting it would accept."""
        return reviewing.pinned_by(self.entry, self.queue.pages)


async def _wanted(request: web.Request, among: AskedOnly | None = None) -> _Wanted:
    """What the path names. Raises `NotWaiting`, with who rejected it where somebody did."""
    desk = request.app[DESK]
    found = await _queue(request, operated(request), among=among)
    decisions = [*(placed.decided for placed in desk.configured.now), *await desk.ledger.decisions()]
    (one,) = accepted(found, request.match_info["id"], decisions)
    return _Wanted(entry=one, queue=found)


async def _still(request: web.Request, wanted: _Wanted) -> _Wanted:
    """The same once it is one's turn to decide: its own project is all that is looked at. Raises `NotWaiting`."""
    entry = wanted.entry
    return await _wanted(request, AskedOnly(indexes=frozenset({entry.index}), project=entry.project, limit=MAX_ROWS))


async def _queue(
    request: web.Request, indexes: tuple[str, ...], since: timedelta | None = None, among: AskedOnly | None = None
) -> Queue:
    desk = request.app[DESK]
    return await reviewing.queue(
        desk.look,
        desk.ledger,
        since=since if since is not None else _length(_since(request)),
        now=now_of(request),
        only=among or AskedOnly(indexes=frozenset(indexes), limit=MAX_ROWS),
        projects=MAX_PROJECTS,
        for_page=True,
    )


def _since(request: web.Request) -> str:
    return request.query.get("since", "").strip() or USUAL_SINCE


def _length(text: str) -> timedelta:
    try:
        return parse_duration(text)
    except ValueError as error:
        raise Malformed(f"since: {error}") from error


async def _put_in_force(request: web.Request, decisions: tuple[Decided, ...], now: datetime) -> web.Response:
    made = await deciding.decide(request.app[DESK].ledger, decisions, now=now, client=client_of(request))
    ids = ",".join(one.decided.id for one in made)
    body = {"decided": [await _made_json(request, one, now) for one in made]}
    return done(request, f"{HOME}?decided={ids}", body, new=any(one.new for one in made))


async def _made_json(request: web.Request, made: Made, now: datetime) -> dict[str, object]:
    warnings = await warnings_for(request, made.decided)
    return decision_json(made.decided, now) | {"new": made.new, "warnings": warnings}


async def _refused(
    request: web.Request, wanted: _Wanted, *, accepting: Given | None = None, rejecting: Given | None = None
) -> web.Response:
    fields = accepting or rejecting or Given({})
    page = await _entry_page(
        request,
        wanted.entry,
        wanted.queue,
        accepting or Given({"until": USUAL_UNTIL}),
        rejecting or Given({}),
        status=HTTPStatus.UNPROCESSABLE_ENTITY,
    )
    return unusable(request, lambda _: page, fields)


async def _entry_page(
    request: web.Request, one: Entry, found: Queue, accepting: Given, rejecting: Given, *, status: int = HTTPStatus.OK
) -> web.Response:
    facts = EntryPage(entry=fact_of(one, found), decides_for_all=decides_for_all(request), since=_since(request))
    if status == HTTPStatus.OK and wants_json(request):
        return await shown(request, "review_entry.html", facts)
    return form_page(
        request, "review_entry.html", accepting, now_of(request), status=status, facts=facts, rejecting=rejecting
    )


def _gone(error: NotWaiting) -> str:
    """What to do about it; who rejected it is revoked on its page."""
    return "revoke that rejection first" if " is rejected, by " in error.message else _GONE


async def _decided(request: web.Request) -> tuple[str, ...]:
    """What was just decided, in sentences: of the ids in the address those that are in force."""
    wanted = set(request.query.get("decided", "").split(","))
    if not wanted - {""}:
        return ()
    mine = frozenset(operated(request))
    found = [one for one in await request.app[DESK].ledger.decisions() if one.id in wanted and visible(one, mine)]
    return tuple(f"{one.id} is in force: {deciding.told(one)}" for one in found)
