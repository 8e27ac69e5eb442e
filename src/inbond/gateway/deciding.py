"""Decisions made and revoked: by a command beside a server, or by the server for whoever has signed in.

Each is written down three times: as what is in force, as an occurrence, which the server tells to webhooks, and as an
act of the audit trail.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Protocol, TypeVar, assert_never

from inbond.gateway.acting import decision_made, decision_revoked
from inbond.gateway.known_here import warnings_about
from inbond.model.acts import COMMAND
from inbond.model.decisions import Decided, Pin, Placed, Rejection, Waiver
from inbond.model.errors import InbondError
from inbond.model.names import ProjectName
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.policy.rule import stamp
from inbond.store.protocols import Decisions, Occurrences

IN_LEDGER: Final = "the ledger"
NOTHING_KNOWN: Final = "no page of any project is known here yet"
# The command that each kind of decision belongs to, and the one that lists those in force.
GROUPS: Final[Mapping[str, str]] = MappingProxyType({"waiver": "waive", "rejection": "review", "pin": "pins"})
LISTING: Final[Mapping[str, str]] = MappingProxyType(
    {"waiver": "waive list", "rejection": "review rejected", "pin": "pins list"}
)

T = TypeVar("T", bound=Decided)


class NotInForce(InbondError):
    """What was to be revoked is not in force, or not the ledger's to revoke."""


class DecidingLedger(Decisions, Occurrences, Protocol):
    """What deciding needs of the ledger. Raises `StoreUnavailable`."""

    async def projects(self) -> frozenset[ProjectName]:
        """The projects of which any page is remembered."""
        ...


class ConfiguredDecisions:
    """The decisions of the configuration in force, with where they stand; a reload replaces them."""

    def __init__(self, placed: Iterable[Placed]) -> None:
        self.now = tuple(placed)

    def use(self, placed: Iterable[Placed]) -> None:
        """From now on these stand in the configuration."""
        self.now = tuple(placed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A decision, and whether it is new; False where the same was in force already. `warnings`: what looks odd."""

    decided: Decided
    new: bool
    warnings: tuple[str, ...] = ()


async def decide(
    ledger: DecidingLedger,
    decisions: Iterable[Decided],
    *,
    now: datetime,
    client: str = COMMAND,
    unused: str = NOTHING_KNOWN,
) -> tuple[Made, ...]:
    """Puts decisions in force, all or nothing. Raises `StoreUnavailable`.

    `client`: the address that asked for it. `unused`: the warning where the ledger has met no project at all.
    """
    asked = [(one, _occurrence(OccurrenceKind.DECISION_MADE, one, now)) for one in decisions]
    new = await ledger.decide_all(
        asked, now=now, told=lambda one: decision_made(one, now=now, message=told(one), client=client)
    )
    known = await ledger.projects()
    return tuple(
        Made(decided=one, new=is_new, warnings=warnings_about(one, known) if known else (unused,))
        for (one, _), is_new in zip(asked, new, strict=True)
    )


async def warnings_of(ledger: DecidingLedger, decided: Decided) -> tuple[str, ...]:
    """What looks odd about a decision in force."""
    known = await ledger.projects()
    return warnings_about(decided, known) if known else (NOTHING_KNOWN,)


async def revoke(
    ledger: DecidingLedger,
    configured: Iterable[Placed],
    decision_id: str,
    *,
    kind: type[T],
    by: str,
    now: datetime,
    client: str = COMMAND,
    why: str = "",
) -> T:
    """Ends a decision of one kind that is in the ledger. Raises `NotInForce` and `StoreUnavailable`.

    `why`: as whoever ends it says; it is told with it.
    """
    known = await in_force(ledger, decision_id)
    if not isinstance(known, kind):
        raise not_in_force(kind, decision_id, known, configured, was=await _was(ledger, decision_id, kind))
    ended = await ledger.revoke(
        decision_id,
        by=by,
        now=now,
        told=lambda one: decision_revoked(one, by=by, now=now, message=_ended(one, by, why), client=client),
    )
    if ended is None:  # somebody else was quicker
        raise not_in_force(kind, decision_id, None, configured, was=True)
    await ledger.happened([_occurrence(OccurrenceKind.DECISION_REVOKED, known, now, ended_by=by, why=why)])
    return known


async def in_force(ledger: DecidingLedger, decision_id: str) -> Decided | None:
    """The ledger's decision of that id, of whatever kind; None where none is in force."""
    return next((one for one in await ledger.decisions() if one.id == decision_id), None)


async def _was(ledger: DecidingLedger, decision_id: str, kind: type[Any]) -> bool:
    return any(one.id == decision_id and isinstance(one, kind) for one in await ledger.decisions(revoked=True))


def placed(in_ledger: Iterable[Decided], configured: Iterable[Placed], kind: type[T]) -> tuple[tuple[T, str], ...]:
    """All of one kind, with where they stand; the configuration's first. What stands in both is there once."""
    found = {one.decided.id: (one.decided, one.place) for one in configured if isinstance(one.decided, kind)}
    for decided in in_ledger:
        if isinstance(decided, kind):
            found.setdefault(decided.id, (decided, IN_LEDGER))
    return tuple(found.values())


def told(decided: Decided) -> str:
    """A decision in one sentence."""
    reason = f": {decided.reason}" if decided.reason else ""
    match decided:
        case Waiver():
            where = _where(decided.index)
            return (
                f"{decided.by} waived {decided.rule} for {decided.target} {where} until {stamp(decided.until)}{reason}"
            )
        case Rejection():
            return f"{decided.by} rejected {decided.target} {_where(decided.index)}{reason}"
        case Pin():
            which = f", repository id {decided.repository_id}" if decided.repository_id else ""
            return f"{decided.by} accepted {decided.publisher} for {decided.project}{which}{reason}"
        case _:
            assert_never(decided)


def not_in_force(
    kind: type[Any], decision_id: str, known: Decided | None, configured: Iterable[Placed], *, was: bool = False
) -> NotInForce:
    """Why a decision cannot be revoked. `known`: what is of that id, of whatever kind; `was`: it was revoked before."""
    what = _kind(kind)
    place = next((one.place for one in configured if one.decided.id == decision_id), None)
    if place is not None:
        return NotInForce(f"{decision_id} stands in the configuration", remedy=f"remove it there: {place}")
    if known is not None:
        other = _kind(type(known))
        remedy = f"inbond {GROUPS[other]} revoke {decision_id}"
        return NotInForce(f"{decision_id} is a {other}, no {what}", remedy=remedy)
    remedy = f"inbond {LISTING[what]} shows those that are"
    why = ": it was revoked before" if was else ""
    return NotInForce(f"no {what} {decision_id} is in force{why}", remedy=remedy)


def _kind(kind: type[Any]) -> str:
    return kind.__name__.lower()


def _where(index: str | None) -> str:
    return f"on index {index}" if index is not None else "on all indexes"


def _ended(decided: Decided, by: str, why: str) -> str:
    return f"{by} revoked {decided.id}{f' ({why})' if why else ''}: {told(decided)}"


def _occurrence(
    kind: OccurrenceKind, decided: Decided, now: datetime, *, ended_by: str | None = None, why: str = ""
) -> Occurrence:
    return Occurrence(
        key=f"{kind}/{decided.id}/{now.isoformat()}",
        kind=kind,
        at=now,
        message=told(decided) if ended_by is None else _ended(decided, ended_by, why),
        index=None if isinstance(decided, Pin) else decided.index,
        project=decided.project if isinstance(decided, Pin) else decided.target.project,
        detail={"id": decided.id, "by": ended_by or decided.by},
    )
