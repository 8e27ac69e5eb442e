"""Connections until TLS is spoken over them: each has its place and its time, as any other.

asyncio's own way has a server's connection appear only once the handshake is done; who opens thousands and says nothing
would be counted by nobody. Here a connection takes its place as it comes, and gives it up or goes on with it.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Final, Protocol

from inbond.web.connections import SPARE_SECONDS, Connection
from inbond.web.door import Admission, Door

MAX_EARLY_BYTES: Final = 256 * 1024  # that came with the end of the handshake


class Secured(Protocol):
    """What new connections are secured with: it may be another one for the next."""

    @property
    def context(self) -> ssl.SSLContext:
        """The certificate, the key and what is allowed."""
        ...


class Handshakes:
    """Those under way."""

    def __init__(self, secured: Secured, door: Door) -> None:
        self._secured = secured
        self._door = door
        self._under_way: set[asyncio.Task[None]] = set()

    def before(self, connection: Connection) -> Handshake:
        """The protocol that stands before a connection's."""
        return Handshake(self, connection)

    def begin(self, transport: asyncio.Transport, connection: Connection) -> None:
        """Takes a place for it, or closes at once."""
        name = transport.get_extra_info("peername")
        peer = str(name[0]) if isinstance(name, tuple) and name else ""
        admission = self._door.enter(peer)
        if admission is Admission.SHUT:
            transport.abort()
            return
        transport.pause_reading()  # until somebody reads who understands it
        task = asyncio.get_running_loop().create_task(self._shake(transport, connection, peer, admission))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _shake(
        self, transport: asyncio.Transport, connection: Connection, peer: str, admission: Admission
    ) -> None:
        early = _Early()
        seconds = SPARE_SECONDS if admission is Admission.SPARE else self._door.limits.head_seconds
        began = asyncio.get_running_loop().time()
        try:
            secured = await asyncio.get_running_loop().start_tls(
                transport, early, self._secured.context, server_side=True, ssl_handshake_timeout=seconds
            )
        except OSError:  # ssl.SSLError, a client that went, and one that took too long
            late = asyncio.get_running_loop().time() - began >= seconds
            self._door.drop("slow-head" if late else "bad-handshake")
            transport.abort()
            return
        finally:
            self._door.leave(peer, admission)  # from here on the place is a connection's, in the same step
        if secured is None or early.is_lost():
            transport.abort()
            return
        connection.connection_made(secured)
        await asyncio.sleep(0)  # then it awaits a head, as connections without TLS do when the first bytes come
        if early.is_lost():
            connection.connection_lost(None)
            return
        secured.set_protocol(connection)
        if early.data:
            connection.data_received(bytes(early.data))

    def stop(self) -> None:
        """Ends them."""
        for task in self._under_way:
            task.cancel()


class Handshake(asyncio.Protocol):
    """A connection that has just come."""

    def __init__(self, handshakes: Handshakes, connection: Connection) -> None:
        self._handshakes = handshakes
        self._connection = connection

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begins."""
        assert isinstance(transport, asyncio.Transport)
        self._handshakes.begin(transport, self._connection)


class _Early(asyncio.Protocol):
    """What came with the end of the handshake, before the connection stood."""

    def __init__(self) -> None:
        self.data = bytearray()
        self._lost = False

    def data_received(self, data: bytes) -> None:
        self.data += data
        if len(self.data) > MAX_EARLY_BYTES:
            self._lost = True

    def connection_lost(self, exc: BaseException | None) -> None:  # noqa: ARG002 (asyncio's)
        self._lost = True

    def is_lost(self) -> bool:
        """Whether the client is gone, or has sent more than anybody would."""
        return self._lost
