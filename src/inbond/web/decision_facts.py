"""Decisions as pages and their JSON tell them, and which of them whoever asks may see.

Whoever may decide for an index sees what is decided for it, and what is decided for all. What is decided for all
indexes - every pin is - only those may decide who may on every index.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar, assert_never

import msgspec
from aiohttp import web

from inbond.access.roles import Role
from inbond.gateway import deciding
from inbond.gateway.deciding import IN_LEDGER
from inbond.model.decisions import Decided, Pin, Rejection, Source, Waiver
from inbond.web.access import may
from inbond.web.desk import DESK, now_of, operated

D = TypeVar("D", Waiver, Rejection, Pin)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Row(Generic[D]):
    """A decision, where it stands, and how."""

    decided: D
    place: str
    state: State

    @property
    def id(self) -> str:
        """The decision's own."""
        return self.decided.id

    @property
    def project(self) -> str:
        """What it is about."""
        return _project_of(self.decided)


async def rows_of(request: web.Request, kind: type[D]) -> tuple[Row[D], ...]:
    """All of a kind that whoever asks may see, the latest first; those of the configuration without a time before."""
    desk, now, mine = request.app[DESK], now_of(request), frozenset(operated(request))
    standing = deciding.placed(await desk.ledger.decisions(), desk.configured.now, kind)
    ended = [one for one in await desk.ledger.decisions(revoked=True) if isinstance(one, kind)]

    def rows() -> Iterator[Row[D]]:
        for decided, place in standing:
            yield Row(decided=decided, place=place, state=_how(decided, now))
        in_force = {one.id for one, _ in standing}
        latest = {one.id: one for one in ended}
        for number, decided in latest.items():
            if number not in in_force:
                yield Row(decided=decided, place=IN_LEDGER, state=State.REVOKED)

    return tuple(sorted((row for row in rows() if visible(row.decided, mine)), key=_latest_first))


def index_of(decided: Decided) -> str | None:
    """The index that it is about; None for all."""
    return None if isinstance(decided, Pin) else decided.index


def _project_of(decided: Decided) -> str:
    return str(decided.project if isinstance(decided, Pin) else decided.target.project)


def visible(decided: Decided, mine: frozenset[str]) -> bool:
    """Whether somebody may see it who decides for these indexes."""
    index = index_of(decided)
    return bool(mine) if index is None else index in mine


def _how(decided: Decided, now: datetime) -> State:
    return State.EXPIRED if isinstance(decided, Waiver) and decided.until <= now else State.IN_FORCE


def _latest_first(row: Row[D]) -> tuple[float, str]:
    at = row.decided.at
    return -at.timestamp() if at is not None else float("-inf"), row.id


def fact_of(request: web.Request, row: Row[D]) -> DecisionFact:
    """The decision, ready to show."""
    decided, state = row.decided, row.state
    index = index_of(decided)
    fact = DecisionFact(
        id=decided.id,
        kind="",
        state=state,
        project=row.project,
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
        place=row.place,
        revocable=(
            state is not State.REVOKED and decided.source is Source.LEDGER and may(request, Role.OPERATOR, index)
        ),
    )
    match decided:
        case Waiver(target=target):
            return msgspec.structs.replace(
                fact, kind="waiver", target=str(target), rule=decided.rule,
                until=decided.until,
            )  # fmt: skip
        case Rejection(target=target):
            return msgspec.structs.replace(fact, kind="rejection", target=str(target))
        case Pin():
            return msgspec.structs.replace(
                fact, kind="pin", publisher=str(decided.publisher),
                repository_id=decided.repository_id,
            )  # fmt: skip
        case _:
            assert_never(decided)
