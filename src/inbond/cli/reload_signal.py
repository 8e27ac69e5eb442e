"""SIGHUP: the configuration is to be read anew; or the terminal that inbond was started from is gone."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final

import structlog

from inbond.cli.hang_ups import HangUps
from inbond.cli.reload_outcome import SIGNAL

log: Final = structlog.get_logger("inbond")


@asynccontextmanager
async def reloading_by_signal(
    hang_ups: HangUps, reload: Callable[[str], Awaitable[Any]], stop: asyncio.Event
) -> AsyncIterator[None]:
    """Has SIGHUP reload meanwhile, one that came before included; those that come afterwards mean nothing.

    One that comes with the end of the terminal stops, as it does other programs.
    """

    async def each() -> None:
        while True:
            await hang_ups.asked.wait()
            hang_ups.asked.clear()  # before it is read: what is changed from now on is worth another look
            try:
                await reload(SIGNAL)
            except Exception:  # the next signal is to be heard, whatever became of this one
                log.exception("a reload by signal failed")

    async def end() -> None:
        await hang_ups.gone.wait()
        stop.set()

    tasks = [asyncio.create_task(each()), asyncio.create_task(end())]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
