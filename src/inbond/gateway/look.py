"""Looks into archives on threads of their own, so that a hostile one costs bounded time and stalls nobody.

An archive is read in Python, which holds the lock that all threads share: now and then a look lets go of it, so that
the event loop answers others after a millisecond, not when the interpreter sees fit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from inbond.archive.inspect import Inspected, inspect
from inbond.model.inspection import NotInspected
from inbond.model.names import Filename

# A look that takes longer is given up: the archive is not inspected.
LOOK_SECONDS: Final = 5.0
# Looks at once; the others wait, which looks of a few milliseconds do not notice.
LOOKS_AT_ONCE: Final = 2
# How often a look lets go of the interpreter, and for how long: less than the 5 ms after which it would be made to.
_BREATHE_EVERY: Final = 0.002  # seconds
_BREATH: Final = 0.00005  # seconds


class Looker:
    """Runs looks, `LOOKS_AT_ONCE` at a time. Close it with `aclose`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="archives")
        self._closed = False

    async def look(self, path: Path, filename: Filename) -> Inspected:
        """What is in the archive. Raises `FileNotFoundError` where it was evicted a moment ago."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._look, path, filename)

    def _look(self, path: Path, filename: Filename) -> Inspected:
        try:
            with path.open("rb") as file:
                return inspect(file, filename, give_up=self._patience())
        except FileNotFoundError:
            raise
        except OSError as error:
            reason = f"the file cache could not be read: {error.strerror or error}"
            return Inspected(inspection=NotInspected(reason=reason))

    def _patience(self) -> Callable[[], bool]:
        breathed = time.monotonic()
        until = breathed + LOOK_SECONDS

        def is_over() -> bool:
            nonlocal breathed
            if time.monotonic() - breathed > _BREATHE_EVERY:
                time.sleep(_BREATH)
                breathed = time.monotonic()
            return self._closed or time.monotonic() > until

        return is_over

    async def aclose(self) -> None:
        """Gives up what is under way."""
        self._closed = True
        await asyncio.to_thread(self._pool.shutdown)
