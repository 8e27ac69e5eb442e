"""What a process needs to know to serve as one of several, and how it is told when it is started.

The supervisor (`inbond.cli.workers`) starts each with a hidden option of `inbond serve`, and hands it open descriptors:
the sockets that clients connect to, and a line between the two. On that the worker says that it serves; it ends when
the supervisor does.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Final

import click
import msgspec

from inbond import __version__
from inbond.model.errors import OperatorFault

OPTION: Final = "--as-worker"


class WorkerPlace(msgspec.Struct, frozen=True, kw_only=True):
    """`number` of `count`. `sockets`, `line`: descriptors. `fingerprint`: of the configuration that all go by.

    `release`: of inbond, as the supervisor has it; an installation may be replaced while it runs.
    """

    number: int
    count: int
    directory: str
    sockets: list[int]
    line: int
    fingerprint: str
    release: str = ""

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


def fingerprint(file: Path | None, environ: Mapping[str, str]) -> str:
    """Differs when the configuration's file does. What cannot be read is told by whoever reads it next."""
    # Reading configuration imports pydantic: `--help` does not wait for that.
    from inbond.cli.config_environ import SHORT_NAMES  # noqa: PLC0415 (as said above)

    path = file or (Path(name) if (name := environ.get(SHORT_NAMES["config"])) else None)
    try:
        return "" if path is None else sha256(path.read_bytes()).hexdigest()
    except OSError:
        return ""


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
            remedy="restart inbond as a whole, so that all workers go by the same configuration",
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
        return cls(*await asyncio.open_connection(sock=socket.socket(fileno=descriptor)))

    async def say(self, serving: Serving) -> None:
        """Tells that this worker serves."""
        self._writer.write(msgspec.json.encode(serving) + b"\n")
        await self._writer.drain()

    async def ended(self) -> None:
        """Returns when the supervisor is gone."""
        await self._reader.read()

    def close(self) -> None:
        """Hangs up."""
        self._writer.close()
