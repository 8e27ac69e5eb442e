"""Decisions made and revoked by a command, in the ledger, beside a server that may be running.

Each is written down twice: as what is in force, and as an occurrence, which the server tells to webhooks.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, TypeVar, assert_never

from inbond.cli.config import Config
from inbond.cli.config_decisions import Placed
from inbond.cli.decision_fields import parse_author
from inbond.cli.known_here import warnings_about
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.model.decisions import Decided, Pin, Rejection, Waiver
from inbond.model.errors import ConfigurationError, InbondError
from inbond.model.occurrence import Occurrence, OccurrenceKind
from inbond.policy.rule import stamp
from inbond.store.ledger import Ledger

IN_LEDGER: Final = "the ledger"
# The command that each kind of decision belongs to, and the one that lists those in force.
GROUPS: Final[Mapping[str, str]] = MappingProxyType({"waiver": "waive", "rejection": "review", "pin": "pins"})
LISTING: Final[Mapping[str, str]] = MappingProxyType(
    {"waiver": "waive list", "rejection": "review rejected", "pin": "pins list"}
)

T = TypeVar("T", bound=Decided)


class NotInForce(InbondError):
    """What was to be revoked is not in force, or not the ledger's to revoke."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A decision, and whether it is new; False where the same was in force already. `warnings`: what looks odd."""

    decided: Decided
    new: bool
    warnings: tuple[str, ...] = ()


def ledger_of(config: Config) -> Path:
    """The file that the configuration has its ledger in."""
    return config.storage.ledger


def has_ledger(config: Config) -> bool:
    """Whether there is one; whoever only reads makes none. Where only its log is left it is damaged, not missing."""
    path = ledger_of(config)
    try:
        return path.exists() or path.with_name(f"{path.name}-wal").exists()
    except PermissionError:  # whoever opens it is told whose it is
        return True


@asynccontextmanager
async def opened(config: Config) -> AsyncIterator[Ledger]:
    """The configuration's ledger. Raises `OperatorFault` and `StoreUnavailable`."""
    ledger = await asyncio.to_thread(opened_ledger, config.storage, observer=log_alerts)
    try:
        yield ledger
    finally:
        await ledger.aclose()


async def decide(ledger: Ledger, decisions: Iterable[Decided], *, now: datetime) -> tuple[Made, ...]:
    """Puts decisions in force, each with its occurrence, all or nothing. Raises `StoreUnavailable`."""
    asked = [(one, _occurrence(OccurrenceKind.DECISION_MADE, one, now)) for one in decisions]
    new = await ledger.decide_all(asked, now=now)
    known = await ledger.projects()
    return tuple(
        Made(decided=one, new=is_new, warnings=warnings_about(one, known, ledger.path))
        for (one, _), is_new in zip(asked, new, strict=True)
    )


async def revoke(
    ledger: Ledger, configured: Iterable[Placed], decision_id: str, *, kind: type[T], by: str, now: datetime
) -> T:
    """Ends a decision of one kind that is in the ledger. Raises `NotInForce` and `StoreUnavailable`."""
    known = next((one for one in await ledger.decisions() if one.id == decision_id), None)
    if isinstance(known, kind) and await ledger.revoke(decision_id, by=by, now=now) is not None:
        occurrence = _occurrence(OccurrenceKind.DECISION_REVOKED, known, now, ended_by=by)
        await ledger.happened([occurrence])
        return known
    raise not_in_force(kind, decision_id, known, configured)


async def listed(config: Config, kind: type[T]) -> tuple[tuple[T, str], ...]:
    """All of one kind that are in force, expired waivers among them, with where they stand; the configuration's first.

    What stands in both is shown once. Raises `OperatorFault` and `StoreUnavailable`.
    """
    if not has_ledger(config):
        return _placed((), config.placed_decisions, kind)
    async with opened(config) as ledger:
        return _placed(await ledger.decisions(), config.placed_decisions, kind)


def _placed(in_ledger: Iterable[Decided], configured: Iterable[Placed], kind: type[T]) -> tuple[tuple[T, str], ...]:
    found = {one.decided.id: (one.decided, one.place) for one in configured if isinstance(one.decided, kind)}
    for decided in in_ledger:
        if isinstance(decided, kind):
            found.setdefault(decided.id, (decided, IN_LEDGER))
    return tuple(found.values())


def author(given: str | None) -> str:
    """Who decides: the name that was given, or the user who runs the command. Raises `ConfigurationError`."""
    try:
        return parse_author(given if given is not None else getpass.getuser())
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="say with --by who decides this") from error
    except (KeyError, OSError, ImportError):  # a user without a name
        raise ConfigurationError("this user has no name", remedy="say with --by who decides this") from None


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


def _where(index: str | None) -> str:
    return f"on index {index}" if index is not None else "on all indexes"


def _occurrence(kind: OccurrenceKind, decided: Decided, now: datetime, *, ended_by: str | None = None) -> Occurrence:
    message = told(decided) if ended_by is None else f"{ended_by} revoked {decided.id}: {told(decided)}"
    return Occurrence(
        key=f"{kind}/{decided.id}/{now.isoformat()}",
        kind=kind,
        at=now,
        message=message,
        index=None if isinstance(decided, Pin) else decided.index,
        project=decided.project if isinstance(decided, Pin) else decided.target.project,
        detail={"id": decided.id, "by": ended_by or decided.by},
    )


def not_in_force(kind: type[Any], decision_id: str, known: Decided | None, configured: Iterable[Placed]) -> NotInForce:
    """Why a decision cannot be revoked. `known`: what is of that id, of whatever kind."""
    what = _kind(kind)
    place = next((one.place for one in configured if one.decided.id == decision_id), None)
    if place is not None:
        return NotInForce(f"{decision_id} stands in the configuration", remedy=f"remove it there: {place}")
    if known is not None:
        other = _kind(type(known))
        remedy = f"inbond {GROUPS[other]} revoke {decision_id}"
        return NotInForce(f"{decision_id} is a {other}, no {what}", remedy=remedy)
    remedy = f"inbond {LISTING[what]} shows those that are"
    return NotInForce(f"no {what} {decision_id} is in force", remedy=remedy)


def _kind(kind: type[Any]) -> str:
    return kind.__name__.lower()
