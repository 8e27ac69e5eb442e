"""Looks into archives on threads of their own, so that a hostile one costs bounded time and stalls nobody.

An archive is read in Python, which holds the lock that all threads share: now and then a look lets go of it, so that
the event loop answers others after a millisecond, not when the interpreter sees fit.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

from inbond.archive.inspect import Inspected, inspect
from inbond.gateway.turns import Turns
from inbond.model.errors import StoreUnavailable
from inbond.model.inspection import NotInspected
from inbond.model.names import Filename

# A look that takes more of a processor is given up: the archive is not inspected. Not by the clock, or whoever keeps
# the machine busy would have others' archives pass unseen …
LOOK_SECONDS: Final = 20.0
# … unless it takes as long as this.
LOOK_WITHIN: Final = 60.0  # seconds
# Looks at once; the others wait, which looks of a few milliseconds do not notice.
LOOKS_AT_ONCE: Final = 2
# After which closing does not wait for a look any more: it asks whether to go on every few milliseconds.
CLOSE_SECONDS: Final = 2.0
# How often a look lets go of the interpreter, and for how long: less than the 5 ms after which it would be made to.
_BREATHE_EVERY: Final = 0.002  # seconds
_BREATH: Final = 0.00005  # seconds


class Looker:
    """Runs looks, `LOOKS_AT_ONCE` at a time. Close it with `aclose`."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(LOOKS_AT_ONCE, thread_name_prefix="archives")
        self._turns = Turns(LOOKS_AT_ONCE)
        self._under_way: set[asyncio.Future[Inspected]] = set()
        self._closed = False

    async def look(self, path: Path, filename: Filename, *, group: Hashable) -> Inspected:
        """What is in the archive. One look of each `group` runs at a time, in turn with those of others.

        Raises `FileNotFoundError` where it was evicted a moment ago, `StoreUnavailable` where it cannot be read,
        or inbond is stopping.
        """
        async with self._turns.of(group):
            self._require_open(filename)
            work = asyncio.get_running_loop().run_in_executor(self._pool, self._look, path, filename)
            self._under_way.add(work)
            work.add_done_callback(self._under_way.discard)
            found = await work
            if isinstance(found.inspection, NotInspected):
                self._require_open(filename)
            return found

    def _require_open(self, filename: Filename) -> None:
        """A look that ends with this process says nothing of the archive: no finding, and nobody gets it unseen."""
        if self._closed:
            raise StoreUnavailable(
                f"{filename} was not looked into: inbond is stopping", remedy="try again once it runs"
            )

    def _look(self, path: Path, filename: Filename) -> Inspected:
        try:
            with path.open("rb") as file:
                return inspect(file, filename, give_up=self._patience())
        except FileNotFoundError:
            raise
        except OSError as error:  # says nothing of the archive: no finding, and nobody gets it unseen
            raise StoreUnavailable(
                f"{filename} could not be looked into: {error.strerror or error}",
                remedy="look at the disk of the cache, and at the limit on open files",
            ) from error

    def _patience(self) -> Callable[[], bool]:
        breathed = time.monotonic()
        until = breathed + LOOK_WITHIN
        spent = time.thread_time() + LOOK_SECONDS

        def is_over() -> bool:
            nonlocal breathed
            if time.monotonic() - breathed > _BREATHE_EVERY:
                time.sleep(_BREATH)
                breathed = time.monotonic()
            return self._closed or time.thread_time() > spent or time.monotonic() > until

        return is_over

    async def aclose(self) -> None:
        """Gives up what is under way. A thread that a disk does not answer is left behind."""
        self._closed = True
        self._pool.shutdown(wait=False)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=CLOSE_SECONDS)
