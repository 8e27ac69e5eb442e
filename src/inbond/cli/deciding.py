"""Decisions made and revoked by a command, in the ledger, beside a server that may be running."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from inbond.cli.config import Config
from inbond.cli.ledger_opened import opened_ledger
from inbond.cli.logs import log_alerts
from inbond.gateway import deciding
from inbond.gateway.deciding import Made, placed
from inbond.model.decisions import Decided
from inbond.model.errors import ConfigurationError
from inbond.policy.decision_words import parse_author
from inbond.store.ledger import Ledger

T = TypeVar("T", bound=Decided)


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
    """Puts decisions in force, all or nothing. Raises `StoreUnavailable`."""
    unused = f"no server has used the ledger {ledger.path}: name its configuration with --config"
    return await deciding.decide(ledger, decisions, now=now, unused=unused)


async def listed(config: Config, kind: type[T]) -> tuple[tuple[T, str], ...]:
    """All of one kind that are in force, expired waivers among them, with where they stand; the configuration's first.

    What stands in both is shown once. Raises `OperatorFault` and `StoreUnavailable`.
    """
    if not has_ledger(config):
        return placed((), config.placed_decisions, kind)
    async with opened(config) as ledger:
        return placed(await ledger.decisions(), config.placed_decisions, kind)


def author(given: str | None) -> str:
    """Who decides: the name that was given, or the user who runs the command. Raises `ConfigurationError`."""
    try:
        return parse_author(given if given is not None else getpass.getuser())
    except ValueError as error:
        raise ConfigurationError(str(error), remedy="say with --by who decides this") from error
    except (KeyError, OSError, ImportError):  # a user without a name
        raise ConfigurationError("this user has no name", remedy="say with --by who decides this") from None
