"""A client that is slow to take what it asked for, and the server's end of its connection."""

from __future__ import annotations

import asyncio
import gc
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from inbond.web.connections import Connection
from inbond.web.taking import Taking
from raw_client import RawClient, raw
from stack import Inbond


@dataclass(frozen=True)
class Slow:
    """A client that takes next to nothing until it reads, and the server's end of its connection."""

    client: RawClient
    connection: Connection

    @property
    def taking(self) -> Taking:
        assert isinstance(self.connection._taking, Taking)
        return self.connection._taking

    def ask(self, head: bytes) -> None:
        self.client.writer.write(head)

    async def begins(self) -> None:
        """Its answer is under way, and has got stuck."""
        while self.connection._taking is None:
            await asyncio.sleep(0.005)

    def read(self) -> None:
        self.client.writer.transport.resume_reading()  # type: ignore[attr-defined]


@asynccontextmanager
async def slow(proxy: Inbond, address: str = "127.0.0.1") -> AsyncIterator[Slow]:
    async with raw(proxy, narrow=True, address=address) as client:
        client.reader._limit = 1024  # type: ignore[attr-defined]
        client.writer.transport.pause_reading()  # type: ignore[attr-defined]
        own = client.writer.get_extra_info("sockname")
        while not (ends := [one for one in gc.get_objects() if isinstance(one, Connection) and peer_of(one) == own]):
            await asyncio.sleep(0.005)
        (connection,) = ends
        assert connection.transport is not None
        connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        yield Slow(client, connection)


def peer_of(connection: Connection) -> object:
    return connection.transport.get_extra_info("peername") if connection.transport is not None else None
