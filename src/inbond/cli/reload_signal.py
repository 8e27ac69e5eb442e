"""SIGHUP: the configuration is to be read anew; or the terminal that inbond was started from is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from inbond.cli.reload_outcome import SIGNAL


@asynccontextmanager
async def reloading_by_signal(reload: Callable[[str], Awaitable[Any]], stop: asyncio.Event) -> AsyncIterator[None]:
    """Has SIGHUP reload meanwhile. One that comes with the end of the terminal stops, as it does other programs."""
    loop = asyncio.get_running_loop()
    had_terminal = _has_terminal()
    asked = asyncio.Event()

    def hung_up() -> None:
        if had_terminal and not _has_terminal():
            stop.set()
        else:
            asked.set()

    async def each() -> None:
        while True:
            await asked.wait()
            asked.clear()  # before it is read: what is changed from now on is worth another look
            await reload(SIGNAL)

    loop.add_signal_handler(signal.SIGHUP, hung_up)
    task = loop.create_task(each())
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGHUP)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
