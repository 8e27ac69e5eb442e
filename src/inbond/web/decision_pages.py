"""Waivers, rejections and pins on pages: which there are, where they stand, and ending one. The three alike.

Whoever may decide for an index sees what is decided for it, and what is decided for all. What is decided for all
indexes - every pin is - only those may decide who may on every index.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final, Generic, TypeVar, assert_never

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway import deciding
from inbond.gateway.deciding import IN_LEDGER, NotInForce, told
from inbond.model.decisions import Decided, Pin, Rejection, Source, Waiver
from inbond.model.errors import NotFound
from inbond.policy.decision_words import parse_reason
from inbond.web.access import may, require
from inbond.web.decision_json import decision_json
from inbond.web.desk import DESK, author_of, decides_for_all, now_of, operated, paged, warnings_for
from inbond.web.form_pages import Given, declined, done, form_page, given, unusable
from inbond.web.origin import client_of
from inbond.web.paging import Paging
from inbond.web.twin import shown, wants_json

D = TypeVar("D", Waiver, Rejection, Pin)
MAX_FILTER_CHARS: Final = 200


class State(StrEnum):
    """How a decision stands."""

    IN_FORCE = "in force"
    EXPIRED = "expired"
    REVOKED = "revoked"


class DecisionFact(msgspec.Struct, kw_only=True, frozen=True):
    """A decision, as pages and their JSON tell it. What a kind has not is None.

    `place`: where it stands: the ledger, or a file and line. `revocable`: whether whoever asks may end it here.
    """

    id: str
    kind: str  # waiver, rejection or pin
    state: State
    project: str
    target: str | None
    rule: str | None
    index: str | None  # None: all
    until: datetime | None
    publisher: str | None
    repository_id: str | None
    reason: str
    by: str
    at: datetime | None
    source: str
    place: str
    revocable: bool


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

    def path(self, decision_id: str) -> str:
        """The page of one."""
        return f"{self.home}/{decision_id}"


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
    rows = await facts_of(request, kind)
    said = await _said(request, kind, rows, notes)
    found = [row for row in rows if state in (None, row.state) and wanted.lower() in row.project]
    part, paging = paged(request, found)
    facts = DecisionsPage(
        kind=kind.word,
        state=state,
        project=wanted or None,
        decisions=tuple(part),
        paging=paging,
        may_decide_for=operated(request),
        may_decide_for_all=decides_for_all(request),
        said=said,
    )
    return await shown(request, kind.template, facts)


async def facts_of(request: web.Request, kind: Kind[D]) -> tuple[DecisionFact, ...]:
    """All of a kind that whoever asks may see, the latest first; those of the configuration without a time before."""
    desk, now = request.app[DESK], now_of(request)
    standing = deciding.placed(await desk.ledger.decisions(), desk.configured.now, kind.type)
    ended = {one.id: one for one in await desk.ledger.decisions(revoked=True) if isinstance(one, kind.type)}
    in_force = {one.id for one, _ in standing}
    rows = [_fact(request, one, place, _how(one, now)) for one, place in standing if visible(request, one)]
    rows += [
        _fact(request, one, IN_LEDGER, State.REVOKED)
        for one in ended.values()
        if one.id not in in_force and visible(request, one)
    ]
    return tuple(sorted(rows, key=_latest_first))


def visible(request: web.Request, decided: Decided) -> bool:
    """Whether whoever asks may see it."""
    index = None if isinstance(decided, Pin) else decided.index
    return bool(operated(request)) if index is None else may(request, Role.OPERATOR, index)


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
    fact = await _fact_named(request, kind)
    require(request, Role.OPERATOR, fact.index)
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
        return declined(request, error, HTTPStatus.CONFLICT, back=kind.home, remedy=_instead(fact))
    return done(request, f"{kind.home}?revoked={decision_id}", {kind.word: decision_json(ended)}, new=False)


def _instead(fact: DecisionFact) -> str:
    if fact.source == Source.CONFIGURATION:
        return f"remove it there: {fact.place}"
    return "nothing is to be done: it is in force no more"


async def _one_page(request: web.Request, kind: Kind[D], fields: Given, status: int) -> web.Response:
    fact, sentence = await _named(request, kind)
    facts = DecisionPage(decision=fact, told=sentence)
    if status == HTTPStatus.OK and wants_json(request):
        return await shown(request, "decision.html", facts)
    return form_page(request, "decision.html", fields, now_of(request), status=status, facts=facts, home=kind.home)


async def _fact_named(request: web.Request, kind: Kind[D]) -> DecisionFact:
    fact, _ = await _named(request, kind)
    return fact


async def _named(request: web.Request, kind: Kind[D]) -> tuple[DecisionFact, str]:
    """The decision that the path names, and it in one sentence. Raises `NotFound`, also where it may not be seen."""
    desk, decision_id, now = request.app[DESK], request.match_info["id"], now_of(request)
    standing = deciding.placed(await desk.ledger.decisions(), desk.configured.now, kind.type)
    for decided, place in standing:
        if decided.id == decision_id and visible(request, decided):
            return _fact(request, decided, place, _how(decided, now)), told(decided)
    for ended in await desk.ledger.decisions(revoked=True):
        if isinstance(ended, kind.type) and ended.id == decision_id and visible(request, ended):
            return _fact(request, ended, IN_LEDGER, State.REVOKED), told(ended)
    raise NotFound(f"there is no {kind.word} {decision_id}", remedy=f"{kind.home} lists those that there are")


async def _said(request: web.Request, kind: Kind[D], rows: Iterable[DecisionFact], notes: Notes[D]) -> Said | None:
    made, revoked = request.query.get("made"), request.query.get("revoked")
    states = {row.id: row.state for row in rows}
    if revoked is not None and states.get(revoked) is State.REVOKED:
        return Said(message=f"{revoked} is in force no more")
    if made is None or states.get(made) is not State.IN_FORCE:
        return None
    desk = request.app[DESK]
    decided = await deciding.in_force(desk.ledger, made)
    if not isinstance(decided, kind.type):
        return None
    warnings = await warnings_for(request, decided)
    return Said(message=f"{made} is in force: {told(decided)}", notes=await notes(request, decided), warnings=warnings)


def _state(request: web.Request) -> State | None:
    """The state that is asked for: those in force where none is said, None for "all"."""
    text = request.query.get("state", State.IN_FORCE)
    return State(text) if text in set(State) else None


def _how(decided: Decided, now: datetime) -> State:
    return State.EXPIRED if isinstance(decided, Waiver) and decided.until <= now else State.IN_FORCE


def _latest_first(fact: DecisionFact) -> tuple[float, str]:
    return -fact.at.timestamp() if fact.at is not None else float("-inf"), fact.id


def _fact(request: web.Request, decided: Decided, place: str, state: State) -> DecisionFact:
    index = None if isinstance(decided, Pin) else decided.index
    fact = DecisionFact(
        id=decided.id,
        kind="",
        state=state,
        project="",
        target=None,
        rule=None,
        index=index,
        until=None,
        publisher=None,
        repository_id=None,
        reason=decided.reason,
        by=decided.by,
        at=decided.at.replace(microsecond=0) if decided.at is not None else None,
        source=str(decided.source),
        place=place,
        revocable=(
            state is not State.REVOKED and decided.source is Source.LEDGER and may(request, Role.OPERATOR, index)
        ),
    )
    match decided:
        case Waiver(target=target):
            return msgspec.structs.replace(
                fact, kind="waiver", project=str(target.project), target=str(target), rule=decided.rule,
                until=decided.until,
            )  # fmt: skip
        case Rejection(target=target):
            return msgspec.structs.replace(fact, kind="rejection", project=str(target.project), target=str(target))
        case Pin():
            return msgspec.structs.replace(
                fact, kind="pin", project=str(decided.project), publisher=str(decided.publisher),
                repository_id=decided.repository_id,
            )  # fmt: skip
        case _:
            assert_never(decided)
