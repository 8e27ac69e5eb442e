"""Reloads of a server that is one process."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from inbond.cli.compose import Running
from inbond.cli.reload import Prepared, Reloading
from inbond.cli.reload_outcome import Outcome, tell
from inbond.cli.reload_source import Source
from inbond.model.errors import InbondError, OperatorFault

log: Final = structlog.get_logger("inbond")


class Alone:
    """One reload after the other."""

    def __init__(self, source: Source, reloading: Reloading, up: Running) -> None:
        self._source = source
        self._reloading = reloading
        self._up = up
        self._one = asyncio.Lock()

    async def reload(self, by: str) -> Outcome:
        """Reads the configuration anew, and puts it in force unless something is wrong with it."""
        async with self._one:
            outcome = await self._reloaded(by)
        tell(outcome, self._up.gateway.observer, self._up.metrics, self._up.gateway.clock())
        return outcome

    async def _reloaded(self, by: str) -> Outcome:
        prepared = await prepared_or_refused(self._source, self._reloading)
        if isinstance(prepared, InbondError):
            return Outcome.refused(by, prepared)
        self._reloading.switch(prepared)
        return Outcome.of(by, prepared.changes, warnings=prepared.warnings)


async def prepared_or_refused(source: Source, reloading: Reloading, raw: bytes | None = None) -> Prepared | InbondError:
    """What may come into force, or why nothing does. `raw`: what the file holds, where it was read before."""
    try:
        if raw is None:
            raw = await asyncio.to_thread(source.raw)
        return await reloading.prepare(raw)
    except InbondError as error:
        return error
    except Exception as error:  # whatever it is, the old configuration stays
        log.exception("the configuration could not be reloaded")
        return unforeseen(error)


def unforeseen(error: Exception) -> OperatorFault:
    """What is said of what nobody foresaw."""
    return OperatorFault(f"inbond failed over the new configuration: {error!r:.300}", remedy="the log says more")
