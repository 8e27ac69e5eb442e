"""The bytes of an answer into a connection's socket as it takes them, without a copy in this process.

Those of a file do not pass through Python (sendfile), and those in memory lie there once for all who wait for them.

asyncio's own sendfile takes half a millisecond of a processor for each piece that must be taken in time, most of it
for waiting; and its transports copy what is not taken at once. Here the loop sends as soon as there is room, and a
timer sees to it that each piece goes in time.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Final, Protocol

AT_ONCE_BYTES: Final = 2**20  # then it is others' turn
PIECE_BYTES: Final = 256 * 1024  # that a client must take in time
READ_BYTES: Final = 64 * 1024  # of a file at once, where sendfile is not possible
# What a file system says that cannot do it.
NO_SENDFILE: Final = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP})
_UNREACHABLE: Final = frozenset({errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EHOSTDOWN, errno.ENETDOWN})


def is_encrypted(transport: asyncio.BaseTransport) -> bool:
    """Whether what leaves by a transport is encrypted by it: then nothing may be written to its socket beside it."""
    return transport.get_extra_info("sslcontext") is not None


class FileShrank(Exception):
    """Fewer bytes lie in the file than were announced."""


class TooSlow(Exception):
    """A piece was not taken in time."""


class Source(Protocol):
    """Where bytes come from: `count` in all."""

    count: int

    def send(self, sock: int, sent: int) -> int:
        """Sends some of those behind the first `sent`; how many the socket took. Raises OSError."""
        ...


class FileSource:
    """`count` bytes of an open file from `offset` on."""

    def __init__(self, file: int, offset: int, count: int) -> None:
        """`file`: its descriptor."""
        self._file = file
        self._offset = offset
        self.count = count

    def send(self, sock: int, sent: int) -> int:
        """By sendfile."""
        return os.sendfile(sock, self._file, self._offset + sent, min(AT_ONCE_BYTES, self.count - sent))


def is_client_gone(error: BaseException) -> bool:
    """Whether a client went, is not to be reached, or (`TimeoutError`) has left unread for too long what was sent."""
    if isinstance(error, ConnectionError | TimeoutError):
        return True
    return isinstance(error, OSError) and error.errno in _UNREACHABLE


def pushed(source: Source, sock: int, sent: int) -> int:
    """Sends some of the bytes behind the first `sent`; how many. Raises `FileShrank`, and OSError of socket or file."""
    count = source.send(sock, sent)
    if not count:
        raise FileShrank
    return count


class Outflow:
    """All bytes of a source. `sent`: so many by now. On the event loop."""

    def __init__(
        self,
        transport: asyncio.Transport,
        source: Source,
        *,
        piece_seconds: float,
        piece_bytes: int = PIECE_BYTES,
        sent: int = 0,
    ) -> None:
        """`transport`: one over a plain socket, which has nothing to write itself. `sent`: so many bytes before."""
        self._transport = transport
        self._socket: int = transport.get_extra_info("socket").fileno()
        self._source = source
        self._piece_seconds = piece_seconds
        self._piece_bytes = piece_bytes
        self._pieces_until = 0  # the end of the piece under way
        self._due = 0.0  # when that must have been taken
        self._ended: Callable[[Exception | None], object] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._reads = False  # whether the transport did before
        self.sent = sent

    @property
    def left(self) -> int:
        """How many bytes are still to be sent."""
        return self._source.count - self.sent

    async def run(self) -> None:
        """Sends all. Raises `TooSlow`, `FileShrank`, and OSError of the socket or the file."""
        self._push()
        if not self.left:
            return
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        self.go_on(partial(_settle, ended))
        try:
            error = await ended
        finally:
            self.stop()
        if error is not None:
            raise error

    def go_on(self, ended: Callable[[Exception | None], object]) -> None:
        """Sends the rest whenever there is room. `ended` hears how it ended, once, unless `stop` is called before."""
        loop = asyncio.get_running_loop()
        self._socket = self._watched(loop)
        self._ended = ended
        self._reads = self._transport.is_reading()
        self._transport.pause_reading()  # it would close where the client has nothing more to say
        self._begin_piece()
        self._timer = loop.call_at(self._due, self._watch)

    def _watched(self, loop: asyncio.AbstractEventLoop) -> int:
        """A number of its own for the socket, that the loop watches: it leaves the transport's to the transport."""
        number = os.dup(self._socket)
        try:
            loop.add_writer(number, self._send)
        except BaseException:
            os.close(number)  # it would keep the connection open
            raise
        return number

    def stop(self) -> None:
        """Sends no more. May be called again."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = self._ended = None
        asyncio.get_running_loop().remove_writer(self._socket)
        os.close(self._socket)
        if self._reads and not self._transport.is_closing():
            self._transport.resume_reading()

    def _push(self) -> None:
        with suppress(BlockingIOError):
            self.sent += pushed(self._source, self._socket, self.sent)

    def _send(self) -> None:
        try:
            self._push()
        except (OSError, FileShrank) as error:
            self._end(error)
            return
        if not self.left:
            self._end(None)
        elif self.sent >= self._pieces_until:
            self._begin_piece()

    def _begin_piece(self) -> None:
        self._pieces_until = self.sent + self._piece_bytes
        self._due = asyncio.get_running_loop().time() + self._piece_seconds

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        if loop.time() >= self._due:
            self._end(TooSlow())
        else:
            self._timer = loop.call_at(self._due, self._watch)

    def _end(self, error: Exception | None) -> None:
        ended = self._ended
        self.stop()
        if ended is not None:
            ended(error)


def _settle(ended: asyncio.Future[Exception | None], error: Exception | None) -> None:
    if not ended.done():  # else nobody waits any more
        ended.set_result(error)
