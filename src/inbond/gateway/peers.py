"""The other processes that serve the same data directory, each behind a Unix socket of its own.

    <directory>/1, <directory>/2 …   sockets, for this user alone

One that has ended refuses connections, and its number is free for whoever is started in its place. A question is one
line, an answer is lines until the connection ends; what the lines mean is said elsewhere (`download_told`, the web's
`together`). Whoever does not answer in time is gone, as far as the one who asks is concerned.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

CONNECT_SECONDS: Final = 2.0
MAX_LINE_BYTES: Final = 16 * 2**20  # metrics are the longest, some 100 kB
# A socket's address is 108 bytes long, the last of them a zero (unix(7)); elsewhere it is four less.
MAX_ADDRESS_BYTES: Final = 100


class PeerGone(Exception):
    """There is no such process, or it has ended."""


class PeerSilent(Exception):
    """It is there, and does not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peers:
    """`number` is this process's own, of 1 to `count`."""

    directory: Path
    number: int
    count: int

    @property
    def others(self) -> tuple[int, ...]:
        """All but this one, whether they live or not."""
        return tuple(number for number in self._all if number != self.number)

    @property
    def _all(self) -> range:
        return range(1, self.count + 1)

    def ranked(self, key: str) -> tuple[int, ...]:
        """All by whose turn it is to care for something; each process comes to the same order (rendezvous hashing)."""
        return tuple(sorted(self._all, key=lambda number: sha256(f"{number} {key}".encode()).digest()))

    @asynccontextmanager
    async def asked(self, number: int, question: bytes) -> AsyncIterator[Lines]:
        """Asks another. Raises `PeerGone`, `PeerSilent`."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                with address_of(self.directory, number) as path:
                    reader, writer = await asyncio.open_unix_connection(path, limit=MAX_LINE_BYTES)
        except TimeoutError as error:
            raise PeerSilent(number) from error
        except OSError as error:
            raise PeerGone(number) from error
        try:
            writer.write(question + b"\n")
            yield Lines(reader)
        finally:
            writer.close()


class Lines:
    """An answer, line by line."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    async def next(self, *, within: float) -> bytes:
        """The next line, without its end. Raises `PeerGone` where there is none, `PeerSilent` after so many seconds."""
        try:
            async with asyncio.timeout(within):
                line = await self._reader.readline()
        except TimeoutError as error:
            raise PeerSilent from error
        except (OSError, ValueError) as error:  # a line that is too long is a ValueError
            raise PeerGone from error
        if not line.endswith(b"\n"):
            raise PeerGone
        return line[:-1]


@contextmanager
def address_of(directory: Path, number: int | str) -> Iterator[str]:
    """The path by which a socket is bound or reached; a long one by way of an open directory, where the system can."""
    path = str(directory / str(number))
    if len(os.fsencode(path)) <= MAX_ADDRESS_BYTES:
        yield path
        return
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{handle}/{number}"
    finally:
        os.close(handle)
