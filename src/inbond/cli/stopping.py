"""How a server is told to stop, and how long that may take."""

from __future__ import annotations

import asyncio
import signal
from typing import Final

# All that a stop may take, downloads without a client included; less than TimeoutStopSec in deploy/inbond.service.
STOP_SECONDS: Final = 40.0


def stopping_by_signal() -> asyncio.Event:
    """Set by SIGINT and SIGTERM from now on."""
    stop = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, stop.set)
    return stop
