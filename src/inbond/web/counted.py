"""What each of several processes has counted, kept in a file of its own, so that no counter falls when one ends.

    <directory>/counted-<number>   the last metrics that it told anybody

A process writes its file before it tells: whoever adds up without it has no less than anybody had from it before. One
that is started in another's place goes on from what that had counted. All of it ends with the server.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

from inbond.store.disk import PRIVATE_FILE
from inbond.web.summing import summed

_FRESH: Final = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC


class Counted:
    """The files in a directory. `number` is this process's own; nobody else has it meanwhile."""

    def __init__(self, directory: Path, number: int) -> None:
        self._directory = directory
        self._number = number
        self._before: bytes | None = None  # what those counted that had this number before; empty where nobody had
        self._one = asyncio.Lock()  # taken and written in order: what is written is never less than what was

    async def told(self, exposition: Callable[[], Awaitable[bytes]]) -> bytes:
        """This process's metrics as they are told, with what its predecessors counted."""
        # Whoever gives up waiting for it does not have the next one written at the same time.
        return await asyncio.shield(self._in_turn(exposition))

    async def _in_turn(self, exposition: Callable[[], Awaitable[bytes]]) -> bytes:
        async with self._one:
            return await asyncio.to_thread(self._told, await exposition())

    def _told(self, exposition: bytes) -> bytes:
        if self._before is None:
            self._before = self._read(self._number)
        # A process without predecessors is spared the parsing.
        told = summed([exposition], [self._before]) if self._before else exposition
        with suppress(OSError):  # on a full disk they may fall; they are told all the same
            self._write(told)
        return told

    def _write(self, told: bytes) -> None:
        unfinished = self._path(self._number).with_suffix(".new")
        with os.fdopen(os.open(unfinished, _FRESH, PRIVATE_FILE), "wb") as file:
            file.write(told)
        unfinished.replace(self._path(self._number))

    def together(self, told: list[bytes], missing: list[int]) -> bytes:
        """Those that were told, and what those have counted that do not answer. Blocks."""
        return summed(told, [self._read(number) for number in missing])

    def _read(self, number: int) -> bytes:
        with suppress(OSError):
            return self._path(number).read_bytes()
        return b""

    def _path(self, number: int) -> Path:
        return self._directory / f"counted-{number}"
