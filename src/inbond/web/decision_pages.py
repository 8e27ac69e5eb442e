"""Waivers, rejections and pins on pages: which there are, and ending one. The three alike."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Generic

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway import deciding
from inbond.gateway.deciding import NotInForce, told
from inbond.model.decisions import Pin, Rejection, Source, Waiver
from inbond.model.errors import NotFound
from inbond.policy.decision_words import parse_reason
from inbond.web.access import require
from inbond.web.decision_facts import D, DecisionFact, Row, State, fact_of, index_of, rows_of
from inbond.web.decision_json import decision_json
from inbond.web.desk import DESK, author_of, decides_for_all, now_of, operated, paged, warnings_for
from inbond.web.form_pages import Given, declined, done, form_page, given, unusable
from inbond.web.origin import client_of
from inbond.web.paging import Paging
from inbond.web.twin import shown, wants_json

MAX_FILTER_CHARS: Final = 200


class DecisionsPage(msgspec.Struct, kw_only=True, frozen=True):
    """A list of decisions of one kind. `said`: what has just been done, where the address names it."""

    kind: str
    state: State | None  # None: all
    project: str | None
    decisions: tuple[DecisionFact, ...]
    paging: Paging
    may_decide_for: tuple[str, ...]
    may_decide_for_all: bool
    said: Said | None = None


class Said(msgspec.Struct, kw_only=True, frozen=True):
    """A decision that was just made or ended, and what whoever did it should know."""

    message: str
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


class DecisionPage(msgspec.Struct, kw_only=True, frozen=True):
    """One decision."""

    decision: DecisionFact
    told: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind(Generic[D]):
    """One of the three. `home`: where its pages are."""

    type: type[D]
    word: str
    home: str
    template: str


WAIVERS: Final = Kind(type=Waiver, word="waiver", home="/-/waivers", template="waivers.html")
REJECTIONS: Final = Kind(type=Rejection, word="rejection", home="/-/rejections", template="rejections.html")
PINS: Final = Kind(type=Pin, word="pin", home="/-/pins", template="pins.html")


Notes = Callable[[web.Request, D], Awaitable[tuple[str, ...]]]


async def listing(request: web.Request, kind: Kind[D], notes: Notes[D]) -> web.Response:
    """The decisions of a kind that whoever asks may see: `?state=`, `?project=`, `?page=`.

    `?made=ID` and `?revoked=ID` say what has just been done. `notes`: what to tell of one that was made.
    """
    state = _state(request)
    wanted = request.query.get("project", "").strip()[:MAX_FILTER_CHARS]
    rows = await rows_of(request, kind.type)
    said = await _said(request, rows, notes)
    found = [row for row in rows if state in (None, row.state) and wanted.lower() in row.project]
    part, paging = paged(request, found)
    facts = DecisionsPage(
        kind=kind.word,
        state=state,
        project=wanted or None,
        decisions=tuple(fact_of(request, row) for row in part),
        paging=paging,
        may_decide_for=operated(request),
        may_decide_for_all=decides_for_all(request),
        said=said,
    )
    return await shown(request, kind.template, facts)


async def one(request: web.Request, kind: Kind[D]) -> web.Response:
    """`GET …/{id}`: one decision, and the form that ends it."""
    return await _one_page(request, kind, Given({}), HTTPStatus.OK)


async def revoke(request: web.Request, kind: Kind[D]) -> web.Response:
    """`POST …/{id}/revoke`: ends one, with a reason."""
    desk, decision_id = request.app[DESK], request.match_info["id"]
    fields = await given(request, {"reason"})
    reason = fields.read("reason", parse_reason)
    if reason is None or fields.errors:
        page = await _one_page(request, kind, fields, HTTPStatus.UNPROCESSABLE_ENTITY)
        return unusable(request, lambda _: page, fields)
    row = await _named(request, kind)
    require(request, Role.OPERATOR, index_of(row.decided))
    try:
        async with desk.turn:
            ended = await deciding.revoke(
                desk.ledger,
                desk.configured.now,
                decision_id,
                kind=kind.type,
                by=author_of(request),
                now=now_of(request),
                client=client_of(request),
                why=reason,
            )
    except NotInForce as error:
        return declined(request, error, HTTPStatus.CONFLICT, back=kind.home, remedy=_instead(row))
    return done(request, f"{kind.home}?revoked={decision_id}", {kind.word: decision_json(ended)}, new=False)


def _instead(row: Row[D]) -> str:
    if row.decided.source is Source.CONFIGURATION:
        return f"remove it there: {row.place}"
    return "nothing is to be done: it is in force no more"


async def _one_page(request: web.Request, kind: Kind[D], fields: Given, status: int) -> web.Response:
    row = await _named(request, kind)
    facts = DecisionPage(decision=fact_of(request, row), told=told(row.decided))
    if status == HTTPStatus.OK and wants_json(request):
        return await shown(request, "decision.html", facts)
    return form_page(request, "decision.html", fields, now_of(request), status=status, facts=facts, home=kind.home)


async def _named(request: web.Request, kind: Kind[D]) -> Row[D]:
    """The decision that the path names. Raises `NotFound`, also where it may not be seen."""
    wanted = request.match_info["id"]
    for row in await rows_of(request, kind.type):
        if row.id == wanted:
            return row
    raise NotFound(f"there is no {kind.word} {wanted}", remedy=f"{kind.home} lists those that there are")


async def _said(request: web.Request, rows: Iterable[Row[D]], notes: Notes[D]) -> Said | None:
    known = {row.id: row for row in rows}
    made, revoked = known.get(request.query.get("made", "")), known.get(request.query.get("revoked", ""))
    if revoked is not None and revoked.state is State.REVOKED:
        return Said(message=f"{revoked.id} is in force no more")
    if made is None or made.state is not State.IN_FORCE:
        return None
    return Said(
        message=f"{made.id} is in force: {told(made.decided)}",
        notes=await notes(request, made.decided),
        warnings=await warnings_for(request, made.decided),
    )


def _state(request: web.Request) -> State | None:
    """The state that is asked for: those in force where none is said, None for "all"."""
    text = request.query.get("state", State.IN_FORCE)
    return State(text) if text in set(State) else None
