"""Ending a decision, as `inbond waive|review|pins revoke` do."""

from __future__ import annotations

import asyncio

from inbond.cli.config import Config
from inbond.cli.deciding import author, has_ledger, opened
from inbond.gateway.clock import utc_now
from inbond.gateway.deciding import not_in_force, revoke, told
from inbond.model.decisions import Decided
from inbond.model.text import printable


def run(config: Config, decision_id: str, kind: type[Decided], by: str | None) -> str:
    """Ends it, and says what it was. Raises `NotInForce`, `ConfigurationError` and `StoreUnavailable`."""

    async def ended() -> Decided:
        who = author(by)
        if not has_ledger(config):
            raise not_in_force(kind, decision_id, None, config.placed_decisions)
        async with opened(config) as ledger:
            return await revoke(ledger, config.placed_decisions, decision_id, kind=kind, by=who, now=utc_now())

    return printable(f"{decision_id}: {told(asyncio.run(ended()))}")
