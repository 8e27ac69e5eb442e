"""What a process needs to know to serve as one of several, and how it is told when it is started.

The supervisor (`inbond.cli.workers`) starts each with a hidden option of `inbond serve`, and hands it open descriptors:
the sockets that clients connect to, and a line between the two. On that the worker says that it serves; it ends when
the supervisor does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Final

import click
import msgspec

from inbond import __version__
from inbond.cli.worker_steps import MAX_LINE_BYTES, STEP, Answer, Step
from inbond.model.errors import OperatorFault

OPTION: Final = "--as-worker"


class WorkerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """`number` of `count`. `sockets`, `line`: descriptors. `fingerprint`: of the configuration that all go by.

    `release`: of inbond, as the supervisor has it; an installation may be replaced while it runs. `configuration`:
    where the supervisor keeps what the configuration's file held; empty where there is none.
    """

    number: int
    count: int
    directory: str
    sockets: list[int]
    line: int
    fingerprint: str
    release: str = ""
    configuration: str = ""

    def raw(self) -> bytes | None:
        """What the configuration's file held that all go by; None where there is none. Raises `OperatorFault`."""
        try:
            return Path(self.configuration).read_bytes() if self.configuration else None
        except OSError as error:
            raise OperatorFault(
                f"worker {self.number} does not start: what all go by cannot be read: {error.strerror or error}",
                remedy="restart inbond as a whole",
            ) from error

    def written(self) -> str:
        """As the option's value."""
        return msgspec.json.encode(self).decode()


class Serving(msgspec.Struct, frozen=True):
    """What a worker says once it serves."""

    announcement: str


def read_place(_context: click.Context, _parameter: click.Parameter, text: str | None) -> WorkerPlace | None:
    """Parses the option's value."""
    try:
        return None if text is None else msgspec.json.decode(text, type=WorkerPlace)
    except msgspec.MsgspecError as error:
        raise click.BadParameter("it is inbond's own, for the processes that it starts") from error


def release() -> str:
    """The code that this process runs by, as far as versions tell: inbond's, and the ledger's schema."""
    from inbond.store.migrations import STEPS  # noqa: PLC0415 (`--help` does not wait for SQLite)

    return f"{__version__}, schema {len(STEPS)}"


def require_same(place: WorkerPlace, found: str) -> None:
    """Raises `OperatorFault` where this worker would go by something else than the others: all must judge alike.

    `found`: the fingerprint of the configuration. A later release would migrate the ledger under the others as well.
    """
    if place.release != release():
        raise OperatorFault(
            f"worker {place.number} does not start: another release was installed since the others did",
            remedy="restart inbond as a whole, so that all workers are of one release",
        )
    if found != place.fingerprint:
        raise OperatorFault(
            f"worker {place.number} does not start: the configuration was changed since the others did",
            remedy="run inbond reload, so that all workers go by the same configuration",
        )


class Line:
    """A worker's end of the line to its supervisor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def of(cls, descriptor: int) -> Line:
        """Takes it over."""
        os.set_inheritable(descriptor, False)  # noqa: FBT003 (positional only)
        return cls(*await asyncio.open_connection(sock=socket.socket(fileno=descriptor), limit=MAX_LINE_BYTES))

    async def say(self, serving: Serving) -> None:
        """Tells that this worker serves."""
        self._writer.write(msgspec.json.encode(serving) + b"\n")
        await self._writer.drain()

    async def steps(self) -> AsyncIterator[Step]:
        """What the supervisor wants, one after the other, until it is gone; each is to be answered."""
        with suppress(OSError, ValueError, msgspec.MsgspecError):
            while line := await self._reader.readline():
                yield STEP.decode(line)

    async def answer(self, answer: Answer) -> None:
        """Says what came of the last."""
        self._writer.write(msgspec.json.encode(answer) + b"\n")
        with suppress(OSError):
            await self._writer.drain()

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()
