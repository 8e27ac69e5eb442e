"""Which of several processes leads: whoever holds a lock, which the kernel takes from it however it ends."""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import structlog

from inbond.gateway.leading import Leading

FILE: Final = "leader"
LOOK_EVERY: Final = 1.0  # seconds between attempts to take over
_MODE: Final = 0o600
log: Final = structlog.get_logger("inbond")


@asynccontextmanager
async def candidate(directory: Path, *, look_every: float = LOOK_EVERY) -> AsyncIterator[Leading]:
    """Leads at once where nobody does, else as soon as whoever does has ended."""
    handle = os.open(directory / FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, _MODE)
    leading = Leading(leads=_taken(handle))
    waiting = None if leading() else asyncio.create_task(_take_over(handle, leading, look_every))
    try:
        yield leading
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        os.close(handle)


async def _take_over(handle: int, leading: Leading, look_every: float) -> None:
    while not _taken(handle):  # noqa: ASYNC110 (the kernel tells nobody)
        await asyncio.sleep(look_every)
    log.info("the worker that led has ended: this one goes on with what only one does")
    leading.take_over()


def _taken(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
