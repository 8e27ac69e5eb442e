"""What a command's decision bears on, by what is kept in the configuration's cache and ledger."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inbond.cli.config import Config
from inbond.cli.foundation import Looking, looking
from inbond.cli.verifying import verifying
from inbond.gateway.reviewing import LiftedOn, lifted
from inbond.model.decisions import Waiver
from inbond.model.errors import InbondError


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifted:
    """What a waiver lifts, where it lifts anything. `untold`: why that cannot be said."""

    on: tuple[LiftedOn, ...] = ()
    untold: str | None = None


@asynccontextmanager
async def looking_at_kept(config: Config) -> AsyncIterator[Looking]:
    """What judges from the cache and ledger of the configuration. Raises `OperatorFault`."""
    async with verifying(config) as (upstreams, verifier), looking(config, upstreams, verifier) as look:
        yield look


async def lifted_by(config: Config, waiver: Waiver) -> Lifted:
    """What a waiver in force lifts on the pages that are kept."""
    try:
        async with looking_at_kept(config) as look:
            return Lifted(on=await lifted(look, waiver))
    except InbondError as error:  # the waiver is in force all the same
        return Lifted(untold=error.message)
