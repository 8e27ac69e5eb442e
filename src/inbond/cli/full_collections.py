"""Python's garbage collections stop everything while they last. The full ones come when nobody waits for that.

A full collection goes through all that is kept in memory: where the evidence about ten thousand files is, that takes a
twentieth of a second and more. Python begins one in the middle of whatever makes many objects, as an answer does whose
files were just verified, and whoever asks at that moment waits. What only a full one finds is what refers to itself in
a circle and has lived through two collections: little, so it may wait for a quiet second.
"""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Callable
from typing import Final

LOOK_EVERY: Final = 1.0  # seconds; one in which nobody was answered and nobody waits is quiet
AFTER: Final = 10  # collections of the middle generation since the last full one; Python begins none before that either
AT_LATEST: Final = 300.0  # seconds after the last one, where it never is quiet
AT_MOST: Final = 300  # of the middle ones: each comes with some 7,000 objects more, so memory counts by then
_PYTHONS: Final = gc.get_threshold()
_NEVER: Final = 2**30  # of the middle ones


def keep_collections_short() -> None:
    """Takes what is there from the start out of all collections.

    Modules, classes and what they hold live to the end: to go through these 70,000 objects took up to a tenth of a
    second, again and again while a large page's files settle.
    """
    gc.collect()
    gc.freeze()


async def collect_in_quiet(
    answers: Callable[[], int], waiting: Callable[[], float], *, clock: Callable[[], float] = time.monotonic
) -> None:
    """Has full collections at such moments until it is cancelled; then Python begins them itself again.

    `answers`: how many were given so far; `waiting`: how many are under way. `clock`: seconds.
    """
    gc.set_threshold(*_PYTHONS[:2], _NEVER)
    try:
        given, last = answers(), clock()
        while True:
            await asyncio.sleep(LOOK_EVERY)
            before, given = given, answers()
            if is_due(gc.get_count()[2], quiet=given == before and not waiting(), since=clock() - last):
                gc.collect()
                last = clock()
    finally:
        gc.set_threshold(*_PYTHONS)


def is_due(middle: int, *, quiet: bool, since: float) -> bool:
    """Whether a full collection is to be had now.

    `middle`: how many of the middle generation there were since the last full one, which was `since` seconds ago.
    """
    return middle >= AFTER and (quiet or since >= AT_LATEST or middle >= AT_MOST)
