"""A verifier process that is begun before anything is known of its roots: what it imports takes as long as the server.

It waits for its first frame, the roots, on stdin; so whoever needs a verifier process first may have this one.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

# -P: what lies in the working directory is not imported
WORKER: Final = (sys.executable, "-P", "-m", "inbond.gateway.verifier_worker")

Process = asyncio.subprocess.Process


async def spawn(command: Sequence[str] = WORKER) -> Process:
    """Starts one. Its stderr is ours: what the libraries log stands in the log. Raises OSError.

    In a group of its own: Ctrl-C is for the server, and would break off imports loudly.
    """
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, process_group=0)


class Spare:
    """At most one process, given away once."""

    def __init__(self, process: Process | None = None) -> None:
        self._process = process

    def take(self) -> Process | None:
        """The process, where it is still there; ending it is the taker's from here on."""
        process, self._process = self._process, None
        return process if process is not None and process.returncode is None else None


@asynccontextmanager
async def beginning() -> AsyncIterator[Spare]:
    """Begins a process, and ends it afterwards where nobody took it. One that cannot be begun is no spare."""
    process: Process | None = None
    with contextlib.suppress(OSError):
        process = await spawn()
    spare = Spare(process)
    try:
        yield spare
    finally:
        left = spare.take()
        if left is not None:
            await killed(left)


async def killed(process: Process) -> None:
    """Ends a process at once. May be called again where it was cancelled."""
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    assert process.stdin is not None
    process.stdin.close()
    await process.wait()
