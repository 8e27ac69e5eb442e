"""What pages need on which somebody decides, and what their handlers have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, TypeVar

from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway.deciding import ConfiguredDecisions, warnings_of
from inbond.gateway.reviewing import Look, kept_page
from inbond.model.decisions import Decided, Pin
from inbond.policy.decision_words import MAX_AUTHOR_CHARS
from inbond.store.ledger import Ledger
from inbond.web.access import may, principal_of
from inbond.web.paging import Paging, page_number, paging_of
from inbond.web.simple_routes import GATEWAY


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where decisions stand, and what they bear on. `turn`: one is made after the other, so that none is made twice."""

    ledger: Ledger
    look: Look
    configured: ConfiguredDecisions
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


PER_PAGE: Final = 50
T = TypeVar("T")
DESK: Final = web.AppKey("desk", Desk)


def paged(request: web.Request, found: Sequence[T]) -> tuple[Sequence[T], Paging]:
    """The entries on the page that is asked for, of a list that is whole."""
    paging = paging_of(len(found), page_number(request), PER_PAGE)
    return found[max(0, paging.first - 1) : paging.last], paging


def now_of(request: web.Request) -> datetime:
    """This moment, in UTC."""
    return request.app[GATEWAY].clock()


def author_of(request: web.Request) -> str:
    """Who decides, as decisions name their authors: the principal, cut to what fits there."""
    name = " ".join(str(principal_of(request)).split())
    return name if len(name) <= MAX_AUTHOR_CHARS else f"{name[: MAX_AUTHOR_CHARS - 1]}…"


def operated(request: web.Request) -> tuple[str, ...]:
    """The indexes for which whoever asks may decide."""
    return tuple(name for name in request.app[GATEWAY].indexes if may(request, Role.OPERATOR, name))


def decides_for_all(request: web.Request) -> bool:
    """Whether whoever asks may decide for all indexes at once, as every pin does."""
    return may(request, Role.OPERATOR, None)


async def warnings_for(request: web.Request, decided: Decided) -> tuple[str, ...]:
    """What looks odd about a decision, as far as whoever asks may know: what other indexes have is not told."""
    desk, project = request.app[DESK], decided.project if isinstance(decided, Pin) else decided.target.project
    if decides_for_all(request):
        return await warnings_of(desk.ledger, decided)
    mine = operated(request)
    for name in mine:
        if await kept_page(desk.look, desk.look.indexes[name], project) is not None:
            return ()
    return (f"no page of {project} is known on {'index' if len(mine) == 1 else 'indexes'} {', '.join(mine)}",)
