"""Connections of clients: how long one may take over a request's head, and how large that may be."""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus
from typing import Any, Final

from aiohttp import web

from inbond.web.door import DOOR, Admission, Door
from inbond.web.problems import problem

SPARE_SECONDS: Final = 2.0  # for the head of a request on a spare connection
KEEPALIVE_SECONDS: Final = 75.0  # for the next request on a connection
LINGERING_SECONDS: Final = 10.0  # for the rest of a body that nobody reads
MAX_LINE_BYTES: Final = 8190
MAX_FIELD_BYTES: Final = 8190
MAX_FIELDS: Final = 64
MAX_HEAD_BYTES: Final = 64 * 1024


class Connection(web.RequestHandler):
    """A client's connection: aiohttp's, with an end to heads that do not end and to answers that nobody reads."""

    __slots__ = ("_admission", "_door", "_due", "_head_bytes", "_peer")

    def __init__(self, server: web.Server, door: Door, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._door = door
        self._admission = Admission.SHUT
        self._peer = ""
        self._due: asyncio.TimerHandle | None = None
        self._head_bytes = 0

    @property
    def is_spare(self) -> bool:
        """Whether it is one of the few beyond those that are served."""
        return self._admission is Admission.SPARE

    def expect_nothing(self) -> None:
        """Ends the connection after the answer that is due, whatever is still to come of its request."""
        self._lingering_time = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Takes a place, or closes at once."""
        name = transport.get_extra_info("peername")
        self._peer = str(name[0]) if isinstance(name, tuple) and name else ""
        self._admission = self._door.enter(self._peer)
        if self._admission is Admission.SHUT:
            assert isinstance(transport, asyncio.Transport)
            transport.abort()
            return
        _end_unread(transport, self._door.limits.unread_seconds)
        super().connection_made(transport)
        self._arm(SPARE_SECONDS if self.is_spare else self._door.limits.head_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Gives the place back."""
        self._disarm()
        self._door.leave(self._peer, self._admission)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Passes bytes on, and sees to it that a head that has begun ends."""
        super().data_received(data)
        if not self._awaits_head():
            self._disarm()
            return
        self._head_bytes += len(data)
        if self._head_bytes > MAX_HEAD_BYTES:
            self._give_up("large-head")
        elif self._due is None:
            self._arm(self._door.limits.head_seconds)

    def handle_error(
        self, request: Any, status: int = 500, exc: BaseException | None = None, message: str | None = None
    ) -> web.StreamResponse:
        """The answer to what is no request: like every other error, and without a stack trace in the log."""
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR or request.writer.output_size:
            return super().handle_error(request, status, exc, message)
        said = " ".join((message or "").split())
        response = problem(HTTPStatus(status), title="This is not a request that inbond reads", detail=said)
        response.force_close()
        return response

    def _awaits_head(self) -> bool:
        return self._waiter is not None and not self._waiter.done()

    def _arm(self, seconds: float) -> None:
        self._due = asyncio.get_running_loop().call_later(seconds, self._give_up, "slow-head")

    def _disarm(self) -> None:
        self._head_bytes = 0
        if self._due is not None:
            self._due.cancel()
            self._due = None

    def _give_up(self, reason: str) -> None:
        self._disarm()
        self._door.drop(reason)
        if self.transport is not None:
            self.transport.abort()


class Server(web.Server):
    """Makes the connections."""

    def __init__(self, made: web.Server, door: Door, **settings: Any) -> None:
        super().__init__(made.request_handler, request_factory=made.request_factory)
        self._door = door
        self._settings = settings

    def __call__(self) -> web.RequestHandler:
        """A new connection."""
        return Connection(self, self._door, loop=asyncio.get_running_loop(), **self._settings)


class Runner(web.AppRunner):
    """Serves an application made by `build_app`, with bounds on its connections."""

    def __init__(self, app: web.Application, *, shutdown_timeout: float) -> None:
        super().__init__(app, access_log=None, shutdown_timeout=shutdown_timeout)

    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(
            made,
            self.app[DOOR],
            access_log=None,
            keepalive_timeout=KEEPALIVE_SECONDS,
            lingering_time=LINGERING_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_FIELD_BYTES,
            max_headers=MAX_FIELDS,
        )


def expect_nothing(request: web.Request) -> None:
    """Ends a request's connection after its answer, though not all of its body came."""
    if isinstance(request.protocol, Connection):
        request.protocol.expect_nothing()


def is_spare(request: web.Request) -> bool:
    """Whether a request came over a connection beyond those that are served."""
    return isinstance(request.protocol, Connection) and request.protocol.is_spare


async def keep_or_close(request: web.Request, response: web.StreamResponse) -> None:
    """Closes a connection after its answer where others need it more."""
    if is_spare(request) or request.app[DOOR].crowded:
        response.force_close()
        response.headers["Connection"] = "close"  # those headers are made already


def _end_unread(transport: asyncio.BaseTransport, seconds: float) -> None:
    # Also where nobody waits any more: an answer's last bytes in the kernel, and connections that are being closed.
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.family in {socket.AF_INET, socket.AF_INET6}:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(seconds * 1000))
