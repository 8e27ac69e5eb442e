"""One worker as its supervisor sees it: a process, the line to it, and what it says on that."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import Final, Self

import msgspec

from inbond.cli.worker_place import OPTION, Serving, WorkerPlace
from inbond.cli.worker_steps import ANSWER, MAX_LINE_BYTES, Answer, Step

# The first look at advisories may take a minute; who serves later than this is taken for hanging.
READY_WITHIN: Final = 180.0  # seconds
LAST_WORDS: Final = 10.0  # seconds that one has to end by itself after it hung up
# -P: what lies in the working directory is not imported
COMMAND: Final = (sys.executable, "-P", "-m", "inbond", "serve")

Place = Callable[[int], WorkerPlace]  # of a worker whose end of the line is this descriptor


class WorkerProcess:
    """`start` it, wait until it is `ready`, then until it has `ended`; meanwhile `ask` it, one thing at a time."""

    def __init__(
        self, process: asyncio.subprocess.Process, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer
        self.is_superseded = False  # ended though nothing was wrong with it

    @classmethod
    async def start(cls, arguments: Sequence[str], place: Place, command: Sequence[str] = COMMAND) -> Self:
        """A fresh interpreter. Raises OSError; RuntimeError where no thread can be had that waits for it."""
        with ExitStack() as failing:
            own, other = socket.socketpair()
            failing.callback(own.close)
            with other:
                told = place(other.fileno())
                process = await asyncio.create_subprocess_exec(
                    *command, *arguments, OPTION, told.written(), pass_fds=(other.fileno(), *told.sockets)
                )
            failing.callback(_kill, process)
            worker = cls(process, *await asyncio.open_connection(sock=own, limit=MAX_LINE_BYTES))
            failing.pop_all()
        return worker

    async def ready(self, within: float = READY_WITHIN) -> Serving | None:
        """What it says once it serves; None where it ended before, or said nothing in all this time and was ended."""
        with suppress(TimeoutError, OSError, msgspec.MsgspecError):
            async with asyncio.timeout(within):
                line = await self._reader.readline()
                if line:
                    return msgspec.json.decode(line, type=Serving)
            async with asyncio.timeout(LAST_WORDS):  # it hung up: what is wrong it says as it ends
                await self._process.wait()
        self.kill()
        return None

    async def ask(self, step: Step, within: float) -> Answer | None:
        """What it says to a step; None where it has ended, or does not answer in time: then it is ended."""
        try:
            self._writer.write(msgspec.json.encode(step) + b"\n")
            async with asyncio.timeout(within):
                return ANSWER.decode(await self._reader.readline())
        except (TimeoutError, OSError, ValueError, msgspec.MsgspecError):
            self.kill()
            return None

    async def ended(self) -> str:
        """How it ended, for people."""
        code = await self._process.wait()
        self._writer.close()
        if code >= 0:
            return f"exit code {code}"
        with suppress(ValueError):
            return signal.Signals(-code).name
        return f"signal {-code}"

    def stop(self) -> None:
        """Has it finish what is under way, and end."""
        with suppress(ProcessLookupError):
            self._process.terminate()

    def supersede(self) -> None:
        """Ends it now: it starts by a configuration that is just being replaced."""
        self.is_superseded = True
        self.kill()

    def kill(self) -> None:
        """Ends it now."""
        _kill(self._process)


def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
