"""Work of milliseconds and more runs in a thread; less is not worth the trip."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")

# Pages of more files than this are parsed, judged and rendered in a thread: about a millisecond's work.
SMALL_PAGE_FILES: Final = 60


async def off_loop(files: int, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """`work(*args)` about a page of so many files, in a thread where that may take long."""
    if files <= SMALL_PAGE_FILES:
        return work(*args, **kwargs)
    return await asyncio.to_thread(work, *args, **kwargs)
