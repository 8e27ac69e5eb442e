"""Connections of clients: how long one may take over a request's head, and how large that may be."""

from __future__ import annotations

import asyncio
import os
import socket
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

from aiohttp import EMPTY_PAYLOAD, web

from inbond.web.again import AGAIN
from inbond.web.door import DOOR, Admission, Door
from inbond.web.giving import Giving, give
from inbond.web.hot import HOT, Hot
from inbond.web.hot_answer import HotAnswer, repeatable
from inbond.web.judged_under import is_overtaken
from inbond.web.origin import SERVER, client_at, client_of, is_trusted_proxy
from inbond.web.outflow import FileShrank, is_encrypted
from inbond.web.pieces import PIECE_BYTES
from inbond.web.problems import problem
from inbond.web.taking import Taking

SPARE_SECONDS: Final = 2.0  # for the head of a request on a spare connection
KEEPALIVE_SECONDS: Final = 75.0  # for the next request on a connection
MAX_HEAD_BYTES: Final = 64 * 1024
HEAD_ENDS: Final = b"\r\n\r\n"
READ_BYTES: Final = 16 * 1024  # at once of a connection: room is made for that many each time, and heads are small


class Connection(web.RequestHandler):
    """A client's connection: aiohttp's, with an end to heads that do not end and to answers that nobody reads.

    What has been answered before goes the hot way (`inbond.web.hot`), where every request so far came by itself, in one
    piece and without a body: then nothing is left in the parser, and the bytes that come are a head from its beginning.
    While a client takes such an answer, nothing more is read from it (`inbond.web.taking`, `inbond.web.giving`).
    """

    __slots__ = (
        "_admission", "_asked", "_by", "_client", "_closes", "_door", "_due", "_head_bytes", "_hot", "_peer",
        "_server_settings", "_socket", "_taking", "_whole",
    )  # fmt: skip

    def __init__(self, server: web.Server, app: web.Application, **settings: Any) -> None:
        super().__init__(server, **settings)
        self._door: Door = app[DOOR]
        self._hot: Hot = app[HOT]
        self._server_settings = app[SERVER]
        self._whole = False  # whether every request so far came as the hot way needs it
        self._asked: bytes | None = None  # the head of the request that is being answered
        self._by = ""  # the trusted proxy that this is, whose heads may say who asks
        self._client = ""
        self._taking: Taking | Giving | None = None  # where a hot answer was not taken at once
        self._closes = False  # once that is taken
        self._admission = Admission.SHUT
        self._peer = ""
        self._socket: int | None = None  # its number, while it is open
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
        self._whole = self._admission is Admission.SERVED
        self._client = client_at(self._peer)
        self._by = self._proxy()
        # What is encrypted goes by the transport alone.
        self._socket = None if is_encrypted(transport) else transport.get_extra_info("socket").fileno()
        if hasattr(transport, "max_size"):  # asyncio's own, of what is not encrypted
            transport.max_size = READ_BYTES
        _end_unread(transport, self._door.limits.unread_seconds)
        super().connection_made(transport)
        self._arm(SPARE_SECONDS if self.is_spare else self._door.limits.head_seconds)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Gives the place back."""
        self._disarm()
        if self._taking is not None:
            self._taking.lost()
            self._taking = None
        self._door.leave(self._peer, self._admission)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Answers what has been answered before; else passes bytes on, and sees to it that a head that began ends."""
        waiter = self._waiter
        if (
            self._whole
            and waiter is not None  # it awaits a head
            and not waiter.done()
            and (answer := self._hot.answer((self._by, data), self._client)) is not None
        ):
            if answer.in_one_piece and (self._socket is not None or len(answer.ready) <= PIECE_BYTES):
                self._give(answer)  # of what waits behind the encryption nobody can tell how much it is
            elif not self._give_large(answer):
                self._pass_on(data)
        else:
            self._pass_on(data)

    def _see_to_head(self, count: int) -> None:
        """Sees to it that a head ends of which so many bytes came."""
        if not self._awaits_head():
            self._disarm()
            return
        self._head_bytes += count
        if self._head_bytes > MAX_HEAD_BYTES:
            self._give_up("large-head")
        elif self._due is None:
            self._arm(self._door.limits.head_seconds)

    def _pass_on(self, data: bytes) -> None:
        """To aiohttp; and remembers the bytes of a head that came as the hot way needs it."""
        idle, before = self._awaits_head(), self._request_count
        if idle:  # a reload may have made it one, or no longer one
            self._by = self._proxy()
        super().data_received(data)
        if self._whole:
            came = self._request_count == before + 1 and data.endswith(HEAD_ENDS)
            self._whole = came and self._messages[-1][1] is EMPTY_PAYLOAD and not self._upgraded
        self._asked = data if self._whole and idle else None
        self._see_to_head(len(data))

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Sends the answer, and keeps it where it may be given again."""
        sent, reset = await super().finish_response(request, resp, start_time)
        if self._asked is not None and not reset and isinstance(request, web.Request) and AGAIN in request:
            client = client_of(request) if self._by else None
            answer = repeatable(request, sent, request[AGAIN], client=client)
            if answer is not None and not is_overtaken(request):
                self._hot.learn((self._by, self._asked), answer)
        self._asked = None
        return sent, reset

    def _give(self, answer: HotAnswer) -> None:
        """Sends an answer; like every other, it has the connection kept for another while."""
        if self._due is not None:
            self._disarm()
        self._next_keepalive_close_time = self._hot.now + KEEPALIVE_SECONDS
        assert self.transport is not None  # its handler waits
        left = answer.ready[self._sent(answer, self.transport) :]
        if not left:
            return
        self.transport.write(left)
        if self.transport.get_write_buffer_size():
            self._taking = Taking(self.transport, self._hot, self._door)
            self._next_keepalive_close_time += self._taking.longest

    def _sent(self, answer: HotAnswer, transport: asyncio.Transport) -> int:
        """Sends an answer past the transport, whose own way to the same call costs more; how many bytes of it."""
        if self._socket is None or transport.get_write_buffer_size():
            return 0  # it is encrypted, or another answer goes before it
        try:
            if answer.copy is None:
                return os.write(self._socket, answer.ready)
            return os.sendfile(self._socket, answer.copy, 0, len(answer.ready))
        except OSError:  # the transport finds out, and knows what to do
            return 0

    def _give_large(self, answer: HotAnswer) -> bool:
        """Sends an answer that does not go in one piece; False where the full way is to."""
        assert self.transport is not None
        try:
            giving = give(self.transport, answer, self._hot, self._door)
        except (OSError, FileShrank):  # nothing has left yet
            self._hot.withdraw()
            return False
        if self._due is not None:
            self._disarm()
        self._next_keepalive_close_time = self._hot.now + KEEPALIVE_SECONDS
        if giving is not None:
            self.pause_writing()
            self._taking = giving
            self._next_keepalive_close_time += giving.longest
            giving.go_on(self.resume_writing)
        return True

    def resume_writing(self) -> None:
        """Where a hot answer was under way, all of it is taken now."""
        super().resume_writing()
        if self._taking is not None:
            self._taking.end()
            self._taking = None
            self._next_keepalive_close_time = self._loop.time() + KEEPALIVE_SECONDS
        if self._closes:
            super().close()

    def close(self) -> None:
        """Ends the connection after the answer that is under way: a large hot one is none to aiohttp."""
        if isinstance(self._taking, Giving):
            self._closes = True
        else:
            super().close()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 - aiohttp's
        """Lets a hot answer be taken within that time, as an answer that is being made."""
        if self._taking is not None:
            with suppress(TimeoutError, ConnectionError):
                async with asyncio.timeout(timeout):
                    await self._drain_helper()
        await super().shutdown(timeout)

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

    def _proxy(self) -> str:
        return self._peer if is_trusted_proxy(self._server_settings, self._peer) else ""

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
