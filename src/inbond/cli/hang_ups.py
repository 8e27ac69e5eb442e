"""SIGHUPs from a process's start to its end: one that comes while it starts is kept, while it stops it means nothing.

Imported before the server is, which takes a second or more.
"""

from __future__ import annotations

import asyncio
import os
import signal


class HangUps:
    """What they asked for. Made on the event loop, before anything that takes long."""

    def __init__(self) -> None:
        # `nohup`, and others who have it ignored: the end of the terminal is not to stop what they start.
        outlives = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._ends_with_terminal = _has_terminal() and not outlives
        self.asked = asyncio.Event()  # for the configuration to be read anew
        self.gone = asyncio.Event()  # the terminal that inbond was started from, and it is to stop with that
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._came)

    def _came(self) -> None:
        if self._ends_with_terminal and not _has_terminal():
            self.gone.set()
        else:
            self.asked.set()


def ignore_hang_ups() -> None:
    """In a process that another one leads, and for those that it starts."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)


def _has_terminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
